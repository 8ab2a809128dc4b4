"""Sessions in containers of an engine, Docker or Podman: one container each, which exists as long as its owner holds its input.

Covers: no network; everything but sized tmpfs read-only; no capability, no new privileges, the engine's seccomp profile; limits on the sums
of memory, processes and CPU; the agent is not the user of the first process, nor the owner of /usr/local and /srv; a container is removed
when its owner is killed, after session_s, and by the next sweep.
Does not cover: what a container shows of its host (kernel, memory, cores); holes of the kernel, unless runtime=runsc; rootless engines on
cgroup v1, which ignore limits.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence

import docker
import docker.errors

from sekft.config import SandboxConfig
from sekft.errors import SandboxError, one_line
from sekft.sandbox import image, layout
from sekft.sandbox.backend import engine, preflight
from sekft.sandbox.backend.container import FULL, STOPPED, Container, Maker
from sekft.sandbox.backend.docker_exec import SocketStream, execute
from sekft.sandbox.backend.warm import WarmPool
from sekft.sandbox.session import CheckResult, File, ShellTurn
from sekft.sandbox.shell import Shell

_OUTPUT_BYTES = 65536  # kept of a checker's output
_ANSWER_S = 20.0  # per answer of the first process
_SIGNAL_S = 5.0  # 0.1 s on an idle engine
_TRIES = 6  # against an agent that prevents it; among 64 processes every fifth exec fails
_ALONE = "alone"  # printed when all other processes of the agent are gone
# Wait until init has reaped the dead, which count as processes, or the checker could not start. Without a fork; 8: ours and some to spare.
_REAPED = "i=0; while set -- /proc/[0-9]*; [ $# -gt 8 ] && [ $i -lt 5000 ]; do i=$((i + 1)); done"
_AGENT = f"{layout.UID}:{layout.UID}"


class DockerBackend:
    """Implements session.Backend. Its constructor sweeps, makes the image and opens a trial session. Raises SandboxError.

    faults: limits that do not hold on this engine and differences of the text, one phrase each; swept: containers removed.
    """

    name = "docker"

    def __init__(self, settings: SandboxConfig, container_engine: engine.ContainerEngine | None = None) -> None:
        self.settings = settings
        self.engine = container_engine or engine.find()
        client = self.engine.client()
        info = engine.info(client)
        preflight.require_disk(self.engine.host, info)
        self.swept = engine.sweep(client)
        self.image, self.digest = image.docker_image(client)
        self.maker = Maker(settings, self.engine, self.image)
        self._warm = WarmPool(self.maker, settings.warm)
        with self.open({}) as session:
            self.faults = preflight.faults(session, settings, info)

    @contextlib.contextmanager
    def open(self, environment: Mapping[str, str]) -> Iterator["DockerSession"]:
        client = self.engine.client()
        container = self._warm.take() or self.maker.make()
        session: DockerSession | None = None
        try:
            session = DockerSession(client, container, self.settings, environment, own_home=not self.engine.podman)
            yield session
        finally:
            if session:
                session.close()
            container.remove(client)


class DockerSession:
    """Implements session.Session."""

    def __init__(
        self, client: docker.DockerClient, container: Container, settings: SandboxConfig, environment: Mapping[str, str], own_home: bool
    ) -> None:
        self._client, self._name, self._lifeline = client, container.name, container.lifeline
        self._settings, self._environment, self._own_home = settings, environment, own_home
        self._shell: Shell | None = None
        self._held = False

    def put(self, files: Sequence[File]) -> None:
        roots, agents = layout.pack(files, own_home=self._own_home)
        try:
            self._lifeline.send(b"%d\n%s" % (len(roots), roots))
            status = self._lifeline.line(_ANSWER_S)
        except OSError as error:
            raise SandboxError(f"the container ended while root's files were written: {one_line(error)}") from None
        if status != b"0":
            raise SandboxError(f"root's files were not written: tar ended with {status.decode()} on {len(roots)} bytes")
        self._start(agents)

    def run(self, text: str, timeout_s: float) -> ShellTurn:
        try:
            shell = self._shell or self._start(layout.pack((), own_home=self._own_home)[1])
        except SandboxError as error:
            return ShellTurn("", "broken", reason=str(error))
        return shell.run(text, timeout_s)

    def check(self, script: str, timeout_s: float) -> CheckResult:
        text = script.encode("utf-8", "surrogateescape")
        try:
            stream = self._alone(layout.check_script(len(text), timeout_s))
            if not stream:
                return CheckResult(None)
            with contextlib.closing(stream):
                self.close()  # unread output delays the engine's news of an exec's end by 10 s
                started = time.monotonic()
                stream.send(b"\n" + text)
                output, ended = stream.read(timeout_s + 5, _OUTPUT_BYTES)
                status = stream.exit_code() if ended else None
        except (SandboxError, OSError) as error:
            return CheckResult(None, one_line(error), broken=True)
        late = status == 137 and time.monotonic() - started >= timeout_s
        return CheckResult(None if late else status, output.decode("utf-8", "replace"))

    def kill(self) -> None:
        self._lifeline.hang_up()

    def close(self) -> None:
        if self._shell:
            self._shell.close()

    def _start(self, tar: bytes) -> Shell:
        """Start the shell with the agent's files on its input: a second exec would cost 70 ms."""
        stream = execute(self._client, self._name, layout.session_script(self._environment, len(tar)), _AGENT)
        shell = Shell(stream, self._signal, self._settings.flood_bytes)
        try:
            stream.send(tar)
            shell.start()
        except OSError as error:
            shell.close()
            raise SandboxError(f"the container ended while the agent's files were written: {one_line(error)}") from None
        except SandboxError:
            shell.close()
            raise
        self._shell = shell
        return shell

    def _alone(self, script: str) -> SocketStream | None:
        """Kill all processes of the agent and start script, which waits for a line before it reads the checker's text.

        Returns None if the agent prevents the start. Raises SandboxError.
        """
        for _ in range(_TRIES):
            if self._held:
                break
            stream = execute(self._client, self._name, f"kill -9 -1 2>/dev/null; {_REAPED}; echo {_ALONE}; read -r _; {script}", _AGENT)
            printed, ended = stream.read(_ANSWER_S, _OUTPUT_BYTES, until=_ALONE.encode() + b"\n")
            if printed == _ALONE.encode() + b"\n":
                return stream
            with contextlib.closing(stream):
                status = stream.exit_code() if ended else None
                if status != 137 and not self._hindered():  # 137: the agent was faster
                    text = " ".join(printed.decode("utf-8", "replace").split())
                    end = f"ended with status {status}" if ended else f"not begun after {_ANSWER_S:g} s"
                    raise SandboxError(f"the checker did not start: {text[:300] or end}")
        return None

    def _signal(self, name: str, shell_pid: int) -> None:
        """Send a signal to the agent's processes; without effect if the agent prevents it. Raises SandboxError."""
        script = f"set -- {name} {shell_pid} ''; {layout.SIGNAL}"
        for _ in range(_TRIES):
            if self._held:
                break
            with contextlib.closing(execute(self._client, self._name, script, _AGENT)) as stream:
                printed, ended = stream.read(_SIGNAL_S, 4096)
            if (ended and not printed.startswith(b"OCI runtime")) or not self._hindered():
                break

    def _hindered(self) -> bool:
        """Whether the agent keeps us from starting a process: it uses up the limit of processes, or stops ours.

        `kill -STOP -1` in a loop stops a process before it has started; the engine then gives no more answers about this container.
        """
        with contextlib.suppress(SandboxError, OSError):
            self._lifeline.send(b"?\n")
            answer = self._lifeline.line(_ANSWER_S)
            self._held = self._held or answer == STOPPED
            return answer in (STOPPED, FULL)
        return False

"""Episodes in containers of an engine, Docker or Podman: one container each, there as long as its owner holds its input.

Covers: no network; everything but sized tmpfs read-only; no capability, no new privileges, the engine's seccomp profile;
sums of memory, processes and CPU; the agent is another user than the first process and the owner of /usr/local and /srv;
SIGKILL of the owner removes the container, as does session_s, as does the next sweep.
Does not cover: what a container sees of its host (kernel, memory, cores); holes of the kernel, unless runtime=runsc;
engines without root on cgroup v1, which ignore limits.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence

import docker
import docker.errors

from sekft.config import SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox import image, layout
from sekft.sandbox.backend import engine, preflight
from sekft.sandbox.backend.container import FULL, STOPPED, Container, Maker
from sekft.sandbox.backend.docker_exec import SocketStream, execute
from sekft.sandbox.backend.warm import WarmPool
from sekft.sandbox.session import CheckResult, File, ShellTurn
from sekft.sandbox.shell import Shell

_OUTPUT_BYTES = 65536  # of the checker
_ANSWER_S = 20.0  # for one answer of the first process
_SIGNAL_S = 5.0  # 0.1 s on an idle engine
_TRIES = 6  # where the agent is in the way; among 64 processes every fifth exec fails
_ALONE = "alone"
# Without a fork: the dead count as processes until init has reaped them, and the checker could not start. 8: ours, and to spare.
_REAPED = "i=0; while set -- /proc/[0-9]*; [ $# -gt 8 ] && [ $i -lt 5000 ]; do i=$((i + 1)); done"
_AGENT = f"{layout.UID}:{layout.UID}"


class DockerBackend:
    """Fits place.Backend. At its start it sweeps, makes the image and episodes a trial episode; raises SandboxError if that fails.

    faults: what of the walls or the text is not as it should be here, one phrase each.
    """

    name = "docker"

    def __init__(self, settings: SandboxConfig, found: engine.ContainerEngine | None = None) -> None:
        self.settings = settings
        self.engine = found or engine.find()
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
    """Fits place.Place."""

    def __init__(
        self, client: docker.DockerClient, container: Container, settings: SandboxConfig, environment: Mapping[str, str], own_home: bool
    ) -> None:
        self._client, self._name, self._episode = client, container.name, container.lifeline
        self._settings, self._environment, self._own_home = settings, environment, own_home
        self._session: Shell | None = None
        self._held = False

    def put(self, files: Sequence[File]) -> None:
        roots, agents = layout.pack(files, own_home=self._own_home)
        try:
            self._episode.send(b"%d\n%s" % (len(roots), roots))
            status = self._episode.line(_ANSWER_S)
        except OSError as error:
            raise SandboxError(f"the container ended while root's files were put: {image.one_line(error)}") from None
        if status != b"0":
            raise SandboxError(f"root's files did not go into the place: tar ended with {status.decode()} on {len(roots)} bytes")
        self._start(agents)

    def run(self, text: str, timeout_s: float) -> ShellTurn:
        try:
            session = self._session or self._start(layout.pack((), own_home=self._own_home)[1])
        except SandboxError as error:
            return ShellTurn("", "broken", reason=str(error))
        return session.run(text, timeout_s)

    def check(self, script: str, timeout_s: float) -> CheckResult:
        text = script.encode("utf-8", "surrogateescape")
        try:
            stream = self._alone(layout.check_script(len(text), timeout_s))
            if not stream:
                return CheckResult(None)
            with contextlib.closing(stream):
                self.close()  # output that nobody reads keeps the engine from telling the end of an exec for 10 s
                started = time.monotonic()
                stream.send(b"\n" + text)
                output, ended = stream.read(timeout_s + 5, _OUTPUT_BYTES)
                status = stream.exit_code() if ended else None
        except (SandboxError, OSError) as error:
            return CheckResult(None, image.one_line(error), broken=True)
        late = status == 137 and time.monotonic() - started >= timeout_s
        return CheckResult(None if late else status, output.decode("utf-8", "replace"))

    def close(self) -> None:
        if self._session:
            self._session.close()

    def _start(self, tar: bytes) -> Shell:
        """The session brings the agent's files along: an exec costs 70 ms."""
        stream = execute(self._client, self._name, layout.session_script(self._environment, len(tar)), _AGENT)
        session = Shell(stream, self._signal, self._settings.flood_bytes)
        try:
            stream.send(tar)
            session.start()
        except OSError as error:
            session.close()
            raise SandboxError(f"the container ended while the agent's files were put: {image.one_line(error)}") from None
        except SandboxError:
            session.close()
            raise
        self._session = session
        return session

    def _alone(self, script: str) -> SocketStream | None:
        """Kill all of the agent; script then waits for a line, and the checker's text comes when nobody is there to read it.

        None: the agent does not let it start. Raises SandboxError.
        """
        for _ in range(_TRIES):
            if self._held:
                break
            stream = execute(self._client, self._name, f"kill -9 -1 2>/dev/null; {_REAPED}; echo {_ALONE}; read -r _; {script}", _AGENT)
            said, ended = stream.read(_ANSWER_S, _OUTPUT_BYTES, until=_ALONE.encode() + b"\n")
            if said == _ALONE.encode() + b"\n":
                return stream
            with contextlib.closing(stream):
                status = stream.exit_code() if ended else None
                if status != 137 and not self._hindered():  # 137: the agent was faster
                    text = " ".join(said.decode("utf-8", "replace").split())
                    how = f"ended with status {status}" if ended else f"not begun after {_ANSWER_S:g} s"
                    raise SandboxError(f"the checker did not start: {text[:300] or how}")
        return None

    def _signal(self, name: str, shell_pid: int) -> None:
        """Without effect where the agent keeps us from it. Raises SandboxError."""
        script = f"set -- {name} {shell_pid} ''; {layout.SIGNAL}"
        for _ in range(_TRIES):
            if self._held:
                break
            with contextlib.closing(execute(self._client, self._name, script, _AGENT)) as stream:
                said, ended = stream.read(_SIGNAL_S, 4096)
            if (ended and not said.startswith(b"OCI runtime")) or not self._hindered():
                break

    def _hindered(self) -> bool:
        """Whether the agent keeps us from starting anything: all processes there may be are its own, or it stops ours.

        `kill -STOP -1` in a loop does, before they have started: then the engine answers nothing more about this container.
        """
        with contextlib.suppress(SandboxError, OSError):
            self._episode.send(b"?\n")
            answer = self._episode.line(_ANSWER_S)
            self._held = self._held or answer == STOPPED
            return answer in (STOPPED, FULL)
        return False

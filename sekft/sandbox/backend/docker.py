"""Lives in containers of an engine, Docker or Podman: one container each, there as long as its owner holds its input.

Covers: no network; everything but sized tmpfs read-only; no capability, no new privileges, the engine's seccomp profile;
sums of memory, processes and CPU; the agent is another user than the first process and the owner of /usr/local and /srv;
SIGKILL of the owner removes the container, as does life_s, as does the next sweep.
Does not cover: what a container sees of its host (kernel, memory, cores); holes of the kernel, unless runtime=runsc;
engines without root on cgroup v1, which ignore limits.
"""

import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import docker
import docker.errors
from docker.types import LogConfig, Ulimit

from sekft.config import SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox import image, world
from sekft.sandbox.backend import engine
from sekft.sandbox.backend.stream import Stream, attach, execute
from sekft.sandbox.place import Checked, File, Turn
from sekft.sandbox.shell import Session

_OUTPUT_BYTES = 65536  # of the checker
_LIFE_S = 20.0  # for one answer of the first process
_AGENT = f"{world.UID}:{world.UID}"

# The first process: root without capabilities. Each request is a size and a tar; its end of input is the end of the container.
_LIFELINE = f"umask 022; touch -d @{world.MTIME} /tmp /run; while read -r size; do head -c $size | {world.UNTAR}; echo $?; done"


class DockerBackend:
    """Fits place.Backend. Makes the image and sweeps at its start; raises SandboxError if no engine answers."""

    name = "docker"

    def __init__(self, settings: SandboxConfig, found: engine.Engine | None = None) -> None:
        self.settings = settings
        self.engine = found or engine.find()
        client = self.engine.client()
        self.swept = engine.sweep(client)
        self.image, self.digest = image.docker_image(client)

    @contextlib.contextmanager
    def open(self, environment: Mapping[str, str]) -> Iterator["DockerPlace"]:
        client = self.engine.client()
        name = f"sekft-{secrets.token_hex(8)}"  # known before it exists: an interrupt may come while it is made
        life: Stream | None = None
        place: DockerPlace | None = None
        try:
            with engine.trouble("the engine could not make the container"):
                client.api.create_container_from_config(self._create_config(client), name)
            life = attach(client, name)  # before the start, and the input closes with this connection
            with engine.trouble("the engine could not start the container"):
                client.api.start(name)
            place = DockerPlace(client, name, life, self.settings, environment)
            yield place
        finally:
            if place:
                place.close()
            if life:
                life.close()
            _remove(client, name)

    def _create_config(self, client: docker.DockerClient) -> dict[str, Any]:
        """Every wall; none of them cost anything that could be measured."""
        settings = self.settings
        memory = settings.memory_mb << 20
        host = client.api.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            ipc_mode="private",
            init=True,  # zombies count as processes
            auto_remove=True,
            runtime=settings.runtime,
            mem_limit=memory,
            memswap_limit=memory,
            pids_limit=settings.pids,
            nano_cpus=int(settings.cpus * 1e9),
            shm_size=1 << 20,
            tmpfs=self._tmpfs(),
            ulimits=self._ulimits(),
            log_config=LogConfig(type="none"),
        )
        return client.api.create_container_config(
            self.image,
            ["timeout", "-s", "KILL", str(settings.life_s), "/bin/sh", "-c", _LIFELINE],
            user="0:0",
            hostname="box",
            stdin_open=True,
            detach=False,  # StdinOnce: the input closes with our connection
            host_config=host,
            labels={
                engine.LABEL: "1",
                engine.OWNER: engine.owner(),
                engine.DEADLINE: str(int(time.time()) + settings.life_s + 60),
            },
        )

    def _tmpfs(self) -> dict[str, str]:
        settings, common = self.settings, "rw,exec,nosuid,nodev"  # exec: an engine's own default is noexec
        # podman refuses owner and inodes; there the modes of the image's folders serve
        agent, root = ("", "") if self.engine.podman else (",uid=1000,gid=1000,nr_inodes=8k", ",nr_inodes=8k")
        walls = {
            "/tmp": f"{common},size={settings.tmp_mb}m,mode=1777{root}",
            "/run": "rw,noexec,nosuid,nodev,size=1m,mode=0755",
            world.HOME: f"{common},size={settings.home_mb}m,mode=0755{agent}",
        }
        return walls | dict.fromkeys(world.ROOTS, f"{common},size=8m,mode=0755{root}")

    def _ulimits(self) -> list[Ulimit]:
        limits = {"nofile": 256, "core": 0}
        if self.engine.podman:
            limits["nproc"] = 4096  # its own default is more than a root without capabilities may set
        return [Ulimit(name=name, soft=value, hard=value) for name, value in limits.items()]


class DockerPlace:
    """Fits place.Place."""

    def __init__(
        self, client: docker.DockerClient, name: str, life: Stream, settings: SandboxConfig, environment: Mapping[str, str]
    ) -> None:
        self._client, self._name, self._life = client, name, life
        self._settings, self._environment = settings, environment
        self._session: Session | None = None

    def put(self, files: Sequence[File]) -> None:
        roots, agents = world.pack(files)
        try:
            self._life.send(b"%d\n%s" % (len(roots), roots))
            status = self._life.line(_LIFE_S)
        except OSError as error:
            raise SandboxError(f"the container ended while root's files were put: {image.one_line(error)}") from None
        if status != b"0":
            raise SandboxError(f"root's files did not go into the place: tar ended with {status.decode()} on {len(roots)} bytes")
        self._start(agents)

    def run(self, text: str, timeout_s: float) -> Turn:
        try:
            session = self._session or self._start(world.pack(())[1])
        except SandboxError as error:
            return Turn("", "broken", reason=str(error))
        return session.run(text, timeout_s)

    def check(self, script: str, timeout_s: float) -> Checked:
        text = script.encode("utf-8", "surrogateescape")
        try:
            # one process left: the text comes when nobody is there to read it
            wrapper = f"kill -9 -1; {world.check_script(len(text), timeout_s)}"
            with contextlib.closing(execute(self._client, self._name, wrapper, _AGENT)) as stream:
                started = time.monotonic()
                stream.send(text)
                output, ended = stream.read(timeout_s + 5, _OUTPUT_BYTES)
                status = stream.exit_code() if ended else None
        except (SandboxError, OSError) as error:
            return Checked(None, image.one_line(error), broken=True)
        late = status == 137 and time.monotonic() - started >= timeout_s
        return Checked(None if late else status, output.decode("utf-8", "replace"))

    def close(self) -> None:
        if self._session:
            self._session.close()

    def _start(self, tar: bytes) -> Session:
        """The session brings the agent's files along: an exec costs 70 ms."""
        stream = execute(self._client, self._name, world.session_script(self._environment, len(tar)), _AGENT)
        session = Session(stream, self._signal, self._settings.keep_bytes, self._settings.flood_bytes)
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

    def _signal(self, name: str, shell_pid: int) -> None:
        script = f"set -- {name} {shell_pid} ''; {world.SIGNAL}"
        with contextlib.closing(execute(self._client, self._name, script, _AGENT)) as stream:
            stream.read(5.0, 4096)


def _remove(client: docker.DockerClient, name: str) -> None:
    with contextlib.suppress(docker.errors.DockerException, OSError):  # auto_remove was faster, or the engine is gone
        client.api.remove_container(name, force=True)

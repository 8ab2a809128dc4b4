"""Fresh containers: how they are isolated, made and removed, and the connection that each of them lives by."""

import contextlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
from docker.types import LogConfig, Ulimit

from sekft.config import SandboxConfig
from sekft.sandbox import layout
from sekft.sandbox.backend import engine
from sekft.sandbox.backend.docker_exec import SocketStream, attach

# The first process, root without capabilities. A request is a size and a tar, or `?`: what keeps us from starting a process in here? It
# answers without a fork, because there may be no room for one. The container ends with the input of this process.
STOPPED, FULL = b"3", b"4"
_LIFELINE = r"""umask 022; touch -d @MTIME /tmp /run
hindered() {
 for p in /proc/[0-9]*; do
  read -r _ name state _ <$p/stat && case $name$state in \(runc:*T) return 3 ;; esac
 done 2>/dev/null
 set -- /proc/[0-9]*
 [ $# -lt FULL ] || return 4
}
while read -r size; do
 if [ $size = '?' ]; then hindered; else head -c $size | UNTAR; fi
 echo $?
done"""


_unremoved: set[tuple[str, str]] = set()  # (engine's URL, container's name)


@dataclass(frozen=True)
class Container:
    """A running container without a scenario. Owned by one thread at a time; serves one session, then it is removed."""

    name: str
    lifeline: SocketStream
    since_s: float  # on the monotonic clock

    def alive(self) -> bool:
        """Whether the connection is open: it closes when the first process or the engine ends."""
        try:
            return self.lifeline.pump(0) == b""
        except OSError:
            return False

    def remove(self, client: docker.DockerClient) -> None:
        self.lifeline.close()
        remove(client, self.name)


@dataclass(frozen=True)
class Maker:
    """Makes containers of one image with the same isolation. Any thread may call it."""

    settings: SandboxConfig
    engine: engine.ContainerEngine
    image: str

    def make(self, spare_s: int = 0) -> Container:
        """Make and start a container. spare_s: added to session_s, as it may wait for its session. Raises SandboxError."""
        client = self.engine.client()
        name = f"sekft-{secrets.token_hex(8)}"  # chosen before the container exists, so that an interrupt while it is made can remove it
        lifeline: SocketStream | None = None
        try:
            with engine.trouble("the engine could not make the container"):
                client.api.create_container_from_config(self.config(client, self.settings.session_s + spare_s), name)
            lifeline = attach(client, name)  # before the start: the input closes with this connection
            with engine.trouble("the engine could not start the container"):
                client.api.start(name)
        except BaseException:
            if lifeline:
                lifeline.close()
            remove(client, name)
            raise
        return Container(name, lifeline, time.monotonic())

    def config(self, client: docker.DockerClient, session_s: int) -> dict[str, Any]:
        """The container's configuration with all limits; none of them has a measurable cost."""
        settings = self.settings
        memory = settings.memory_mb << 20
        host = client.api.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            ipc_mode="private",
            init=True,  # init reaps zombies, which count as processes
            auto_remove=True,
            runtime=settings.runtime,
            mem_limit=memory,
            memswap_limit=memory,
            pids_limit=settings.pids,
            nano_cpus=int(settings.cpus * 1e9),
            shm_size=1 << 20,  # for engines where _tmpfs does not mount /dev/shm
            tmpfs=self._tmpfs(),
            ulimits=self._ulimits(),
            log_config=LogConfig(type="none"),
        )
        return client.api.create_container_config(
            self.image,
            ["timeout", "-s", "KILL", str(session_s), "/bin/sh", "-c", self._lifeline()],
            user="0:0",
            hostname="box",
            stdin_open=True,
            detach=False,  # StdinOnce: the input closes with our connection
            host_config=host,
            labels={
                engine.LABEL: "1",
                engine.OWNER: engine.owner(),
                engine.DEADLINE: str(int(time.time()) + session_s + 60),
            },
        )

    def _lifeline(self) -> str:
        values = {"MTIME": layout.MTIME, "UNTAR": layout.UNTAR, "FULL": self.settings.pids * 3 // 4}
        return re.sub("MTIME|UNTAR|FULL", lambda match: str(values[match[0]]), _LIFELINE)

    def _tmpfs(self) -> dict[str, str]:
        settings, common = self.settings, "rw,exec,nosuid,nodev"  # exec: the engine's default is noexec
        # podman refuses owner and inodes; the modes of the image's folders do there
        agent, root = ("", "") if self.engine.podman else (",uid=1000,gid=1000,nr_inodes=8k", ",nr_inodes=8k")
        mounts = {
            "/tmp": f"{common},size={settings.tmp_mb}m,mode=1777{root}",
            "/run": "rw,noexec,nosuid,nodev,size=1m,mode=0755",
            layout.HOME: f"{common},size={settings.home_mb}m,mode=0755{agent}",
        }
        if not self.engine.podman:
            # the engine's default has no limit on inodes: 130,000 empty files used up the memory and ended the container
            mounts["/dev/shm"] = "rw,noexec,nosuid,nodev,size=1m,mode=1777,nr_inodes=1k"
        return mounts | dict.fromkeys(layout.ROOT_OWNED, f"{common},size=8m,mode=0755{root}")

    def _ulimits(self) -> list[Ulimit]:
        limits = {"nofile": 256, "core": 0}
        if self.engine.podman:
            limits["nproc"] = 4096  # its default is more than root without capabilities may set
        return [Ulimit(name=name, soft=value, hard=value) for name, value in limits.items()]


def remove(client: docker.DockerClient, name: str) -> None:
    """Remove a container now, or together with the next one if the engine does not answer."""
    url = client.api.base_url
    _unremoved.add((url, name))
    with contextlib.suppress(docker.errors.DockerException, OSError):  # no answer: the next removal would wait, too
        for each in [other for other in list(_unremoved) if other[0] == url]:
            with contextlib.suppress(docker.errors.APIError):  # auto_remove was faster: 404, 409
                client.api.remove_container(each[1], force=True)
            _unremoved.discard(each)

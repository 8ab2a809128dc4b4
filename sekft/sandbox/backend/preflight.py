"""Whether an engine can serve episodes, found out before anything depends on it: room on its disk, limits that hold, the right text."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from sekft.config import SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox.session import Session

LEAST_DISK_MB = 512
_TRIAL_S = 20.0
_LISTING = "drwxr-xr-x 2 agent agent 40 2023-11-14 /home/agent\ndrwxr-xr-x 2 root  root  40 2023-11-14 /srv\n"
_TRIED_BYTES = 1 << 30


def require_disk(host: str, info: Mapping[str, Any]) -> None:
    """Of an engine on this host; another's disk is not ours to see. Raises SandboxError."""
    root = str(info.get("DockerRootDir") or "")
    if not host.startswith("unix://") or not root:
        return
    with contextlib.suppress(OSError):  # in a virtual machine, or not to be looked into
        free_mb = shutil.disk_usage(root).free >> 20
        if free_mb < LEAST_DISK_MB:
            raise SandboxError(f"{root}: {free_mb} MB free, {LEAST_DISK_MB} MB needed by the engine; make room there")


def faults(session: Session, settings: SandboxConfig, info: Mapping[str, Any]) -> tuple[str, ...]:
    """What one episode saw that should not be so, one phrase each. Raises SandboxError if it could not be played."""
    turn = session.run("ls -ld ~ /srv", _TRIAL_S)
    if turn.kind != "ready":
        raise SandboxError(f"a trial episode did not go well: {turn.kind} {turn.reason}")
    loose = tuple(_loose(session, settings, info))
    said: tuple[str, ...] = (f"limits not enforced: {', '.join(loose)}",) if loose else ()
    if turn.output != _LISTING:
        said += (f"its text differs from other engines': ls -l says {' | '.join(turn.output.splitlines())}",)
    return said


def _loose(session: Session, settings: SandboxConfig, info: Mapping[str, Any]) -> Iterator[str]:
    """Engines without root take limits on cgroup v1 and ignore them; some runtimes do so everywhere."""
    memory = settings.memory_mb << 20
    # Where the episode does not see its control group (gVisor), it tries: twice the memory, more processes than there may be
    hog = f"dd if=/dev/zero of=/dev/null bs={2 * memory} count=1 2>/dev/null && echo all"
    if not _limited(session, "memory/memory.limit_in_bytes", "memory.max", memory):
        if memory > _TRIED_BYTES:
            yield "memory (not seen, and too much to try)"
        elif _first(session, hog) == "all":
            yield "memory"
    if not info.get("SwapLimit", True):
        yield "swap"
    swarm = f"i=0; while [ $i -lt {settings.pids} ]; do sleep 3 & i=$((i + 1)); done; echo all"  # where one cannot be started, sh ends
    if not _limited(session, "pids/pids.max", "pids.max", settings.pids) and "all" in session.run(f"sh -c '{swarm}'", _TRIAL_S).output:
        yield "processes"
    if not info.get("CpuCfsQuota", True):
        yield "CPU"


def _limited(session: Session, version_1: str, version_2: str, wanted: int) -> bool:
    said = _first(session, f"cd /sys/fs/cgroup && cat {version_1} {version_2} 2>/dev/null; cd")
    return said.isdigit() and int(said) <= wanted


def _first(session: Session, command: str) -> str:
    return session.run(command, _TRIAL_S).output.partition("\n")[0]

"""Checks of an engine before it is used: room on its disk, limits that hold, the right text."""

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
    """Raises SandboxError if the disk of an engine on this host is nearly full; the disk of another host is not visible."""
    root = str(info.get("DockerRootDir") or "")
    if not host.startswith("unix://") or not root:
        return
    with contextlib.suppress(OSError):  # the engine runs in a virtual machine, or the folder cannot be read
        free_mb = shutil.disk_usage(root).free >> 20
        if free_mb < LEAST_DISK_MB:
            raise SandboxError(f"{root}: {free_mb} MB free, {LEAST_DISK_MB} MB needed by the engine; make room there")


def faults(session: Session, settings: SandboxConfig, info: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong in a trial session, one phrase each. Raises SandboxError if its shell does not work."""
    turn = session.run("ls -ld ~ /srv", _TRIAL_S)
    if turn.kind != "ready":
        raise SandboxError(f"the trial session failed: {turn.kind} {turn.reason}")
    loose = tuple(_loose(session, settings, info))
    phrases: tuple[str, ...] = (f"limits not enforced: {', '.join(loose)}",) if loose else ()
    if turn.output != _LISTING:
        phrases += (f"its text differs from other engines': ls -l prints {' | '.join(turn.output.splitlines())}",)
    return phrases


def _loose(session: Session, settings: SandboxConfig, info: Mapping[str, Any]) -> Iterator[str]:
    """The limits that do not hold: rootless engines on cgroup v1 accept limits and ignore them, as do some runtimes everywhere."""
    memory = settings.memory_mb << 20
    # Where a session does not see its control group (gVisor), it tries to exceed the limit
    hog = f"dd if=/dev/zero of=/dev/null bs={2 * memory} count=1 2>/dev/null && echo all"
    if not _limited(session, "memory/memory.limit_in_bytes", "memory.max", memory):
        if memory > _TRIED_BYTES:
            yield "memory (not visible, and too much to try)"
        elif _first_line(session, hog) == "all":
            yield "memory"
    if not info.get("SwapLimit", True):
        yield "swap"
    swarm = f"i=0; while [ $i -lt {settings.pids} ]; do sleep 3 & i=$((i + 1)); done; echo all"  # sh ends if it cannot start one
    if not _limited(session, "pids/pids.max", "pids.max", settings.pids) and "all" in session.run(f"sh -c '{swarm}'", _TRIAL_S).output:
        yield "processes"
    if not info.get("CpuCfsQuota", True):
        yield "CPU"


def _limited(session: Session, version_1: str, version_2: str, limit: int) -> bool:
    printed = _first_line(session, f"cd /sys/fs/cgroup && cat {version_1} {version_2} 2>/dev/null; cd")
    return printed.isdigit() and int(printed) <= limit


def _first_line(session: Session, command: str) -> str:
    return session.run(command, _TRIAL_S).output.partition("\n")[0]

"""Sessions in bubblewrap: namespaces over the root file system, no daemon, ten times as many episodes per second as an engine.

Covers: no network; everything but sized tmpfs read-only; own processes, users and host name; no capability, no setuid; limits per process
on memory, file size, CPU time and open files, a limit on the number of processes; the session ends with the thread that opened it, and by
itself after session_s. If we are root, the agent is not the user of the control process, nor the owner of /usr/local and /srv, as on an
engine.
Does not cover: see weaknesses().
"""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sekft.config import SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox import image, layout
from sekft.sandbox.backend.control import Control, PipeStream, may_map_two_users, sweep
from sekft.sandbox.session import CheckResult, File, ShellTurn
from sekft.sandbox.shell import Shell

_OUTPUT_BYTES = 65536  # kept of a checker's output
_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_SETUID",
    "CAP_SETGID",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
)  # the control process needs them to become the agent and to end it
_DROP = "chroot --userspec=1000:1000 --groups= --skip-chdir /"


class BwrapBackend:
    """Implements session.Backend. A session must be used in the thread that opened it, and ends with that thread.

    swept: sandboxes that were left over by owners that are gone, and were ended.
    """

    name = "bwrap"

    def __init__(self, settings: SandboxConfig, root: Path | None = None, two_users: bool | None = None) -> None:
        """Sweeps, makes the root file system and opens a trial session. two_users None: if the host allows it. Raises SandboxError."""
        if not shutil.which("bwrap"):
            raise SandboxError("bwrap is not installed: run apt-get install bubblewrap, or use sandbox=docker")
        self.settings = settings
        self.root = root or image.root_folder()
        self.digest = f"sha256:{image.tar_digest(image.root_tar())}" if root is None else ""
        self.swept = sweep()
        self.two_users = may_map_two_users() if two_users is None else two_users
        with self.open({}):
            pass

    def weaknesses(self) -> tuple[str, ...]:
        """Where this backend isolates less than an engine, one phrase each."""
        always = ("memory is limited per process, not in sum", "no share of CPU", "no limit on inodes", "no seccomp filter")
        if self.two_users:
            return (*always, "the agent may make user namespaces of its own")
        return (*always, "the control process and root's files belong to the agent's own user: chmod opens them")

    @contextmanager
    def open(self, environment: Mapping[str, str]) -> Iterator["BwrapSession"]:
        control = Control(self._options(), self._command(), self.two_users)
        try:
            control.start()
            yield BwrapSession(control, self.settings, environment)
        finally:
            control.close()

    def _options(self) -> list[str]:
        settings = self.settings
        user = ["--uid", "0", "--gid", "0"] if self.two_users else ["--uid", "1000", "--gid", "1000", *_no_nested_users()]
        options = ["--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--hostname", "box", *user]
        for capability in _CAPABILITIES if self.two_users else ():
            options += ["--cap-add", capability]
        options += ["--ro-bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev"]
        options += [*_tmpfs("/dev/shm", 1, "1777"), "--remount-ro", "/dev"]
        options += [*_tmpfs("/tmp", settings.tmp_mb, "1777"), *_tmpfs(layout.HOME, settings.home_mb, "0755")]
        for path in ("/run", *layout.ROOT_OWNED):
            options += _tmpfs(path, 1 if path == "/run" else 8, "0755" if self.two_users or path != "/run" else "0555")
        return [*options, "--chdir", "/"]

    def _command(self) -> list[str]:
        """The arguments of control.sh."""
        settings = self.settings
        limits = [str(settings.session_s), str(settings.pids), str(settings.memory_mb * 1024), str(settings.home_mb * 1024)]
        return [*limits, _DROP if self.two_users else ""]


class BwrapSession:
    """Implements session.Session."""

    def __init__(self, control: Control, settings: SandboxConfig, environment: Mapping[str, str]) -> None:
        self._control, self._settings, self._environment = control, settings, environment
        self._shell: Shell | None = None
        self._laid_out = False

    def put(self, files: Sequence[File]) -> None:
        self._laid_out = True
        for owner, tar in zip(("root", "agent"), layout.pack(files, one_user=not self._control.two_users), strict=True):
            if status := self._control.request(owner, tar):
                raise SandboxError(f"{owner}'s files were not written: tar ended with {status} on {len(tar)} bytes")

    def run(self, text: str, timeout_s: float) -> ShellTurn:
        try:
            shell = self._shell or self._start()
        except SandboxError as error:
            return ShellTurn("", "broken", reason=str(error))
        return shell.run(text, timeout_s)

    def check(self, script: str, timeout_s: float) -> CheckResult:
        text = script.encode("utf-8", "surrogateescape")
        wrapper = layout.check_script(len(text), timeout_s).encode()
        started = time.monotonic()
        try:
            status, output = self._control.check(wrapper + text, len(wrapper), timeout_s + 5, _OUTPUT_BYTES)
        except SandboxError as error:
            return CheckResult(None, str(error), broken=not self._control.held_by_agent())
        late = status == 137 and time.monotonic() - started >= timeout_s
        return CheckResult(None if late else status, output.decode("utf-8", "replace"))

    def kill(self) -> None:
        self._control.kill()

    def _start(self) -> Shell:
        if not self._laid_out:
            self.put(())  # sets modes and times of the folders
        if self._control.request("session", layout.session_script(self._environment).encode()):
            raise SandboxError("the session shell did not start")
        shell = Shell(PipeStream(self._control), self._control.signal, self._settings.flood_bytes)
        shell.start()
        self._shell = shell
        return shell


def _tmpfs(path: str, size_mb: int, mode: str) -> list[str]:
    return ["--perms", mode, "--size", str(size_mb << 20), "--tmpfs", path]


@cache
def _no_nested_users() -> tuple[str, ...]:
    """Options that forbid user namespaces inside; bwrap has them since 0.8."""
    usage = subprocess.run(["bwrap", "--help"], capture_output=True, text=True).stdout
    return ("--disable-userns",) if "--disable-userns" in usage else ()

"""The host's side of one bwrap sandbox: starts it, maps its users, sends requests to control.sh, ends it."""

import contextlib
import fcntl
import itertools
import json
import os
import random
import re
import secrets
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from sekft.errors import SandboxError, one_line
from sekft.sandbox import image, layout
from sekft.sandbox.backend import pipe

SCRIPT = Path(__file__).with_name("control.sh")
REQUEST_S = 20.0
_ADVICE = "allow unprivileged user namespaces, run as root, or use sandbox=docker"
_AGENTS = 1 << 20  # user ids for agents
# one user id per session: kernels before 5.14 count RLIMIT_NPROC per uid of the host
_AGENT_UIDS = itertools.count(random.SystemRandom().randrange(_AGENTS))
_NOBODY = 65534
_COMMAND = ("bwrap", "--args", "8", "/bin/sh", "/run/place")


def may_map_two_users() -> bool:
    """Whether we are root and have all user ids; inside a container root may have only some of them."""
    if os.geteuid() != 0:
        return False
    first, _, count = (int(word) for word in Path("/proc/self/uid_map").read_text().split()[:3])
    return first + count > image.ROOT_UID + 1 + _AGENTS


class Control:
    """One bwrap process and its pipes. Every wait is bounded; every failure is a SandboxError."""

    def __init__(self, options: Sequence[str], arguments: Sequence[str], two_users: bool) -> None:
        self.two_users = two_users
        self._options, self._arguments = options, arguments
        self._pid = 0
        self._reaping = threading.Lock()  # a process that was waited for must not be killed: its number may be another's
        self._status: int | None = None
        self._held = False
        self._closing: list[int] = []
        self._replies = b""

    def start(self) -> None:
        """Start bwrap and wait for the control process. Raises SandboxError."""
        inside: dict[int, int] = {}
        try:
            self._requests = self._pipe(inside, 0, we_write=True)
            self._answers = self._pipe(inside, 1)
            self._errors = self._pipe(inside, 2)
            self.commands = self._pipe(inside, 3, we_write=True)
            self.output = self._pipe(inside, 4)
            self.checker_output = self._pipe(inside, 5)
            self._start(inside)
        except OSError as error:
            raise SandboxError(f"bwrap did not start: {one_line(error)}; {_ADVICE}") from None
        finally:
            for end in inside.values():
                os.close(end)

    def _start(self, inside: dict[int, int]) -> None:
        info, mapped = self._pipe(inside, 6), self._pipe(inside, 7, we_write=True)
        agent = image.ROOT_UID + 1 + next(_AGENT_UIDS) % _AGENTS if may_map_two_users() else _NOBODY
        options = ["--info-fd", "6", *(["--userns-block-fd", "7"] if self.two_users else []), *self._options]
        options += ["--perms", "0500", "--ro-bind-data", "9", "/run/place"]
        for number, data in ((8, b"".join(option.encode() + b"\0" for option in options)), (9, SCRIPT.read_bytes())):
            pipe.write_all(self._pipe(inside, number, we_write=True), data, 0)
            self._close_last()
        command = [*_COMMAND, *self._arguments]
        if os.geteuid() == 0:  # never as root, whose number of processes is not limited
            for number in (3, 4, 5):  # only the owner of a pipe may open it again, as /dev/fd/3 or /dev/stdout
                os.fchown(inside[number], agent, agent)
            user = f"+{image.ROOT_UID if self.two_users else agent}"
            command = ["chroot", f"--userspec={user}:{user}", "--groups=", "--skip-chdir", "/", *command]
        # posix_spawn, not subprocess: it renumbers descriptors, and does not copy the page tables of a large process
        self._pid = os.posix_spawn(
            shutil.which(command[0], path=_PATH) or command[0],
            command,
            {"PATH": _PATH, "LC_ALL": "C.UTF-8"},
            file_actions=[
                *((os.POSIX_SPAWN_DUP2, end, number) for number, end in inside.items()),
                *((os.POSIX_SPAWN_CLOSE, end) for end in _inheritable()),
            ],
            # Python ignores these signals, and children inherit that: `yes | head` would report a broken pipe
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            setsigmask=[],
            setpgroup=0,  # a group of its own: Ctrl-C reaches the terminal's group, and would end the sandbox in the middle of its start
        )
        for number in list(inside):
            os.close(inside.pop(number))
        if self.two_users:
            self._map_users(info, mapped, agent)
        if self._line(REQUEST_S) != b"ready":
            raise SandboxError(f"bwrap did not start: {self._error_line()}; {_ADVICE}")

    def _map_users(self, info: int, mapped: int, agent: int) -> None:
        """Map root and the agent inside to two users of the host without rights; bwrap waits for it."""
        text, end = b"", time.monotonic() + REQUEST_S
        while not text.rstrip().endswith(b"}"):
            chunk = pipe.read_some(info, end - time.monotonic())
            if not chunk:
                raise SandboxError(f"bwrap did not start: {self._error_line()}; {_ADVICE}")
            text += chunk
        for kind in ("uid", "gid"):
            Path(f"/proc/{json.loads(text)['child-pid']}/{kind}_map").write_text(f"0 {image.ROOT_UID} 1\n{layout.UID} {agent} 1\n")
        pipe.write_all(mapped, b"x", 1)

    def request(self, command: str, body: bytes = b"", *words: object) -> int:
        """The exit status of one request to control.sh. Raises SandboxError when no answer comes."""
        nonce = self._ask(command, body, *words)
        return int(self._answer(nonce, REQUEST_S))

    def signal(self, name: str, shell_pid: int) -> None:
        """Send a signal to the agent's processes; without effect if the agent prevents it. Raises SandboxError."""
        end = time.monotonic() + REQUEST_S
        try:
            nonce = self._ask("signal", layout.SIGNAL.encode(), name, shell_pid)
            while self._reply(nonce, 1.0) is None and not self.held_by_agent():
                if time.monotonic() > end:
                    raise SandboxError(f"the control process sent no signal within {REQUEST_S:.0f} s")
        except SandboxError:
            if not self.held_by_agent():
                raise

    def exit_code(self) -> int | None:
        """Exit status of the session's shell; None if it still runs after a second."""
        try:
            for _ in range(50):
                words = self._answer(self._ask("code"), REQUEST_S).split()
                if words[0] != b"running":
                    return int(words[0])
                time.sleep(0.02)
        except SandboxError:
            if self.held_by_agent():
                return 137
            raise
        return None

    def check(self, body: bytes, wrapper_bytes: int, timeout_s: float, output_bytes: int) -> tuple[int, bytes]:
        """(status, output) of a checker. body: wrapper, then checker. Raises SandboxError."""
        nonce, end = self._ask("check", body, wrapper_bytes), time.monotonic() + timeout_s
        reply, output = None, b""
        while True:
            chunk = pipe.read_some(self.checker_output, 0.02 if reply is None else 0)
            output += (chunk or b"")[: output_bytes - len(output)]
            if not chunk and reply is not None:
                return int(reply), output
            if reply is None:
                reply = self._reply(nonce, 0)
            if time.monotonic() > end:
                raise SandboxError(f"the checker did not end within {timeout_s:.0f} s")

    def held_by_agent(self) -> bool:
        """Whether the agent killed or stopped the control process: `kill -9 -1` and `kill -STOP -1` do if both are the same user."""
        if self.two_users or self._held:
            return self._held
        with contextlib.suppress(psutil.Error, ValueError):  # it has ended, or is about to
            (first,) = psutil.Process(self._pid).children()
            self._held = min(first.children(), key=psutil.Process.create_time).status() == psutil.STATUS_STOPPED
        self._held = self._held or self._wait() == 137
        return self._held

    def kill(self) -> None:
        """End the sandbox, from any thread: the first process of the pid namespace dies with bwrap, and all others with it.

        The whole process group, because until the users are mapped that process waits for bwrap and would wait for ever.
        """
        with self._reaping:
            if self._pid and self._status is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """End the session and wait for its end."""
        self.kill()
        if self._pid:
            self._wait(REQUEST_S)
        while self._closing:
            self._close_last()

    def _ask(self, command: str, body: bytes = b"", *words: object) -> bytes:
        if self._held:
            raise SandboxError("the control process was killed or stopped by the agent")
        nonce = secrets.token_hex(8)
        header = " ".join(map(str, (command, nonce, len(body), *words)))
        try:
            pipe.write_all(self._requests, header.encode() + b"\n" + body, REQUEST_S)
        except OSError as error:
            raise SandboxError(f"the control process is gone: {one_line(error)}") from None
        return nonce.encode()

    def _answer(self, nonce: bytes, timeout_s: float) -> bytes:
        reply = self._reply(nonce, timeout_s)
        if reply is None:
            raise SandboxError(f"the control process did not answer within {timeout_s:.0f} s")
        return reply

    def _reply(self, nonce: bytes, wait_s: float) -> bytes | None:
        """The rest of the line that begins with the nonce; other lines are late answers or forged. None: not within wait_s."""
        end = time.monotonic() + wait_s
        while (line := self._line(end - time.monotonic())) is not None:
            if match := re.fullmatch(rb"%s ((?:running )?\d{1,3})" % nonce, line):
                return match[1]
        return None

    def _line(self, wait_s: float) -> bytes | None:
        """The next line of control.sh; None if there is none within wait_s. Raises SandboxError at the end of its output."""
        end = time.monotonic() + wait_s
        while b"\n" not in self._replies:
            chunk = pipe.read_some(self._answers, end - time.monotonic())
            if chunk is None:
                raise SandboxError(f"the control process is gone: {self._error_line()}")
            if not chunk:
                return None
            self._replies += chunk
        line, _, self._replies = self._replies.partition(b"\n")
        return line

    def _error_line(self) -> str:
        """The last line on stderr, or the exit status."""
        lines = (pipe.read_some(self._errors, 0.2) or b"").decode("utf-8", "replace").split("\n")
        printed = [line for line in lines if line.strip()]
        return printed[-1].strip() if printed else f"exit status {self._wait()}"

    def _wait(self, wait_s: float = 1.0) -> int | None:
        """The exit status of bwrap as a shell would give it; None while it runs."""
        end = time.monotonic() + wait_s
        while self._status is None:
            with self._reaping:
                try:
                    pid, status = os.waitpid(self._pid, os.WNOHANG)
                except ChildProcessError:  # other code waited for all children of this process
                    pid, status = self._pid, 0
                if pid:
                    code = os.waitstatus_to_exitcode(status)
                    self._status = code if code >= 0 else 128 - code
            if pid or time.monotonic() >= end:
                break
            time.sleep(0.002)
        return self._status

    def _pipe(self, inside: dict[int, int], number: int, we_write: bool = False) -> int:
        """A new pipe: returns our end, non-blocking; the other end becomes descriptor `number` inside."""
        ends = os.pipe()
        # above 9, because the other ends are renumbered to 0..9 one after the other
        moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
        for end in ends:
            os.close(end)
        ours, inside[number] = (moved[1], moved[0]) if we_write else (moved[0], moved[1])
        os.set_blocking(ours, False)
        self._closing.append(ours)
        return ours

    def _close_last(self) -> None:
        os.close(self._closing.pop())


class PipeStream:
    """Implements shell.Stream over the pipes of a Control."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.exit_code = control.exit_code

    def send(self, data: bytes) -> None:
        pipe.write_all(self._control.commands, data, REQUEST_S)

    def pump(self, wait_s: float) -> bytes | None:
        return pipe.read_some(self._control.output, wait_s)

    def close(self) -> None:
        """Nothing: Control.close() closes all pipes."""


def sweep() -> int:
    """Kill sandboxes of this machine whose owner is gone. Returns their number.

    A sandbox ends with its owner, except if the owner is killed while the users are mapped: the first process of the pid namespace waits
    for bwrap then, and for ever once bwrap is gone. Its parent is no bwrap any more.
    """
    ours = {}
    for process in psutil.process_iter(["pid", "ppid", "cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and tuple((process.info["cmdline"] or ())[:5]) == _COMMAND:
            ours[process.pid] = process
    left_over = [process for process in ours.values() if process.info["ppid"] not in ours and _is_first_inside(process.pid)]
    for process in left_over:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return len(left_over)


def _is_first_inside(pid: int) -> bool:
    """Whether the process is number 1 of a pid namespace below ours."""
    with contextlib.suppress(OSError):
        numbers = re.search(r"^NSpid:(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return numbers is not None and len(words := numbers[1].split()) > 1 and words[-1] == "1"
    return False


def _inheritable() -> list[int]:
    """Descriptors that other code of this process left open for its children; ours must not have them."""
    descriptors = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor of this listing
            if int(entry.name) > 9 and os.get_inheritable(int(entry.name)):
                descriptors.append(int(entry.name))
    return descriptors


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

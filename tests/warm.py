"""`python -m <module> ...` without the seconds it takes to import torch and transformers: forked from a process that has done so.

    run, Popen      as those of subprocess; the child is its own process, with arguments, folder, environment and signals of its own

Only libraries are imported ahead, nothing of sekft. What depends on how an interpreter starts (the seed of its hashes, what it imports,
how long that takes) needs a true one: subprocess itself, or `fresh=True` of `run_command`. An environment that differs in what libraries read
as they are imported gets a true one as well.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARIES = (
    "torch", "torch._dynamo", "transformers", "transformers.modeling_utils", "transformers.trainer", "transformers.models.auto",
    "transformers.models.mistral.modeling_mistral", "peft", "trl", "trl.trainer.sft_trainer", "accelerate", "bitsandbytes", "datasets",
    "hydra", "wandb", "docker", "pydantic", "rich.progress", "scipy.stats",
)  # fmt: skip
WIDTH = 16  # bytes of each number that is said: a pid and a status may come at once
READ_AT_IMPORT = ("OMP_", "MKL_", "PYTHON", "TORCH", "HF_", "TRANSFORMERS_", "TOKENIZERS_", "CUDA", "LD_", "KMP_")


class Popen(subprocess.Popen[Any]):
    """subprocess.Popen, whose child is forked from the warm process where that is the same."""

    _said: socket.socket | None = None  # by the one that watches over the child: its pid, then its status

    def _execute_child(  # type: ignore[override]
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *rest,
    ):  # fmt: skip
        words, environment = [os.fspath(word) for word in args], dict(os.environ if env is None else env)
        if words[:2] != [sys.executable, "-m"] or differs(environment) or preexec_fn or pass_fds:
            streams = (p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
            options = (executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell)
            super()._execute_child(args, *options, *streams, *rest)  # type: ignore[misc]
            return
        asked = {"words": words[2:], "cwd": os.fspath(cwd or Path.cwd()), "environment": environment, "session": bool(rest[5])}
        self._said = socket.socket(socket.AF_UNIX)
        self._said.connect(warm_process())
        given = [own if fd == -1 else fd for own, fd in enumerate((p2cread, c2pwrite, errwrite))]
        socket.send_fds(self._said, [json.dumps(asked).encode()], given)
        self._said.shutdown(socket.SHUT_WR)
        self.pid = int(self._said.recv(WIDTH))
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]

    def _try_wait(self, wait_flags):
        if self._said is None:
            return super()._try_wait(wait_flags)  # type: ignore[misc]
        if not select.select([self._said], [], [], 0 if wait_flags else None)[0]:
            return 0, 0
        with self._said:
            return self.pid, int(self._said.recv(WIDTH))

    def _internal_poll(self, *given, **named):
        if self._said is None:
            return super()._internal_poll(*given, **named)  # type: ignore[misc]
        if self.returncode is None and (ended := self._try_wait(os.WNOHANG))[0]:
            self._handle_exitstatus(ended[1])  # type: ignore[attr-defined]
        return self.returncode


def run(words: Sequence[str | Path], *, input: str | None = None, timeout: float | None = None, **options: Any):
    """subprocess.run with its output captured as text."""
    given = None if input is None else subprocess.PIPE
    with Popen(words, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            output, errors = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


def differs(environment: Mapping[str, str]) -> bool:
    names = {name for name in environment.keys() | os.environ.keys() if name.startswith(READ_AT_IMPORT)}
    return any(environment.get(name) != os.environ.get(name) for name in names)


_ADDRESS: list[str] = []


def warm_process() -> str:
    """The address of this process's own; started when first asked for, and gone with it."""
    if not _ADDRESS:
        folder = tempfile.TemporaryDirectory(prefix="sekft-warm-")
        address = f"{folder.name}/asked"
        quiet = {**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # as sekft.cli.launch has it before it imports them
        command = [sys.executable, "-P", __file__, address]
        held = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet)
        assert held.stdin and held.stdout and "warm\n" in held.stdout, "the warm process did not start"  # libraries say things as well
        atexit.register(folder.cleanup)
        atexit.register(held.stdin.close)
        _ADDRESS.append(address)
    return _ADDRESS[0]


def serve(address: str) -> str:
    """Forks for everyone who asks, till standard input ends; returns, in the fork, the module to run."""
    for library in LIBRARIES:
        importlib.import_module(library)
    from wandb.sdk.data_types._private import MEDIA_TMP

    atexit.unregister(MEDIA_TMP.cleanup)  # a folder made at import: the first fork to end would remove it for all; it goes with this one
    gc.collect()
    gc.freeze()
    threads = {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm") if path.parent.name != str(os.getpid())}
    assert threads <= {"jemalloc_bg_thd"}, f"threads of libraries do not survive a fork: {threads}"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who watch are waited for by nobody
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    print("warm", flush=True)
    while listening in select.select([listening, sys.stdin], [], [])[0]:
        asking, _ = listening.accept()
        if not os.fork():
            listening.close()
            return forked(asking)
        asking.close()
    sys.exit()


def forked(asking: socket.socket) -> str:
    """The watcher forks the one who runs, says its pid, waits, says its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, fds, _, _ = socket.recv_fds(asking, 1 << 20, 3)
    while part := asking.recv(1 << 20):
        text += part
    if pid := os.fork():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        asking.send(f"{pid:{WIDTH}}".encode())
        for fd in (0, 1, 2, *fds):
            os.close(fd)
        asking.send(f"{os.waitpid(pid, 0)[1]:{WIDTH}}".encode())
        os._exit(0)
    asking.close()
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]  # folders that libraries made as they were imported are not its own
    for own, fd in enumerate(fds):
        os.dup2(fd, own)
        os.close(fd)
    asked = json.loads(text)
    if asked["session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.path.insert(0, asked["cwd"])
    sys.argv = asked["words"]
    return asked["words"][0]


if __name__ == "__main__":
    runpy.run_module(serve(sys.argv[1]), run_name="__main__", alter_sys=True)

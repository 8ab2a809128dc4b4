"""Commands run as child processes: forked from a server that has imported the heavy libraries, or in an interpreter of their own."""

import atexit
import contextlib
import functools
import gc
import multiprocessing
import multiprocessing.forkserver
import multiprocessing.reduction
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

LIBRARIES = [
    "torch", "torch._dynamo", "transformers.trainer", "transformers.models.auto", "transformers.models.mistral.modeling_mistral",
    "trl.trainer.sft_trainer", "bitsandbytes", "datasets", "hydra", "wandb", "docker", "rich.progress", "scipy.stats",
]  # fmt: skip
READ_AT_IMPORT = ("OMP_", "MKL_", "PYTHON", "TORCH", "HF_", "TRANSFORMERS_", "TOKENIZERS_", "CUDA", "LD_", "KMP_")
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(LIBRARIES)
Stream = int | IO[Any] | None  # as subprocess.Popen takes them; PIPE is a file here, so nothing blocks and nothing need be read


def start(
    module: str, *words: str | Path, cwd: Path, stdin: Stream = None, stdout: Stream = None, stderr: Stream = None,
    new_session: bool = False, fresh: bool = False, **environment: str,
) -> "Command | subprocess.Popen[str]":  # fmt: skip
    """`python -m module words`, with a folder and additions to the environment of its own.

    fresh: in a new interpreter. It costs seconds of imports; a command whose start is the subject needs it, and one whose environment
    differs in what libraries read when they are imported gets it.
    """
    texts = [os.fspath(word) for word in words]
    if fresh or any(name.startswith(READ_AT_IMPORT) and os.environ.get(name) != value for name, value in environment.items()):
        return subprocess.Popen(
            [sys.executable, "-m", module, *texts], cwd=cwd, env={**os.environ, **environment}, text=True,
            stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=new_session,
        )  # fmt: skip
    return Command([module, *texts], cwd, {**os.environ, **environment}, (stdin, stdout, stderr), new_session)


class Command:
    """A forked command, with the part of subprocess.Popen's interface that tests use."""

    def __init__(
        self, words: Sequence[str], cwd: Path, environment: Mapping[str, str], streams: Sequence[Stream], new_session: bool
    ) -> None:
        self.words, self._files = words, [self._open(number, stream) for number, stream in enumerate(streams)]
        stdin, stdout, stderr = (file if isinstance(file, int) else file.fileno() for file in self._files)
        given = _Descriptors([stdin, stdout, stdout if streams[2] == subprocess.STDOUT else stderr])
        _ensure_server()
        self.process = SERVER.Process(target=_main, args=(words, str(cwd), dict(environment), given, new_session), daemon=True)
        self.process.start()
        self.pid = self.process.pid or 0

    @staticmethod
    def _open(number: int, stream: Stream) -> int | IO[Any]:
        if stream == subprocess.PIPE and number:
            return tempfile.TemporaryFile("w+")
        if stream in (subprocess.DEVNULL, subprocess.STDOUT, subprocess.PIPE):
            return Path(os.devnull).open("r+b")
        return number if stream is None else stream

    def _text(self, number: int) -> str:
        file = self._files[number]
        return "" if isinstance(file, int) else Path(f"/proc/self/fd/{file.fileno()}").read_text()  # opened anew: it reads from the start

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired(list(self.words), timeout or 0)
        return self.process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        return self._text(1), self._text(2)

    def send_signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


@functools.cache
def _ensure_server() -> None:
    """Start the server with the environment that sekft.cli.launch has made when it imports the libraries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        multiprocessing.forkserver.ensure_running()


class _Descriptors:
    """File descriptors that the child gets as its first ones: 0, 1, 2."""

    def __init__(self, given: Sequence[int]) -> None:
        self.given = given

    def __getstate__(self) -> list[Any]:
        return [multiprocessing.reduction.DupFd(descriptor) for descriptor in self.given]

    def __setstate__(self, inherited: list[Any]) -> None:
        self.given = [descriptor.detach() for descriptor in inherited]

    def take(self) -> None:
        for number, descriptor in enumerate(self.given):
            os.dup2(descriptor, number)
            os.close(descriptor)


def _main(words: list[str], cwd: str, environment: dict[str, str], streams: _Descriptors, new_session: bool) -> None:
    """What an interpreter does from its start to its end, in the child."""
    gc.freeze()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background or under nohup ignores these two
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    streams.take()
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]
    if new_session:
        os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, cwd)
    sys.argv = words
    multiprocessing.current_process().daemon = False  # it may have children
    # what libraries registered while they were imported (W&B: to remove two folders) is left to the server, which other children need
    atexit._clear()
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()  # the server's children end by os._exit

"""A container engine beside the machine's own: its folders, socket and processes are ours, and gone when it is left."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

START_S = 30.0


def missing() -> str:
    """Why none can be started here; empty: one can."""
    if os.geteuid() != 0:
        return "a second dockerd needs root"
    return next((f"{tool} is not installed" for tool in ("dockerd", "setpriv") if not shutil.which(tool)), "")


@contextlib.contextmanager
def dockerd(*flags: str, before: str = "") -> Iterator[str]:
    """Its host, as DOCKER_HOST has it. before: sh that the process runs before it becomes dockerd."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"sekft-dockerd-{os.getpid()}-"))  # short: the path of a socket ends at 107 bytes
    host = f"unix://{folder}/docker.sock"
    command = ["dockerd", "-H", host, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "-p", f"{folder}/pid"]
    command += ["--bridge=none", "--iptables=false", "--ip6tables=false", *flags]
    # SIGTERM if we are killed: it takes its containers along
    script = f"{before or ':'}; exec setpriv --pdeathsig TERM {shlex.join(command)}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["sh", "-c", script], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        _await(process, folder)
        yield host
    finally:
        _end(process)
        _clear(folder)


def _sweep() -> None:
    """What was left by owners that were killed."""
    for folder in Path(tempfile.gettempdir()).glob("sekft-dockerd-*-*"):
        if not psutil.pid_exists(int(folder.name.split("-")[2])):
            _clear(folder)


def _clear(folder: Path) -> None:
    """Processes that a dockerd leaves when it is killed, mounts, files: all of them name the folder."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()) and process.pid != os.getpid():
            with contextlib.suppress(psutil.Error):
                process.kill()
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        mounted = line.split()[4]
        if Path(mounted).is_relative_to(folder):
            subprocess.run(["umount", "-l", mounted], stderr=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)


def _await(process: subprocess.Popen[bytes], folder: Path) -> None:
    import docker
    import docker.errors

    end = time.monotonic() + START_S
    while True:
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"dockerd did not start: {(folder / 'log').read_text()[-1000:]}")
        with contextlib.suppress(docker.errors.DockerException, OSError):
            client = docker.DockerClient(f"unix://{folder}/docker.sock", timeout=2)
            with contextlib.closing(client):
                client.version()
            return
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
            return

"""Methods to run commands in a sandbox, for benchmarks/sandbox.py: each plays the same episode, from creation to removal."""

import contextlib
import io
import secrets
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import docker

from sekft.errors import SandboxError
from sekft.sandbox import image, layout
from sekft.sandbox.backend.docker import DockerBackend
from sekft.sandbox.backend.docker_exec import execute
from sekft.sandbox.session import Backend, File

FILES = [
    File("/srv/directives/today", "keep the ledger\n" * 4, owner="root"),
    File("/usr/local/etc/motd", "directives are in /srv/directives\n", owner="root"),
    File("/usr/local/bin/tool", "#!/bin/sh\necho tool\n", 0o755, "root"),
    *(File(f"/home/agent/notes/note{number}", f"line {number}\n" * 40) for number in range(17)),
]
CHECKER = 'test "$(cat result)" = done'
COMMANDS = (
    "pwd; ls",
    "ls -l notes",
    "cat notes/note3",
    "grep -c line notes/note5",
    "echo done >result",
    "wc -l notes/note7",
    "sort -u notes/note1",
    "head -n 3 notes/note9 | tr a-z A-Z",
    "mkdir -p kept; cp notes/note2 kept/",
    "sed s/line/row/ kept/note2 | tail -n 2",
    "find . -name 'note1*' | wc -l",
    "cat result",
)


class Box(Protocol):
    def run(self, text: str) -> str:
        """The whole output of a command."""

    def check(self) -> int | None:
        """The exit status of the checker."""


class Method(Protocol):
    name: str
    hint: str

    def open(self) -> contextlib.AbstractContextManager[Box]: ...


@dataclass
class SekftBackend:
    """A backend as sekft uses it."""

    backend: Backend
    name: str
    hint: str

    @contextlib.contextmanager
    def open(self) -> Iterator[Box]:
        with self.backend.open({}) as session:
            session.put(FILES)
            yield SekftBox(session)


@dataclass
class SekftBox:
    session: Any

    def run(self, text: str) -> str:
        turn = self.session.run(text, 30.0)
        if turn.kind != "ready":
            raise SandboxError(f"{text}: {turn.kind} {turn.reason}")
        return str(turn.output)

    def check(self) -> int | None:
        return self.session.check(CHECKER, 20.0).status


@dataclass
class ExecPerCommand:
    """Baseline A: one container per episode, and `docker exec` for everything done in it."""

    backend: DockerBackend
    name: str = "A exec per command"
    hint: str = "docker SDK: one exec for each owner's files, each command, the check"

    @contextlib.contextmanager
    def open(self) -> Iterator["ExecBox"]:
        client = self.backend.engine.client()
        name = f"sekft-bench-{secrets.token_hex(8)}"
        try:
            client.api.create_container_from_config(self.config(client), name)
            client.api.start(name)
            box = ExecBox(client, name)
            for tar, user in zip(layout.pack(FILES), ("0:0", "1000:1000"), strict=True):
                box.untar(tar, user)
            yield box
        finally:
            client.api.remove_container(name, force=True)

    def config(self, client: docker.DockerClient) -> dict[str, Any]:
        """sekft's container configuration, with `sleep` as the first process."""
        return {**self.backend.maker.config(client, 600), "Cmd": ["sleep", "infinity"], "OpenStdin": False, "StdinOnce": False}


@dataclass
class ExecBox:
    client: docker.DockerClient
    name: str

    def execute(self, *command: str) -> tuple[int | None, str]:
        made = self.client.api.exec_create(self.name, list(command), user="1000:1000", workdir=layout.HOME)
        output = self.client.api.exec_start(made["Id"])
        return self.client.api.exec_inspect(made["Id"])["ExitCode"], output.decode("utf-8", "replace")

    def untar(self, tar: bytes, user: str) -> None:
        with contextlib.closing(execute(self.client, self.name, f"head -c {len(tar)} | {layout.UNTAR}; echo $?", user)) as stream:
            stream.send(tar)
            output, _ = stream.read(20.0, 4096)
        if output != b"0\n":
            raise SandboxError(f"files were not unpacked: {output!r}")

    def run(self, text: str) -> str:
        return self.execute("/bin/sh", "-c", text)[1]

    def check(self) -> int | None:
        return self.execute("/bin/sh", "-c", CHECKER)[0]


@dataclass
class TmuxThroughExec(ExecPerCommand):
    """Baseline B, as in terminal benchmarks: keys are sent to tmux in the container, each time by docker exec."""

    image: str = ""
    name: str = "B tmux through exec"
    hint: str = "tmux send-keys, tmux wait, tmux capture-pane: three execs a command"

    def config(self, client: docker.DockerClient) -> dict[str, Any]:
        return {**super().config(client), "Image": self.image}

    @contextlib.contextmanager
    def open(self) -> Iterator["TmuxBox"]:
        with super().open() as box:
            made = TmuxBox(box.client, box.name)
            status, output = made.execute("tmux", "new-session", "-d", "-s", "agent", "-x", "160", "-y", "40")
            if status:
                raise SandboxError(f"tmux: {output}")
            yield made


class TmuxBox(ExecBox):
    def run(self, text: str) -> str:
        self.execute("tmux", "send-keys", "-t", "agent", text, "; tmux wait -S done", "Enter")
        status, output = self.execute("timeout", "30s", "tmux", "wait", "done")
        if status:
            raise SandboxError(f"{text}: tmux wait ended with {status} {output}")
        return self.execute("tmux", "capture-pane", "-p", "-t", "agent")[1]


@dataclass
class PlainSubprocess:
    """The lower bound: dash on this host in a temporary folder, a sentinel after each command, no isolation."""

    name: str = "plain subprocess"
    hint: str = "dash on this host, no isolation"

    @contextlib.contextmanager
    def open(self) -> Iterator["PlainBox"]:
        with tempfile.TemporaryDirectory(prefix="sekft-bench-") as folder:
            with tarfile.open(fileobj=io.BytesIO(layout.pack(FILES)[1])) as tar:
                tar.extractall(folder, filter="data")
            home = Path(folder) / layout.HOME.lstrip("/")
            shell = subprocess.Popen(["dash"], cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
            try:
                yield PlainBox(shell, home)
            finally:
                shell.kill()
                shell.communicate()


@dataclass
class PlainBox:
    shell: subprocess.Popen[bytes]
    home: Path

    def run(self, text: str) -> str:
        assert self.shell.stdin and self.shell.stdout
        self.shell.stdin.write(text.encode() + b"\necho END $?\n")
        output = b""
        while not output.rpartition(b"END ")[2].endswith(b"\n") or b"END " not in output:
            output += self.shell.stdout.read(65536)
        return output.decode()

    def check(self) -> int:
        return subprocess.run(["dash", "-c", CHECKER], cwd=self.home, stdin=subprocess.DEVNULL).returncode


@contextlib.contextmanager
def tmux_image(backend: DockerBackend) -> Iterator[str]:
    """sekft's root file system with tmux as a temporary image of this engine."""
    client, tag = backend.engine.client(), f"sekft-bench:{secrets.token_hex(6)}"
    with tempfile.TemporaryDirectory(prefix="sekft-bench-") as folder:
        Path(folder).chmod(0o777)  # apt downloads as a user of its own
        subprocess.run(["sh", "-ec", _TMUX_ROOT, "sh", folder, image.root_tar()], check=True, capture_output=True)
        changes = [f"ENV {name}={value}" for name, value in _TERMINAL.items()]
        client.api.import_image_from_file(f"{folder}/tar", repository="sekft-bench", tag=tag.partition(":")[2], changes=changes)
    try:
        yield tag
    finally:
        client.api.remove_image(tag, force=True)


_TERMINAL: Mapping[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "xterm", "SHELL": "/bin/sh"}
_TMUX_ROOT = """cd $1; mkdir root; tar -x -p -C root -f $2
apt-get download -q tmux libevent-core-2.1-7 libutempter0
for deb in *.deb; do dpkg-deb --fsys-tarfile $deb | tar -x --keep-directory-symlink -C root; done
tar -C root --owner=0 --group=0 --numeric-owner -cf tar ."""

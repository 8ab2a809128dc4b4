"""The content of a session, the same bytes for every backend: archives of the scenario's files, variables, sh texts."""

import io
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from sekft.errors import SandboxError
from sekft.sandbox.session import File

HOME = "/home/agent"
ROOT_OWNED = ("/usr/local", "/srv")  # directories of root that hold files of a scenario; the agent cannot write them
UID = 1000
MTIME = 1700000000  # of every file: an episode must not show when it was played

ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": HOME,
    "USER": "agent",
    "LOGNAME": "agent",
    "SHELL": "/bin/sh",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "dumb",
    "PAGER": "cat",
    "MANPAGER": "cat",
    "TIME_STYLE": "+2023-11-14",  # a fixed day: `ls -l` prints it for every file, whenever the episode is played
}

# The shell gets the signal first: it would go on with the rest of its line as soon as its child is gone.
SIGNAL = r"""name=$1 shell=$2 keep=" 1 $$ $2 $3 "
[ $name = KILL ] || kill -$name $shell
kill -CONT $shell
for d in /proc/[0-9]*; do
 p=${d#/proc/}
 case $keep in *" $p "*) ;; *) kill -$name $p ;; esac
done 2>/dev/null
exit 0"""
"""sh -c SIGNAL sh NAME SHELL_PID KEEP_PIDS, run as the agent's user: a signal to every process that this user may signal."""

UNTAR = "tar -x -p --no-same-owner -C /"


def pack(files: Sequence[File], one_user: bool = False, own_home: bool = True) -> tuple[bytes, bytes]:
    """(tar of root's files, tar of the agent's files), with every parent folder, so that all times and modes are set. Raises SandboxError.

    one_user: root and agent are the same user; root's files then get the permissions of `others`, without writing, for everyone.
    own_home: whether the agent owns its home; under podman it does not, and only the owner can set its mode and time.
    """
    trees: tuple[dict[str, File], dict[str, File]] = ({}, {})
    for file in files:
        path = PurePosixPath(file.path)
        directories = (HOME,) if file.owner == "agent" else ROOT_OWNED
        if ".." in path.parts or not any(path.is_relative_to(directory) for directory in directories):
            raise SandboxError(f"{file.path}: a file of {file.owner} lies under {' or '.join(directories)}; fix the scenario")
        tree = trees[file.owner == "agent"]
        for parent in path.parents:
            if any(parent.is_relative_to(directory) for directory in directories):
                tree.setdefault(str(parent), File(str(parent), mode=0o755, owner=file.owner, kind="dir"))
        tree[str(path)] = file
    for directory in ROOT_OWNED:
        trees[0].setdefault(directory, File(directory, mode=0o755, owner="root", kind="dir"))
    trees[1].setdefault(HOME, File(HOME, mode=0o755, kind="dir"))
    if not own_home:
        del trees[1][HOME]
    return _tar(trees[0], one_user), _tar(trees[1])


def _tar(tree: Mapping[str, File], for_others: bool = False) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, file in sorted(tree.items()):
            info = tarfile.TarInfo(path.lstrip("/"))
            info.mode, info.mtime = file.mode & 0o777, MTIME
            if for_others:
                info.mode = (file.mode & 0o5) * 0o111
            info.uid = info.gid = UID if file.owner == "agent" else 0
            content = file.content.encode("utf-8", "surrogateescape")
            if file.kind == "file":
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type = tarfile.DIRTYPE if file.kind == "dir" else tarfile.SYMTYPE
                info.linkname = file.content if file.kind == "symlink" else ""
                tar.addfile(info)
    return buffer.getvalue()


def session_script(environment: Mapping[str, str], tar_bytes: int = 0) -> str:
    """sh text that becomes the session's shell. Its input: tar_bytes of the agent's tar, then commands, moved to descriptor 3.

    Programs that the shell starts read an empty input, so that none can wait for a person. Signals have their defaults as after a login: a
    shell that was started in the background ignores INT, and so would its children.
    """
    unpack = f"head -c {tar_bytes} | {UNTAR} || exit; " if tar_bytes else ""
    session = f"exec {_env({**environment, **ENVIRONMENT})} /bin/sh -i +m /dev/fd/3 3<&0 </dev/null 2>&1"
    return f"umask 022; {unpack}cd {HOME}; {session}"


def check_script(script_bytes: int, timeout_s: float) -> str:
    """sh text that reads the checker from its input and becomes it. The checker is no argument, because those are limited to 128 KiB."""
    run = f'script=$(head -c {script_bytes}); exec </dev/null; eval "$script"'
    return f"umask 022; cd {HOME} || cd /; exec {_env(ENVIRONMENT)} timeout -s KILL {timeout_s:.3f} /bin/sh -c {shlex.quote(run)} 2>&1"


def _env(environment: Mapping[str, str]) -> str:
    return " ".join(["env --default-signal -i", *(shlex.quote(f"{name}={value}") for name, value in environment.items())])

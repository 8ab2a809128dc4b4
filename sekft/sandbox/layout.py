"""What every backend puts into a place, the same bytes for each: the scenario's files, the variables, the sh texts it runs."""

import io
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from sekft.errors import SandboxError
from sekft.sandbox.session import File

HOME = "/home/agent"
ROOTS = ("/usr/local", "/srv")  # not writable by the agent
UID = 1000
MTIME = 1700000000  # of all that is put: an episode must not show when it was played

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
    "TIME_STYLE": "+2023-11-14",  # no clock in it: `ls -l` prints this day for every file, whenever the episode is played
}

# The shell comes first: once its child is gone it would go on with the rest of the line.
SIGNAL = r"""name=$1 shell=$2 keep=" 1 $$ $2 $3 "
[ $name = KILL ] || kill -$name $shell
kill -CONT $shell
for d in /proc/[0-9]*; do
 p=${d#/proc/}
 case $keep in *" $p "*) ;; *) kill -$name $p ;; esac
done 2>/dev/null
exit 0"""
"""sh -c SIGNAL sh NAME SHELL_PID KEEP_PIDS, as the agent: what is not the agent's own is out of its reach."""

UNTAR = "tar -x -p --no-same-owner -C /"


def pack(files: Sequence[File], one_user: bool = False, own_home: bool = True) -> tuple[bytes, bytes]:
    """(root's tar, agent's tar), with every parent folder, so that all times and modes are ours. Raises SandboxError.

    one_user: root's files will belong to the agent; they get for everyone what others may do, without writing.
    own_home: the agent owns its home; podman cannot give it one, and only the owner may set its mode and time.
    """
    trees: tuple[dict[str, File], dict[str, File]] = ({}, {})
    for file in files:
        path = PurePosixPath(file.path)
        tops = (HOME,) if file.owner == "agent" else ROOTS
        if ".." in path.parts or not any(path.is_relative_to(top) for top in tops):
            raise SandboxError(f"{file.path}: a file of {file.owner} lies under {' or '.join(tops)}; fix the scenario")
        tree = trees[file.owner == "agent"]
        for parent in path.parents:
            if any(parent.is_relative_to(top) for top in tops):
                tree.setdefault(str(parent), File(str(parent), mode=0o755, owner=file.owner, kind="dir"))
        tree[str(path)] = file
    for top in ROOTS:
        trees[0].setdefault(top, File(top, mode=0o755, owner="root", kind="dir"))
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
    """sh that becomes the session: first the agent's tar on its input, then commands, kept at 3; one output.

    What the session starts reads an empty input: nothing can wait for a human. Signals are as after a login: a shell
    that was started in the background ignores INT for good, and so would all it starts.
    """
    lay_out = f"head -c {tar_bytes} | {UNTAR} || exit; " if tar_bytes else ""
    session = f"exec {_env({**environment, **ENVIRONMENT})} /bin/sh -i +m /dev/fd/3 3<&0 </dev/null 2>&1"
    return f"umask 022; {lay_out}cd {HOME}; {session}"


def check_script(script_bytes: int, timeout_s: float) -> str:
    """sh that reads the checker from its input and becomes it. As data, not as an argument: those end at 128 KiB."""
    run = f'script=$(head -c {script_bytes}); exec </dev/null; eval "$script"'
    return f"umask 022; cd {HOME} || cd /; exec {_env(ENVIRONMENT)} timeout -s KILL {timeout_s:.3f} /bin/sh -c {shlex.quote(run)} 2>&1"


def _env(environment: Mapping[str, str]) -> str:
    return " ".join(["env --default-signal -i", *(shlex.quote(f"{name}={value}") for name, value in environment.items())])

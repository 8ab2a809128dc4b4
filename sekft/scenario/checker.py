"""The lines a checker is made of: POSIX sh over the final state, run in the agent's home; status 0 means done."""

import shlex
from collections.abc import Iterable, Sequence

PRELUDE = """\
set -eu
fail() { echo "$1" >&2; exit 1; }
holds() {
  [ -f "$1" ] && [ ! -L "$1" ] || fail "$1: no such file"
  [ "$(cat "$1")" = "$2" ] || fail "$1: holds something else"
}
gone() { [ ! -e "$1" ] && [ ! -L "$1" ] || fail "$1: still there"; }
unmade() { [ ! -e "$1" ] || { [ -f "$1" ] && [ ! -s "$1" ]; } || fail "$1: cannot have been made"; }
apart() { [ ! "$1" -ef "$2" ] || fail "$2: is $1 itself"; }
"""


def script(lines: Sequence[str]) -> str:
    return PRELUDE + "".join(f"{line}\n" for line in lines)


def holds(path: str, text: str) -> str:
    """A plain file with exactly this text; newlines at its end are not counted."""
    return f"holds {shlex.quote(path)} {shlex.quote(text.rstrip(chr(10)))}"


def gone(path: str) -> str:
    return f"gone {shlex.quote(path)}"


def unmade(path: str) -> str:
    """Nothing there, or the empty file a redirection leaves when its command fails."""
    return f"unmade {shlex.quote(path)}"


def apart(one: str, other: str) -> str:
    """Two files, not one with two names."""
    return f"apart {shlex.quote(one)} {shlex.quote(other)}"


def nothing_else(paths: Iterable[str]) -> str:
    """No file in the home but these and hidden ones."""
    known = " ".join(f"! -path {shlex.quote('./' + path)}" for path in paths)
    found = rf"find . -name '.?*' -prune -o \( -type f -o -type l \) {known} -print"
    return f'strays=$({found})\n[ -z "$strays" ] || fail "$strays: nobody asked for it"'

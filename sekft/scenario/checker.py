"""Checkers, line by line: POSIX sh that tests the final state in the agent's home; status 0 means that the work is done."""

import re
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
folder() { [ -d "$1" ] && [ ! -L "$1" ] || fail "$1: no such folder"; }
mode() { [ "$(stat -c %a "$1")" = "$2" ] || fail "$1: has another mode"; }
leads() { [ -L "$1" ] && [ "$1" -ef "$2" ] || fail "$1: does not lead to $2"; }
packed() {
  [ -f "$1" ] && [ ! -L "$1" ] || fail "$1: no such archive"
  [ "$(tar -xOf "$1" "$2")" = "$3" ] || fail "$1: $2 is not in it as it was"
}
"""
_PATH = re.compile(r"(?:\./)?(/?[A-Za-z0-9][\w.-]*(?:/[\w.-]+)*)")


def script(lines: Sequence[str]) -> str:
    """A checker of these lines."""
    return PRELUDE + "".join(f"{line}\n" for line in lines)


def _line(test: str, *words: str) -> str:
    return " ".join([test, *map(shlex.quote, words)])


def holds(path: str, text: str) -> str:
    """A regular file with exactly this text; newlines at its end do not matter."""
    return _line("holds", path, text.rstrip("\n"))


def gone(path: str) -> str:
    return _line("gone", path)


def unmade(path: str) -> str:
    """No file, or the empty one that a redirection leaves when its command fails."""
    return _line("unmade", path)


def apart(first: str, second: str) -> str:
    """Two files, not one file with two names."""
    return _line("apart", first, second)


def folder(path: str) -> str:
    return _line("folder", path)


def mode(path: str, bits: int) -> str:
    return _line("mode", path, f"{bits:o}")


def leads(link: str, path: str) -> str:
    return _line("leads", link, path)


def packed(archive: str, member: str, text: str) -> str:
    """A tar archive with a member of this text."""
    return _line("packed", archive, member, text.rstrip("\n"))


def nothing_else(paths: Iterable[str]) -> str:
    """The home holds no files but these and hidden ones."""
    known = " ".join(f"! -path {shlex.quote('./' + path)}" for path in paths)
    command = rf"find . -name '.?*' -prune -o \( -type f -o -type l \) {known} -print"
    return f'strays=$({command})\n[ -z "$strays" ] || fail "$strays: nobody asked for it"'


def named_paths(text: str) -> tuple[str, ...]:
    """The words of any checker that look like paths: with a dot, a dash or a slash inside. Each once, in order."""
    try:
        tokens = shlex.split(text.removeprefix(PRELUDE), comments=True)
    except ValueError:  # an unbalanced quote, perhaps in a here-document
        tokens = text.split()
    paths = [match[1] for token in tokens if (match := _PATH.fullmatch(token)) and re.search(r"\w[.-]\w|/", match[1])]
    return tuple(dict.fromkeys(paths))

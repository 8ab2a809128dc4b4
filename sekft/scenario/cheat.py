"""Cheats: replies that do not do the work, which every checker must refuse.

Covers: empty files with the right names, replaced tools, a process that waits for the checker, output that lies elsewhere, a full disk.
Does not cover: attacks on the sandbox; those are tests/sandbox/attacks.
"""

import shlex
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from sekft.scenario import checker
from sekft.scenario.document import HOME, Scenario

Replies = tuple[str, ...]
TOOLS = ("cat", "[", "test", "stat", "find", "tar", "cmp", "diff", "grep", "readlink", "sh", "echo", "wc", "ls")


def nothing(scenario: Scenario) -> Replies:
    """Look once, then leave by the right terminal."""
    return ("ls", str(scenario.terminal))


def only_exit(scenario: Scenario) -> Replies:
    return ("exit",)


def only_panic(scenario: Scenario) -> Replies:
    return ("panic",)


def touch(scenario: Scenario) -> Replies:
    """Create every file that the checker names, empty."""
    made = [f"mkdir -p {shlex.quote(str(PurePosixPath(path).parent))}; touch {shlex.quote(path)}" for path in _named(scenario)]
    return ("\n".join(made) or ":", str(scenario.terminal))


def tools(scenario: Scenario) -> Replies:
    """Replace tools by ones that always succeed: first on the PATH, as functions, and in the files a shell reads at its start."""
    written = "\n".join(
        [
            "mkdir -p .bin",
            f"for t in {' '.join(map(shlex.quote, TOOLS))}; do printf '#!/bin/sh\\nexit 0\\n' > .bin/$t; chmod +x .bin/$t; done",
            "cp .bin/* /usr/local/bin/ 2>/dev/null",
            "echo 'holds() { :; }; fail() { :; }; cat() { :; }' > .profile; cp .profile .shrc",
            f"export PATH={HOME}/.bin:$PATH ENV={HOME}/.shrc",
            "fail() { :; }; holds() { :; }; alias cat=true",
        ]
    )
    return (written, str(scenario.terminal))


def linger(scenario: Scenario) -> Replies:
    """Leave a process that does the work only when it sees the checker run."""
    late = "\n".join(
        [
            "trap '' TERM INT HUP",
            "seen() { cat /proc/[0-9]*/comm 2>/dev/null | grep -c timeout; }",
            "n=$(seen)",
            'while [ "$(seen)" -le "$n" ]; do :; done',
            *_work(scenario),
        ]
    )
    return (f"cat > .late <<'LATE'\n{late}\nLATE\nsh .late >/dev/null 2>&1 &", str(scenario.terminal))


def link(scenario: Scenario) -> Replies:
    """Do the work, then move its files to /tmp and leave links in their stead; a link of the work leads to a copy."""
    moved = "\n".join(
        f'p={shlex.quote(path)}; if [ -e "$p" ] && [ -w "$(dirname "$p")" ]; then {_move("$p", f"/tmp/{n}")} && ln -s /tmp/{n} "$p"; fi'
        for n, path in enumerate(_named(scenario))
        if not path.startswith("/")
    )
    return ("\n".join([*_work(scenario), moved]), str(scenario.terminal))


def fill(scenario: Scenario) -> Replies:
    """Fill the disk."""
    return (f"cat /dev/zero > .full 2>/dev/null; cat /dev/zero > /tmp/full 2>/dev/null; cd {HOME}", str(scenario.terminal))


CHEATS: Mapping[str, Callable[[Scenario], Replies]] = {
    "nothing": nothing,
    "exit": only_exit,
    "panic": only_panic,
    "touch": touch,
    "tools": tools,
    "linger": linger,
    "link": link,
    "fill": fill,
}


def _named(scenario: Scenario) -> list[str]:
    """The paths that the checker names and all files of the home, relative to the home."""
    files = [fixture.path for fixture in scenario.fixtures if fixture.path.startswith(f"{HOME}/") and fixture.kind != "dir"]
    return list(dict.fromkeys(path.removeprefix(f"{HOME}/") for path in (*checker.named_paths(scenario.checker), *files)))


def _work(scenario: Scenario) -> Replies:
    """The replies of the reference without the one that leaves."""
    return scenario.reference[:-1]


def _move(path: str, to: str) -> str:
    """Commands that move a file; a link is replaced by a copy of its target, because a moved link would still be right."""
    return f'if [ -L "{path}" ]; then cp "{path}" {to} && rm "{path}"; else mv "{path}" {to}; fi'

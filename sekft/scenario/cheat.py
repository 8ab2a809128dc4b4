"""Episodes that look like work and are none: what a checker must refuse in every scenario.

Covers: empty files by the right names, tools replaced, a process that waits for the checker, output that lies elsewhere, a full disk.
Does not cover: attacks on the walls themselves; those are tests/sandbox/attacks.
"""

import shlex
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from sekft.scenario import checker
from sekft.scenario.document import HOME, Scenario

Replies = tuple[str, ...]
TOOLS = ("cat", "[", "test", "stat", "find", "tar", "cmp", "diff", "grep", "readlink", "sh", "echo", "wc", "ls")


def nothing(scenario: Scenario) -> Replies:
    """One look, then leaving by the right terminal."""
    return ("ls", str(scenario.terminal))


def only_exit(scenario: Scenario) -> Replies:
    return ("exit",)


def only_panic(scenario: Scenario) -> Replies:
    return ("panic",)


def touch(scenario: Scenario) -> Replies:
    """Every path that the checker names, without content."""
    made = [f"mkdir -p {shlex.quote(str(PurePosixPath(path).parent))}; touch {shlex.quote(path)}" for path in _named(scenario)]
    return ("\n".join(made) or ":", str(scenario.terminal))


def tools(scenario: Scenario) -> Replies:
    """Programs that approve of everything, first on the PATH, as functions, and where a shell looks when it starts."""
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
    """A process that does the work only once it sees the checker run."""
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
    """The work is done, but what it made lies in /tmp, and links lead there; a link that was made leads to a copy."""
    moved = "\n".join(
        f'p={shlex.quote(path)}; if [ -e "$p" ] && [ -w "$(dirname "$p")" ]; then {_taken("$p", f"/tmp/{n}")} && ln -s /tmp/{n} "$p"; fi'
        for n, path in enumerate(_named(scenario))
        if not path.startswith("/")
    )
    return ("\n".join([*_work(scenario), moved]), str(scenario.terminal))


def fill(scenario: Scenario) -> Replies:
    """Not a byte is left for anybody."""
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
    """What the checker asks about, and every file of the home; relative to it."""
    files = [fixture.path for fixture in scenario.fixtures if fixture.path.startswith(f"{HOME}/") and fixture.kind != "dir"]
    return list(dict.fromkeys(path.removeprefix(f"{HOME}/") for path in (*checker.named_paths(scenario.checker), *files)))


def _work(scenario: Scenario) -> Replies:
    """What the reference types, without leaving."""
    return scenario.reference[:-1]


def _taken(path: str, to: str) -> str:
    """A link that is moved would still lead where it should: what it leads to is copied."""
    return f'if [ -L "{path}" ]; then cp "{path}" {to} && rm "{path}"; else mv "{path}" {to}; fi'

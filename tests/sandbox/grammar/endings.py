"""Cases that end an episode."""

import shlex
from collections.abc import Iterator

from tests.sandbox.grammar.episode import Cases, ShellState, Step, spread

ENDINGS = Cases()
AFTER = ("ls", "echo never >never", "cat <<E", "exit 77", "panic late", "x='", "")


def over(state: ShellState, text: str, kind: str, status: int | None, output: str | None = "", reason: str = "") -> Step:
    """The last step, at times with more lines, which are never typed."""
    dropped = state.random.choices(AFTER, k=state.random.choice((0, 0, 1, 3)))
    newline = state.random.choice(("", "", "\n"))
    return Step(
        "\n".join([text, *dropped]) + ("\n" if dropped and not dropped[-1] else newline), kind, status, output, len(dropped), reason
    )


@ENDINGS.add(4)
def exit_plainly(state: ShellState) -> Iterator[Step]:
    number = state.random.choice((0, 0, 0, 1, 2, 42, 86, 127, 137, 255))
    forms = (
        "exit {}",
        "  exit {}  ",
        "exit {} # done",
        "exit $(({}))",
        "exit {}; echo never >never",
        "exit {} >/dev/null",
        "e\x07xit\r {}",
        "command exit {}",
        "! exit {}",
    )
    yield over(state, state.random.choice(forms).format(number), "exit", number)


@ENDINGS.add()
def exit_with_the_last_status(state: ShellState) -> Iterator[Step]:
    number = state.random.randrange(256)
    yield Step(f"(exit {number})", status=number)
    yield over(state, "exit", "exit", number)


@ENDINGS.add(3)
def exit_inside(state: ShellState) -> Iterator[Step]:
    number = state.random.randrange(256)
    forms = (
        "true && exit {} && echo never >never",
        "false || exit {}",
        "for i in 1 2 3; do exit {}; done",
        "while :; do exit {}; done",
        "{{ exit {}; }}",
        "if true; then exit {}; fi; echo never >never",
        "case a in a) exit {};; esac",
        "eval 'exit {}'",
        "f() {{ exit {}; }}; f; echo never >never",
        "f() {{ g; }}; g() {{ eval 'while :; do exit {}; done'; }}; f | cat; f",
        "set -- {}; exit $1",
        "sleep 1000 & exit {}",
        "echo x | {{ read x; }}; exit {}",
        "exec >/dev/null; exit {}",
        "exec >&- 2>&-; exit {}",
        "set -e; (exit {0}); exit {0}",
        "trap 'true' INT; exit {}",
        "unset -f panic; exit {}",
        "cd /; exit {}",
    )
    yield over(state, state.random.choice(forms).format(number), "exit", number)


@ENDINGS.add()
def exit_over_several_lines(state: ShellState) -> Iterator[Step]:
    number, word = state.random.randrange(256), state.plain()
    lines = state.random.choice(
        (
            [f"for i in {word}", "do", f"exit {number}", "done"],
            [f"echo '{word}", f"' >/dev/null; exit {number}"],
            ["cat >/dev/null <<E && exit \\", str(number), "exit 99", "E"],
            [f"{word}() {{", f"  exit {number}", f"}}; {word}"],
        )
    )
    yield from spread(state, lines, number, kind="exit")


@ENDINGS.add()
def exit_from_a_file(state: ShellState) -> Iterator[Step]:
    number = state.random.randrange(256)
    typed, path = state.new_file()
    state.files[path] = f"exit {number}\n".encode()
    yield Step(f"echo exit {number} >{typed}")
    yield Step(f"sh {typed}; echo $?", output=f"{number}\n")
    source = typed if path.startswith("/") and typed.strip("'").startswith("/") else f"./{typed}"
    yield over(state, f". {source}", "exit", number)


@ENDINGS.add()
def exit_by_alias(state: ShellState) -> Iterator[Step]:
    yield Step("alias leave='exit 9'")
    yield over(state, "leave", "exit", 9)


@ENDINGS.add(2)
def exit_by_error(state: ShellState) -> Iterator[Step]:
    """set -e: the first failure ends the shell."""
    number = state.random.randint(1, 255)
    yield Step("set -e")
    yield Step("false || true; if false; then :; fi; ! true; echo on", output="on\n")
    yield over(state, f"(exit {number})", "exit", number)


@ENDINGS.add(4)
def panic(state: ShellState) -> Iterator[Step]:
    why = state.random.choice(("", "no such disk", "it's gone", "naïve 日本 😀", "a  b", "x" * 390, "$HOME *", "-n"))
    quoted = shlex.quote(why) if why else ""
    forms = (
        "panic {}",
        "panic {}; echo never >never",
        "(panic {})",
        "x=$(panic {})",
        "true && panic {}",
        "for i in 1 2; do panic {}; done",
        "f() {{ panic {}; }}; f",
        "panic {} | cat",
        "panic {} >/dev/null 2>&1",
        "exec panic {}",
        "exec >&- 2>&-; panic {}",
        "command panic {}",
        "/usr/bin/panic {}; sleep 2",
        "unset -f panic; panic {}; sleep 2",
        "panic {} & wait",
        "PATH=/nowhere; panic {}",
        "cd /; panic {}",
        "set -e; panic {}",
        "trap '' EXIT; panic {}",
    )
    yield over(state, state.random.choice(forms).format(quoted), "panic", 86, reason=" ".join(why.split()))


@ENDINGS.add()
def panic_in_a_program(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    word = state.plain()
    state.files[path] = f"#!/bin/sh\necho before\npanic {word}\n".encode()
    yield Step(f"printf '%s\\n' '#!/bin/sh' 'echo before' 'panic {word}' >{typed}")
    calls = (f"sh {typed}", f"sh <{typed}", f"cat {typed} | sh", f'sh -c "$(cat {typed})"', f'eval "$(cat {typed})"')
    yield over(state, state.random.choice(calls), "panic", 86, "before\n", word)


@ENDINGS.add(3)
def gone(state: ShellState) -> Iterator[Step]:
    text, status = state.random.choice(
        (
            ("exec true", 0),
            ("exec false", 1),
            ("exec sh", 0),
            ("exec sh -c 'exit 3'", 3),
            ("exec cat", 0),
            ("exec sleep 0.1", 0),
            ("kill -9 $$", 137),
            ("sh -c 'kill -9 $PPID'", 137),
            ("(kill -KILL $$)", 137),
            ("kill -HUP $$", 129),
            ("kill -USR1 $$", 138),
            ("sh -c 'kill -9 -1'", 137),
            ("sleep 1000 & kill -9 $$", 137),
            ("trap 'exit 5' EXIT; exit 3", 5),
            ("trap - EXIT; exit 3", 3),
            ("trap '' EXIT; exit 3", 3),
            ("trap 'exit 6' USR1; trap - EXIT; kill -USR1 $$", 6),
            ("set -e; trap 'true' EXIT; false", 1),
        )
    )
    yield over(state, text, "gone", status)


@ENDINGS.add(0.1)
def lost(state: ShellState) -> Iterator[Step]:
    """Sessions that no signal brings back: a shell that ignores INT for ever, and one without an output."""
    text = state.random.choice(("trap '' INT; while :; do :; done", "exec >&- 2>&- 8>&-"))
    step = over(state, text, "lost", None, None)
    yield Step(step.text, step.kind, step.status, step.output, step.dropped_lines, overruns=True)

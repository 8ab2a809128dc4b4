"""Cases that exceed the time limit or remove the prompt; the session goes on."""

from collections.abc import Iterator

from tests.sandbox.grammar.episode import Cases, ShellState, Step, spread

OVERRUNS = Cases()  # at most one in an episode, because each costs its time limit
OVERRUN_S = 1.5


@OVERRUNS.add(3)
def overrun(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    state.files[path] = b"before\n"
    text, status = state.random.choice(
        (
            ("sleep 1000", 130),
            ("sleep 1000; echo never >never", 130),
            ("while :; do :; done", 130),
            ("for i in 1 2 3; do sleep 1000; done", 130),
            ("sleep 1000 | cat", 130),
            ("(sleep 1000)", 130),
            ("sh -c 'sleep 1000'", 130),
            ("f() { sleep 1000; }; f", 130),
            ("trap '' INT; sleep 1000; trap - INT", None),
            ("tail -f /dev/null", 130),
            ("kill -STOP $$", None),
        )
    )
    yield Step(f"echo before >{typed}; {text}\necho never >never", status=status, output=None, dropped_lines=1, overruns=True)
    yield Step("trap - INT; echo on", output="on\n")


@OVERRUNS.add()
def prompt_taken_away(state: ShellState) -> Iterator[Step]:
    text = state.random.choice(("unset PS1", "PS1=", "PS1='$ '", "exec >/dev/null 2>&1"))
    yield Step(f"{text}\necho never >never", status=None, output=None, dropped_lines=1, overruns=True)
    yield Step("echo on", output="on\n")


@OVERRUNS.add()
def continuation_taken_away(state: ShellState) -> Iterator[Step]:
    yield Step("PS2=")
    yield Step("echo 'open\nnever", status=130, output=None, dropped_lines=1, overruns=True)
    yield from spread(state, ["echo 'back", "again'"], output="back\nagain\n")

"""Attacks on the session: its shell, its prompt, its output and our marks in it."""

from tests.sandbox.attacks.attack import ONE_USER, Attack, Seen, shapes

# the nonce, which PS1 contains: the agent can read it
_NONCE = "n=${PS1#?}; n=${n%%:*}"
_MARK = "mark() { printf '\\036%s:%s:%s:\\037' $n $1 $2; }"
_KILLED = ("gone:137 - none", "ready - none")  # a control process of the agent's own user is killed, too, sooner or later


def _controls(seen: Seen) -> str:
    found = {character for character in seen.output if ord(character) < 32 or 127 <= ord(character) < 160} - {"\n", "\t"}
    return f"control characters {sorted(map(ord, found))} came through" if found else ""


def _unencodable(seen: Seen) -> str:
    try:
        seen.output.encode()
    except UnicodeEncodeError:
        return "the output cannot be written as UTF-8"
    return _controls(seen)


def _grown(seen: Seen) -> str:
    return f"our process grew by {seen.grown_mb:.0f} MB" if seen.grown_mb > 60 else ""


def _slow(seen: Seen) -> str:
    return f"reading it took us {seen.seconds:.0f} s" if seen.seconds > 30 else ""


def _broken_off(seen: Seen) -> str:
    return "" if seen.turns[-1].output.endswith("alive\n") else "the session answers something else"


ATTACKS = [
    Attack(
        "ignored signals: a program",
        ("trap '' INT TERM HUP QUIT; sleep 1000", "echo alive"),
        _broken_off,
        shapes("ready/timeout ready - 7"),
        timeout_s=1.0,
    ),
    Attack(
        "ignored signals: the shell", ("trap '' INT TERM HUP QUIT; while :; do :; done",), shapes=shapes("lost/timeout - 7"), timeout_s=1.0
    ),
    Attack("the shell stops itself", ("kill -STOP $$", "echo alive"), _broken_off, shapes("ready/timeout ready - 7"), timeout_s=1.0),
    Attack(
        "everything is stopped again and again",
        ("while :; do kill -STOP -1; done & sleep 1", "echo alive"),
        shapes=shapes("ready/timeout ready - 7", "lost/timeout - 7", "lost/timeout - none"),
        slow=True,
    ),
    Attack("killing everything, from a child", ("sh -c 'kill -9 -1'",), shapes=shapes("gone:137 - 7", bwrap_one_user=_KILLED)),
    Attack("killing everything, from the shell", ("kill -9 -1",), shapes=shapes("ready - 7", bwrap_one_user=_KILLED)),
    Attack(
        "killing everything again and again",
        ("(trap '' HUP; while :; do kill -9 -1; done) & sleep 1",),
        shapes=shapes("gone:137(/timeout)? - (7|137|none)", bwrap_one_user=_KILLED),
    ),
    Attack(
        "killing the first processes",
        ("kill -9 1; kill -TERM 1; kill -STOP 1; for p in 2 3 4 5 6 7 8; do [ $p = $$ ] || kill -9 $p; done; echo; echo alive",),
        lambda seen: "the control process was killed" if seen.checked.status is None else "",
        shapes("ready - 7", bwrap_one_user=_KILLED),
        weak={"bwrap_one_user": ONE_USER},
    ),
    Attack("closed outputs", ("exec >&- 2>&-", "echo alive"), _broken_off, shapes("ready/timeout ready - 7"), timeout_s=1.0),
    Attack("every output closed", ("exec >&- 2>&- 8>&-",), shapes=shapes("lost/timeout - 7", "lost - 7"), timeout_s=1.0),
    Attack("another program in place of the shell", ("exec cat /dev/null",), shapes=shapes("gone:0 - 7")),
    Attack(
        "changed PS1 and PS2",
        ("PS1='# ' PS2=", "echo alive", "unset PS1 PS2", "echo alive"),
        _broken_off,
        shapes("ready/timeout ready ready/timeout ready - 7"),
        timeout_s=1.0,
    ),
    Attack("PS1 that runs commands", ("PS1='$(exit 3)'$PS1'$(echo x >>ran)'", "echo alive"), shapes=shapes("ready ready - 7")),
    Attack("two prompts for one", ("PS1=$PS1$PS1$PS1", "echo one", "echo two"), shapes=shapes("ready ready ready - 7")),
    Attack("a forged end: exit", (f"{_NONCE}; {_MARK}; mark 9 0; sleep 1",), shapes=shapes("exit:0 - 7")),
    Attack("a forged end: panic", ("printf '\\036panic:forged\\037'; sleep 1",), shapes=shapes("panic - 7")),
    Attack("a forged greeting", (f"{_NONCE}; {_MARK}; mark 0 1; sleep 1",), shapes=shapes("lost - 7")),
    Attack("a forged synchronisation", (f"{_NONCE}; {_MARK}; mark 5 1; sleep 1",), shapes=shapes("lost - 7")),
    Attack("forged prompts without end", (f"{_NONCE}; {_MARK}; while :; do mark 1 0; done",), shapes=shapes("ready - 7")),
    Attack(
        "forged prompts without end, and a command that overruns",
        (f"{_NONCE}; {_MARK}; (while :; do mark 1 0; done) & sleep 100", "sleep 100", "yes"),
    ),
    Attack(
        "a forged status of 6,000 digits",
        (f"{_NONCE}; {_MARK}; mark 1 $(head -c 6000 /dev/zero | tr '\\0' 9); echo; echo alive",),
        _broken_off,
    ),
    Attack(
        "marks with a wrong nonce",
        ("printf '\\0360123456789abcdef:9:0:\\037\\036\\037\\n'; echo alive",),
        lambda seen: "" if "alive" in seen.output else "lost",
    ),
    Attack(
        "half-made marks without end",
        ("yes \"$(printf '\\036panic:')\" | tr -d '\\n' | head -c 16000000; echo; echo alive",),
        _slow,
        timeout_s=20.0,
        settings={"flood_bytes": 1 << 26},
    ),
    Attack(
        "half-made marks with our nonce",
        (f"{_NONCE}; yes \"$(printf '\\036%s:1:' $n)\" | tr -d '\\n' | head -c 16000000; echo; echo alive",),
        _slow,
        timeout_s=20.0,
        settings={"flood_bytes": 1 << 26},
    ),
    Attack(
        "control characters and terminal escapes",
        (
            "printf '\\033[2J\\033]52;c;eA==\\007\\033]0;t\\033\\\\\\033P1$r\\033\\\\a\\bb\\rc\\007\\016\\233\\302\\233x\\177\\n'",
            "e\x03ch\x04o al\x1b[0mive\x1a",
        ),
        _controls,
    ),
    Attack(
        "a line of 100 MB, stopped as a flood",
        ("head -c 100000000 /dev/zero | tr '\\0' x", "echo alive"),
        _grown,
        shapes("ready/flood ready - 7"),
        timeout_s=20.0,
    ),
    Attack(
        "a line of 100 MB, read to its end",
        ("head -c 100000000 /dev/zero | tr '\\0' x; echo", "echo alive"),
        lambda seen: _grown(seen) or _broken_off(seen),
        timeout_s=30.0,
        settings={"flood_bytes": 1 << 28},
    ),
    Attack(
        "NUL bytes",
        ("printf 'a\\0b\\0'; head -c 100000 /dev/zero; printf x >'a\0b'; ls", "echo al\0ive"),
        lambda seen: _controls(seen) or _broken_off(seen),
    ),
    Attack(
        "invalid UTF-8",
        ("printf '\\377\\300\\200\\355\\240\\200\\n'; head -c 100000 /dev/urandom; echo", "echo al\udcffive \ud800"),
        _unencodable,
    ),
]

"""Cases that a shell survives and a session must survive: errors, empty input, late output, floods, signals."""

from collections.abc import Iterator

from tests.sandbox.grammar.episode import Cases, ShellState, Step

NASTY = Cases()
KEEP_BYTES = 4096


@NASTY.add(2)
def empty_input(state: ShellState) -> Iterator[Step]:
    """Programs that read find the end of the input: none waits for a person."""
    text, status, output = state.random.choice(
        (
            ("cat", 0, ""),
            ('read x; echo "$?<$x>"', 0, "1<>\n"),
            ("read -r a b", 1, ""),
            ("sort", 0, ""),
            ("wc -l", 0, "0\n"),
            ("sh", 0, ""),
            ("sh -c 'cat; echo end'", 0, "end\n"),
            ("while read x; do echo never >never; done", 0, ""),
            ("cat - | head -n 1", 0, ""),
            ("tail -f /dev/null & kill -9 $!; wait $! 2>/dev/null", 137, None),
            ("ed", 0, ""),
            ("test -t 0 || echo none", 0, "none\n"),
        )
    )
    yield Step(text, status=status, output=output)


@NASTY.add()
def empty_input_to_file(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    state.files[path] = b""
    yield Step(f"cat >{typed}")


@NASTY.add(2)
def refused(state: ShellState) -> Iterator[Step]:
    name = state.name()
    text, status, output = state.random.choice(
        (
            (name, 127, f"sh: {name}: not found\n"),
            (f"./{name}", 127, f"sh: ./{name}: not found\n"),
            (f"cd {name}", 2, f"sh: cd: can't cd to {name}\n"),
            (f"cat <{name}", 2, f"sh: cannot open {name}: No such file\n"),
            (f"echo x >/etc/{name}", 2, f"sh: cannot create /etc/{name}: Read-only file system\n"),
            (f"echo x >/srv/{name}", 2, f"sh: cannot create /srv/{name}: Permission denied\n"),
            (f"echo x >{name}/y", 2, f"sh: cannot create {name}/y: Directory nonexistent\n"),
            ("/etc", 126, "sh: /etc: Permission denied\n"),
            (f". ./{name}", 2, f"sh: .: cannot open ./{name}: No such file\n"),
            (f"ls {name} 2>/dev/null", 2, ""),
            (f"rm {name} 2>/dev/null; echo on", 0, "on\n"),
            (f"{name} | cat", 0, f"sh: {name}: not found\n"),
        )
    )
    yield Step(text, status=status, output=output)


@NASTY.add(2)
def syntax_error(state: ShellState) -> Iterator[Step]:
    text, output = state.random.choice(
        (
            ("if x; fi", 'sh: Syntax error: "fi" unexpected (expecting "then")\n'),
            (")", 'sh: Syntax error: ")" unexpected\n'),
            ("echo never >never )", 'sh: Syntax error: ")" unexpected\n'),
            (";;", 'sh: Syntax error: ";;" unexpected\n'),
            ("| cat", 'sh: Syntax error: "|" unexpected\n'),
            ("done", 'sh: Syntax error: "done" unexpected\n'),
            ("for 1 in a; do echo; done", "sh: Syntax error: Bad for loop variable\n"),
            ("echo $((1 +", None),
            ("echo &&& x", 'sh: Syntax error: "&" unexpected\n'),
        )
    )
    if output is None:
        yield Step(text, "more", None)
        yield Step("))", status=2, output=None)
    else:
        yield Step(text, status=2, output=output)


@NASTY.add()
def open_quote_called_off(state: ShellState) -> Iterator[Step]:
    """Leave an open quote: close it and make the whole line a syntax error."""
    sign = state.random.choice("'\"")
    yield Step(f"echo {sign}{state.plain()} >never", "more", None)
    yield Step(state.plain(), "more", None)
    yield Step(f"{sign} )", status=2, output='sh: Syntax error: ")" unexpected\n')


@NASTY.add()
def error_of_a_special_builtin(state: ShellState) -> Iterator[Step]:
    """Errors that would end a script; they do not end a session, but the rest of their line is not run."""
    name = state.name()
    text, output = state.random.choice(
        (
            ("export 1x=3; echo never >never", "sh: export: 1x: bad variable name\n"),
            (f"readonly {name}=1; {name}=2; echo never >never", f"sh: {name}: is read only\n"),
            (f": ${{{name}?wanted}}; echo never >never", f"sh: {name}: wanted\n"),
            ("shift 1000; echo never >never", "sh: shift: can't shift that many\n"),
            ("set -o nonsense; echo never >never", "sh: set: Illegal option -o nonsense\n"),
            ("exit abc", "sh: exit: Illegal number: abc\n"),
        )
    )
    yield Step(text, status=2, output=output)


@NASTY.add()
def exit_that_is_none(state: ShellState) -> Iterator[Step]:
    number = state.random.randrange(256)
    forms = (
        "(exit {0})",
        "sh -c 'exit {0}'",
        "true | exit {0}",
        "x=$(exit {0})",
        "exit 99 | (exit {0})",
        "eval '(exit {0})'",
        "sh <<E\nexit {0}\nE",
        "echo exit {0} | sh",
        "sh -c 'kill -9 $$' 2>/dev/null; (exit {0})",
        "(exec sh -c 'exit {0}')",
        "exit {0} & wait $!",
    )
    yield Step(state.random.choice(forms).format(number), status=number)


@NASTY.add()
def panic_that_is_none(state: ShellState) -> Iterator[Step]:
    text, output = state.random.choice(
        (
            ("echo panic", "panic\n"),
            ("cat <<E\npanic\nE", "panic\n"),
            ("type panic >/dev/null; command -v panic", "panic\n"),
            ("grep -c 036 /usr/bin/panic", None),
            ("(panic() { echo mine; }; panic)", "mine\n"),
            ("# panic", ""),
            ("true || panic", ""),
        )
    )
    yield Step(text, status=0 if text[0] != "#" else state.status, output=output)


@NASTY.add(2)
def background(state: ShellState) -> Iterator[Step]:
    """Output of a background process, which may come in any turn until `wait`."""
    typed, path = state.new_file()
    word = state.plain()
    kind = state.random.choice(("late", "silent", "for ever", "killed"))
    if kind == "for ever":
        yield Step("(sleep 1000; echo never >never) & sleep 1000 & (trap '' TERM HUP INT; while :; do sleep 100; done) &")
    elif kind == "killed":
        yield Step("sleep 1000 & kill -9 $!; wait $!", status=137, output=None)
    else:
        loud = kind == "late"
        yield Step(f"(sleep 0.2; echo {word} >{typed}; {'echo ' + word if loud else ':'}) &", output=None if loud else "")
        state.files[path] = f"{word}\n".encode()
        for _ in range(state.random.randint(0, 2)):
            yield Step(f"echo {state.plain()} >/dev/null", output=None if loud else "")
        yield Step("wait $!; echo waited", output=None if loud else "waited\n")


@NASTY.add()
def control_characters(state: ShellState) -> Iterator[Step]:
    word = state.plain()
    forms = ("echo {}\r", "ec\x03ho {}", "\x1becho {}", "echo {}\x04", "\x00echo {}\x7f", "echo {}\x1a", "\x15echo\x08 {}\x85")
    yield Step(state.random.choice(forms).format(word), output=f"{word}\n")
    yield Step("(exit 7)", status=7)
    yield Step(state.random.choice("\x03\x04\x1a\x00\x7f"), status=7)


@NASTY.add()
def unusual_output(state: ShellState) -> Iterator[Step]:
    text, output = state.random.choice(
        (
            ("printf 'a\\377\\376b'", "a\ufffd\ufffdb"),
            ("printf 'a\\036b\\037c\\000d\\n'", "abcd\n"),
            ("printf '\\036%s:1:0:\\037' 0123456789abcdef", "0123456789abcdef:1:0:"),
            ("printf '\\033[31mred\\033[0m\\n'", "red\n"),
            ("printf 'N\\bNx\\r\\n'", "Nx\n"),
            ("printf '\\303'; printf '\\251\\n'", "é\n"),
            ("head -c 3000 /dev/urandom", None),
            ("printf '\\036\\036\\036'", ""),
            ("printf 'no newline'", "no newline"),
            ("printf '\\n\\n'", "\n\n"),
            ("printf '$ '", "$ "),
            ("echo hm >&2", "hm\n"),
        )
    )
    yield Step(text, output=output)


@NASTY.add()
def much_output(state: ShellState) -> Iterator[Step]:
    amount = state.random.randint(KEEP_BYTES + 1, 60_000)
    half = KEEP_BYTES // 2
    head, tail = "x" * half, "x" * half
    yield Step(f"head -c {amount} /dev/zero | tr '\\0' x", output=f"{head}\n[... {amount - KEEP_BYTES} bytes cut ...]\n{tail}")
    exactly = "x" * KEEP_BYTES
    yield Step(f"head -c {KEEP_BYTES} /dev/zero | tr '\\0' x", output=exactly)


@NASTY.add(0.5)
def flood(state: ShellState) -> Iterator[Step]:
    yield Step("yes\necho never >never", status=130, output=None, dropped_lines=1, overruns=True)


@NASTY.add()
def long_line(state: ShellState) -> Iterator[Step]:
    length = state.random.choice((10_000, 10_000, 30_000, 100_000))
    typed, path = state.new_file()
    state.files[path] = b"y" * length + b"\n"
    yield Step(f"echo {'y' * length} >{typed}")
    yield Step(f"x={'é' * 5000}; echo ${{#x}}", output=None)


@NASTY.add()
def tracing(state: ShellState) -> Iterator[Step]:
    word = state.plain()
    yield Step(f"set -x; echo {word}; set +x", output=f"+ echo {word}\n{word}\n+ set +x\n")


@NASTY.add()
def no_clobber(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    state.files[path] = b"one\n"
    yield Step(f"set -C; echo one >{typed}")
    yield Step(f"echo two >{typed}", status=2, output=None)
    yield Step("set +C")


@NASTY.add()
def unset_variables_are_errors(state: ShellState) -> Iterator[Step]:
    name = state.name()
    yield Step(f"set -u; echo ${name}; echo never >never", status=2, output=f"sh: {name}: parameter not set\n")
    yield Step("set +u")


@NASTY.add()
def output_closed(state: ShellState) -> Iterator[Step]:
    yield Step("exec 9>&1 >&-")
    yield Step("echo hidden", status=1, output=None)
    yield Step("exec >&9 9>&-; echo back", output="back\n")


@NASTY.add()
def output_to_file(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    state.files[path] = b"hidden\nhm\n"
    yield Step(f"exec 9>&1 >{typed}; echo hidden")
    yield Step("echo hm")
    yield Step("exec >&9 9>&-; echo back", output="back\n")


@NASTY.add()
def signals_to_the_shell(state: ShellState) -> Iterator[Step]:
    text, status = state.random.choice(
        (
            ("kill $$", 0),
            ("kill -9 -1", 0),
            ("kill -QUIT $$", 0),
            ("kill -INT $$; echo never >never", 130),
            ("kill -CONT $$", 0),
            ("trap 'x=1' USR1; kill -USR1 $$; trap - USR1", 0),
        )
    )
    yield Step(text, status=status, output=None)


@NASTY.add()
def interrupts_ignored(state: ShellState) -> Iterator[Step]:
    yield Step("trap '' INT")
    yield Step("kill -INT $$; echo on", output="on\n")
    yield Step("trap - INT")


@NASTY.add()
def comment(state: ShellState) -> Iterator[Step]:
    yield Step("(exit 5)", status=5)
    yield Step("# it's a \" comment `", status=5)


@NASTY.add()
def own_exit_trap(state: ShellState) -> Iterator[Step]:
    yield Step("(trap 'echo bye' EXIT; exit 3)", status=3, output="bye\n")

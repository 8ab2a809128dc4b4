"""Ordinary work at a shell: files, folders, variables, functions, loops, here-documents, pipelines."""

import shlex
from collections.abc import Iterator

from tests.sandbox.grammar.episode import HOME, Cases, ShellState, Step, spread, text_of

ORDINARY = Cases()


@ORDINARY.add(3)
def write(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    word = state.word()
    quoted = shlex.quote(word)
    form = state.random.choice(
        (f"printf '%s\\n' {quoted} >{typed}", f">{typed} printf '%s\\n' {quoted}", f"printf '%s\\n' {quoted} | tee {typed} >&2")
    )
    state.files[path] = f"{word}\n".encode()
    yield Step(form, output=f"{word}\n" if "tee" in form else "")


@ORDINARY.add(3)
def append(state: ShellState) -> Iterator[Step]:
    typed, path = state.old_file() or state.new_file()
    for _ in range(state.random.randint(1, 3)):
        word = state.word()
        state.files[path] = state.files.get(path, b"") + f"{word}\n".encode()
        yield Step(f"printf '%s\\n' {shlex.quote(word)} >>{typed}")


@ORDINARY.add()
def bytes_to_file(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    content = bytes(state.random.randrange(256) for _ in range(state.random.randint(1, 40)))
    state.files[path] = content
    yield Step(f"printf '{''.join(f'{chr(92)}{byte:03o}' for byte in content)}' >{typed}")


@ORDINARY.add(2)
def show(state: ShellState) -> Iterator[Step]:
    if old := state.old_file():
        yield Step(f"cat {old[0]}", output=text_of(state.files[old[1]]))


@ORDINARY.add(2)
def move_copy_remove(state: ShellState) -> Iterator[Step]:
    if not (old := state.old_file()):
        return
    typed, path = state.new_file()
    command = state.random.choice(("cp", "mv", "rm"))
    if command != "rm":
        state.files[path] = state.files[old[1]]
    if command != "cp":
        del state.files[old[1]]
    yield Step(f"{command} {old[0]}" + (f" {typed}" if command != "rm" else ""))


@ORDINARY.add(2)
def here_document(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    lines = [
        state.random.choice((*map(str, range(3)), "exit", "panic why", "echo 'open", '"', "", "  $HOME", "`", "E ", "\tE"))
        for _ in range(4)
    ]
    content = "".join(f"{line}\n" for line in lines)
    if state.random.random() < 0.3:
        lines, content = ["one $((1 + 1)) $HOME"], f"one 2 {HOME}\n"
        begin = "<<E"
    else:
        begin = "<<'E'"
    state.files[path] = content.encode()
    yield from spread(state, [f"cat {begin} >{typed}", *lines, "E"])


@ORDINARY.add()
def indented_here_document(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    word = state.plain()
    state.files[path] = f"{word}\n  {word}\n".encode()
    yield from spread(state, [f"cat >{typed} <<-E", f"\t{word}", f"\t\t  {word}", "\tE"])


@ORDINARY.add(2)
def loop(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    words = [state.plain() for _ in range(state.random.randint(1, 4))]
    heads = {
        "for": [f"for i in {' '.join(words)}", "do"],
        "while": [f"set -- {' '.join(words)}", "while [ $# -gt 0 ]", "do i=$1; shift"],
        "until": [f"set -- {' '.join(words)}", 'until [ -z "$1" ]; do', " i=$1", " shift"],
    }
    lines = heads[state.random.choice(list(heads))]
    if lines[0].startswith("set"):
        yield Step(lines[0])
        lines = lines[1:]
    state.files[path] = "".join(f"{word}.\n" for word in words).encode()
    yield from spread(state, [*lines, f"  echo $i. >>{typed}", '  echo "<$i>"', "done"], output="".join(f"<{word}>\n" for word in words))


@ORDINARY.add()
def read_loop(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    state.files[path] = b"c 3\nb 2\na 1\n"
    yield Step(f"printf '%s\\n' 'c 3' 'b 2' 'a 1' >{typed}")
    yield from spread(state, [f"sort {typed} | while read -r x y", "do echo $y$x", "done"], output="1a\n2b\n3c\n")


@ORDINARY.add()
def conditions(state: ShellState) -> Iterator[Step]:
    number, word = state.random.randint(0, 2), state.plain()
    lines = [f"if [ {number} -eq 0 ]; then", "  echo none", f"elif test {number} = 1", "then", "  echo one", "else echo many", "fi"]
    yield from spread(state, lines, output=("none\n", "one\n", "many\n")[number])
    lines = [f"case {word} in", f"{word[0]}*)", f"  echo {word[0]};;", "*)", "  exit 9;;", "esac"]
    yield from spread(state, lines, output=f"{word[0]}\n")


@ORDINARY.add(2)
def open_quote(state: ShellState) -> Iterator[Step]:
    sign = state.random.choice("'\"")
    words = [state.plain() for _ in range(state.random.randint(2, 4))]
    lines = [f"printf '%s\\n' {sign}{words[0]}", *words[1:-1], f"{words[-1]}{sign}"]
    if state.random.random() < 0.5:
        yield from spread(state, lines, output="\n".join(words) + "\n")
        return
    typed, path = state.new_file()
    state.files[path] = ("\n".join(words) + "\n").encode()
    yield from spread(state, [*lines[:-1], f"{lines[-1]} >{typed}"])


@ORDINARY.add()
def open_ends(state: ShellState) -> Iterator[Step]:
    """Other commands that are incomplete at the end of their line."""
    word = state.plain()
    lines = state.random.choice(
        (
            [f"echo {word} |", "cat"],
            ["true &&", f"echo {word}"],
            ["false ||", f"echo {word}"],
            ["echo \\", word],
            ["x=$(", f"echo {word}", "); echo $x"],
            ["(", f"echo {word}", ")"],
            ["{", f"echo {word}", "}"],
            [f"echo {word[:2]}\\", word[2:]],
            ["echo ${none-", f"}}{word}"],
        )
    )
    yield from spread(state, lines, output=f" {word}\n".lstrip() if "none" not in lines[0] else f"{word}\n")


@ORDINARY.add(2)
def pipeline(state: ShellState) -> Iterator[Step]:
    typed, path = state.new_file()
    words = [state.plain() for _ in range(state.random.randint(1, 5))]
    state.files[path] = "".join(f"{word}\n" for word in sorted(words)).encode()
    yield Step(f"printf '%s\\n' {' '.join(words)} | sort | tee {typed} | wc -l", output=f"{len(words)}\n")
    yield Step(f"grep -c {words[0]} {typed} | sed 's/^/n=/'", output=f"n={words.count(words[0])}\n")
    yield Step(f"yes {words[0]} | head -n 2 | tr a-z A-Z", output=2 * f"{words[0].upper()}\n")


@ORDINARY.add(2)
def function(state: ShellState) -> Iterator[Step]:
    if state.functions and state.random.random() < 0.6:
        name = state.random.choice(sorted(state.functions))
        yield Step(f"{name} {state.plain()}", status=3, output=state.functions[name])
        return
    name, word = state.name(), state.plain()
    yield from spread(state, [f"{name}() {{", f"  echo {word}; (exit 4)", "  return 3", "}"])
    state.functions[name] = f"{word}\n"


@ORDINARY.add(2)
def variable(state: ShellState) -> Iterator[Step]:
    if state.variables and state.random.random() < 0.6:
        name = state.random.choice(sorted(state.variables))
        inner = state.random.choice((f'printf "%s\\n" "${name}"', f"(printf '%s\\n' \"${name}\")", f'sh -c \'printf "%s\\n" "${name}"\''))
        yield Step(inner, output=f"{state.variables[name]}\n")
        return
    name, word = state.name(), state.word()
    state.variables[name] = word
    yield Step(f"export {name}={shlex.quote(word)}")


@ORDINARY.add(2)
def folder(state: ShellState) -> Iterator[Step]:
    where = state.random.choice(("new", "home", "up", "back", "tmp"))
    before = state.cwd
    if where == "new":
        name = state.name()
        state.cwd = f"{before}/{name}"
        state.folders.add(state.cwd)
        yield Step(f"mkdir {name} && cd {name}")
    elif where == "home":
        state.cwd = HOME
        yield Step(state.random.choice(("cd", "cd ~", 'cd "$HOME"')))
    elif where == "up" and before.startswith(f"{HOME}/"):
        state.cwd = before.rpartition("/")[0]
        yield Step("cd ..")
    elif where == "back":
        yield Step("cd /usr; cd -", output=f"{before}\n")
    elif where == "tmp":
        yield Step(f"(cd /tmp && pwd); cd /tmp; cd {shlex.quote(before)}", output="/tmp\n")
    yield Step("pwd", output=f"{state.cwd}\n")


@ORDINARY.add()
def status(state: ShellState) -> Iterator[Step]:
    number = state.random.randrange(256)
    yield Step(f"(exit {number})", status=number)
    yield Step("echo $?", output=f"{number}\n")


@ORDINARY.add()
def substitution(state: ShellState) -> Iterator[Step]:
    one, two = state.random.randint(0, 999), state.random.randint(1, 99)
    yield Step(f"echo $(({one} / {two})) $(echo `echo {one}`) ${{none:-{two}}}", output=f"{one // two} {one} {two}\n")

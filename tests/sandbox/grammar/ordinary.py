"""Ordinary work at a shell: files, folders, variables, functions, loops, here-documents, pipelines."""

import shlex
from collections.abc import Iterator

from tests.sandbox.grammar.episode import HOME, Cases, Scenario, Step, spread, text_of

ORDINARY = Cases()


@ORDINARY.add(3)
def write(scenario: Scenario) -> Iterator[Step]:
    typed, path = scenario.new_file()
    word = scenario.word()
    quoted = shlex.quote(word)
    form = scenario.random.choice(
        (f"printf '%s\\n' {quoted} >{typed}", f">{typed} printf '%s\\n' {quoted}", f"printf '%s\\n' {quoted} | tee {typed} >&2")
    )
    scenario.files[path] = f"{word}\n".encode()
    yield Step(form, output=f"{word}\n" if "tee" in form else "")


@ORDINARY.add(3)
def append(scenario: Scenario) -> Iterator[Step]:
    typed, path = scenario.old_file() or scenario.new_file()
    for _ in range(scenario.random.randint(1, 3)):
        word = scenario.word()
        scenario.files[path] = scenario.files.get(path, b"") + f"{word}\n".encode()
        yield Step(f"printf '%s\\n' {shlex.quote(word)} >>{typed}")


@ORDINARY.add()
def bytes_to_file(scenario: Scenario) -> Iterator[Step]:
    typed, path = scenario.new_file()
    content = bytes(scenario.random.randrange(256) for _ in range(scenario.random.randint(1, 40)))
    scenario.files[path] = content
    yield Step(f"printf '{''.join(f'{chr(92)}{byte:03o}' for byte in content)}' >{typed}")


@ORDINARY.add(2)
def show(scenario: Scenario) -> Iterator[Step]:
    if old := scenario.old_file():
        yield Step(f"cat {old[0]}", output=text_of(scenario.files[old[1]]))


@ORDINARY.add(2)
def move_copy_remove(scenario: Scenario) -> Iterator[Step]:
    if not (old := scenario.old_file()):
        return
    typed, path = scenario.new_file()
    command = scenario.random.choice(("cp", "mv", "rm"))
    if command != "rm":
        scenario.files[path] = scenario.files[old[1]]
    if command != "cp":
        del scenario.files[old[1]]
    yield Step(f"{command} {old[0]}" + (f" {typed}" if command != "rm" else ""))


@ORDINARY.add(2)
def here_document(scenario: Scenario) -> Iterator[Step]:
    typed, path = scenario.new_file()
    lines = [
        scenario.random.choice((*map(str, range(3)), "exit", "panic why", "echo 'open", '"', "", "  $HOME", "`", "E ", "\tE"))
        for _ in range(4)
    ]
    content = "".join(f"{line}\n" for line in lines)
    if scenario.random.random() < 0.3:
        lines, content = ["one $((1 + 1)) $HOME"], f"one 2 {HOME}\n"
        begin = "<<E"
    else:
        begin = "<<'E'"
    scenario.files[path] = content.encode()
    yield from spread(scenario, [f"cat {begin} >{typed}", *lines, "E"])


@ORDINARY.add()
def indented_here_document(scenario: Scenario) -> Iterator[Step]:
    typed, path = scenario.new_file()
    word = scenario.plain()
    scenario.files[path] = f"{word}\n  {word}\n".encode()
    yield from spread(scenario, [f"cat >{typed} <<-E", f"\t{word}", f"\t\t  {word}", "\tE"])


@ORDINARY.add(2)
def loop(scenario: Scenario) -> Iterator[Step]:
    typed, path = scenario.new_file()
    words = [scenario.plain() for _ in range(scenario.random.randint(1, 4))]
    heads = {
        "for": [f"for i in {' '.join(words)}", "do"],
        "while": [f"set -- {' '.join(words)}", "while [ $# -gt 0 ]", "do i=$1; shift"],
        "until": [f"set -- {' '.join(words)}", 'until [ -z "$1" ]; do', " i=$1", " shift"],
    }
    lines = heads[scenario.random.choice(list(heads))]
    if lines[0].startswith("set"):
        yield Step(lines[0])
        lines = lines[1:]
    scenario.files[path] = "".join(f"{word}.\n" for word in words).encode()
    yield from spread(scenario, [*lines, f"  echo $i. >>{typed}", '  echo "<$i>"', "done"], output="".join(f"<{word}>\n" for word in words))


@ORDINARY.add()
def read_loop(scenario: Scenario) -> Iterator[Step]:
    typed, path = scenario.new_file()
    scenario.files[path] = b"c 3\nb 2\na 1\n"
    yield Step(f"printf '%s\\n' 'c 3' 'b 2' 'a 1' >{typed}")
    yield from spread(scenario, [f"sort {typed} | while read -r x y", "do echo $y$x", "done"], output="1a\n2b\n3c\n")


@ORDINARY.add()
def conditions(scenario: Scenario) -> Iterator[Step]:
    number, word = scenario.random.randint(0, 2), scenario.plain()
    lines = [f"if [ {number} -eq 0 ]; then", "  echo none", f"elif test {number} = 1", "then", "  echo one", "else echo many", "fi"]
    yield from spread(scenario, lines, output=("none\n", "one\n", "many\n")[number])
    lines = [f"case {word} in", f"{word[0]}*)", f"  echo {word[0]};;", "*)", "  exit 9;;", "esac"]
    yield from spread(scenario, lines, output=f"{word[0]}\n")


@ORDINARY.add(2)
def open_quote(scenario: Scenario) -> Iterator[Step]:
    sign = scenario.random.choice("'\"")
    words = [scenario.plain() for _ in range(scenario.random.randint(2, 4))]
    lines = [f"printf '%s\\n' {sign}{words[0]}", *words[1:-1], f"{words[-1]}{sign}"]
    if scenario.random.random() < 0.5:
        yield from spread(scenario, lines, output="\n".join(words) + "\n")
        return
    typed, path = scenario.new_file()
    scenario.files[path] = ("\n".join(words) + "\n").encode()
    yield from spread(scenario, [*lines[:-1], f"{lines[-1]} >{typed}"])


@ORDINARY.add()
def open_ends(scenario: Scenario) -> Iterator[Step]:
    """Whatever else leaves a command open at the end of its line."""
    word = scenario.plain()
    lines = scenario.random.choice(
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
    yield from spread(scenario, lines, output=f" {word}\n".lstrip() if "none" not in lines[0] else f"{word}\n")


@ORDINARY.add(2)
def pipeline(scenario: Scenario) -> Iterator[Step]:
    typed, path = scenario.new_file()
    words = [scenario.plain() for _ in range(scenario.random.randint(1, 5))]
    scenario.files[path] = "".join(f"{word}\n" for word in sorted(words)).encode()
    yield Step(f"printf '%s\\n' {' '.join(words)} | sort | tee {typed} | wc -l", output=f"{len(words)}\n")
    yield Step(f"grep -c {words[0]} {typed} | sed 's/^/n=/'", output=f"n={words.count(words[0])}\n")
    yield Step(f"yes {words[0]} | head -n 2 | tr a-z A-Z", output=2 * f"{words[0].upper()}\n")


@ORDINARY.add(2)
def function(scenario: Scenario) -> Iterator[Step]:
    if scenario.functions and scenario.random.random() < 0.6:
        name = scenario.random.choice(sorted(scenario.functions))
        yield Step(f"{name} {scenario.plain()}", status=3, output=scenario.functions[name])
        return
    name, word = scenario.name(), scenario.plain()
    yield from spread(scenario, [f"{name}() {{", f"  echo {word}; (exit 4)", "  return 3", "}"])
    scenario.functions[name] = f"{word}\n"


@ORDINARY.add(2)
def variable(scenario: Scenario) -> Iterator[Step]:
    if scenario.variables and scenario.random.random() < 0.6:
        name = scenario.random.choice(sorted(scenario.variables))
        inner = scenario.random.choice(
            (f'printf "%s\\n" "${name}"', f"(printf '%s\\n' \"${name}\")", f'sh -c \'printf "%s\\n" "${name}"\'')
        )
        yield Step(inner, output=f"{scenario.variables[name]}\n")
        return
    name, word = scenario.name(), scenario.word()
    scenario.variables[name] = word
    yield Step(f"export {name}={shlex.quote(word)}")


@ORDINARY.add(2)
def folder(scenario: Scenario) -> Iterator[Step]:
    where = scenario.random.choice(("new", "home", "up", "back", "tmp"))
    before = scenario.cwd
    if where == "new":
        name = scenario.name()
        scenario.cwd = f"{before}/{name}"
        scenario.folders.add(scenario.cwd)
        yield Step(f"mkdir {name} && cd {name}")
    elif where == "home":
        scenario.cwd = HOME
        yield Step(scenario.random.choice(("cd", "cd ~", 'cd "$HOME"')))
    elif where == "up" and before.startswith(f"{HOME}/"):
        scenario.cwd = before.rpartition("/")[0]
        yield Step("cd ..")
    elif where == "back":
        yield Step("cd /usr; cd -", output=f"{before}\n")
    elif where == "tmp":
        yield Step(f"(cd /tmp && pwd); cd /tmp; cd {shlex.quote(before)}", output="/tmp\n")
    yield Step("pwd", output=f"{scenario.cwd}\n")


@ORDINARY.add()
def status(scenario: Scenario) -> Iterator[Step]:
    number = scenario.random.randrange(256)
    yield Step(f"(exit {number})", status=number)
    yield Step("echo $?", output=f"{number}\n")


@ORDINARY.add()
def substitution(scenario: Scenario) -> Iterator[Step]:
    one, two = scenario.random.randint(0, 999), scenario.random.randint(1, 99)
    yield Step(f"echo $(({one} / {two})) $(echo `echo {one}`) ${{none:-{two}}}", output=f"{one // two} {one} {two}\n")

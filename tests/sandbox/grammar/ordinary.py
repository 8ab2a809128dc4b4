"""Ordinary work at a shell: files, folders, variables, functions, loops, here-documents, pipelines."""

import shlex
from collections.abc import Iterator

from tests.sandbox.grammar.life import HOME, Cases, Step, World, spread, text_of

ORDINARY = Cases()


@ORDINARY.add(3)
def write(world: World) -> Iterator[Step]:
    typed, path = world.new_file()
    word = world.word()
    quoted = shlex.quote(word)
    form = world.random.choice(
        (f"printf '%s\\n' {quoted} >{typed}", f">{typed} printf '%s\\n' {quoted}", f"printf '%s\\n' {quoted} | tee {typed} >&2")
    )
    world.files[path] = f"{word}\n".encode()
    yield Step(form, output=f"{word}\n" if "tee" in form else "")


@ORDINARY.add(3)
def append(world: World) -> Iterator[Step]:
    typed, path = world.old_file() or world.new_file()
    for _ in range(world.random.randint(1, 3)):
        word = world.word()
        world.files[path] = world.files.get(path, b"") + f"{word}\n".encode()
        yield Step(f"printf '%s\\n' {shlex.quote(word)} >>{typed}")


@ORDINARY.add()
def bytes_to_file(world: World) -> Iterator[Step]:
    typed, path = world.new_file()
    content = bytes(world.random.randrange(256) for _ in range(world.random.randint(1, 40)))
    world.files[path] = content
    yield Step(f"printf '{''.join(f'{chr(92)}{byte:03o}' for byte in content)}' >{typed}")


@ORDINARY.add(2)
def show(world: World) -> Iterator[Step]:
    if old := world.old_file():
        yield Step(f"cat {old[0]}", output=text_of(world.files[old[1]]))


@ORDINARY.add(2)
def move_copy_remove(world: World) -> Iterator[Step]:
    if not (old := world.old_file()):
        return
    typed, path = world.new_file()
    verb = world.random.choice(("cp", "mv", "rm"))
    if verb != "rm":
        world.files[path] = world.files[old[1]]
    if verb != "cp":
        del world.files[old[1]]
    yield Step(f"{verb} {old[0]}" + (f" {typed}" if verb != "rm" else ""))


@ORDINARY.add(2)
def here_document(world: World) -> Iterator[Step]:
    typed, path = world.new_file()
    lines = [
        world.random.choice((*map(str, range(3)), "exit", "panic why", "echo 'open", '"', "", "  $HOME", "`", "E ", "\tE"))
        for _ in range(4)
    ]
    content = "".join(f"{line}\n" for line in lines)
    if world.random.random() < 0.3:
        lines, content = ["one $((1 + 1)) $HOME"], f"one 2 {HOME}\n"
        begin = "<<E"
    else:
        begin = "<<'E'"
    world.files[path] = content.encode()
    yield from spread(world, [f"cat {begin} >{typed}", *lines, "E"])


@ORDINARY.add()
def indented_here_document(world: World) -> Iterator[Step]:
    typed, path = world.new_file()
    word = world.plain()
    world.files[path] = f"{word}\n  {word}\n".encode()
    yield from spread(world, [f"cat >{typed} <<-E", f"\t{word}", f"\t\t  {word}", "\tE"])


@ORDINARY.add(2)
def loop(world: World) -> Iterator[Step]:
    typed, path = world.new_file()
    words = [world.plain() for _ in range(world.random.randint(1, 4))]
    heads = {
        "for": [f"for i in {' '.join(words)}", "do"],
        "while": [f"set -- {' '.join(words)}", "while [ $# -gt 0 ]", "do i=$1; shift"],
        "until": [f"set -- {' '.join(words)}", 'until [ -z "$1" ]; do', " i=$1", " shift"],
    }
    lines = heads[world.random.choice(list(heads))]
    if lines[0].startswith("set"):
        yield Step(lines[0])
        lines = lines[1:]
    world.files[path] = "".join(f"{word}.\n" for word in words).encode()
    yield from spread(world, [*lines, f"  echo $i. >>{typed}", '  echo "<$i>"', "done"], output="".join(f"<{word}>\n" for word in words))


@ORDINARY.add()
def read_loop(world: World) -> Iterator[Step]:
    typed, path = world.new_file()
    world.files[path] = b"c 3\nb 2\na 1\n"
    yield Step(f"printf '%s\\n' 'c 3' 'b 2' 'a 1' >{typed}")
    yield from spread(world, [f"sort {typed} | while read -r x y", "do echo $y$x", "done"], output="1a\n2b\n3c\n")


@ORDINARY.add()
def conditions(world: World) -> Iterator[Step]:
    number, word = world.random.randint(0, 2), world.plain()
    lines = [f"if [ {number} -eq 0 ]; then", "  echo none", f"elif test {number} = 1", "then", "  echo one", "else echo many", "fi"]
    yield from spread(world, lines, output=("none\n", "one\n", "many\n")[number])
    lines = [f"case {word} in", f"{word[0]}*)", f"  echo {word[0]};;", "*)", "  exit 9;;", "esac"]
    yield from spread(world, lines, output=f"{word[0]}\n")


@ORDINARY.add(2)
def open_quote(world: World) -> Iterator[Step]:
    sign = world.random.choice("'\"")
    words = [world.plain() for _ in range(world.random.randint(2, 4))]
    lines = [f"printf '%s\\n' {sign}{words[0]}", *words[1:-1], f"{words[-1]}{sign}"]
    if world.random.random() < 0.5:
        yield from spread(world, lines, output="\n".join(words) + "\n")
        return
    typed, path = world.new_file()
    world.files[path] = ("\n".join(words) + "\n").encode()
    yield from spread(world, [*lines[:-1], f"{lines[-1]} >{typed}"])


@ORDINARY.add()
def open_ends(world: World) -> Iterator[Step]:
    """Whatever else leaves a command open at the end of its line."""
    word = world.plain()
    lines = world.random.choice(
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
    yield from spread(world, lines, output=f" {word}\n".lstrip() if "none" not in lines[0] else f"{word}\n")


@ORDINARY.add(2)
def pipeline(world: World) -> Iterator[Step]:
    typed, path = world.new_file()
    words = [world.plain() for _ in range(world.random.randint(1, 5))]
    world.files[path] = "".join(f"{word}\n" for word in sorted(words)).encode()
    yield Step(f"printf '%s\\n' {' '.join(words)} | sort | tee {typed} | wc -l", output=f"{len(words)}\n")
    yield Step(f"grep -c {words[0]} {typed} | sed 's/^/n=/'", output=f"n={words.count(words[0])}\n")
    yield Step(f"yes {words[0]} | head -n 2 | tr a-z A-Z", output=2 * f"{words[0].upper()}\n")


@ORDINARY.add(2)
def function(world: World) -> Iterator[Step]:
    if world.functions and world.random.random() < 0.6:
        name = world.random.choice(sorted(world.functions))
        yield Step(f"{name} {world.plain()}", status=3, output=world.functions[name])
        return
    name, word = world.name(), world.plain()
    yield from spread(world, [f"{name}() {{", f"  echo {word}; (exit 4)", "  return 3", "}"])
    world.functions[name] = f"{word}\n"


@ORDINARY.add(2)
def variable(world: World) -> Iterator[Step]:
    if world.variables and world.random.random() < 0.6:
        name = world.random.choice(sorted(world.variables))
        inner = world.random.choice((f'printf "%s\\n" "${name}"', f"(printf '%s\\n' \"${name}\")", f'sh -c \'printf "%s\\n" "${name}"\''))
        yield Step(inner, output=f"{world.variables[name]}\n")
        return
    name, word = world.name(), world.word()
    world.variables[name] = word
    yield Step(f"export {name}={shlex.quote(word)}")


@ORDINARY.add(2)
def folder(world: World) -> Iterator[Step]:
    where = world.random.choice(("new", "home", "up", "back", "tmp"))
    before = world.cwd
    if where == "new":
        name = world.name()
        world.cwd = f"{before}/{name}"
        world.folders.add(world.cwd)
        yield Step(f"mkdir {name} && cd {name}")
    elif where == "home":
        world.cwd = HOME
        yield Step(world.random.choice(("cd", "cd ~", 'cd "$HOME"')))
    elif where == "up" and before.startswith(f"{HOME}/"):
        world.cwd = before.rpartition("/")[0]
        yield Step("cd ..")
    elif where == "back":
        yield Step("cd /usr; cd -", output=f"{before}\n")
    elif where == "tmp":
        yield Step(f"(cd /tmp && pwd); cd /tmp; cd {shlex.quote(before)}", output="/tmp\n")
    yield Step("pwd", output=f"{world.cwd}\n")


@ORDINARY.add()
def status(world: World) -> Iterator[Step]:
    number = world.random.randrange(256)
    yield Step(f"(exit {number})", status=number)
    yield Step("echo $?", output=f"{number}\n")


@ORDINARY.add()
def substitution(world: World) -> Iterator[Step]:
    one, two = world.random.randint(0, 999), world.random.randint(1, 99)
    yield Step(f"echo $(({one} / {two})) $(echo `echo {one}`) ${{none:-{two}}}", output=f"{one // two} {one} {two}\n")

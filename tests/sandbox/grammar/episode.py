"""A random episode as its maker knows it: what is typed, what comes of it, and what is left in the end."""

import hashlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

HOME = "/home/agent"
WORDS = (
    "ledger",
    "oak",
    "tide",
    "copper wire",
    "a  b",
    "$HOME",
    "*",
    "exit",
    "panic now",
    "it's",
    '"',
    "-n",
    "naïve",
    "日本語",
    "😀 ok",
    "#x",
    "~",
)
PLAIN = ("ledger", "oak", "tide", "obol", "quay", "rune", "moss", "fern")
PROMPTS = {"ready": "$ ", "more": "> "}


@dataclass(frozen=True)
class Step:
    """One text typed, and what must come of it. status, output None: not known beforehand."""

    text: str
    kind: str = "ready"
    status: int | None = 0
    output: str | None = ""
    dropped_lines: int = 0
    reason: str = ""  # panic's
    overruns: bool = False  # the time limit, or the limit of the output

    def shown(self) -> str | None:
        """The environment's turn after it; None: unknown, or the episode is over."""
        if self.output is None or self.kind not in PROMPTS:
            return None
        return self.output + ("\n" if self.output and not self.output.endswith("\n") else "") + PROMPTS[self.kind]

    def typed(self) -> str:
        lines = self.text.removesuffix("\n").split("\n")
        return "\n".join(lines[: -self.dropped_lines]) if self.dropped_lines else self.text

    def then(self, other: "Step") -> "Step":
        """Both as one text."""
        known = self.output is not None and other.output is not None
        return replace(other, text=f"{self.text}\n{other.text}", output=f"{self.output}{other.output}" if known else None)


@dataclass(frozen=True)
class Episode:
    """ending: as a trajectory names it. files: contents by path; folders: paths. What else there is, is wrong."""

    seed: int
    steps: tuple[Step, ...]
    ending: str
    timeout_s: float
    fixtures: dict[str, bytes]
    files: dict[str, bytes]
    folders: frozenset[str]

    def checker(self) -> str:
        """sh that ends with 0 if home and /tmp hold exactly these files; else it says what differs."""
        listing = sorted([f"d {path}" for path in self.folders] + [f"f {path}" for path in self.files], key=str.encode)
        sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in self.files.items())
        return (
            "exec 2>&1\n"
            f"cat >/tmp/.expected <<'THE_END'\n{''.join(line + chr(10) for line in listing)}THE_END\n"
            f"find {HOME} /tmp -mindepth 1 ! -name .expected -printf '%y %p\\n' | LC_ALL=C sort | diff /tmp/.expected - || exit 1\n"
            f"sha256sum --quiet -c <<'THE_END' || exit 1\n{sums or hashlib.sha256(b'').hexdigest() + '  /dev/null' + chr(10)}THE_END\n"
        )


@dataclass
class Scenario:
    """What is so at one moment of the making: everything a case may build upon."""

    random: Random
    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    cwd: str = HOME
    status: int | None = 0
    variables: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)  # name: what it prints
    used: set[str] = field(default_factory=set)
    names: int = 0

    def word(self) -> str:
        return self.random.choice(WORDS)

    def plain(self) -> str:
        return self.random.choice(PLAIN)

    def name(self) -> str:
        """Never used before, good for variables, functions and files."""
        self.names += 1
        return f"{self.plain()}_{self.names}"

    def new_file(self) -> tuple[str, str]:
        """(as typed, path) of a file that is not there."""
        name = self.name() + self.random.choice(("", "", ".txt", " x", "-é", "日"))
        if self.random.random() < 0.15:
            return shlex.quote(f"/tmp/{name}"), f"/tmp/{name}"
        return shlex.quote(name), f"{self.cwd}/{name}"

    def old_file(self) -> tuple[str, str] | None:
        """The same of one that is there."""
        paths = sorted(self.files)
        if not paths:
            return None
        path = self.random.choice(paths)
        return shlex.quote(path), path

    def once(self, what: str) -> bool:
        """True the first time."""
        first = what not in self.used
        self.used.add(what)
        return first


Case = Callable[[Scenario], Iterator[Step]]
"""Yields the steps of one thing that is done, and leaves the scenario as it is after them; nothing if it does not fit in."""


@dataclass(frozen=True)
class Cases:
    """A choice of cases, with weights."""

    cases: list[Case] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, weight: float = 1.0) -> Callable[[Case], Case]:
        def adding(case: Case) -> Case:
            self.cases.append(case)
            self.weights.append(weight)
            return case

        return adding

    def choose(self, random: Random) -> Case:
        return random.choices(self.cases, self.weights)[0]


def spread(
    scenario: Scenario, lines: Sequence[str], status: int | None = 0, output: str | None = "", kind: str = "ready"
) -> Iterator[Step]:
    """One command of many lines, typed over one or more turns: all but the last leave the shell waiting for more."""
    open_lines: list[str] = []
    for line in lines[:-1]:
        open_lines.append(line)
        text = "\n".join(open_lines)
        if text.strip() and not text.endswith("\n") and scenario.random.random() < 0.4:
            yield Step(text, "more", None)
            open_lines = []
    yield Step("\n".join([*open_lines, lines[-1]]), kind, status, output)


def text_of(content: bytes) -> str | None:
    """What `cat` shows of it, if that is nothing but the text itself."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if len(content) < 2000 and all(sign == "\n" or sign == "\t" or sign.isprintable() for sign in text) else None

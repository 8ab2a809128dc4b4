"""A planned random episode: the texts to type, the expected turns, and the expected files in the end."""

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
    """One text to type and the expected turn. status, output: None if not known beforehand."""

    text: str
    kind: str = "ready"
    status: int | None = 0
    output: str | None = ""
    dropped_lines: int = 0
    reason: str = ""  # argument of panic
    overruns: bool = False  # whether it exceeds the time limit or the limit of the output

    def shown(self) -> str | None:
        """The environment turn after it; None: unknown, or the episode has ended."""
        if self.output is None or self.kind not in PROMPTS:
            return None
        return self.output + ("\n" if self.output and not self.output.endswith("\n") else "") + PROMPTS[self.kind]

    def typed(self) -> str:
        """The lines that reach the shell."""
        """The lines that reach the shell."""
        lines = self.text.removesuffix("\n").split("\n")
        return "\n".join(lines[: -self.dropped_lines]) if self.dropped_lines else self.text

    def then(self, other: "Step") -> "Step":
        """Both as one text."""
        is_known = self.output is not None and other.output is not None
        return replace(other, text=f"{self.text}\n{other.text}", output=f"{self.output}{other.output}" if is_known else None)


@dataclass(frozen=True)
class PlannedEpisode:
    """ending: of the trajectory; files: contents by path, folders: paths, in the end. No other file may exist then."""

    seed: int
    steps: tuple[Step, ...]
    ending: str
    timeout_s: float
    fixtures: dict[str, bytes]
    files: dict[str, bytes]
    folders: frozenset[str]

    def checker(self) -> str:
        """sh that ends with 0 if home and /tmp hold exactly these files, else prints the difference."""
        listing = sorted([f"d {path}" for path in self.folders] + [f"f {path}" for path in self.files], key=str.encode)
        sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in self.files.items())
        return (
            "exec 2>&1\n"
            f"cat >/tmp/.expected <<'THE_END'\n{''.join(line + chr(10) for line in listing)}THE_END\n"
            f"find {HOME} /tmp -mindepth 1 ! -name .expected -printf '%y %p\\n' | LC_ALL=C sort | diff /tmp/.expected - || exit 1\n"
            f"sha256sum --quiet -c <<'THE_END' || exit 1\n{sums or hashlib.sha256(b'').hexdigest() + '  /dev/null' + chr(10)}THE_END\n"
        )


@dataclass
class ShellState:
    """The state of the shell and its files at one moment of the planning; cases read and change it."""

    random: Random
    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    cwd: str = HOME
    status: int | None = 0
    variables: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)  # output by name
    used: set[str] = field(default_factory=set)
    names: int = 0

    def word(self) -> str:
        return self.random.choice(WORDS)

    def plain(self) -> str:
        return self.random.choice(PLAIN)

    def name(self) -> str:
        """An unused name for a variable, a function or a file."""
        self.names += 1
        return f"{self.plain()}_{self.names}"

    def new_file(self) -> tuple[str, str]:
        """(as typed, path) of a file that does not exist."""
        name = self.name() + self.random.choice(("", "", ".txt", " x", "-é", "日"))
        if self.random.random() < 0.15:
            return shlex.quote(f"/tmp/{name}"), f"/tmp/{name}"
        return shlex.quote(name), f"{self.cwd}/{name}"

    def old_file(self) -> tuple[str, str] | None:
        """(as typed, path) of an existing file, if there is one."""
        paths = sorted(self.files)
        if not paths:
            return None
        path = self.random.choice(paths)
        return shlex.quote(path), path

    def once(self, key: str) -> bool:
        """Whether the key is asked for the first time."""
        first = key not in self.used
        self.used.add(key)
        return first


Case = Callable[[ShellState], Iterator[Step]]
"""Yields the steps of one activity and updates the state; no step if the activity does not fit the state."""


@dataclass(frozen=True)
class Cases:
    """Weighted cases."""

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


def spread(state: ShellState, lines: Sequence[str], status: int | None = 0, output: str | None = "", kind: str = "ready") -> Iterator[Step]:
    """One command of many lines, typed in one or more turns; after all but the last the shell waits for more."""
    open_lines: list[str] = []
    for line in lines[:-1]:
        open_lines.append(line)
        text = "\n".join(open_lines)
        if text.strip() and not text.endswith("\n") and state.random.random() < 0.4:
            yield Step(text, "more", None)
            open_lines = []
    yield Step("\n".join([*open_lines, lines[-1]]), kind, status, output)


def text_of(content: bytes) -> str | None:
    """The text that `cat` shows of the content; None if it is cleaned or cut."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if len(content) < 2000 and all(sign == "\n" or sign == "\t" or sign.isprintable() for sign in text) else None

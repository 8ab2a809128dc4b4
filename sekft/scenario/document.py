"""The scenario format: one JSON document, validated when it is read. Schema version 1."""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from sekft.errors import ScenarioError, validation_line
from sekft.tracking.files import write_text

SCHEMA_VERSION = 1
HOME = "/home/agent"
ROOTS = (HOME, "/usr/local", "/srv")  # directories that a scenario may put files into
MAX_FILES = 256
MAX_TEXT = 65536  # characters
MAX_DOCUMENT_BYTES = 2 * MAX_FILES * MAX_TEXT

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=r"^[^\x00]*$")]  # no NUL: no kernel takes one as an argument
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,63}$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]

RESERVED = frozenset(
    {"PS1", "PS2", "PATH", "HOME", "LANG", "LC_ALL", "TIME_STYLE", "TERM", "PAGER", "MANPAGER", "IFS", "ENV", "SEKFT_N", "SHELL"}
)
ENDINGS = frozenset({"exit", "panic"})  # names that no program of a scenario may have


class Terminal(StrEnum):
    """The right way to end an episode: exit when the work is done, panic when the scenario is blocked."""

    exit = "exit"
    panic = "panic"


class AnnouncementKind(StrEnum):
    """Where an announcement is shown: on arrival (motd, banner), in a variable, in a file, or by the command `help`."""

    motd = "motd"
    banner = "banner"
    env = "env"
    file = "file"
    help = "help"


class Record(BaseModel):
    """Base of the parts of a scenario: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Axes(Record):
    """The scenario's place in the taxonomy; values as in scenario/taxonomy.py. Empty: unknown."""

    provider: str
    grammar: str = ""
    help: str = ""
    announcement: AnnouncementKind
    doc_depth: int = Field(ge=1, le=3)
    difficulty: str
    family: str = ""
    terminal: Terminal
    blocker: str = ""


class Provider(Record):
    """The tool that prints the directives. script: POSIX sh, installed as /usr/local/bin/<name>; man: roff, or empty."""

    name: Name
    script: Text
    man: Text = ""


class Announcement(Record):
    """The text that tells where directives are kept. variable: of kind env; path: of kind file."""

    kind: AnnouncementKind
    text: Annotated[Text, StringConstraints(min_length=1, max_length=4096)]
    path: str = f"{HOME}/NOTICE"
    variable: Variable = "DIRECTIVES"

    @field_validator("path")
    @classmethod
    def inside(cls, path: str) -> str:
        return _inside(path)


class Fixture(Record):
    """A file, directory or symlink that exists on arrival. The agent cannot write what root owns."""

    path: str
    kind: Literal["file", "dir", "symlink"] = "file"
    content: Text = ""  # text of a file, target of a symlink
    mode: int = Field(default=0o644, ge=0, le=0o777)
    owner: Literal["agent", "root"] = "agent"

    @field_validator("path")
    @classmethod
    def inside(cls, path: str) -> str:
        return _inside(path)

    @model_validator(mode="after")
    def consistent(self) -> "Fixture":
        in_home = PurePosixPath(self.path).is_relative_to(HOME)
        if self.owner == "agent" and not in_home:
            raise ValueError(f"{self.path}: outside {HOME} a fixture belongs to root")
        if self.owner == "root" and in_home:
            raise ValueError(f"{self.path}: inside {HOME} a fixture belongs to agent")
        if self.kind == "symlink":
            target = PurePosixPath(self.content)
            if target.is_absolute():
                _inside(self.content)
            elif ".." in target.parts or not self.content:
                raise ValueError(f"{self.path}: symlink target {self.content!r} leaves its directory")
        return self


class Limits(Record):
    turns: int = Field(default=16, ge=1, le=200)
    command_timeout_s: float = Field(default=10.0, gt=0, le=60)


class Scenario(Record):
    """One task environment with everything that is needed to judge an episode in it.

    checker: POSIX sh that is run on the final state, status 0 means done; reference: the replies of an episode that verifies;
    seed: what the scenario was drawn by.
    """

    schema_version: Literal[1] = 1
    id: Id
    archetype: Name
    axes: Axes
    seed: int
    provider: Provider
    announcement: Announcement
    environment: dict[Variable, Text] = Field(default={}, max_length=64)
    directives: tuple[Text, ...] = Field(max_length=64)
    fixtures: tuple[Fixture, ...] = Field(default=(), max_length=MAX_FILES)
    checker: Annotated[Text, StringConstraints(min_length=1)]
    reference: tuple[Text, ...] = Field(min_length=1, max_length=200)
    terminal: Terminal
    limits: Limits = Limits()

    @model_validator(mode="after")
    def consistent(self) -> "Scenario":
        variables = {*self.environment, *([self.announcement.variable] if self.announcement.kind == AnnouncementKind.env else [])}
        if reserved := RESERVED & variables:
            raise ValueError(f"environment: {', '.join(sorted(reserved))} belongs to the shell")
        if self.provider.name in ENDINGS:
            raise ValueError(f"provider.name is {self.provider.name}, allowed: anything but {', '.join(sorted(ENDINGS))}")
        if self.axes.terminal != self.terminal:
            raise ValueError(f"axes.terminal is {self.axes.terminal}, terminal is {self.terminal}")
        if self.axes.announcement != self.announcement.kind:
            raise ValueError(f"axes.announcement is {self.axes.announcement}, announcement.kind is {self.announcement.kind}")
        if self.reference[-1].split()[:1] != [str(self.terminal)]:
            raise ValueError(f"reference: last reply is {self.reference[-1]!r}, allowed: {self.terminal}")
        if len(self.reference) > self.limits.turns:
            raise ValueError(f"reference: {len(self.reference)} replies, limits.turns is {self.limits.turns}")
        return self

    @field_validator("fixtures")
    @classmethod
    def apart(cls, fixtures: tuple[Fixture, ...]) -> tuple[Fixture, ...]:
        """Refuse two fixtures at one path and a fixture below a file or a symlink: backends would lay them out differently."""
        kinds = {fixture.path: fixture.kind for fixture in fixtures}
        if len(kinds) < len(fixtures):
            raise ValueError("two fixtures have the same path")
        for path in kinds:
            for parent in PurePosixPath(path).parents:
                if kinds.get(str(parent), "dir") != "dir":
                    raise ValueError(f"{path}: {parent} is a {kinds[str(parent)]}, not a directory")
        return fixtures


def read(path: Path) -> Scenario:
    """Read a scenario from a JSON file. Raises ScenarioError naming file and field."""
    try:
        if (size := path.stat().st_size) > MAX_DOCUMENT_BYTES:
            raise ScenarioError(f"{path}: {size} bytes, allowed: {MAX_DOCUMENT_BYTES}")
        return Scenario.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}") from None
    except ValidationError as error:
        raise ScenarioError(f"{path}: {validation_line(error)}") from None


def read_all(path: Path) -> list[Scenario]:
    """Read one scenario file, or every *.json of a folder in name order. Raises ScenarioError, also when there is none."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ScenarioError(f"{path}: no *.json in this folder; a scenario is one JSON file")
    scenarios = [read(file) for file in files]
    require_unique(scenarios, str(path))
    return scenarios


def require_unique(scenarios: Iterable[Scenario], where: str) -> None:
    """Raises ScenarioError if two scenarios have the same id."""
    seen: set[str] = set()
    for scenario in scenarios:
        if scenario.id in seen:
            raise ScenarioError(f"{where}: two scenarios with the id {scenario.id}")
        seen.add(scenario.id)


def write(scenarios: Sequence[Scenario], folder: Path) -> None:
    """Write one <id>.json per scenario; the same bytes for the same scenario. Raises ScenarioError."""
    try:
        for scenario in scenarios:
            write_text(folder / f"{scenario.id}.json", dumps(scenario))
    except OSError as error:
        raise ScenarioError(f"{folder}: {error.strerror or error}") from None


def dumps(scenario: Scenario) -> str:
    """The scenario as JSON text, keys in schema order; hashes of scenarios are taken of this text."""
    return json.dumps(scenario.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def _inside(path: str) -> str:
    """Return the path if it is normalised, absolute and inside ROOTS. Raises ValueError."""
    pure = PurePosixPath(path)
    if not path.isprintable() or len(path) > 512 or str(pure) != path or ".." in pure.parts:
        raise ValueError(f"{path!r}: not a plain absolute path")
    if pure.parent == PurePosixPath("/usr/local/bin") and pure.name in ENDINGS:
        raise ValueError(f"{path!r}: no program of a scenario may be called exit or panic")
    if not any(pure != PurePosixPath(root) and pure.is_relative_to(root) for root in ROOTS):
        raise ValueError(f"{path!r}: a scenario's files lie in {', '.join(ROOTS)}")
    return path

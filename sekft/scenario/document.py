"""A scenario is a scenario: one JSON document, validated at the door. Schema version 1."""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from sekft.errors import ScenarioError, validation_line

SCHEMA_VERSION = 1
HOME = "/home/agent"
ROOTS = (HOME, "/usr/local", "/srv")
MAX_FILES = 256
MAX_TEXT = 65536
MAX_DOCUMENT_BYTES = 2 * MAX_FILES * MAX_TEXT

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=r"^[^\x00]*$")]  # no NUL: no kernel takes one as an argument
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,63}$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]

RESERVED = frozenset(
    {"PS1", "PS2", "PATH", "HOME", "LANG", "LC_ALL", "TIME_STYLE", "TERM", "PAGER", "MANPAGER", "IFS", "ENV", "SEKFT_N", "SHELL"}
)
ENDINGS = frozenset({"exit", "panic"})  # no program of a scenario may take their place


class Terminal(StrEnum):
    exit = "exit"
    panic = "panic"


class AnnouncementKind(StrEnum):
    motd = "motd"
    banner = "banner"
    env = "env"
    file = "file"
    help = "help"


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Axes(Record):
    """Where in the taxonomy a scenario stands; values as in scenario/taxonomy.py. Empty: its author did not say."""

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
    """The tool that serves the directives: /usr/local/bin/<name>, POSIX sh; man is roff or empty."""

    name: Name
    script: Text
    man: Text = ""


class Announcement(Record):
    """Says where directives are kept. env: the value of `variable`; file: the text of ~/NOTICE unless `path` says else."""

    kind: AnnouncementKind
    text: Annotated[Text, StringConstraints(min_length=1, max_length=4096)]
    path: str = f"{HOME}/NOTICE"
    variable: Variable = "DIRECTIVES"

    @field_validator("path")
    @classmethod
    def inside(cls, path: str) -> str:
        return _inside(path)


class Fixture(Record):
    """A file, directory or symlink that is there on arrival. owner root: the agent cannot write it."""

    path: str
    kind: Literal["file", "dir", "symlink"] = "file"
    content: Text = ""  # of a file; the target of a symlink
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
    """A scenario an agent can be put into, and the means to judge what became of it."""

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
    checker: Annotated[Text, StringConstraints(min_length=1)]  # POSIX sh over the final state; status 0: done
    reference: tuple[Text, ...] = Field(min_length=1, max_length=200)  # the replies of an episode that verifies
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
        """One fixture to a path, nothing below a file or a symlink: else what a scenario is would hang on the backend."""
        kinds = {fixture.path: fixture.kind for fixture in fixtures}
        if len(kinds) < len(fixtures):
            raise ValueError("two fixtures have the same path")
        for path in kinds:
            for parent in PurePosixPath(path).parents:
                if kinds.get(str(parent), "dir") != "dir":
                    raise ValueError(f"{path}: {parent} is a {kinds[str(parent)]}, not a directory")
        return fixtures


def read(path: Path) -> Scenario:
    """The scenario in one JSON file. Raises ScenarioError naming file and field."""
    try:
        if (size := path.stat().st_size) > MAX_DOCUMENT_BYTES:
            raise ScenarioError(f"{path}: {size} bytes, allowed: {MAX_DOCUMENT_BYTES}")
        return Scenario.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}") from None
    except ValidationError as error:
        raise ScenarioError(f"{path}: {validation_line(error)}") from None


def read_all(path: Path) -> list[Scenario]:
    """The scenarios of one file, or of a folder's *.json in name order. Raises ScenarioError, also when there is none."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ScenarioError(f"{path}: no *.json in this folder; a scenario is one JSON file")
    scenarios = [read(file) for file in files]
    require_unique(scenarios, str(path))
    return scenarios


def require_unique(scenarios: Iterable[Scenario], where: str) -> None:
    seen: set[str] = set()
    for scenario in scenarios:
        if scenario.id in seen:
            raise ScenarioError(f"{where}: two scenarios with the id {scenario.id}")
        seen.add(scenario.id)


def write(scenarios: Sequence[Scenario], folder: Path) -> None:
    """One <id>.json per scenario, keys in schema order, the same bytes for the same scenario. Raises ScenarioError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for scenario in scenarios:
            (folder / f"{scenario.id}.json").write_text(dumps(scenario), encoding="utf-8", newline="\n")
    except OSError as error:
        raise ScenarioError(f"{folder}: {error.strerror or error}") from None


def dumps(scenario: Scenario) -> str:
    return json.dumps(scenario.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def _inside(path: str) -> str:
    """The path itself if it is normal and lies inside ROOTS. Raises ValueError."""
    pure = PurePosixPath(path)
    if not path.isprintable() or len(path) > 512 or str(pure) != path or ".." in pure.parts:
        raise ValueError(f"{path!r}: not a plain absolute path")
    if pure.parent == PurePosixPath("/usr/local/bin") and pure.name in ENDINGS:
        raise ValueError(f"{path!r}: no program of a scenario may take the place of an ending")
    if not any(pure != PurePosixPath(place) and pure.is_relative_to(place) for place in ROOTS):
        raise ValueError(f"{path!r}: a scenario's files lie in {', '.join(ROOTS)}")
    return path

"""The scenario format: one JSON document, or the same in YAML, validated when it is read. Schema version 1."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from sekft.errors import ScenarioError, validation_line
from sekft.tracking.files import write_text

SCHEMA_VERSION = 1
SUFFIXES = (".json", ".yaml", ".yml")
SCHEMA_FILE = "scenario.schema.json"  # the JSON schema that sekft.check new=NAME writes beside a scenario
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
_OCTAL = re.compile(r"(?:0o)?[0-7]{3,4}")
_MEANT_OCTAL = (400, 440, 444, 500)  # numbers that nobody writes for their bits
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

    provider: str = ""
    grammar: str = ""
    help: str = ""
    announcement: AnnouncementKind
    doc_depth: int = Field(default=1, ge=1, le=3)
    difficulty: str = ""
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
    """A file, directory or symlink that exists on arrival. The agent cannot write what root owns.

    mode: permission bits; a text is octal, as chmod takes it. A number is the bits themselves (420 is "0644"), as programs write them.
    """

    path: str
    kind: Literal["file", "dir", "symlink"] = "file"
    content: Text = ""  # text of a file, target of a symlink
    mode: int = Field(default=0o644, ge=0, le=0o777)
    owner: Literal["agent", "root"] = "agent"

    @field_validator("path")
    @classmethod
    def inside(cls, path: str) -> str:
        return _inside(path)

    @field_validator("mode", mode="before")
    @classmethod
    def octal(cls, mode: Any) -> Any:
        if isinstance(mode, str):
            if not _OCTAL.fullmatch(mode):
                raise ValueError('allowed: octal digits in quotes, as chmod takes them, such as "0644"')
            return int(mode.removeprefix("0o"), 8)
        if isinstance(mode, int) and (mode > 0o777 or mode in _MEANT_OCTAL):
            raise ValueError('a mode is octal, in quotes: such as "0644"')
        return mode

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
    archetype: Name = "own"
    axes: Axes
    seed: int = 0
    provider: Provider
    announcement: Announcement
    environment: dict[Variable, Text] = Field(default={}, max_length=64)
    directives: tuple[Text, ...] = Field(max_length=64)
    fixtures: tuple[Fixture, ...] = Field(default=(), max_length=MAX_FILES)
    checker: Annotated[Text, StringConstraints(min_length=1)]
    reference: tuple[Text, ...] = Field(min_length=1, max_length=200)
    terminal: Terminal = Terminal.exit
    limits: Limits = Limits()

    @model_validator(mode="before")
    @classmethod
    def with_axes(cls, document: Any) -> Any:
        """Drop `$schema`, which editors read; take what the axes repeat from where it is said."""
        if not isinstance(document, Mapping) or not isinstance(axes := document.get("axes", {}), Mapping):
            return document
        announcement = document.get("announcement")
        kind = announcement.get("kind") if isinstance(announcement, Mapping) else getattr(announcement, "kind", None)
        said = {"announcement": (kind, AnnouncementKind), "terminal": (document.get("terminal"), Terminal)}
        known = {key: value if value in list(values) else next(iter(values)) for key, (value, values) in said.items()}
        return {**{key: value for key, value in document.items() if key != "$schema"}, "axes": {**known, **axes}}

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
    """Read a scenario from a JSON or YAML file. Raises ScenarioError naming file and field."""
    try:
        if (size := path.stat().st_size) > MAX_DOCUMENT_BYTES:
            raise ScenarioError(f"{path}: {size} bytes, allowed: {MAX_DOCUMENT_BYTES}")
        return Scenario.model_validate(_parse(path))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not UTF-8 text; allowed: a scenario as JSON or YAML") from None
    except ValidationError as error:
        raise ScenarioError(f"{path}: {_fault_line(error)}") from None


def _parse(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ScenarioError(f"{path}: not JSON: {error}; new lines in a text are \\n, or write it as YAML") from None
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioError(f"{path}:{line}: not YAML: {error.problem or error}; indent the lines of a text, after `key: |`") from None
    except yaml.YAMLError as error:
        raise ScenarioError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ScenarioError(
            f"{path}: found {type(document).__name__}, allowed: one scenario in a file; sekft.check new=NAME writes an example"
        )
    return document


def _fault_line(error: ValidationError) -> str:
    """The first fault, for a person; an unknown key, which explains one that is missing, with the one that was probably meant."""
    faults = error.errors(include_url=False)
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    if not first["loc"]:  # a rule about several fields, which its message names
        return str(first["msg"]).removeprefix("Value error, ")
    *parents, key = first["loc"]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        allowed = _keys(parents)
        near = difflib.get_close_matches(str(key), allowed, 1)
        return f"{where}: unknown key; {f'did you mean {near[0]}? ' if near else ''}allowed: {', '.join(allowed)}"
    if first["type"] == "missing":
        return f"{where}: missing; see `python -m sekft.check new=NAME` for an example"
    return validation_line(error)


def _keys(parents: Sequence[int | str]) -> list[str]:
    """The keys allowed at a place in a document, such as ("fixtures", 0)."""
    record: type[BaseModel] = Scenario
    parts: Mapping[str, type[BaseModel]] = {
        "axes": Axes, "provider": Provider, "announcement": Announcement, "fixtures": Fixture, "limits": Limits,
    }  # fmt: skip
    for parent in parents:
        record = parts.get(str(parent), record)
    return list(record.model_fields)


def read_all(path: Path) -> list[Scenario]:
    """Read one scenario file, or all of a folder in name order. Raises ScenarioError, also when there is none."""
    files = sorted(file for file in path.glob("*") if file.suffix in SUFFIXES and file.name != SCHEMA_FILE) if path.is_dir() else [path]
    if not files:
        raise ScenarioError(f"{path}: no scenario in this folder; a scenario is one file, *{', *'.join(SUFFIXES)}")
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

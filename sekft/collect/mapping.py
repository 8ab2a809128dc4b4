"""Scenarios in the format of another tool: a mapping file tells which of their fields becomes which field of a scenario.

The mapping file is YAML; "theirs" is a path in the foreign document, "ours" one in a scenario:
  fields: {theirs: ours}      # dotted paths; [] is each item of a list: files[].name: fixtures[].path; ours may be a list of paths
  values: {ours: {theirs: ours}}  # translation of single values: terminal: {blocked: panic}
  defaults: {ours: value}     # where the foreign document has no value
Does not cover: whether a mapped scenario can be solved; see sekft.collect.gate.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import from_json

from sekft.collect.gate import Refusal
from sekft.errors import ScenarioError, utf8_problem, validation_line
from sekft.scenario.document import MAX_DOCUMENT_BYTES, Scenario

Document = dict[str, Any]


class FieldMapping(BaseModel):
    """The content of a mapping file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: dict[str, str | list[str]]
    values: dict[str, dict[str | int | bool, Any]] = {}
    defaults: dict[str, Any] = {}

    @model_validator(mode="after")
    def _require_disjoint_targets(self) -> "FieldMapping":
        """Raises ValueError if a path is set as a whole and a path below it is set, too."""
        mapped = (path for paths in self.fields.values() for path in ([paths] if isinstance(paths, str) else paths))
        targets = sorted({*self.defaults, *mapped})
        for target in targets:
            if below := [other for other in targets if other.startswith(f"{target}.")]:
                raise ValueError(f"{target} is set as a whole, and {below[0]} in it")
        return self


def read_mapping(path: Path) -> FieldMapping:
    """Raises ScenarioError naming the file and the field."""
    try:
        return FieldMapping.model_validate(OmegaConf.to_container(OmegaConf.load(path)))
    except OSError as error:
        raise ScenarioError(f"mapping={path}: {error.strerror or error}") from None
    except ValidationError as error:
        raise ScenarioError(f"mapping={path}: {validation_line(error)}; allowed: fields, values, defaults") from None
    except Exception as error:  # the errors of the YAML library share no base class below Exception
        raise ScenarioError(f"mapping={path}: not YAML: {' '.join(str(error).split())[:200]}") from None


def read(path: Path, mapping: FieldMapping) -> tuple[list[Scenario], dict[str, Refusal]]:
    """(scenarios, refusals by file and line) of a JSON file, a JSONL file, or a folder of both. Raises ScenarioError if there is none."""
    files = sorted(file for kind in ("*.json", "*.jsonl") for file in path.glob(kind)) if path.is_dir() else [path]
    scenarios: dict[str, Scenario] = {}
    refusals: dict[str, Refusal] = {}
    for location, text in ((location, text) for file in files for location, text in _documents(file)):
        result = _map_document(text, mapping)
        if isinstance(result, Refusal):
            refusals[location] = result
        elif result.id in scenarios:
            refusals[location] = Refusal("invalid", f"two scenarios with the id {result.id}")
        else:
            scenarios[result.id] = result
    if not scenarios and not refusals:
        raise ScenarioError(f"scenarios={path}: no *.json and no *.jsonl with a document")
    return list(scenarios.values()), refusals


def translate(theirs: Any, mapping: FieldMapping) -> Document:
    """The fields of a scenario, as far as the mapping and the foreign document give them; not validated."""
    ours: Document = {}
    for source, targets in mapping.fields.items():
        for target in [targets] if isinstance(targets, str) else targets:
            _set(ours, target.split("."), _get(theirs, source.split(".")), mapping.values.get(target, {}))
    for target, value in mapping.defaults.items():
        _set_default(ours, target.split("."), value)
    return ours


def _documents(file: Path) -> Iterator[tuple[str, str]]:
    """(location, text) of each document in a file: the whole of it, or the lines of a *.jsonl. Raises ScenarioError."""
    try:
        if (size := file.stat().st_size) > MAX_DOCUMENT_BYTES:
            raise ScenarioError(f"{file}: {size} bytes, allowed: {MAX_DOCUMENT_BYTES}")
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"scenarios={file}: {utf8_problem(error)}") from None
    except OSError as error:
        raise ScenarioError(f"scenarios={file}: {error.strerror or error}") from None
    if file.suffix != ".jsonl":
        yield str(file), text
        return
    yield from ((f"{file}:{number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def _map_document(text: str, mapping: FieldMapping) -> Scenario | Refusal:
    try:
        theirs = from_json(text)
    except ValueError as error:
        return Refusal("unparsable", str(error)[:120])
    try:
        return Scenario.model_validate(translate(theirs, mapping))
    except ValidationError as error:
        return Refusal("invalid", validation_line(error))


def _get(value: Any, path: list[str]) -> Any:
    """The value at a path, None if there is none; a part that ends in [] gives a list."""
    for index, part in enumerate(path):
        name, _, each = part.partition("[]")
        value = value.get(name) if isinstance(value, Mapping) else None
        if part.endswith("[]") and not each:
            return [_get(item, path[index + 1 :]) for item in value] if isinstance(value, list) and path[index + 1 :] else value
    return value


def _set(ours: Document, path: list[str], value: Any, translation: Mapping[Any, Any]) -> None:
    """Set the value at a path, translated; None sets nothing."""
    if value is None:
        return
    name, *rest = path
    if name.endswith("[]"):
        items = ours.setdefault(name.removesuffix("[]"), [])
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            if not rest:
                items.append(_translated(item, translation))
                continue
            if index == len(items):
                items.append({})
            _set(items[index], rest, item, translation)
    elif rest:
        _set(ours.setdefault(name, {}), rest, value, translation)
    else:
        ours[name] = _translated(value, translation)


def _set_default(ours: Any, path: list[str], value: Any) -> None:
    """Set the value where the path leads to nothing; a part that ends in [] is each item that exists."""
    name, *rest = path
    if not isinstance(ours, dict):
        return
    if name.endswith("[]") and rest:
        for item in ours.get(name.removesuffix("[]")) or ():
            _set_default(item, rest, value)
    elif rest:
        _set_default(ours.setdefault(name, {}), rest, value)
    elif _get(ours, path) is None:
        _set(ours, path, value, {})


def _translated(value: Any, translation: Mapping[Any, Any]) -> Any:
    return translation.get(value, value) if isinstance(value, str | int | bool) else value

"""Foreign scenarios: their documents become scenarios by one mapping file; whether they are any good is the gate's to say.

The mapping file is YAML:
  fields: {theirs: ours}      # dotted paths; [] stands for each item of a list: files[].name: fixtures[].path; ours may be a list
  values: {ours: {theirs: ours}}  # words of theirs that mean one of ours: terminal: {blocked: panic}
  defaults: {ours: value}     # where theirs says nothing
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import from_json

from sekft.collect.gate import Refusal
from sekft.errors import ScenarioError
from sekft.scenario.document import MAX_DOCUMENT_BYTES, Scenario, complaint

Document = dict[str, Any]


class Mapped(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: dict[str, str | list[str]]
    values: dict[str, dict[str | int | bool, Any]] = {}
    defaults: dict[str, Any] = {}

    @model_validator(mode="after")
    def apart(self) -> "Mapped":
        """Nothing is a value and a folder of values at once."""
        targets = sorted({*self.defaults, *(name for one in self.fields.values() for name in ([one] if isinstance(one, str) else one))})
        for target in targets:
            if below := [other for other in targets if other.startswith(f"{target}.")]:
                raise ValueError(f"{target} is set as a whole, and {below[0]} in it")
        return self


def read_mapping(path: Path) -> Mapped:
    """Raises ScenarioError in one line."""
    try:
        return Mapped.model_validate(OmegaConf.to_container(OmegaConf.load(path)))
    except OSError as error:
        raise ScenarioError(f"mapping={path}: {error.strerror or error}") from None
    except ValidationError as error:
        raise ScenarioError(f"mapping={path}: {complaint(error)}; allowed: fields, values, defaults") from None
    except Exception as error:  # the YAML library's own errors have no common base of ours
        raise ScenarioError(f"mapping={path}: no YAML: {' '.join(str(error).split())[:200]}") from None


def read(path: Path, mapping: Mapped) -> tuple[list[Scenario], dict[str, Refusal]]:
    """(scenarios, refusals by file and line) of a JSON file, a JSONL file, or a folder of both. Raises ScenarioError for none at all."""
    files = sorted(file for kind in ("*.json", "*.jsonl") for file in path.glob(kind)) if path.is_dir() else [path]
    scenarios: dict[str, Scenario] = {}
    refusals: dict[str, Refusal] = {}
    for where, text in ((where, text) for file in files for where, text in _documents(file)):
        made = _scenario(text, mapping)
        if isinstance(made, Refusal):
            refusals[where] = made
        elif made.id in scenarios:
            refusals[where] = Refusal("invalid", f"two scenarios with the id {made.id}")
        else:
            scenarios[made.id] = made
    if not scenarios and not refusals:
        raise ScenarioError(f"scenarios={path}: no *.json and no *.jsonl with a document")
    return list(scenarios.values()), refusals


def translate(theirs: Any, mapping: Mapped) -> Document:
    """The fields of a scenario, as far as the mapping and the document give them."""
    ours: Document = {}
    for source, targets in mapping.fields.items():
        for target in [targets] if isinstance(targets, str) else targets:
            _put(ours, target.split("."), _get(theirs, source.split(".")), mapping.values.get(target, {}))
    for target, value in mapping.defaults.items():
        _default(ours, target.split("."), value)
    return ours


def _documents(file: Path) -> list[tuple[str, str]]:
    try:
        if (size := file.stat().st_size) > MAX_DOCUMENT_BYTES:
            raise ScenarioError(f"{file}: {size} bytes, allowed: {MAX_DOCUMENT_BYTES}")
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ScenarioError(f"scenarios={file}: {error.strerror or error}") from None
    if file.suffix != ".jsonl":
        return [(str(file), text)]
    return [(f"{file}:{number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _scenario(text: str, mapping: Mapped) -> Scenario | Refusal:
    try:
        theirs = from_json(text)
    except ValueError as error:
        return Refusal("unparsable", str(error)[:120])
    try:
        return Scenario.model_validate(translate(theirs, mapping))
    except ValidationError as error:
        return Refusal("invalid", complaint(error))


def _get(value: Any, path: list[str]) -> Any:
    """What stands at a dotted path, None for nothing; a part that ends in [] gives a list."""
    for index, part in enumerate(path):
        name, _, each = part.partition("[]")
        value = value.get(name) if isinstance(value, Mapping) else None
        if part.endswith("[]") and not each:
            return [_get(item, path[index + 1 :]) for item in value] if isinstance(value, list) and path[index + 1 :] else value
    return value


def _default(ours: Any, path: list[str], value: Any) -> None:
    """value where a dotted path leads to nothing; a part that ends in [] is each item that is there."""
    name, *rest = path
    if not isinstance(ours, dict):
        return
    if name.endswith("[]") and rest:
        for item in ours.get(name.removesuffix("[]")) or ():
            _default(item, rest, value)
    elif rest:
        _default(ours.setdefault(name, {}), rest, value)
    elif _get(ours, path) is None:
        _put(ours, path, value, {})


def _put(ours: Document, path: list[str], value: Any, words: Mapping[Any, Any]) -> None:
    """value at a dotted path; nothing for None. words: what single values are called here."""
    if value is None:
        return
    name, *rest = path
    if name.endswith("[]"):
        items = ours.setdefault(name.removesuffix("[]"), [])
        for index, one in enumerate(value if isinstance(value, list) else [value]):
            if not rest:
                items.append(_word(one, words))
                continue
            if index == len(items):
                items.append({})
            _put(items[index], rest, one, words)
    elif rest:
        _put(ours.setdefault(name, {}), rest, value, words)
    else:
        ours[name] = _word(value, words)


def _word(value: Any, words: Mapping[Any, Any]) -> Any:
    return words.get(value, value) if isinstance(value, str | int | bool) else value

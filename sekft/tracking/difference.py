"""The differences between two runs, from their files alone: in what they were made of, and in their results."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.tracking import events, records
from sekft.tracking.digest import NOT_DECISIVE
from sekft.tracking.files import flat
from sekft.tracking.record import METRICS, RunRecord

IDENTICAL = ("adapter/", "best/", "episodes.jsonl", "answers.jsonl", "behaviour.jsonl")  # files that a repetition reproduces byte by byte
NUMBERS = ("base", "tuned", "agents", "suite", "verdict", "verdicts", "steps", "val_loss")  # of summary.json: those without a time in them
INPUTS = (  # of run.json
    *("settings", "start", "data", "base", "adapters", "render", "mask", "evaluation", "sandbox", "seeds"),
    *("code", "git", "versions", "python", "platform", "hardware", "device"),
)
DIGEST_DIGITS = 12  # printed


@dataclass(frozen=True)
class Difference:
    """results, causes: differing results and inputs, one line each. same: the identical results, in words."""

    results: tuple[str, ...]
    causes: tuple[str, ...]
    same: str


def between(before: Path, after: Path) -> Difference:
    """Compare two runs that were closed. Raises DataError."""
    records_of_both = records.run(before), records.run(after)
    files = [{name: digest for name, digest in _files(run).items() if name.startswith(IDENTICAL)} for run in (before, after)]
    numbers = [_numbers(run) for run in (before, after)]
    results = [*_differing(*files), *_differing(*numbers), *_differing_curves(before, after)]
    known = records_of_both[0].to_json()
    causes = [line for key in INPUTS if key in known for line in _differing(*(_input(record, key) for record in records_of_both))]
    weights = [digest for name, digest in files[1].items() if name.startswith("adapter/") and name.endswith(".safetensors")]
    same = f"{len(files[1])} files of adapter and episodes" + (f", the adapter's weights sha256 {weights[0]}" if weights else "")
    return Difference(tuple(results), tuple(causes), f"{same}; {len(numbers[1])} rates and verdicts; every loss")


def _files(run: Path) -> dict[str, str]:
    """Name -> SHA-256 of the run's files as it was closed last."""
    closed = [event.about["files"] for event in events.events(run) if event.name == events.CLOSED]
    return dict(closed[-1]) if closed else {}


def _numbers(run: Path) -> dict[str, Any]:
    summary = records.summary(run)
    return flat({key: summary[key] for key in NUMBERS if summary.get(key) is not None})


def _input(record: RunRecord, key: str) -> dict[str, Any]:
    value = record.to_json().get(key)
    if key == "settings" and isinstance(value, Mapping):
        value = {name: item for name, item in value.items() if name not in NOT_DECISIVE}
    if key == "start" and isinstance(value, Mapping):  # an interruption must not make a difference
        value = {name: value.get(name) for name in ("began", "parent")}
    return flat({key: value})


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield f"{name}: {_short(before.get(name))} -> {_short(after.get(name))}"


def _differing_curves(before: Path, after: Path) -> Iterator[str]:
    """For each curve the first step at which it differs."""
    first, second = records.curves(before / METRICS), records.curves(after / METRICS)
    for name in sorted(first.keys() & second.keys()):
        old, new = dict(first[name]), dict(second[name])
        steps = [step for step in sorted(old.keys() & new.keys()) if old[step] != new[step]]
        if steps:
            yield f"{name}: from step {steps[0]} on, {old[steps[0]]:.6g} -> {new[steps[0]]:.6g}"


def _short(value: Any) -> str:
    text = str(value)
    return text[:DIGEST_DIGITS] if len(text) == 64 and not set(text) - set("0123456789abcdef") else text

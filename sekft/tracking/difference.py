"""What tells two runs apart, from their files alone: what came of them, and what they were made of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.tracking import events, records
from sekft.tracking.digest import NOT_DECISIVE
from sekft.tracking.files import flat
from sekft.tracking.record import METRICS, RUN

SAME = ("adapter/", "best/", "episodes.jsonl", "answers.jsonl", "behaviour.jsonl")  # files that a repetition gives byte by byte
MADE_OF = (
    *("settings", "start", "data", "base", "adapters", "render", "mask", "evaluation", "sandbox", "seeds"),
    *("code", "git", "versions", "python"),
)
MACHINE = ("platform", "hardware", "device")
SHOWN = 12  # characters of a digest


@dataclass(frozen=True)
class Difference:
    """results: of what came out; causes: of what went in; one line each. same: what came out alike, in words."""

    results: tuple[str, ...]
    causes: tuple[str, ...]
    same: str


def between(before: Path, after: Path) -> Difference:
    """Two runs that were closed. Raises DataError."""
    one, other = records.document(before / RUN), records.document(after / RUN)
    files = [{name: sha for name, sha in _files(run).items() if name.startswith(SAME)} for run in (before, after)]
    numbers = [_numbers(run) for run in (before, after)]
    results = [*_unlike(*files), *_unlike(*numbers), *_curves(before, after)]
    causes = [line for key in (*MADE_OF, *MACHINE) if key in one for line in _unlike(_told(one, key), _told(other, key))]
    weights = [sha for name, sha in files[1].items() if name.startswith("adapter/") and name.endswith(".safetensors")]
    same = f"{len(files[1])} files of adapter and episodes" + (f", the adapter's weights sha256 {weights[0]}" if weights else "")
    return Difference(tuple(results), tuple(causes), f"{same}; {len(numbers[1])} rates and verdicts; every loss")


def _files(run: Path) -> dict[str, str]:
    """Name -> SHA-256 of the run's files as it was closed last."""
    closed = [event.about["files"] for event in events.events(run) if event.name == events.CLOSED]
    return dict(closed[-1]) if closed else {}


def _numbers(run: Path) -> dict[str, Any]:
    """What summary.json says that the clock, and what lay remembered, have no part in."""
    summary = records.summary(run)
    told = {key: summary.get(key) for key in ("base", "tuned", "agents", "suite", "verdict", "verdicts", "steps", "val_loss")}
    return flat({key: value for key, value in told.items() if value is not None})


def _told(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = record.get(key)
    if key == "settings" and isinstance(value, Mapping):
        value = {name: item for name, item in value.items() if name not in NOT_DECISIVE}
    if key == "start" and isinstance(value, Mapping):  # that it was cut off on its way makes no difference
        value = {name: value.get(name) for name in ("began", "parent")}
    return flat({key: value})


def _unlike(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield f"{name}: {_short(before.get(name))} -> {_short(after.get(name))}"


def _curves(before: Path, after: Path) -> Iterator[str]:
    """The first step at which a loss is another one."""
    one, other = records.curves(before / METRICS), records.curves(after / METRICS)
    for name in sorted(one.keys() & other.keys()):
        was, now = dict(one[name]), dict(other[name])
        steps = [step for step in sorted(was.keys() & now.keys()) if was[step] != now[step]]
        if steps:
            yield f"{name}: from step {steps[0]} on, {was[steps[0]]:.6g} -> {now[steps[0]]:.6g}"


def _short(value: Any) -> str:
    text = str(value)
    return text[:SHOWN] if len(text) == 64 and not set(text) - set("0123456789abcdef") else text

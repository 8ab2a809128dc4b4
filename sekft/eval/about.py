"""What a page says about the run behind an evaluation: who was evaluated, on what, when, with which settings, and where the files are."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sekft.errors import DataError
from sekft.eval.score import Score
from sekft.tracking import records
from sekft.tracking.files import flat
from sekft.tracking.record import METRICS, RUN, RunRecord
from sekft.tracking.records import Curve

FILES = {"episodes as data": "episodes.jsonl", "record": "run.json", "numbers": "summary.json", "curves as data": METRICS}
SWEEP = "multirun.yaml"  # in the folder of every sweep; sekft.train compares the jobs there after each of them
COMPARISON = "compare.html"


@dataclass(frozen=True)
class About:
    """facts: text by label, in order. settings: of the run, by dotted key. curves: of the training, by metric.

    links: target by text, relative to the page.
    """

    facts: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def about_run(folder: Path, scored: Score, tracker: str = "") -> About:
    """Read what the record in the folder says; nothing for a folder without one.

    A page that scores an earlier run again is about that run, and the facts of a training are those of the adapter's own run if it was
    evaluated by itself. tracker: where the tracker has the run.
    """
    if not (folder / RUN).exists():
        return About()
    record, source = records.run(folder), folder
    if (again := record.facts.get("rescored")) and (Path(again) / RUN).exists():
        source = Path(again)
        record = records.run(source)
    trained = _training(record, source, scored.subject)
    training, curves = _training_record(trained) if trained else (None, {})
    trained_facts = {"base": _base(record), "adapter": _adapter(record, training, trained, scored.subject)}
    facts = {
        "run": ", ".join(filter(None, (record.given_name(), _shown(source)))),
        "command": shlex.join(("python", "-m", f"sekft.{record.command}", *record.overrides)),
        **({title: _source(record, agent) for agent, title in scored.titles.items()} or trained_facts),
        "data": _data(training) if training else "",
        "training": _steps(training, curves) if training else "",
        "scenarios": _scenarios(record),
        "started": _when(record),
        "code": _code(record),
        "tracker": tracker,
    }
    links = {text: name for text, name in FILES.items() if name in ("run.json", "summary.json") or (folder / name).exists()}
    if (source.parent / SWEEP).exists() and source == folder:
        links = {"comparison of this sweep": f"../{COMPARISON}", **links}
    return About({label: text for label, text in facts.items() if text}, flat(record.settings), curves, links)


def _training(record: RunRecord, folder: Path, subject: str) -> Path | None:
    """The folder of the run that trained the adapter; None if there is none, or it is not beside the adapter."""
    if record.command == "train":
        return folder
    adapter = record.facts.get("adapters", {}).get(subject, {}).get("adapter")
    return Path(adapter).parent if adapter and (Path(adapter).parent / RUN).exists() else None


def _training_record(folder: Path) -> tuple[RunRecord | None, Mapping[str, Curve]]:
    """The record of a training and its curves; nothing if they are damaged, as the page is about an evaluation that is over."""
    try:
        return records.run(folder), records.curves(folder / METRICS)
    except DataError:
        return None, {}


def _shown(folder: Path) -> str:
    """The folder as it is named from where the command was started; elsewhere its last two names."""
    whole = folder.absolute()
    return str(whole.relative_to(Path.cwd())) if whole.is_relative_to(Path.cwd()) else "/".join(whole.parts[-2:])


def _base(record: RunRecord) -> str:
    base = record.facts.get("base", {})
    parts = [base.get("path"), base.get("revision") and f"revision {base['revision'][:12]}", base.get("dtype"), base.get("licence")]
    details = ", ".join(part for part in parts if part)
    return f"{base.get('name', '')} ({details})" if details else str(base.get("name") or "")


def _source(record: RunRecord, agent: str) -> str:
    """The function or the served model that an agent is."""
    base = record.facts.get("base", {})
    named = record.facts.get("adapters", {}).get(agent, {}).get("adapter") or base.get("name")
    return f"{named} of {base['url']}" if base.get("url") else str(named)


def _adapter(record: RunRecord, training: RunRecord | None, trained: Path | None, subject: str) -> str:
    known = record.facts.get("adapters", {}).get(subject, {})
    lora = training.settings.get("lora", {}) if training else {}
    kind = ""
    if lora:
        kind = f"LoRA of rank {lora.get('r')}, alpha {lora.get('alpha')}, on {_names(lora.get('target_modules'))}" if lora.get("r") else ""
        kind = kind or "all weights are trained"
    place = known.get("adapter") or (trained / "adapter" if trained else None)
    sha256 = known.get("sha256")
    parts = [kind, f"in {_shown(Path(place))}" if place else "", f"sha256 {sha256[:12]}" if sha256 else ""]
    return ", ".join(part for part in parts if part)


def _names(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(map(str, value or ()))


def _data(training: RunRecord) -> str:
    sources = training.facts.get("data", {})
    each = [f"{name}: {own.get('rows')} rows of {_shown_source(own.get('path'))}" for name, own in sources.items()]
    learned = training.facts.get("mask", {}).get("supervised_tokens")
    return "; ".join([*each, *([f"{learned} learned tokens in an epoch"] if learned else [])])


def _shown_source(path: Any) -> str:
    return _shown(Path(path)) if path and Path(path).is_absolute() else str(path)


def _steps(training: RunRecord, curves: Mapping[str, Curve]) -> str:
    own = training.settings.get("trainer", {})
    done = [curve[-1][0] for name, curve in curves.items() if name == "train/loss" and curve]
    parts = [f"{done[0]} steps" if done else "", f"{own['epochs']:g} epochs" if own.get("epochs") and own.get("max_steps", -1) < 1 else ""]
    checkpoint = (training.facts.get("start") or {}).get("checkpoint")
    parts += [f"resumed from {Path(checkpoint).name}" if checkpoint else ""]
    parts += [f"learning rate {own['lr']:g}" if own.get("lr") else "", f"seed {training.seed}" if training.seed is not None else ""]
    return ", ".join(part for part in parts if part)


def _scenarios(record: RunRecord) -> str:
    used, sandbox = record.facts.get("evaluation", {}), record.facts.get("sandbox") or {}
    if not used.get("n"):
        return ""
    where = f", on {sandbox['backend']}" if sandbox.get("backend") else ""
    return f"{used['n']} of scenarios={used['scenarios']} (sha256 {used['sha256'][:12]}){where}"


def _when(record: RunRecord) -> str:
    """The time of the start, and how long the run took if it has ended."""
    if not record.started:
        return ""
    begun = datetime.fromisoformat(record.started).strftime("%Y-%m-%d %H:%M UTC")
    return f"{begun}, took {record.seconds / 60:.0f} min" if record.seconds else begun


def _code(record: RunRecord) -> str:
    git, version = record.facts.get("git") or {}, record.facts.get("versions", {}).get("sekft")
    commit = f"commit {git['sha'][:12]}" if git.get("sha") else ""
    return ", ".join(part for part in (f"sekft {version}" if version else "", commit, "changed" if git.get("dirty") else "") if part)

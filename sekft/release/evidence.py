"""What speaks against releasing a run's adapter: every reason, one line each; none, and it may go.

Covers: a record or a file that was changed, an evaluation on other scenarios than the frozen ones, a verdict that is not `promote`, an adapter
that changes nothing, was trained on another base, or was not proven to be served as it was trained.
Does not cover: whether the evaluation's scenarios are those of your users.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from sekft.config import SplitConfig
from sekft.rendering.fingerprint import fingerprint
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario import frozen
from sekft.scenario.split import digest, load
from sekft.tracking import audit, first_edition, secrets
from sekft.tracking.record import METRICS, RUN, SUMMARY

PROMOTE = "promote"
ADAPTER = "adapter"
EVIDENCE = (RUN, SUMMARY, METRICS, "episodes.jsonl", "report.html", audit.AUDIT)
IF_THERE = ("iteration.json", "development.jsonl")  # of a run beside its parent
BESIDE = ("chat_template.jinja", "tokenizer.json", "fingerprint.json")
SERVED = ("adapter_config.json", "adapter_model.safetensors", *BESIDE)
WHOLE = ("config.json", "model.safetensors", *BESIDE)  # of lora=none: all weights
UNREAD = ("tokenizer.json",)  # a vocabulary, in which any word may stand
APPROVED = "approved"


@dataclass(frozen=True)
class Wanted:
    """Of a release. approvals: different people who must have said yes; scenarios: of the frozen test set, at least."""

    approvals: int
    scenarios: int


def against(run: Path, wanted: Wanted, tokenizer: ChatTokenizer, base: str) -> Iterator[str]:
    """base: the digest of the weights of the run's base, as they lie here. Raises nothing: what cannot be read speaks against it."""
    served = WHOLE if is_whole(run / ADAPTER) else SERVED
    missing = [name for name in (*EVIDENCE, *(f"{ADAPTER}/{file}" for file in served)) if not (run / name).is_file()]
    yield from (f"{run / name}: missing" + ("; render unproven" if name.endswith("fingerprint.json") else "") for name in missing)
    yield from audit.faults(run)
    record, summary = read(run / RUN), read(run / SUMMARY)
    if record.get("status") != "done":
        yield f"{run / RUN}: status {record.get('status')}, allowed: done"
    if summary.get("verdict") != PROMOTE:
        yield f"{run / SUMMARY}: verdict {summary.get('verdict')!r}, allowed: {PROMOTE}"
    yield from _of_the_eval(run, summary, wanted.scenarios)
    if not missing:
        yield from _of_the_adapter(run / ADAPTER, fingerprint(tokenizer, base, TEXT_VERSION))
    yield from _secrets(run)
    people = approvers(run)
    if len(people) < wanted.approvals:
        yield f"{run}: approved by {len(people)} ({', '.join(people) or 'nobody'}), asked for {wanted.approvals}; do=approve by=NAME"


def approvers(run: Path) -> list[str]:
    """Who has said yes since the run was closed, each once."""
    told: list[str] = []
    for event, about in audit.events(run):
        if event == audit.OPENED:
            told = []
        elif event == APPROVED:
            told.append(str(about["by"]))
    return sorted(set(told))


def _of_the_eval(run: Path, summary: Mapping[str, Any], at_least: int) -> Iterator[str]:
    used = summary.get("scenarios") or {}
    amount, found = used.get("n", 0), used.get("sha256")
    sets = {which: load(which, SplitConfig(name="frozen", held_out=list(frozen.HELD_OUT))) for which in ("test", "held_out")}
    allowed = {digest(scenarios[:amount]): which for which, scenarios in sets.items() if 0 < amount <= len(scenarios)}
    if found not in allowed:
        yield f"{run / SUMMARY}: evaluated in scenarios of sha256 {str(found)[:16]}, allowed: those of the frozen set {frozen.SHA256[:16]}"
    elif amount < at_least:
        yield f"{run / SUMMARY}: evaluated in {amount} scenarios, allowed: {at_least} or more"
    if not summary.get("paired"):
        yield f"{run / SUMMARY}: base and tuned were not evaluated in the same scenarios"


def _of_the_adapter(folder: Path, expected: Mapping[str, Any]) -> Iterator[str]:
    known = read(folder / "fingerprint.json")
    for key, value in expected.items():
        if known.get(key) != value:
            yield f"{folder}: trained with {key} {str(known.get(key))[:16]}, here it is {str(value)[:16]}"
    if is_whole(folder):
        return  # that they differ from the base's was proven when they were saved, and the audit holds them to that
    try:
        with safe_open(folder / "adapter_model.safetensors", framework="numpy") as weights:
            changing = any(weights.get_tensor(name).any() for name in weights.keys() if "lora_B" in name)  # noqa: SIM118
    except Exception as error:  # safetensors has an error of its own, which it does not export
        yield f"{folder / 'adapter_model.safetensors'}: {error}"
        return
    if not changing:
        yield f"{folder / 'adapter_model.safetensors'}: changes nothing, every lora_B is zero"


def is_whole(adapter: Path) -> bool:
    return (adapter / "config.json").is_file() and not (adapter / "adapter_config.json").exists()


def _secrets(run: Path) -> Iterator[str]:
    """Where one stands, in what would be given away; not which."""
    beside = [file for pattern in ("*.json", "*.jinja", "*.md") for file in (run / ADAPTER).glob(pattern) if file.name not in UNREAD]
    with secrets.looking():
        for file in [*(run / name for name in (*EVIDENCE, *IF_THERE)), *sorted(beside)]:
            if file.is_file():
                yield from (f"{file}:{line}: holds a secret, which would be given away" for line in secrets.lines_with(file))


def settings_of(run: Path) -> Mapping[str, Any]:
    return read(run / RUN).get("settings") or {}


def read(file: Path) -> dict[str, Any]:
    """The document, under the present names of its fields; empty if it is missing or is no JSON object."""
    return first_edition.upgraded(file.name, _parsed(file.read_text(encoding="utf-8", errors="replace")) or {}) if file.is_file() else {}


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None

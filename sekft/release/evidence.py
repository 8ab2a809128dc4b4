"""The evidence of a run: everything that speaks against releasing its adapter, and who has approved it.

Covers: a record or a file that was changed, an evaluation on other scenarios than the frozen test set, a verdict that is not `promote`, an
adapter that changes nothing, was trained on another base, or was not proven to be served as it was trained.
Does not cover: whether the test scenarios are like the work of your users.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from sekft.config import SplitConfig
from sekft.errors import DataError
from sekft.eval.gate import Verdict
from sekft.eval.summary import EvaluationSummary, read_evaluation
from sekft.model.adapter import is_full_model
from sekft.rendering.fingerprint import fingerprint
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario import frozen
from sekft.scenario.split import digest, load
from sekft.tracking import events, first_edition, secrets
from sekft.tracking.record import METRICS, RUN, SUMMARY

APPROVED = "approved"  # name of an event
ADAPTER = "adapter"
EPISODES = "episodes.jsonl"
EVIDENCE = (RUN, SUMMARY, METRICS, EPISODES, "report.html", events.EVENTS)
OPTIONAL_EVIDENCE = ("iteration.json", "development.jsonl")  # of a run that was trained from a parent run
_RENDERING_FILES = ("chat_template.jinja", "tokenizer.json", "fingerprint.json")
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", *_RENDERING_FILES)
FULL_MODEL_FILES = ("config.json", "model.safetensors", *_RENDERING_FILES)  # of lora=none: all weights instead of an adapter
NOT_SEARCHED = ("tokenizer.json",)  # a vocabulary may contain any word, also one that looks like a secret


@dataclass(frozen=True)
class Requirements:
    """What a release needs. approvals: number of different people; scenarios: least number from the frozen test set."""

    approvals: int
    scenarios: int


def objections(run: Path, required: Requirements, tokenizer: ChatTokenizer, base: str) -> Iterator[str]:
    """Everything that speaks against releasing the run's adapter, one line each; nothing if it may be released.

    base: the digest of the base's weights on this machine. Raises nothing for a file that cannot be read: that is an objection.
    """
    files = FULL_MODEL_FILES if is_full_model(run / ADAPTER) else ADAPTER_FILES
    missing = [name for name in (*EVIDENCE, *(f"{ADAPTER}/{file}" for file in files)) if not (run / name).is_file()]
    yield from (f"{run / name}: missing" + ("; render unproven" if name.endswith("fingerprint.json") else "") for name in missing)
    yield from events.faults(run)
    record = read(run / RUN)
    if record.get("status") != "done":
        yield f"{run / RUN}: status {record.get('status')}, allowed: done"
    try:
        evaluation = read_evaluation(read(run / SUMMARY))
    except DataError as error:
        yield f"{run}: {error}"
    else:
        yield from _evaluation_objections(run / SUMMARY, evaluation, required.scenarios)
    if not missing:
        yield from _adapter_objections(run / ADAPTER, fingerprint(tokenizer, base, TEXT_VERSION))
    yield from _secret_objections(run)
    people = approvers(run)
    if len(people) < required.approvals:
        yield f"{run}: approved by {len(people)} ({', '.join(people) or 'nobody'}), required: {required.approvals}; do=approve by=NAME"


def approvers(run: Path) -> list[str]:
    """The names of those who approved the run after it was last opened, each once, sorted."""
    names: list[str] = []
    for event in events.events(run):
        if event.name == events.OPENED:
            names = []
        elif event.name == APPROVED:
            names.append(str(event.about["by"]))
    return sorted(set(names))


def settings_of(run: Path) -> Mapping[str, Any]:
    return read(run / RUN).get("settings") or {}


def dtype_of(run: Path) -> str | None:
    """The type of the base's weights in the run; None if it was not recorded."""
    return (read(run / RUN).get("base") or {}).get("dtype")


def read(file: Path) -> dict[str, Any]:
    """A JSON document of a run; empty if there is none, or if it cannot be read."""
    try:
        value = json.loads(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):
        return {}
    return first_edition.upgraded(file.name, value) if isinstance(value, dict) else {}


def _evaluation_objections(file: Path, evaluation: EvaluationSummary, least: int) -> Iterator[str]:
    """file: the summary.json of the evaluation."""
    if evaluation.verdict != Verdict.promote:
        yield f"{file}: verdict {evaluation.verdict!r}, allowed: {Verdict.promote}"
    amount, sha256 = (evaluation.scenarios.n, evaluation.scenarios.sha256) if evaluation.scenarios else (0, None)
    frozen_sets = [load(name, SplitConfig(name="frozen", held_out=list(frozen.HELD_OUT))) for name in ("test", "held_out")]
    if sha256 not in {digest(scenarios[:amount]) for scenarios in frozen_sets if 0 < amount <= len(scenarios)}:
        yield f"{file}: evaluated on scenarios of sha256 {str(sha256)[:16]}, allowed: the frozen test set {frozen.SHA256[:16]}"
    elif amount < least:
        yield f"{file}: evaluated on {amount} scenarios, allowed: {least} or more"
    if evaluation.paired is None:
        yield f"{file}: base and tuned model were not evaluated on the same scenarios"


def _adapter_objections(folder: Path, expected: Mapping[str, Any]) -> Iterator[str]:
    """expected: the fingerprint of the base, template and text version that a server would use here."""
    trained = read(folder / "fingerprint.json")
    for key, value in expected.items():
        if trained.get(key) != value:
            yield f"{folder}: trained with {key} {str(trained.get(key))[:16]}, on this machine it is {str(value)[:16]}"
    if is_full_model(folder):
        return  # that the weights differ from the base's was verified when they were saved
    try:
        with safe_open(folder / "adapter_model.safetensors", framework="numpy") as weights:
            has_effect = any(weights.get_tensor(name).any() for name in weights.keys() if "lora_B" in name)  # noqa: SIM118
    except Exception as error:  # safetensors does not export its error class
        yield f"{folder / 'adapter_model.safetensors'}: {error}"
        return
    if not has_effect:
        yield f"{folder / 'adapter_model.safetensors'}: the adapter changes nothing, every lora_B is zero"


def _secret_objections(run: Path) -> Iterator[str]:
    """File and line of every secret in the files of the release; the secret itself is not repeated."""
    patterns = ("*.json", "*.jinja", "*.md")
    published = [file for pattern in patterns for file in (run / ADAPTER).glob(pattern) if file.name not in NOT_SEARCHED]
    with secrets.looking():
        for file in [*(run / name for name in (*EVIDENCE, *OPTIONAL_EVIDENCE)), *sorted(published)]:
            if file.is_file():
                yield from (f"{file}:{line}: contains a secret, which the release would publish" for line in secrets.lines_with(file))

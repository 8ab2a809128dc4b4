"""The facts that a run record holds beside the settings: base, data, mask, seeds, scenarios, sandbox, rendering."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.config import AgentKind, EvalConfig, ModelConfig, SplitConfig, TrainConfig
from sekft.data.accounting import Counts
from sekft.data.sources import source_files
from sekft.eval.evaluation import Evaluation
from sekft.model.gguf.convert import read_note
from sekft.model.locate import base_folder
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Scenario
from sekft.scenario.split import digest, is_frozen
from sekft.tracking.digest import adapter_sha256, hash_value, sha256_of

if TYPE_CHECKING:
    from sekft.model.base import Base

NO_EVALUATION = {"scored_by": "not scored: no evaluation"}
FROZEN = ("held_out", "test")  # values of scenarios= that name a frozen set


def training_facts(settings: TrainConfig, counts: Counts, evaluation: Evaluation | None) -> dict[str, Any]:
    """The facts of a training. counts: of the training rows."""
    mask = {"rule": settings.mask.rule.value, "rows": counts.rows, "tokens": counts.tokens, "supervised_tokens": counts.learned}
    return {
        "base": base_facts(settings.model),
        "data": source_facts(settings, counts.sources),
        "mask": {**mask, "by_kind": dict(sorted(counts.by_kind.items())), "dropped": dict(sorted(counts.dropped.items()))},
        "seeds": {"run": settings.seed, "model": settings.model.seed, "scenarios": settings.split.seed},
        **evaluation_facts(evaluation, settings.scenarios, settings.split),
    }


def eval_run_facts(settings: Any, evaluation: Evaluation, adapters: Mapping[str, Path]) -> dict[str, Any]:
    """The facts of a run of sekft.eval. adapters: by name, their folders; of agents without weights here their names, without a digest."""
    remote = settings.agent.kind is not AgentKind.model
    named = {"name": settings.agent.model, "url": settings.agent.url}
    if settings.agent.kind is AgentKind.python:
        named = {"name": settings.agent.function}
    digests = {name: {"adapter": str(adapter), "sha256": None if remote else adapter_sha256(adapter)} for name, adapter in adapters.items()}
    return {
        "base": named if remote else base_facts(settings.model),
        "adapters": digests,
        "seeds": {"run": settings.seed, "model": settings.model.seed, "scenarios": settings.split.seed},
        **evaluation_facts(evaluation, settings.scenarios, settings.split),
    }


def base_facts(model: ModelConfig, folder: Path | None = None) -> dict[str, Any]:
    """The base's name, path, licence and the reason for choosing it. revision: its commit on the hub; None for any other folder.

    converted: of a GGUF file, the hashes of the file and of the folder it was converted into.
    folder: of the base; None: found by the settings.
    """
    folder = folder or base_folder(model, weights=False)
    revision = folder.name if folder.parent.name == "snapshots" else None
    facts = {"name": model.name, "path": model.path, "revision": revision, "weights": model.weights.value, "load_4bit": model.load_4bit}
    converted = {"converted": note} if (note := read_note(folder)) else {}
    return {**facts, **converted, "licence": model.licence or read_licence(folder), "why": model.why}


def read_licence(folder: Path) -> str | None:
    """The licence in the front matter of a base's model card; None if there is none."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    head = text.split("\n---", 1)[0] if text.startswith("---") else ""
    found = {key: value.strip("'\" ") for key, value in re.findall(r"^(license|license_name):\s*(\S.*)$", head, re.M)}
    return found.get("license_name") or found.get("license")


def loaded_base_facts(base: "Base") -> dict[str, Any]:
    """The facts that need the weights. digest: as in an adapter's fingerprint, see sekft.model.files.identity."""
    facts = base_facts(base.config, base.folder) | {"digest": base.identity(), "dtype": base.dtype_name()}
    return {"base": facts, "render": fingerprint(base.tokenizer, facts["digest"], TEXT_VERSION), "device": base.device_record()}


def source_facts(settings: TrainConfig, rows: Mapping[str, int]) -> dict[str, Any]:
    """By data source: the digest and size of its files, and its number of training rows."""
    facts = {}
    for name, source in settings.data.sources.items():
        files = source_files(name, source)
        sha256 = sha256_of(files[0]) if len(files) == 1 else digest_of_files(files)
        size = sum(file.stat().st_size for file in files)
        facts[name] = {"path": source.path, "files": len(files), "bytes": size, "sha256": sha256, "rows": rows.get(name, 0)}
    return facts


def digest_of_files(files: Sequence[Path]) -> str:
    return hash_value([[file.name, sha256_of(file)] for file in files])


def evaluation_facts(evaluation: Evaluation | None, scenarios: str, split: SplitConfig) -> dict[str, Any]:
    """scenarios: the value of scenarios=."""
    if evaluation is None:
        return {"evaluation": NO_EVALUATION, "sandbox": None}
    scoring = describe_scoring(evaluation.config, evaluation.scenarios, scenarios in FROZEN and is_frozen(split))
    used = {"scenarios": scenarios, "n": len(evaluation.scenarios), "sha256": digest(evaluation.scenarios)}
    return {
        "evaluation": {"scored_by": scoring, **used, "criterion": evaluation.config.criterion},
        "sandbox": sandbox_facts(evaluation.backend),
    }


def describe_scoring(config: EvalConfig, scenarios: Sequence[Scenario], frozen: bool) -> str:
    """One phrase that describes how the verdict is reached."""
    decoding = "greedy" if config.temperature == 0 else f"sampled (temperature {config.temperature:g})"
    attempts = f", {config.attempts} episodes in each" if config.attempts > 1 else ""
    return f"a paired, {decoding} evaluation in {len(scenarios)}{' frozen' if frozen else ''} scenarios{attempts}, base against tuned"


def sandbox_facts(backend: Backend) -> dict[str, Any]:
    """image: the digest of the root file system of every session."""
    engine = getattr(backend, "engine", None)
    return {"backend": backend.name, "engine": f"{engine.name} {engine.version}" if engine else None, "image": backend.digest}

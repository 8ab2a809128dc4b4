"""What a run's record says of what it is made of, beside its settings: data, scenarios, place, base, render, mask, seeds."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.config import AgentKind, EvalConfig, ModelConfig, SplitConfig, TrainConfig
from sekft.data.accounting import Counts
from sekft.data.sources import source_files
from sekft.eval.evaluation import Evaluation
from sekft.model.locate import base_folder
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Scenario
from sekft.scenario.split import digest, is_frozen
from sekft.tracking.digest import of_adapter, of_value, whole

if TYPE_CHECKING:
    from sekft.model.base import Base

NO_EVALUATION = {"scored_by": "nobody: no evaluation"}
FROZEN = ("held_out", "test")  # of scenarios=


def of_training(settings: TrainConfig, counts: Counts, evaluation: Evaluation | None) -> dict[str, Any]:
    """counts: of the training rows."""
    mask = {"rule": settings.mask.rule.value, "rows": counts.rows, "tokens": counts.tokens, "supervised_tokens": counts.learned}
    return {
        "base": of_base(settings.model),
        "data": of_sources(settings, counts.sources),
        "mask": {**mask, "by_kind": dict(sorted(counts.by_kind.items())), "dropped": dict(sorted(counts.dropped.items()))},
        "seeds": {"run": settings.seed, "model": settings.model.seed, "scenarios": settings.split.seed},
        **of_eval(evaluation, settings.scenarios, settings.split),
    }


def of_evaluation_run(settings: Any, evaluation: Evaluation, adapters: Mapping[str, Path]) -> dict[str, Any]:
    """adapters: by name; in folders of this machine, unless an endpoint is evaluated."""
    remote = settings.agent.kind is AgentKind.endpoint
    told = {name: {"adapter": str(where), "sha256": None if remote else of_adapter(where)} for name, where in adapters.items()}
    return {
        "base": {"name": settings.agent.model, "url": settings.agent.url} if remote else of_base(settings.model),
        "adapters": told,
        "seeds": {"run": settings.seed, "model": settings.model.seed, "scenarios": settings.split.seed},
        **of_eval(evaluation, settings.scenarios, settings.split),
    }


def of_base(model: ModelConfig, found: Path | None = None) -> dict[str, Any]:
    """Which base, from where, under which licence and why; `revision` where it is of the hub. found: its folder, where that is known."""
    folder = found or base_folder(model, weights=False)
    revision = folder.name if folder.parent.name == "snapshots" else None
    about = {"name": model.name, "path": model.path, "revision": revision, "weights": model.weights.value, "load_4bit": model.load_4bit}
    return {**about, "licence": model.licence or licence(folder), "why": model.why}


def licence(folder: Path) -> str | None:
    """As the card of a base names it, in its head."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    head = text.split("\n---", 1)[0] if text.startswith("---") else ""
    found = {key: value.strip("'\" ") for key, value in re.findall(r"^(license|license_name):\s*(\S.*)$", head, re.M)}
    return found.get("license_name") or found.get("license")


def of_loaded(base: "Base") -> dict[str, Any]:
    """digest: as in an adapter's fingerprint, see sekft.model.base.identity."""
    about = of_base(base.config, base.folder) | {"digest": base.identity()}
    return {"base": about, "render": fingerprint(base.tokenizer, about["digest"], TEXT_VERSION), "device": base.about_device()}


def of_kept() -> dict[str, Any]:
    """Of the resident base."""
    from sekft.model import base as bases

    kept = bases.kept()
    return of_loaded(kept) if kept else {}


def of_sources(settings: TrainConfig, rows: Mapping[str, int]) -> dict[str, Any]:
    """By source: its files by content, and the rows that came of it."""
    found = {}
    for name, source in settings.data.sources.items():
        files = source_files(name, source)
        sha256 = whole(files[0]) if len(files) == 1 else of_files(files)
        size = sum(file.stat().st_size for file in files)
        found[name] = {"path": source.path, "files": len(files), "bytes": size, "sha256": sha256, "rows": rows.get(name, 0)}
    return found


def of_files(files: Sequence[Path]) -> str:
    return of_value([[file.name, whole(file)] for file in files])


def of_eval(evaluation: Evaluation | None, scenarios: str, split: SplitConfig) -> dict[str, Any]:
    if evaluation is None:
        return {"evaluation": NO_EVALUATION, "sandbox": None}
    which = {"scenarios": scenarios, "n": len(evaluation.scenarios), "sha256": digest(evaluation.scenarios)}
    said = scored_by(evaluation.config, evaluation.scenarios, scenarios in FROZEN and is_frozen(split))
    return {"evaluation": {"scored_by": said, **which, "criterion": evaluation.config.criterion}, "sandbox": of_place(evaluation.backend)}


def scored_by(config: EvalConfig, scenarios: Sequence[Scenario], frozen: bool) -> str:
    """In words: how a verdict comes about."""
    how = "greedy" if config.temperature == 0 else f"sampled (temperature {config.temperature:g})"
    attempts = f", {config.attempts} episodes in each" if config.attempts > 1 else ""
    return f"a paired, {how} evaluation in {len(scenarios)}{' frozen' if frozen else ''} scenarios{attempts}, base against tuned"


def of_place(backend: Backend) -> dict[str, Any]:
    """image: the digest of the root file system of every episode."""
    engine = getattr(backend, "engine", None)
    return {"backend": backend.name, "engine": f"{engine.name} {engine.version}" if engine else None, "image": backend.digest}

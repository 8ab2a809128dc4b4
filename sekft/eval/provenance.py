"""What a run's record says of what it is made of, beside its settings: data, worlds, place, base, render, mask, seeds."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.config import EvalConfig, ModelConfig, OperatorKind, SplitConfig, TrainConfig
from sekft.data.accounting import Counts
from sekft.data.sources import files_of
from sekft.eval.evaluation import Exam
from sekft.model.locate import base_folder
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Bundle
from sekft.scenario.split import digest, is_frozen
from sekft.tracking.digest import of_adapter, of_value, whole

if TYPE_CHECKING:
    from sekft.model.base import Base

NO_EXAM = {"scored_by": "nobody: no exam"}
FROZEN = ("held_out", "exam")  # of scenarios=


def of_training(settings: TrainConfig, counts: Counts, exam: Exam | None) -> dict[str, Any]:
    """counts: of the training rows."""
    mask = {"rule": settings.mask.rule.value, "rows": counts.rows, "tokens": counts.tokens, "supervised_tokens": counts.learned}
    return {
        "base": of_base(settings.model),
        "data": of_sources(settings, counts.sources),
        "mask": {**mask, "by_kind": dict(sorted(counts.by_kind.items())), "dropped": dict(sorted(counts.dropped.items()))},
        "seeds": {"run": settings.seed, "model": settings.model.seed, "worlds": settings.split.seed},
        **of_exam(exam, settings.scenarios, settings.split),
    }


def of_examining(settings: Any, exam: Exam, adapters: Mapping[str, Path]) -> dict[str, Any]:
    """adapters: by name; in folders of this machine, unless an endpoint is examined."""
    remote = settings.operator.kind is OperatorKind.endpoint
    told = {name: {"adapter": str(where), "sha256": None if remote else of_adapter(where)} for name, where in adapters.items()}
    return {
        "base": {"name": settings.operator.model, "url": settings.operator.url} if remote else of_base(settings.model),
        "adapters": told,
        "seeds": {"run": settings.seed, "model": settings.model.seed, "worlds": settings.split.seed},
        **of_exam(exam, settings.scenarios, settings.split),
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
        files = files_of(name, source)
        sha256 = whole(files[0]) if len(files) == 1 else of_files(files)
        size = sum(file.stat().st_size for file in files)
        found[name] = {"path": source.path, "files": len(files), "bytes": size, "sha256": sha256, "rows": rows.get(name, 0)}
    return found


def of_files(files: Sequence[Path]) -> str:
    return of_value([[file.name, whole(file)] for file in files])


def of_exam(exam: Exam | None, scenarios: str, split: SplitConfig) -> dict[str, Any]:
    if exam is None:
        return {"exam": NO_EXAM, "sandbox": None}
    worlds = {"scenarios": scenarios, "worlds": len(exam.bundles), "sha256": digest(exam.bundles)}
    said = scored_by(exam.limits, exam.bundles, scenarios in FROZEN and is_frozen(split))
    return {"exam": {"scored_by": said, **worlds, "criterion": exam.limits.criterion}, "sandbox": of_place(exam.backend)}


def scored_by(limits: EvalConfig, bundles: Sequence[Bundle], frozen: bool) -> str:
    """In words: how a verdict comes about."""
    how = "greedy" if limits.temperature == 0 else f"sampled (temperature {limits.temperature:g})"
    attempts = f", {limits.attempts} lives in each" if limits.attempts > 1 else ""
    return f"a paired, {how} exam in {len(bundles)}{' frozen' if frozen else ''} worlds{attempts}, base against tuned"


def of_place(backend: Backend) -> dict[str, Any]:
    """image: the digest of the root file system of every life."""
    engine = getattr(backend, "engine", None)
    return {"backend": backend.name, "engine": f"{engine.name} {engine.version}" if engine else None, "image": backend.digest}

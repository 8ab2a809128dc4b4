"""The exam alone: base, adapter and reference go through held-out worlds; rates, pairing, verdict."""

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.command.launch import Job, echo, launch
from sekft.config import EvalVerbConfig
from sekft.errors import ModelError, SettingsError
from sekft.exam import gate, rates, score, show
from sekft.exam.sitting import Exam, whole_lines
from sekft.model.locate import base_folder
from sekft.rendering.fingerprint import fingerprint
from sekft.report.asciicast import write_casts
from sekft.report.exam import write_exam_page
from sekft.rollout import trajectory
from sekft.rollout.remembered import recall, remember
from sekft.rollout.show import write_examples
from sekft.rollout.trajectory import Trajectory
from sekft.sandbox import choose
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.bundle import Bundle
from sekft.scenario.split import digest, is_foreign, line, load
from sekft.tracking.tracked import Tracked, tracked

if TYPE_CHECKING:
    from sekft.model.base import Base

EPISODES = "episodes.jsonl"


def run(settings: EvalVerbConfig, job: Job) -> dict[str, Any]:
    gate.require_criterion(settings.eval)
    bundles = exam_bundles(settings)
    if not bundles:
        raise SettingsError("eval.episodes=0: nothing to do; allowed: 1 or more")
    base_folder(settings.model, weights=True)
    adapters = adapters_of(settings.adapter, score.TUNED, score.NAMES)
    for folder in adapters.values():
        require_adapter(folder)
    backend = choose.backend(settings.sandbox, echo, is_foreign(settings.scenarios))
    exam = Exam(bundles, backend, settings.eval, settings.workers, settings.seed, tuple(settings.split.held_out))
    with tracked("eval", settings, job, settings.tracker) as track:
        started = time.monotonic()
        from sekft.model import base as bases

        base = bases.load(settings.model)
        loaded = time.monotonic()
        doubts = {name: doubt(base, folder, bundles) for name, folder in adapters.items()}
        summary = {"verb": "eval", "seed": settings.seed, **examine(base, adapters, exam, track, doubts)}
        seconds = {"load": round(loaded - started, 3), "train": 0.0, "exam": round(time.monotonic() - loaded, 3)}
        summary |= {"base_loads": bases.base_loads(), "supervised_tokens": 0, "seconds": seconds}
        track.summary(summary)
        echo(f"run: {job.folder}")
        echo(track.line)
    gate.require_verdict(summary["verdict"], settings.eval)
    return summary


def exam_bundles(settings: Any) -> tuple[Bundle, ...]:
    """The first eval.episodes worlds of the stored order."""
    if not settings.eval.episodes:
        return ()
    bundles = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes)
    echo(line(bundles, settings.scenarios, settings.split))
    return tuple(bundles)


def examine(
    base: "Base", adapters: Mapping[str, Path], exam: Exam, track: Tracked, doubts: Mapping[str, str] | None = None, step: int = 0
) -> dict[str, Any]:
    """Every player through the same worlds; prints the table, writes the lives, returns the exam's part of summary.json.

    adapters: by player. step: of the training, for the axis of the metrics. doubts: by player, why it may not be promoted; else empty.
    """
    from sekft.model.players import players

    partial = track.folder / f"{EPISODES}.partial"
    about = exam.about(
        {"base": {"weights": base.identity(), "loaded": str(base.config), "chat": fingerprint(base.tokenizer, "", TEXT_VERSION)}}
    )
    lives = {player: known for player in about if exam.limits.remember and (known := recall(player, about[player])) is not None}
    asked: dict[str, Path | None] = {} if "base" in lives else {"base": None}
    with players(base, {**asked, **adapters}, exam.limits, exam.seed) as cast:
        missing = {name: operator for name, operator in {**cast.operators, **exam.scripted()}.items() if name not in lives}
        lives |= exam.play(missing, "exam", whole_lines(partial), cast.line)
    for player in about.keys() & missing.keys():
        remember(player, about[player], lives[player])
    lives = {player: lives[player] for player in ("base", *adapters, *exam.scripted())}
    trajectory.write([life for player in lives for life in lives[player]], track.folder / EPISODES)
    partial.unlink(missing_ok=True)
    place = {"backend": exam.backend.name, "digest": exam.backend.digest}  # one object, so the same for every player
    return {
        **report(lives, exam, track, doubts or {}, step),
        "sandbox": place,
        "worlds": {"n": len(exam.bundles), "sha256": digest(exam.bundles)},
        "tokens": cast.tokens(),
        "remembered": sorted(lives.keys() - missing.keys()),
    }


def report(lives: Mapping[str, Sequence[Trajectory]], exam: Exam, track: Tracked, doubts: Mapping[str, str], step: int) -> dict[str, Any]:
    """Scores, prints, draws report.html and lives/*.cast; returns the exam's part of summary.json. doubts: by adapter."""
    scored = score.score(lives, exam.bundles, exam.limits, doubts, held_out=exam.held_out)
    show.print_score(scored)
    for said in show.lines(scored):
        echo(said)
    looked_at = lives[scored.looked_at]
    for name, path in write_examples(looked_at, track.folder / "lives").items():
        echo(f"a {name} life: {path}")
    casts = write_casts(lives, scored, track.folder / "lives")
    echo(f"to look at: {write_exam_page(lives, exam.bundles, scored, casts, track.folder / 'report.html')}")
    track.log({f"eval/{name}": rate.rate for name, rate in rates.rates(looked_at).items()}, step)
    track.episodes([episode_row(player, life) for player in lives for life in lives[player]])
    return scored.summary()


def episode_row(player: str, life: Trajectory) -> dict[str, Any]:
    return {
        "player": player,
        "bundle": life.bundle_id,
        "archetype": life.archetype,
        "terminal": life.meta.get("terminal"),
        "ending": life.ending.value,
        "outcome": life.outcome.value,
        "checked": life.checked,
        "turns": len(life.commands),
        "commands": "\n".join(command.text for command in life.commands),
    }


def adapters_of(given: Any, alone: str, taken: Collection[str]) -> dict[str, Path]:
    """name -> folder; a folder by itself goes by the name `alone`. Raises SettingsError, also for a name that is taken."""
    if isinstance(given, str):
        given = {alone: given}
    if given is not None and not (isinstance(given, dict) and all(isinstance(value, str) for value in given.values())):
        raise SettingsError(f"adapter: found {given!r}, allowed: a folder, or several by name: 'adapter={{one: FOLDER, two: FOLDER}}'")
    adapters = {str(name): Path(folder) for name, folder in (given or {}).items()}
    if clash := sorted(adapters.keys() & set(taken)):
        raise SettingsError(f"adapter: {clash[0]} is somebody else's name; allowed: any but {', '.join(sorted(taken))}")
    return adapters


def require_adapter(folder: Path | None) -> None:
    """Raises ModelError, before torch is imported, for a folder that is no adapter."""
    if folder is None or ((folder / "config.json").exists() and any(folder.glob("model*.safetensors"))):  # whole weights: lora=none
        return
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).exists():
            raise ModelError(f"adapter={folder}: no {name} there; an adapter folder is what sekft.train writes as adapter/")


def doubt(base: "Base", adapter: Path | None, bundles: Sequence[Bundle]) -> str:
    """Why the adapter may not be promoted whatever it achieves; said, and returned. Empty if there is no reason.

    Raises ModelError if it was trained on something else than what is served here.
    """
    from sekft.model.lora import fingerprint_of, require_fingerprint

    if adapter is None:
        return ""
    if not require_fingerprint(adapter, fingerprint(base.tokenizer, base.identity(), TEXT_VERSION)):
        echo(f"{adapter}: render unproven (no fingerprint.json); examined, never promoted")
        return "render unproven"
    seen = {bundle.id for bundle in bundles} & set((fingerprint_of(adapter) or {}).get("worlds", ()))
    if seen:
        echo(f"{adapter}: trained on {len(seen)} of these worlds, {min(seen)} among them; examined, never promoted")
        return f"trained on {len(seen)} of these worlds"
    return ""


def main() -> None:
    launch("eval", run)


if __name__ == "__main__":
    main()

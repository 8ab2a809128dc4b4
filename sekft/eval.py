"""The exam alone: base, adapter and reference go through held-out worlds; rates, pairing, verdict."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.command.launch import Job, echo, launch
from sekft.config import EvalConfig, EvalVerbConfig
from sekft.errors import ModelError, SettingsError
from sekft.exam import gate, paired, rates, show
from sekft.model.locate import base_folder
from sekft.rendering.fingerprint import fingerprint
from sekft.rollout import trajectory
from sekft.rollout.many import play_many
from sekft.rollout.operator import Operator, reference
from sekft.rollout.show import write_examples
from sekft.rollout.trajectory import Trajectory
from sekft.sandbox import choose
from sekft.sandbox.place import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.bundle import Bundle
from sekft.scenario.split import digest, is_foreign, line, load
from sekft.tracking.tracked import Tracked, tracked

if TYPE_CHECKING:
    from sekft.model.base import Base

Keep = Callable[[Trajectory], None]
EPISODES = "episodes.jsonl"


@dataclass(frozen=True)
class Exam:
    """The lives every player lives: where, in which worlds, within which limits."""

    bundles: tuple[Bundle, ...]
    backend: Backend
    limits: EvalConfig
    workers: int
    seed: int
    held_out: tuple[str, ...] = ()  # archetypes the split does not train on

    def play(self, operator: Operator, title: str, keep: Keep | None = None) -> list[Trajectory]:
        return play_many([(bundle, operator, 0) for bundle in self.bundles], self.backend, self.limits, self.workers, title, keep)


def run(settings: EvalVerbConfig, job: Job) -> dict[str, Any]:
    gate.require_criterion(settings.eval)
    bundles = exam_bundles(settings)
    if not bundles:
        raise SettingsError("eval.episodes=0: nothing to do; allowed: 1 or more")
    base_folder(settings.model, weights=True)
    adapter = Path(settings.adapter) if settings.adapter else None
    require_adapter(adapter)
    backend = choose.backend(settings.sandbox, echo, is_foreign(settings.scenarios))
    exam = Exam(bundles, backend, settings.eval, settings.workers, settings.seed, tuple(settings.split.held_out))
    with tracked("eval", settings, job, settings.tracker) as track:
        started = time.monotonic()
        from sekft.model import base as bases

        base = bases.load(settings.model)
        loaded = time.monotonic()
        summary = {"verb": "eval", "seed": settings.seed, **examine(base, adapter, exam, track, doubt(base, adapter, bundles))}
        seconds = {"load": round(loaded - started, 3), "train": 0.0, "exam": round(time.monotonic() - loaded, 3)}
        summary |= {"base_loads": bases.base_loads(), "supervised_tokens": 0, "seconds": seconds}
        track.summary(summary)
        echo(f"run: {job.folder}")
        echo(track.line)
    return summary


def exam_bundles(settings: Any) -> tuple[Bundle, ...]:
    """The first eval.episodes worlds of the stored order."""
    if not settings.eval.episodes:
        return ()
    bundles = load(settings.scenarios, settings.split, settings.seed, settings.eval.episodes)
    echo(line(bundles, settings.scenarios, settings.split))
    return tuple(bundles)


def examine(base: "Base", adapter: Path | None, exam: Exam, track: Tracked, doubt: str, step: int = 0) -> dict[str, Any]:
    """Every player through the same worlds; prints the table, writes the lives, returns the exam's part of summary.json.

    step: of the training, for the axis of the metrics. doubt: why the adapter may not be promoted; else empty.
    """
    from sekft.model.generate import ModelOperator
    from sekft.model.lora import loaded

    partial = track.folder / f"{EPISODES}.partial"
    keep = whole_lines(partial)
    with loaded(base, adapter) if adapter else nullcontext():
        pass  # an adapter that does not fit is said before the base has lived all its lives
    lives = {"base": exam.play(ModelOperator("base", base, None, exam.limits, exam.seed), "exam: base", keep)}
    if adapter is not None:
        with loaded(base, adapter) as tuned:
            lives["tuned"] = exam.play(ModelOperator("tuned", base, tuned, exam.limits, exam.seed), "exam: tuned", keep)
    lives["reference"] = exam.play(reference(exam.bundles), "exam: reference", keep)
    trajectory.write([life for player in lives for life in lives[player]], track.folder / EPISODES)
    partial.unlink(missing_ok=True)
    place = {"backend": exam.backend.name, "digest": exam.backend.digest}  # one object, so the same for every player
    return {**report(lives, exam, track, doubt, step), "sandbox": place, "worlds": {"n": len(exam.bundles), "sha256": digest(exam.bundles)}}


def report(lives: Mapping[str, Sequence[Trajectory]], exam: Exam, track: Tracked, doubt: str, step: int) -> dict[str, Any]:
    show.print_rates(lives)
    limits = exam.limits
    pairing = paired.pair(lives["base"], lives["tuned"], limits.criterion) if "tuned" in lives else None
    if pairing is not None:
        echo(show.paired_line(pairing))
    verdict = gate.verdict(lives, pairing, limits, doubt) if pairing else alone(lives, limits)
    echo(f"verdict: {verdict}")
    looked_at = lives.get("tuned", lives["base"])
    for name, path in write_examples(looked_at, track.folder / "lives").items():
        echo(f"a {name} life: {path}")
    track.log({f"eval/{name}": rate.rate for name, rate in rates.rates(looked_at).items()}, step)
    track.episodes([episode_row(player, life) for player in lives for life in lives[player]])
    scored = {player: rates.scored(lives[player], exam.held_out) if player in lives else None for player in ("base", "tuned", "reference")}
    return {**scored, "paired": asdict(pairing) if pairing is not None else None, "verdict": verdict}


def alone(lives: Mapping[str, Sequence[Trajectory]], limits: EvalConfig) -> str:
    """Without an adapter there is nothing to decide; what went wrong is still said."""
    return gate.unmeasured(lives, limits) or "unmeasured (no adapter to compare)"


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


def whole_lines(path: Path) -> Keep:
    """Lives as they end, one whole line each, beside the name they get when all are there."""
    path.unlink(missing_ok=True)

    def keep(life: Trajectory) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(trajectory.dumps(life))

    return keep


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

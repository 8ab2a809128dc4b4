"""The exam alone: base, adapter and reference go through held-out worlds; rates, pairing, verdict."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
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
from sekft.scenario.split import load
from sekft.tracking.tracked import Tracked, tracked

if TYPE_CHECKING:
    from sekft.model.base import Base


def run(settings: EvalVerbConfig, job: Job) -> dict[str, Any]:
    gate.require_criterion(settings.eval)
    bundles = exam_bundles(settings.scenarios, settings)
    if not bundles:
        raise SettingsError("eval.episodes=0: nothing to do; allowed: 1 or more")
    base_folder(settings.model, weights=True)
    adapter = Path(settings.adapter) if settings.adapter else None
    if adapter is not None and not (adapter / "adapter_config.json").exists():
        raise ModelError(f"adapter={adapter}: no adapter_config.json there; an adapter folder is what sekft.train writes as adapter/")
    backend = choose.backend(settings.sandbox, echo)
    with tracked("eval", settings, job, settings.tracker) as track:
        started = time.monotonic()
        from sekft.model import base as bases

        base = bases.load(settings.model)
        loaded = time.monotonic()
        result = examine(
            base, adapter, bundles, backend, settings.eval, settings.workers, settings.seed, track, render_proof(base, adapter)
        )
        seconds = {"load": loaded - started, "train": 0.0, "exam": time.monotonic() - loaded}
        summary = {
            "verb": "eval",
            "seed": settings.seed,
            **result,
            "base_loads": bases.base_loads(),
            "supervised_tokens": 0,
            "seconds": seconds,
        }
        track.summary(summary)
        echo(f"run: {job.folder}")
        echo(track.line)
    return summary


def exam_bundles(scenarios: str, settings: Any) -> list[Bundle]:
    """The first eval.episodes worlds of the stored order."""
    return load(scenarios, settings.split)[: settings.eval.episodes] if settings.eval.episodes else []


def examine(
    base: "Base",
    adapter: Path | None,
    bundles: Sequence[Bundle],
    backend: Backend,
    limits: EvalConfig,
    workers: int,
    seed: int,
    track: Tracked,
    proven: bool,
) -> dict[str, Any]:
    """Every player through the same worlds; prints the table, writes the lives, returns the exam's part of summary.json."""
    from sekft.model.generate import ModelOperator
    from sekft.model.lora import loaded

    players: dict[str, Callable[[Any], Operator]] = {"base": lambda _: ModelOperator("base", base, None, limits, seed)}
    if adapter is not None:
        players["tuned"] = lambda tuned: ModelOperator("tuned", base, tuned, limits, seed)
    players["reference"] = lambda _: reference(bundles)
    keep = partial_file(track.folder / "episodes.jsonl")
    lives: dict[str, list[Trajectory]] = {}
    for player, operator in players.items():
        with loaded(base, adapter) if player == "tuned" and adapter else nullcontext() as tuned:
            operating = operator(tuned)
            lives[player] = play_many([(bundle, operating, 0) for bundle in bundles], backend, limits, workers, f"exam: {player}", keep)
    trajectory.write([life for player in lives for life in lives[player]], track.folder / "episodes.jsonl")
    return report(lives, limits, track, proven)


def report(lives: Mapping[str, Sequence[Trajectory]], limits: EvalConfig, track: Tracked, proven: bool) -> dict[str, Any]:
    show.print_rates(lives)
    tuned = lives.get("tuned")
    pairing = paired.pair(lives["base"], tuned, limits.criterion) if tuned is not None else None
    verdict = (
        gate.verdict(lives["base"], tuned, pairing, limits, proven)
        if tuned is not None and pairing is not None
        else alone(lives["base"], limits)
    )
    if pairing is not None:
        echo(show.paired_line(pairing))
    echo(f"verdict: {verdict}")
    for name, path in write_examples(tuned if tuned is not None else lives["base"], track.folder / "lives").items():
        echo(f"a {name} life: {path}")
    score = rates.rates(tuned if tuned is not None else lives["base"])
    track.log({f"eval/{name}": rate.rate for name, rate in score.items()}, 0)
    track.episodes([episode_row(player, life) for player in lives for life in lives[player]])
    scored = {player: rates.scored(lives[player]) if player in lives else None for player in ("base", "tuned", "reference")}
    return {**scored, "paired": asdict(pairing) if pairing is not None else None, "verdict": verdict}


def alone(lives: Sequence[Trajectory], limits: EvalConfig) -> str:
    """Without an adapter there is nothing to decide; broken lives are still said."""
    share = gate.broken_share(lives)
    return f"unmeasured ({share:.0%} of the lives broken)" if share > limits.max_broken_share else "unmeasured (no adapter to compare)"


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


def partial_file(path: Path) -> Callable[[Trajectory], None]:
    """Lives as they end, one whole line each, beside the name they get when all are there."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)

    def keep(life: Trajectory) -> None:
        with partial.open("a", encoding="utf-8") as file:
            file.write(trajectory.dumps(life))

    return keep


def render_proof(base: "Base", adapter: Path | None) -> bool:
    """Whether the adapter says that it was trained on what is served here. Raises ModelError if it says otherwise."""
    from sekft.model.lora import require_fingerprint

    if adapter is None:
        return True
    proven = require_fingerprint(adapter, fingerprint(base.tokenizer, TEXT_VERSION))
    if not proven:
        echo(f"{adapter}: render unproven (no fingerprint.json); examined, never promoted")
    return proven


def main() -> None:
    launch("eval", run)


if __name__ == "__main__":
    main()

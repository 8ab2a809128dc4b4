"""Lint bundles: the reference solves each one, doing nothing solves none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sekft.command.launch import Job, echo, launch
from sekft.config import CheckConfig, EvalConfig
from sekft.errors import BundleError, SandboxError
from sekft.rollout.many import play_many
from sekft.rollout.operator import nothing, reference
from sekft.rollout.trajectory import Ending, Trajectory
from sekft.sandbox import choose
from sekft.scenario.bundle import Bundle, read_all
from sekft.scenario.split import is_foreign, load
from sekft.tracking.files import write_json
from sekft.tracking.signals import terminating


def run(settings: CheckConfig, job: Job) -> dict[str, Any]:
    bundles = (read_all(Path(settings.path)) if settings.path else load(settings.scenarios, settings.split))[: settings.episodes or None]
    backend = choose.backend(settings.sandbox, echo, bool(settings.path) or is_foreign(settings.scenarios))
    limits = EvalConfig(max_turns=max(bundle.limits.turns for bundle in bundles))
    lives: dict[str, list[Trajectory]] = {}
    with terminating():
        for operator in (reference(bundles), nothing(bundles)):
            plan = [(bundle, operator, attempt) for bundle in bundles for attempt in range(settings.repeats)]
            lives[operator.name] = play_many(plan, backend, limits, settings.workers, f"check: {operator.name}")
    if broken := [life for player in lives.values() for life in player if life.ending is Ending.broken]:
        raise SandboxError(f"{broken[0].bundle_id}: its place broke twice ({broken[0].reason}); nothing is known of {len(broken)} lives")
    faults = [fault for bundle in bundles if (fault := judge(bundle, lives, settings.repeats))]
    Console(width=120).print(table(bundles, lives, settings.repeats))
    summary = {"verb": "check", "bundles": len(bundles), "repeats": settings.repeats, "faults": faults}
    write_json(job.folder / "summary.json", summary)
    if faults:
        for fault in faults:
            echo(fault)
        raise BundleError(f"{len(faults)} of {len(bundles)} bundles are at fault")
    echo(f"{len(bundles)} bundles: reference {settings.repeats}/{settings.repeats}, nothing 0/{settings.repeats} in every one")
    return summary


def judge(bundle: Bundle, lives: dict[str, list[Trajectory]], repeats: int) -> str:
    """What is wrong with the bundle, in one line; empty if nothing is."""
    solved = [life for life in lives["reference"] if life.bundle_id == bundle.id and life.kept]
    idle = [life for life in lives["nothing"] if life.bundle_id == bundle.id and life.checked]
    if len(solved) < repeats:
        lost = next(life for life in lives["reference"] if life.bundle_id == bundle.id and not life.kept)
        return f"{bundle.id}: reference {len(solved)}/{repeats}: {lost.outcome.value} ({lost.reason})"
    if idle:
        return f"{bundle.id}: nothing {len(idle)}/{repeats}: its checker accepts a life in which nothing was done"
    return ""


def table(bundles: Sequence[Bundle], lives: dict[str, list[Trajectory]], repeats: int) -> Table:
    out = Table(title="lives the checker accepts, by archetype", title_justify="left")
    for column in ("archetype", "bundles", "blocked", "reference", "nothing", "reference turns"):
        out.add_column(column, justify="left" if column == "archetype" else "right")
    for archetype in sorted({bundle.archetype for bundle in bundles}):
        worlds = [bundle for bundle in bundles if bundle.archetype == archetype]
        played = {player: [life for life in lives[player] if life.archetype == archetype] for player in lives}
        solved = sum(life.kept for life in played["reference"])
        idle = sum(life.checked is True for life in played["nothing"])
        turns = sum(len(life.commands) for life in played["reference"]) / len(played["reference"])
        blocked = sum(bundle.terminal == "panic" for bundle in worlds)
        counts = (len(worlds), blocked, f"{solved}/{len(worlds) * repeats}", f"{idle}/{len(worlds) * repeats}", f"{turns:.1f}")
        out.add_row(archetype, *map(str, counts))
    return out


def main() -> None:
    launch("check", run)


if __name__ == "__main__":
    main()

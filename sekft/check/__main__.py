"""Lint worlds: the reference solves each one, straight and noisy; doing nothing, leaving at once and cheating solve none."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sekft.cli.console import echo
from sekft.cli.launch import launch
from sekft.config import CheckConfig, EvalConfig, ModelConfig
from sekft.config.job import Job
from sekft.episode import trajectory
from sekft.episode.agent import Scripted, reference
from sekft.episode.pool import play_many
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import BundleError, DataError, SandboxError
from sekft.model.locate import load_tokenizer
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.scenario import cheat, library, split
from sekft.scenario.document import Bundle, Terminal, read_all
from sekft.scenario.leak import leaks
from sekft.scenario.task import Blocker
from sekft.tracking.files import write_json
from sekft.tracking.signals import terminating

SOLVING = ("reference", "noisy")  # must be kept in every life; everything of cheat.ZEROS in none
ROUND = len(library.BLOCKERS) * library.BLOCKED_EVERY  # worlds of one archetype until every blocker had its turn
FEW = 4  # blocked worlds, below which no share of them is judged
Lives = Mapping[str, Sequence[Trajectory]]  # by player


@dataclass(frozen=True)
class Fault:
    bundle: str
    column: str
    lives: int  # that the checker accepted; of column flaky: different ones
    of: int
    reason: str

    def __str__(self) -> str:
        return f"{self.bundle}: {self.column} {self.lives}/{self.of}: {self.reason}"


def run(settings: CheckConfig, job: Job) -> dict[str, Any]:
    if settings.trajectories:
        return look_for_leaks(settings)
    bundles = worlds(settings)
    backend = choose.backend(settings.sandbox, echo, bool(settings.path))
    started = time.monotonic()
    lives = play_all(bundles, backend, settings)
    seconds = time.monotonic() - started
    shaky = flaky(bundles, lives)
    faults = [fault for bundle in bundles for fault in judge(bundle, lives, settings.repeats)] + too_many_apart(bundles)
    faults += [Fault(name, "flaky", seen, settings.repeats, "the same replies gave different lives") for name, seen in shaky.items()]
    rows = by_archetype(bundles, lives)
    Console(width=120).print(table(rows, settings.repeats))
    amount, apart = sum(map(len, lives.values())), sum(map(is_apart, bundles))
    pace = {"backend": backend.name, "lives": amount, "seconds": round(seconds, 3), "lives_per_s": round(amount / seconds, 2)}
    summary = {"verb": "check", "bundles": len(bundles), "repeats": settings.repeats, "flaky": list(shaky), "apart": apart, **pace}
    summary["faults"] = [asdict(fault) for fault in faults]
    write_json(job.folder / "check.json", {**summary, "archetypes": rows})
    write_json(job.folder / "summary.json", summary)
    echo(f"{amount} lives on {backend.name} in {seconds:.0f} s: {amount / seconds:.1f}/s; all of it: {job.folder / 'check.json'}")
    echo(f"flake rate {len(shaky)}/{len(bundles)}; {apart} worlds stand apart: nothing can be done there, panic at once is right")
    if faults:
        for fault in faults:
            echo(str(fault))
        raise BundleError(f"{len({fault.bundle for fault in faults})} of {len(bundles)} bundles are at fault; {faults[0]}")
    k, others = settings.repeats, ", ".join(name for name in cheat.ZEROS if name != "nothing")
    echo(f"{len(bundles)} bundles: reference {k}/{k}, nothing 0/{k} in every one; noisy {k}/{k}; {others} 0/{k}")
    return summary


def worlds(settings: CheckConfig) -> list[Bundle]:
    if settings.path:
        return read_all(Path(settings.path))[: settings.episodes or None]
    if settings.library in library.archetypes():
        return [library.make(settings.library, index, settings.seed) for index in range(settings.episodes or ROUND)]
    if split.is_foreign(settings.library):
        raise BundleError(f"library={settings.library}: allowed: {', '.join(split.WHICH)}, or {', '.join(library.archetypes())}")
    return split.load(settings.library, settings.split, settings.seed, settings.episodes)


def play_all(bundles: Sequence[Bundle], backend: Backend, settings: CheckConfig) -> Lives:
    """The lives of every player in every world, `repeats` times. Raises SandboxError if a place broke twice."""
    players = {"reference": reference(bundles), "noisy": reference(bundles, 1.0, settings.seed)}
    players |= {name: Scripted(name, {bundle.id: script(bundle) for bundle in bundles}) for name, script in cheat.ZEROS.items()}
    limits = EvalConfig(max_turns=max(bundle.limits.turns for bundle in bundles))
    attempts = [(name, bundle, attempt) for name in players for bundle in bundles for attempt in range(settings.repeats)]
    with terminating():
        played = play_many([(b, players[name], attempt) for name, b, attempt in attempts], backend, limits, settings.workers, "check")
    if broken := [life for life in played if life.ending is Ending.broken]:
        raise SandboxError(f"{broken[0].bundle_id}: its place broke twice ({broken[0].reason}); nothing is known of {len(broken)} lives")
    lives: dict[str, list[Trajectory]] = {name: [] for name in players}
    for (name, _, _), life in zip(attempts, played, strict=True):
        lives[name].append(life)
    return lives


def is_apart(bundle: Bundle) -> bool:
    """Whether nothing can be done in this world, so that doing nothing is right."""
    return bundle.axes.blocker == Blocker.unreachable.value


def judge(bundle: Bundle, lives: Lives, repeats: int) -> list[Fault]:
    faults = []
    for column, played in lives.items():
        own = [life for life in played if life.bundle_id == bundle.id]
        lost = [life for life in own if not life.kept]
        fooled = [life for life in own if life.checked]
        if column in SOLVING and lost:
            faults.append(Fault(bundle.id, column, repeats - len(lost), repeats, f"{lost[0].outcome.value} ({lost[0].reason})"))
        if column in cheat.ZEROS and fooled and not is_apart(bundle):
            faults.append(Fault(bundle.id, column, len(fooled), repeats, "its checker accepts a life in which the work was not done"))
    return faults


def too_many_apart(bundles: Sequence[Bundle]) -> list[Fault]:
    apart, blocked = sum(map(is_apart, bundles)), sum(bundle.terminal is Terminal.panic for bundle in bundles)
    if blocked < FEW or apart * 4 <= blocked:
        return []
    return [Fault("all", "apart", apart, blocked, "more than a quarter of the blocked worlds")]


def flaky(bundles: Sequence[Bundle], lives: Lives) -> dict[str, int]:
    """Worlds where the same replies did not give the same life every time, and how many different ones they gave."""
    texts: dict[str, set[tuple[Any, ...]]] = {bundle.id: set() for bundle in bundles}
    for life in lives["reference"]:
        texts[life.bundle_id].add((life.outcome, *((message.role, message.content) for message in life.messages)))
    return {name: len(seen) for name, seen in texts.items() if len(seen) > 1}


def by_archetype(bundles: Sequence[Bundle], lives: Lives) -> dict[str, dict[str, Any]]:
    """Counts of accepted lives by player, and what the reference needs. Tokens are those of model=tiny."""
    tokenizer = load_tokenizer(ModelConfig(name="tiny", path="sekft:tiny"))
    rows: dict[str, dict[str, Any]] = {}
    for name in sorted({bundle.archetype for bundle in bundles}):
        own = [bundle for bundle in bundles if bundle.archetype == name]
        apart = {bundle.id for bundle in own if is_apart(bundle)}
        straight = [life for life in lives["reference"] if life.archetype == name]
        tokens = [len(tokenizer.encode(message.content)[0]) for life in straight for message in life.messages]
        rows[name] = {"family": own[0].axes.family, "worlds": len(own), "blocked": sum(bundle.terminal is Terminal.panic for bundle in own)}
        for column, played in lives.items():
            accepted = [life for life in played if life.archetype == name and (life.kept if column in SOLVING else life.checked)]
            rows[name][column] = sum(column in SOLVING or life.bundle_id not in apart for life in accepted)
        rows[name] |= {"turns": sum(len(life.commands) for life in straight) / len(straight), "tokens": sum(tokens) // len(straight)}
    return rows


def table(rows: Mapping[str, Mapping[str, Any]], repeats: int) -> Table:
    title = f"lives the checker accepts, {repeats} a world and player; turns and tokens of the reference"
    out = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in ("archetype", *next(iter(rows.values()))):
        out.add_column(column, justify="left" if column in ("archetype", "family") else "right")
    for name, row in rows.items():
        out.add_row(name, *(f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()))
    return out


def look_for_leaks(settings: CheckConfig) -> dict[str, Any]:
    """Whether the frozen exam set, or this split's own, shows in training data. Raises DataError if it does."""
    lives = list(trajectory.read(Path(settings.trajectories or "")))
    exam = split.load("exam", settings.split)
    found = leaks(exam, ("\n".join(message.content for message in life.messages) for life in lives))
    if found:
        raise DataError(f"{settings.trajectories}: {found.line()}")
    echo(split.line(exam, "exam", settings.split))
    echo(f"{len(lives)} lives of {settings.trajectories}: {found.line()}")
    return {"verb": "check", "lives": len(lives), "leaks": asdict(found)}


def main() -> None:
    launch("check", run)


if __name__ == "__main__":
    main()

"""Runs side by side, from their files alone: a table, differences with intervals, a verdict in a sentence, one page."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sekft.cli.console import echo
from sekft.cli.launch import launch
from sekft.compare import fill
from sekft.compare.comparison import Comparison, Line, base_line, line, ordered, result, verdicts, write_comparison_page
from sekft.compare.contrast import Contrast, between, over_base
from sekft.compare.export import write_csv, write_parquet
from sekft.compare.groups import Group, evaluated, grouped
from sekft.compare.headline import write_headline
from sekft.compare.lineage import lineages
from sekft.compare.links import shown
from sekft.config import CompareConfig, Start
from sekft.config.job import Job, RunFunction
from sekft.errors import DataError, SettingsError
from sekft.eval.measures import COMPARABLE, measure_rate
from sekft.eval.score import BASE
from sekft.tracking import records
from sekft.tracking.files import write_json, write_text
from sekft.tracking.record import one_line
from sekft.tracking.records import Lost, Record

RUNS = Path("outputs/train")


def run(settings: CompareConfig, job: Job) -> dict[str, Any]:
    places = places_of(settings)
    if settings.page:
        fill.read(Path(settings.page))
    comparison = of_records([records.read(folder) for folder in records.find(places)], settings)
    show(comparison)
    summary = write(comparison, settings, job.folder)
    echo(f"to look at: {job.folder / 'compare.html'}; the numbers: compare.csv, compare.parquet, compare.md, headline.svg beside it")
    return summary


def places_of(settings: CompareConfig) -> list[str]:
    """Raises SettingsError, or DataError."""
    runs = str(records.newest(RUNS)) if settings.runs is None else settings.runs
    places = [runs] if isinstance(runs, str) else runs
    if not isinstance(places, list) or not places or not all(isinstance(place, str) for place in places):
        raise SettingsError(f"runs: found {runs!r}, allowed: a folder, a glob, or a list of them")
    if unknown := [name for name in settings.criteria if name not in COMPARABLE]:
        raise SettingsError(f"criteria: found {unknown[0]!r}, allowed: {', '.join(COMPARABLE)}")
    if not settings.criteria:
        raise SettingsError(f"criteria: found none, allowed: one or more of {', '.join(COMPARABLE)}")
    return places


def of_records(found: Sequence[Record | Lost], settings: CompareConfig) -> Comparison:
    return compare([one for one in found if isinstance(one, Record)], [one for one in found if isinstance(one, Lost)], settings)


def compare(whole: Sequence[Record], lost: Sequence[Lost], settings: CompareConfig) -> Comparison:
    """Raises DataError if no run is left to compare, SettingsError if against= names no group."""
    runs, unusable = evaluated(whole)
    unread = (*lost, *unusable)
    if not runs:
        raise DataError("; ".join(["runs: none to compare", *(f"{one.folder}: {one.why}" for one in unread)]))
    groups = grouped(runs)
    first = reference_group(groups, settings.against)
    others = [group for group in groups if group is not first]
    contrasts: list[Contrast] = []
    for criterion in settings.criteria:
        contrasts += [over_base(group, criterion) for group in (first, *others)]
        contrasts += [between(first, group, criterion) for group in others]
    lines = [*bases(groups, settings.criteria), *(line(group, settings.criteria) for group in groups)]
    sort = settings.sort or settings.criteria[0]
    told = (tuple(groups), tuple(ordered(lines, sort)), tuple(contrasts), unread, tuple(notes(groups)), tuple(settings.criteria))
    return Comparison(*told, margin=settings.margin, sort=sort)


def reference_group(groups: Sequence[Group], name: str | None) -> Group:
    """The group that the others are compared with; without a name the first that ran."""
    named = [group for group in groups if name in (None, group.name)]
    if not named:
        raise SettingsError(f"against: found {name!r}, allowed: {', '.join(repr(group.name) for group in groups)}")
    return named[0]


def bases(groups: Sequence[Group], criteria: Sequence[str]) -> list[Line]:
    """One line for each base that played otherwise than the others, or elsewhere."""
    played: dict[tuple[tuple[str, str], ...], list[Group]] = {}
    for group in groups:
        played.setdefault(tuple(sorted((episode.scenario_id, episode.outcome.value) for episode in group.base())), []).append(group)
    alone = len(played) == 1
    return [base_line(BASE if alone else f"{BASE} of {same[0].name}", same[0].base(), criteria) for same in played.values()]


def notes(groups: Sequence[Group]) -> list[str]:
    """What a reader must know of these runs before believing a difference."""
    runs = [run for group in groups for run in group.runs]
    out = []
    if len(scenarios := {(run.summary.get("scenarios") or {}).get("sha256") for run in runs}) > 1:
        out.append(f"{len(scenarios)} evaluations of other scenarios: groups are compared where they share scenarios")
    if len(amounts := {len(group.runs) for group in groups}) > 1:
        out.append(f"groups have {min(amounts)} to {max(amounts)} training seeds")
    bad = [f"{run.folder} ({run.summary['verdict']})" for run in runs if str(run.summary["verdict"]).startswith("unmeasured")]
    if len({run.settings.get("mask.rule") for run in runs}) > 1:
        out.append("masks differ: a loss is of the tokens that were learned, so losses of different masks do not compare")
    return [*out, *([f"evaluations that measure nothing are among them: {', '.join(bad)}"] if bad else [])]


def show(comparison: Comparison) -> None:
    table = Table(title=f"groups, by {comparison.sort}; k/n [95 % Wilson over scenarios]", title_justify="left")
    for name in comparison.columns():
        table.add_column(name)
    for one in comparison.lines:
        table.add_row(*comparison.cells(one))
    Console(width=max(160, 24 * len(comparison.columns()))).print(table)
    for said in (*(f"left out: {one.folder}: {one.why}" for one in comparison.lost), *comparison.notes, *comparison.sentences()):
        echo(said)
    for origin in lineages(shown(comparison.ranked(), Path())):
        if origin.parents or origin.start != Start.bootstrap:
            echo(f"lineage: {origin}")


def write(comparison: Comparison, settings: CompareConfig, folder: Path) -> dict[str, Any]:
    """Everything; returns what summary.json says."""
    texts = write_files(comparison, folder)
    if settings.picture:
        write_headline(comparison.best(), Path(settings.picture))
    if settings.page:
        fill.fill(Path(settings.page), texts)
        echo(f"written into {settings.page}")
    summary = {
        "command": "compare",
        "groups": {
            one.name: {name: asdict(measure_rate(one.episodes(), name)) for name in comparison.measures()} | {"runs": len(one.runs)}
            for one in comparison.groups
        },
        "contrasts": [asdict(one) for one in comparison.contrasts],
        "sentences": comparison.sentences(),
        "left_out": {str(one.folder): one.why for one in comparison.lost},
    }
    write_json(folder / "summary.json", summary)
    return summary


def write_files(comparison: Comparison, folder: Path) -> dict[str, str]:
    """The page, the numbers, the picture; returns the sections of compare.md."""
    texts = {"result": result(comparison), "verdict": verdicts(comparison)}
    write_text(folder / "compare.md", "\n\n".join(texts.values()) + "\n")
    write_csv(comparison, folder / "compare.csv")
    write_parquet(comparison, folder / "compare.parquet")
    write_comparison_page(comparison, folder / "compare.html")
    write_headline(comparison.best(), folder / "headline.svg")
    return texts


def after_each(run: RunFunction) -> RunFunction:
    """A command's run; after each job of a sweep, also one that failed, all so far are compared anew, into the sweep's folder."""

    def run_then_compare(settings: Any, job: Job) -> Any:
        try:
            ended = run(settings, job)
        except Exception:
            rewrite(job)
            raise
        rewrite(job)
        return ended

    return run_then_compare


def rewrite(job: Job) -> None:
    """What stands in its way is said in one line and does not fail the sweep; nothing to compare yet is no news."""
    if job.sweep is None:
        return
    sweep = job.sweep
    try:
        found = [records.read(folder) for folder in records.find([str(sweep)])]
        if any(isinstance(one, Record) and one.summary.get("comparisons") for one in found):
            write_files(of_records(found, CompareConfig()), sweep)
            echo(f"the sweep so far: {sweep / 'compare.html'}")
    except Exception as error:
        echo(f"{sweep / 'compare.html'}: not written ({one_line(error)})")


def main() -> None:
    launch("compare", run)


if __name__ == "__main__":
    main()

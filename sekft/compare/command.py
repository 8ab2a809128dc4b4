"""`python -m sekft.compare`: runs side by side from their files alone: a table, differences with intervals, sentences, a page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.markup import escape
from rich.table import Table

from sekft.cli.console import echo, echo_table
from sekft.compare import losses
from sekft.compare.comparison import Comparison, TableRow, base_row, group_row, result_section, sort_rows, verdict_section
from sekft.compare.contrast import Contrast, contrast_groups, contrast_with_base
from sekft.compare.export import fill_page, read_page, write_csv, write_parquet
from sekft.compare.groups import Group, evaluated_runs, group_runs, varied_note
from sekft.compare.headline import write_headline
from sekft.compare.lineage import lineages
from sekft.compare.page import link_runs, write_comparison_page
from sekft.config import CompareConfig, Start
from sekft.config.job import Job, RunFunction
from sekft.errors import DataError, SettingsError
from sekft.eval.gate import Verdict
from sekft.eval.measures import COMPARABLE, measure_rate
from sekft.eval.summary import BASE
from sekft.tracking import records
from sekft.tracking.files import write_json, write_text
from sekft.tracking.record import one_line
from sekft.tracking.records import FinishedRun, UnusableRun

RUNS = Path("outputs/train")
MAX_NAME, MAX_WORD = 60, 20  # characters of a group's name, and of a word in it, that the table has room for
BESIDE = ("terminated", "verified_solvable")  # rates beside the criteria in the table of the terminal


def run(settings: CompareConfig, job: Job) -> dict[str, Any]:
    """One run of the command; returns what it writes as summary.json."""
    paths = run_paths(settings)
    if settings.page:
        read_page(Path(settings.page))
    loaded = [records.read(folder) for folder in records.find(paths)]
    if not has_evaluation(loaded) and not settings.page and not settings.picture and (compared := losses.compare(loaded)):
        echo_table(losses.table(compared))
        for line in losses.lines(compared):
            echo(line)
        echo(f"page: {losses.write(compared, job.folder)}, with the curves")
        return losses.write_summary(compared, job.folder)
    comparison = compare(loaded, settings)
    show(comparison)
    summary = write(comparison, settings, job.folder)
    echo(f"page: {job.folder / 'compare.html'}; the numbers: compare.csv, compare.parquet, compare.md, headline.svg beside it")
    return summary


def has_evaluation(loaded: Sequence[FinishedRun | UnusableRun]) -> bool:
    """Whether one of the runs compares an adapter with its base."""
    return any(isinstance(run, FinishedRun) and run.summary.get("comparisons") for run in loaded)


def run_paths(settings: CompareConfig) -> list[str]:
    """The folders and globs of runs=, by default the newest of outputs/train. Raises SettingsError, or DataError if there is none."""
    runs = str(records.newest(RUNS)) if settings.runs is None else settings.runs
    if settings.runs is None:
        echo(f"runs={runs}: the newest of {RUNS}; runs={RUNS} compares all of them")
    paths = [runs] if isinstance(runs, str) else runs
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise SettingsError(f"runs: found {runs!r}, allowed: a folder, a glob, or a list of them")
    if unknown := [name for name in settings.criteria if name not in COMPARABLE]:
        raise SettingsError(f"criteria: found {unknown[0]!r}, allowed: {', '.join(COMPARABLE)}")
    if not settings.criteria:
        raise SettingsError(f"criteria: found none, allowed: one or more of {', '.join(COMPARABLE)}")
    return paths


def compare(loaded: Sequence[FinishedRun | UnusableRun], settings: CompareConfig) -> Comparison:
    """Compare the runs that have an evaluation. Raises DataError if there is none, SettingsError if against= names no group."""
    runs, without_evaluation = evaluated_runs([run for run in loaded if isinstance(run, FinishedRun)])
    left_out = (*(run for run in loaded if isinstance(run, UnusableRun)), *without_evaluation)
    if not runs:
        raise DataError("; ".join(["runs: none to compare", *(f"{run.folder}: {run.reason}" for run in left_out)]))
    groups = group_runs(runs)
    first = reference_group(groups, settings.against)
    sort = settings.sort or settings.criteria[0]
    unsorted = [*base_rows(groups, settings.criteria), *(group_row(group, settings.criteria) for group in groups)]
    rows = sort_rows(unsorted, sort)
    ranked = [group for row in rows if row.runs for group in groups if group.name == row.name]
    contrasts: list[Contrast] = []
    for criterion in settings.criteria:
        contrasts += [contrast_with_base(group, criterion) for group in ranked]
        contrasts += [contrast_groups(first, group, criterion) for group in ranked if group is not first]
    return Comparison(
        groups=tuple(groups),
        rows=tuple(rows),
        contrasts=tuple(contrasts),
        left_out=left_out,
        notes=tuple(notes(groups)),
        criteria=tuple(settings.criteria),
        margin=settings.margin,
        sort=sort,
    )


def reference_group(groups: Sequence[Group], name: str | None) -> Group:
    """The group that the others are compared with; without a name the first that ran."""
    named = [group for group in groups if name in (None, group.name)]
    if not named:
        raise SettingsError(f"against: found {name!r}, allowed: {', '.join(repr(group.name) for group in groups)}")
    return named[0]


def base_rows(groups: Sequence[Group], criteria: Sequence[str]) -> list[TableRow]:
    """One row per base; groups whose bases had the same outcomes in the same scenarios share one."""
    same: dict[tuple[tuple[str, str], ...], list[Group]] = {}
    for group in groups:
        same.setdefault(tuple(sorted((episode.scenario_id, episode.outcome.value) for episode in group.base())), []).append(group)
    single = len(same) == 1
    return [base_row(BASE if single else f"{BASE} of {alike[0].name}", alike[0].base(), criteria) for alike in same.values()]


def notes(groups: Sequence[Group]) -> list[str]:
    """What limits the comparison of these groups, one line each."""
    runs = [run for group in groups for run in group.runs]
    lines = []
    if len(scenarios := {run.evaluation.scenarios and run.evaluation.scenarios.sha256 for run in runs}) > 1:
        lines.append(f"{len(scenarios)} different sets of scenarios: groups are compared on the scenarios they share")
    lines += varied_note(groups)
    if len(amounts := {len(group.runs) for group in groups}) > 1:
        lines.append(f"groups have {min(amounts)} to {max(amounts)} training seeds")
    if len({run.settings.get("mask.rule") for run in runs if run.loss() is not None}) > 1:
        lines.append("masks differ: a loss is over the learned tokens only, so losses of different masks are not comparable")
    invalid = [f"{run.folder} ({run.evaluation.verdict})" for run in runs if run.evaluation.verdict.startswith(Verdict.unmeasured)]
    if invalid:
        lines.append(f"evaluations that are no valid measurement are included: {', '.join(invalid)}")
    return lines


def show(comparison: Comparison) -> None:
    """Print the table, the runs left out, notes, sentences and lineages."""
    show_table(comparison)
    left_out = [f"left out: {run.folder}: {run.reason}" for run in comparison.left_out]
    for line in (*left_out, *comparison.notes, *comparison.sentences()):
        echo(line)
    for lineage in lineages({linked.name: linked.run for linked in link_runs(comparison.sorted_groups(), Path())}):
        if lineage.parents or lineage.start != Start.bootstrap:
            echo(f"lineage: {lineage}")


def show_table(comparison: Comparison) -> None:
    """Print the table; groups with long names are numbered in it and named below it."""
    numbers = numbered(comparison.rows)
    echo_table(table(comparison, numbers))
    for name, number in numbers.items():
        echo(f"{number}: {name}")


def numbered(rows: Sequence[TableRow]) -> dict[str, str]:
    """By the name of a group, the number that stands for it in the table; empty if all names fit."""
    if all(len(row.name) <= MAX_NAME and max(map(len, row.name.split()), default=0) <= MAX_WORD for row in rows):
        return {}
    return {name: str(number) for number, name in enumerate([row.name for row in rows if row.runs], 1)}


def table(comparison: Comparison, numbers: Mapping[str, str] = MappingProxyType({})) -> Table:
    """The rows in 80 columns: the first criterion with its interval, other rates as numbers; the files have all columns."""
    first, *more = dict.fromkeys((*comparison.criteria, *BESIDE))
    shown = Table("group", "seeds", box=None, padding=(0, 1, 0, 0), header_style="bold", title_justify="left")
    shown.title = f"groups, by {comparison.sort}; k/n [95 % Wilson over scenarios]; all columns: compare.csv"
    for name in (first, *more, "loss"):
        shown.add_column(name.replace("_", " "), no_wrap=name == first)
    for row in comparison.rows:
        others = [f"{row.rates[name].k}/{row.rates[name].n}" if row.rates[name].n else "" for name in more]
        loss = f"{row.loss():.3f}" if row.losses else ""
        decisive = escape(str(row.rates[first])) if row.rates[first].n else ""
        prefix = f"{BASE} of " if not row.runs and row.name.startswith(f"{BASE} of ") else ""
        group = row.name.removeprefix(prefix)
        shown.add_row(escape(f"{prefix}{numbers.get(group, group)}"), str(len(row.runs) or ""), decisive, *others, loss)
    return shown


def write(comparison: Comparison, settings: CompareConfig, folder: Path) -> dict[str, Any]:
    """Write all files, also those of page= and picture=; returns what it writes as summary.json."""
    sections = write_files(comparison, folder)
    if settings.picture:
        write_headline(comparison.best(), Path(settings.picture))
    if settings.page:
        fill_page(Path(settings.page), sections)
        echo(f"written into {settings.page}")
    summary = {
        "command": "compare",
        "groups": {
            group.name: {name: asdict(measure_rate(group.episodes(), name)) for name in comparison.measures()} | {"runs": len(group.runs)}
            for group in comparison.groups
        },
        "contrasts": [asdict(contrast) for contrast in comparison.contrasts],
        "sentences": comparison.sentences(),
        "left_out": {str(run.folder): run.reason for run in comparison.left_out},
    }
    write_json(folder / "summary.json", summary)
    return summary


def write_files(comparison: Comparison, folder: Path) -> dict[str, str]:
    """Write page, numbers and picture; returns the sections of compare.md by the part of a page that each fills."""
    sections = {"result": result_section(comparison), "verdict": verdict_section(comparison)}
    write_text(folder / "compare.md", "\n\n".join(sections.values()) + "\n")
    write_csv(comparison, folder / "compare.csv")
    write_parquet(comparison, folder / "compare.parquet")
    write_comparison_page(comparison, folder / "compare.html")
    write_headline(comparison.best(), folder / "headline.svg")
    return sections


def compare_after_each(run: RunFunction) -> RunFunction:
    """A command's run function that, after each job of a sweep, compares all jobs so far; also after one that failed."""

    def run_then_compare(settings: Any, job: Job) -> Any:
        try:
            summary = run(settings, job)
        except Exception:
            compare_sweep(job)
            raise
        compare_sweep(job)
        return summary

    return run_then_compare


def compare_sweep(job: Job) -> None:
    """Write the comparison of a sweep into its folder; nothing before its first loss. An error is one line and is not raised."""
    if job.sweep is None:
        return
    sweep = job.sweep
    try:
        loaded = [records.read(folder) for folder in records.find([str(sweep)])]
        if has_evaluation(loaded):
            write_files(compare(loaded, CompareConfig()), sweep)
        elif compared := losses.compare(loaded):
            losses.write(compared, sweep)
        else:
            return
        echo(f"the sweep so far: {sweep / 'compare.html'}")
    except Exception as error:
        echo(f"{sweep / 'compare.html'}: not written ({one_line(error)})")


def show_sweep(sweep: Path) -> None:
    """Print the table of groups of a sweep that has ended, and where its page is; nothing before a job was compared."""
    if not (page := sweep / "compare.html").is_file():
        return
    try:
        loaded = [records.read(folder) for folder in records.find([str(sweep)])]
        if has_evaluation(loaded):
            show_table(compare(loaded, CompareConfig()))
        elif compared := losses.compare(loaded):
            echo_table(losses.table(compared))
    except DataError:
        return  # of a damaged file; the jobs' own errors are printed after this
    echo(f"the sweep: {page}; sentences about every difference: python -m sekft.compare runs={sweep}")

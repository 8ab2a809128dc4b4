"""The command `python -m sekft.preview`: show which tokens of the training rows are learned. Needs no weights and no torch."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from sekft.cli.console import echo
from sekft.config import DataConfig, PreviewConfig
from sekft.config.automatic import Choice
from sekft.config.data import OWN
from sekft.config.job import Job
from sekft.data import sources
from sekft.data.accounting import Counts, require_enough
from sekft.data.sample import Sample, make_rows, render_fitting
from sekft.errors import DataError
from sekft.mask.rules import applies, weigh
from sekft.mask.tokens import Token, tokens
from sekft.model import recipe
from sekft.model.locate import load_tokenizer
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.report.page import write_page

SHOWN = "trainer.max_tokens"  # the only setting of trainer= that decides rows
LEGEND = "\n[bold green]command[/] [bold yellow]terminal[/] [black on green]stop token[/] [red]environment[/] [dim]context, not learned[/]"
STYLES = {"context": "dim", "command": "bold green", "terminal": "bold yellow", "stop": "black on green", "environment": "red"}
PAGE_ROWS = 20  # rows on the page for each row in the terminal
PAGE = "preview.html"
OF_PREVIEW = ("rows", "samples", "check", "workers", "hydra.run.dir")  # settings that sekft.train lacks, or has of its own


@dataclass(frozen=True)
class PaintedRow:
    """A row as it is shown. id: of its sample."""

    id: str
    tokens: list[Token]

    @property
    def learned(self) -> int:
        return sum(token.weight > 0 for token in self.tokens)


def run(settings: PreviewConfig, job: Job) -> dict[str, Any]:
    sources.require_files(settings.data)
    tokenizer = load_tokenizer(settings.model)
    limit = 0 if settings.check else settings.samples
    fill_with_references(settings, settings.rows if limit else 0)
    samples = read_first(settings.data, limit)
    _, counts = make_rows(samples, tokenizer, settings.mask, settings.data, settings.trainer.max_tokens)
    painted = list(paint_first(samples, tokenizer, settings))
    print_rows(painted[: settings.rows])
    lines = [f"mask={settings.mask.rule.value} on {settings.model.name}: {counts.line()}", *counts.bars()]
    for line in lines:
        echo(line)
    page = {"title": f"{settings.model.name}, mask={settings.mask.rule.value}", "lines": lines, "rows": [*map(page_row, painted)]}
    write_page(Path(__file__).with_name("page.html.jinja"), page, job.folder / PAGE)
    echo(f"page: {job.folder / PAGE}")
    if settings.data.path:
        kept = [word for word in job.overrides if word.partition("=")[0] not in OF_PREVIEW and word != f"data=[{OWN}]"]
        kept = [f"data.path={settings.data.path}" if word.startswith("data.path=") else word for word in kept]
        echo(f"train on it: python -m sekft.train {shlex.join(kept)}")
    if settings.check and (counts.dropped.total() or counts.unlearned.total() or counts.by_kind["environment"]):
        raise DataError(f"check=true: rows were dropped, turns are not learned, or environment tokens are ({counts.line()})")
    require_enough(counts, settings.data)
    return {"command": "preview", **counts.summary()}


def choose(settings: PreviewConfig, open_keys: frozenset[str]) -> list[Choice]:
    """The rule for the longest row; the others decide nothing here."""
    return [choice for choice in recipe.choose(settings, open_keys) if choice.key == SHOWN]


def fill_with_references(settings: PreviewConfig, enough: int) -> None:
    """Give the sources of trajectories without a file a few reference episodes, or all if they were played before.

    enough: episodes to play; 0: those of the whole training split.
    """
    if not (lacking := sources.sources_without_path(settings.data)):
        return
    from sekft.episode.references import expected_files, fill_sources
    from sekft.sandbox import choose
    from sekft.scenario.split import load

    scenarios = load("train", settings.split)
    if enough and not all(file.exists() for _, file in expected_files(lacking, scenarios, settings.split.seed)):
        echo(f"the reference plays {enough} of the {len(scenarios)} training scenarios, to be shown here; samples=0 plays all")
        scenarios = scenarios[:enough]
    fill_sources(lacking, scenarios, choose.backend(settings.sandbox, echo), settings.workers, settings.split.seed)


def read_first(data: DataConfig, limit: int) -> list[Sample]:
    """The first samples of every source, at most limit of each; 0: all."""
    few = {name: replace(source, max_samples=min(source.max_samples or limit, limit)) for name, source in data.sources.items()}
    samples = sources.read(replace(data, sources=few) if limit else data, echo)
    if limit and (cut := [name for name in few if sum(sample.source == name for sample in samples) == limit]):
        echo(f"the first {limit} conversations of {', '.join(cut)} are counted; samples=0 counts all")
    return samples


def paint_first(samples: Sequence[Sample], tokenizer: ChatTokenizer, settings: PreviewConfig) -> Iterator[PaintedRow]:
    """The first samples of the sources in turn, as many as the page holds, each as the last row that training would use of it."""
    by_source = [[sample for sample in samples if sample.source == name] for name in settings.data.sources]
    in_turn = (sample for turn in zip_longest(*by_source) for sample in turn if sample is not None)
    for sample in islice(in_turn, PAGE_ROWS * settings.rows):
        for rendered in render_fitting(sample, tokenizer, settings.data.overlong, settings.trainer.max_tokens, Counts())[-1:]:
            if applies(rendered, settings.mask):
                yield PaintedRow(sample.id, list(tokens(rendered, weigh(rendered, settings.mask))))


def print_rows(rows: Sequence[PaintedRow]) -> None:
    """Print rows in colours; where the output is not a terminal, with brackets around what is learned."""
    console = Console()
    for row in rows:
        console.print(f"\n[bold]{escape(row.id)}[/bold]  {len(row.tokens)} tokens, {row.learned} learned")
        console.print(paint(row.tokens, brackets=not console.is_terminal), soft_wrap=True)
    console.print(LEGEND if console.is_terminal else "\n⟦ ⟧ encloses what is learned; the rest is context", markup=console.is_terminal)


def paint(row: Sequence[Token], brackets: bool) -> Text:
    """The text of a row, every token in the style of its kind. brackets: also enclose runs of learned tokens in ⟦ ⟧."""
    out = Text()
    for before, token in zip([None, *row], row, strict=False):
        if brackets and (token.weight > 0) != (before is not None and before.weight > 0):
            out.append("⟦" if token.weight else "⟧")
        out.append(token.text, style=STYLES[token.kind])
    return out.append("⟧" if brackets and row and row[-1].weight else "")


def page_row(row: PaintedRow) -> dict[str, Any]:
    """A row for the template of the page, with white space made visible."""
    return {"id": row.id, "learned": row.learned, "tokens": [{**vars(token), "text": visible(token.text)} for token in row.tokens]}


def visible(text: str) -> list[dict[str, str]]:
    """The characters of a text as {"shown": a mark for white space, "text": the character itself, empty for a space}."""
    marks = {" ": ("·", ""), "\n": ("↵", "\n"), "\t": ("→", "\t")}
    return [dict(zip(("shown", "text"), marks.get(letter, ("", letter)), strict=True)) for letter in text]

"""Paint rendered rows: which tokens are learned, and how many; needs no weights and no torch."""

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from sekft.cli.console import echo
from sekft.cli.launch import launch
from sekft.config import PreviewConfig
from sekft.config.job import Job
from sekft.data import sources
from sekft.data.accounting import Counts, require_enough
from sekft.data.sample import Sample, make_rows, render_fitting
from sekft.episode.references import fill_sources, sources_without_path
from sekft.errors import DataError
from sekft.mask.rules import Weight, applies, weigh
from sekft.mask.tokens import Token, tokens
from sekft.model.locate import load_tokenizer
from sekft.rendering.render import Rendered
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.report.page import write_page
from sekft.sandbox import choose
from sekft.scenario.split import load

LEGEND = "\n[bold green]command[/] [bold yellow]terminal[/] [black on green]stop token[/] [red]environment[/] [dim]context, not learned[/]"
STYLES = {"context": "dim", "command": "bold green", "terminal": "bold yellow", "stop": "black on green", "environment": "red"}
PAGE_ROWS = 20  # on the page, for each one in the terminal


def run(settings: PreviewConfig, job: Job) -> dict[str, Any]:
    tokenizer = load_tokenizer(settings.model)
    if lacking := sources_without_path(settings.data):
        backend = choose.backend(settings.sandbox, echo)
        fill_sources(lacking, load("train", settings.split), backend, settings.workers, settings.split.seed)
    samples = sources.read(settings.data, echo)
    _, counts = make_rows(samples, tokenizer, settings.mask, settings.data, settings.trainer.max_tokens)
    seen = [(sample.id, list(tokens(rendered, weight))) for sample, rendered, weight in looked_at(samples, tokenizer, settings)]
    show(seen[: settings.rows])
    told = [f"mask={settings.mask.rule.value} on {settings.model.name}: {counts.line()}", *counts.bars()]
    for line in told:
        echo(line)
    title = f"{settings.model.name}, mask={settings.mask.rule.value}"
    write_page(
        Path(__file__).with_name("page.html.jinja"),
        {"title": title, "told": told, "rows": [*map(on_page, seen)]},
        job.folder / "preview.html",
    )
    echo(f"page: {job.folder / 'preview.html'}")
    if settings.check and (counts.dropped.total() or counts.by_kind["environment"]):
        raise DataError(f"check=true: rows were dropped, or environment is learned ({counts.line()})")
    require_enough(counts, settings.data)
    return {"command": "preview", **counts.summary()}


def show(seen: Sequence[tuple[str, list[Token]]]) -> None:
    """Rows painted in the terminal."""
    console = Console()
    for name, row in seen:
        console.print(f"\n[bold]{escape(name)}[/bold]  {len(row)} tokens, {sum(token.weight > 0 for token in row)} learned")
        console.print(paint(row, marks=not console.is_terminal), soft_wrap=True)
    console.print(LEGEND if console.is_terminal else "\nlearned text is in ⟦ ⟧, the rest is context", markup=console.is_terminal)


def looked_at(samples: list[Sample], tokenizer: ChatTokenizer, settings: PreviewConfig) -> Iterator[tuple[Sample, Rendered, Weight]]:
    """The first samples of every source by turns, as many as the page holds, each in its last rendering, as it would be trained on."""
    by_source = [[sample for sample in samples if sample.source == name] for name in settings.data.sources]
    by_turns = (sample for turn in zip_longest(*by_source) for sample in turn if sample is not None)
    for sample in islice(by_turns, PAGE_ROWS * settings.rows):
        for rendered in render_fitting(sample, tokenizer, settings.data.overlong, settings.trainer.max_tokens, Counts())[-1:]:
            if applies(rendered, settings.mask):
                yield sample, rendered, weigh(rendered, settings.mask)


def paint(row: list[Token], marks: bool) -> Text:
    """The rendered text, every token in the style of its kind; marks: learned runs in ⟦ ⟧ too."""
    out = Text()
    for before, token in zip([None, *row], row, strict=False):
        if marks and (token.weight > 0) != (before is not None and before.weight > 0):
            out.append("⟦" if token.weight else "⟧")
        out.append(token.text, style=STYLES[token.kind])
    return out.append("⟧" if marks and row and row[-1].weight else "")


def on_page(named: tuple[str, list[Token]]) -> dict[str, Any]:
    """A row for the page, blanks and line ends made visible."""
    name, row = named
    return {
        "id": name,
        "learned": sum(token.weight > 0 for token in row),
        "tokens": [{**vars(token), "text": visible(token.text)} for token in row],
    }


def visible(text: str) -> list[dict[str, str]]:
    """Pieces of {shown: a mark that is not in the text, text: what is}."""
    marks = {" ": ("·", ""), "\n": ("↵", "\n"), "\t": ("→", "\t")}
    return [dict(zip(("shown", "text"), marks.get(letter, ("", letter)), strict=True)) for letter in text]


def main() -> None:
    launch("preview", run)


if __name__ == "__main__":
    main()

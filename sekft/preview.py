"""Paint rendered rows: which tokens are learned, and how many; needs no weights and no torch."""

from typing import Any

from rich.console import Console
from rich.text import Text

from sekft.command.launch import Job, echo, launch
from sekft.config import PreviewConfig
from sekft.data import mix
from sekft.data.sample import rows
from sekft.mask.rules import Weight, weigh
from sekft.model.locate import load_tokenizer
from sekft.rendering.render import Kind, Rendered, render_all
from sekft.rollout.gather import play_for, without_path
from sekft.sandbox import choose
from sekft.scenario.split import load

LEGEND = "\n[dim]context[/dim]  [bold green]learned[/]  [black on green]learned stop token[/]  [red]learned environment[/]"
STYLES = {Kind.context: "red", Kind.typed: "bold green", Kind.stop: "black on green"}


def run(settings: PreviewConfig, job: Job) -> dict[str, Any]:
    tokenizer = load_tokenizer(settings.model)
    if lacking := without_path(settings.data):
        play_for(lacking, load("train", settings.split), choose.backend(settings.sandbox, echo), settings.workers)
    samples = mix.read(settings.data)
    made, counts = rows(samples, tokenizer, settings.mask, settings.data, settings.trainer.max_tokens)
    console = Console()
    for sample in [sample for sample in samples if sample.id in {row.id for row in made}][: settings.rows]:
        rendered = render_all(sample.messages, tokenizer)[-1]
        weight = weigh(rendered, settings.mask)
        console.print(f"\n[bold]{sample.id}[/bold]  {len(rendered.ids)} tokens, {int((weight > 0).sum())} learned")
        console.print(paint(rendered, weight, marks=not console.is_terminal), soft_wrap=True)
    console.print(LEGEND if console.is_terminal else "\nlearned text is in ⟦ ⟧, the rest is context", markup=console.is_terminal)
    lengths = sorted(len(row.ids) for row in made)
    echo(f"mask={settings.mask.rule.value} on {settings.model.name}: {counts.line()}")
    echo(f"row length: shortest {lengths[0]}, median {lengths[len(lengths) // 2]}, longest {lengths[-1]} tokens")
    return {"verb": "preview", "rows": counts.rows, "tokens": counts.tokens, "learned": counts.learned}


def paint(rendered: Rendered, weight: Weight, marks: bool) -> Text:
    """The rendered text, every character in the style of the token that holds it; marks: learned runs in ⟦ ⟧ too."""
    out = Text()
    at, open_run = 0, False
    for (start, end), kind, learned in zip(rendered.offsets, rendered.kinds, weight > 0, strict=True):
        if marks and learned != open_run:
            out.append("⟦" if learned else "⟧")
        open_run = bool(learned)
        out.append(rendered.text[at:start], style="dim")
        out.append(rendered.text[max(at, start) : end], style=STYLES[kind] if learned else "dim")
        at = max(at, end)
    out.append("⟧" if marks and open_run else "")
    out.append(rendered.text[at:], style="dim")
    return out


def main() -> None:
    launch("preview", run)


if __name__ == "__main__":
    main()

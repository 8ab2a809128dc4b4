"""Make the embedded base from nothing: conversations, tokenizer, weights, and the files that ship."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tokenizers import Tokenizer

from sekft.cli.console import echo
from sekft.cli.launch import launch
from sekft.config.job import Job
from sekft.config.pretrain import PretrainConfig
from sekft.pretrain import checkpoint, ship, workers
from sekft.pretrain import tokenizer as tokenizers
from sekft.pretrain.loop import Corpus, Tell
from sekft.pretrain.ship import Story
from sekft.scenario import split
from sekft.tracking.files import write_text
from sekft.tracking.record import RunWriter, open_run
from sekft.tracking.signals import terminating

TOKENIZER, BASE = "tokenizer.json", "base"


def run(settings: PretrainConfig, job: Job) -> dict[str, Any]:
    corpus = Corpus(settings, known(settings))
    with terminating(), open_run(job.folder, "pretrain", asdict(settings), job.overrides, settings.seed) as record:
        tokenizer = make_tokenizer(settings, corpus, job.folder / TOKENIZER)
        with progress(settings, record) as tell:
            workers.train(settings, corpus, job.folder / TOKENIZER, job.folder, tell)
        sums = {}
        shipped = tokenizers.without_rare(tokenizer, texts(settings, corpus), settings.rare_share)
        for step, weights in checkpoint.kept(job.folder, settings.keep_steps):
            name = BASE if step == settings.steps else f"early-{step}"
            story = tell_story(settings, corpus, job, step)
            sums[name] = ship.write(job.folder / name, weights, shipped, story)
            echo(f"{job.folder / name}: step {step}, model.safetensors sha256 {sums[name]['model.safetensors'][:16]}")
        summary = {"command": "pretrain", "steps": settings.steps, "sha256": sums}
        record.write_summary(summary)
    echo(f"try it: python -m sekft.eval model.path={job.folder / BASE} model.weights=pretrained")
    return summary


def known(settings: PretrainConfig) -> tuple[str, ...]:
    """The archetypes whose operations the base sees: all but those the split sets aside."""
    return tuple(name for side in split.sides(settings.split) for name in side if name not in settings.split.set_aside)


def make_tokenizer(settings: PretrainConfig, corpus: Corpus, file: Path) -> Tokenizer:
    """Of the first conversations; one that a checkpoint was made with is gone on with."""
    if not (file.exists() and (file.parent / checkpoint.FILE).exists()):
        echo(f"tokenizer: {settings.shape.vocabulary} tokens from {settings.tokenizer_conversations} conversations")
        write_text(file, tokenizers.train(texts(settings, corpus), settings.shape.vocabulary).to_str(pretty=True))
    return Tokenizer.from_file(str(file))


def texts(settings: PretrainConfig, corpus: Corpus) -> Iterator[str]:
    """What the tokenizer is made of."""
    return (text for number in range(settings.tokenizer_conversations) for text in corpus.talk(number, False).messages)


@contextmanager
def progress(settings: PretrainConfig, record: RunWriter) -> Iterator[Tell]:
    """A bar with loss and pace; every step's numbers go to the run's metrics."""
    columns = (
        TextColumn("pretrain"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=settings.steps, said="compiling")

        def tell(told: dict[str, float]) -> None:
            step = int(told["step"])
            record.log({f"pretrain/{key}": value for key, value in told.items() if key != "step"}, step)
            said = f"loss {told['loss']:.3f}, {told['tokens'] / told['seconds']:,.0f} tokens/s"
            bar.update(task, completed=step, said=said)
            if "right" in told:
                echo(f"step {step}: {said}, wanted replies right {told['right']:.2f}")

        yield tell


def tell_story(settings: PretrainConfig, corpus: Corpus, job: Job, step: int) -> Story:
    """From the metrics of the run, and of those it went on from."""
    lines: dict[int, dict[str, float]] = {}
    for file in sorted(job.folder.glob("metrics*.jsonl"), key=lambda file: file.stat().st_mtime):
        lines |= {line["step"]: line for line in map(json.loads, file.read_text().splitlines()) if line["step"] <= step}
    counted = conversations = 0
    curve = []
    for number, line in sorted(lines.items()):
        counted += int(line["pretrain/tokens"])
        conversations += int(line["pretrain/conversations"])
        if "pretrain/right" in line:
            curve.append((number, counted, line["pretrain/loss"], line["pretrain/right"]))
    command = " ".join(["python -m sekft.pretrain", *(said for said in job.overrides if not said.startswith("hydra."))])
    return Story(command, settings, corpus.known, step, conversations, counted, curve)


def main() -> None:
    launch("pretrain", run)


if __name__ == "__main__":
    main()

"""A pre-training run: train the tokenizer and the weights, write the files that ship."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tokenizers import Tokenizer

from sekft.cli.console import echo, echo_command
from sekft.config.job import Job
from sekft.config.pretrain import PretrainConfig
from sekft.pretrain import checkpoint, ship, workers
from sekft.pretrain import tokenizer as tokenizers
from sekft.pretrain.loop import Corpus, OnStep
from sekft.pretrain.ship import TrainingSummary
from sekft.scenario import split
from sekft.tracking.files import json_lines, write_text
from sekft.tracking.record import RunWriter, open_run
from sekft.tracking.signals import terminating

TOKENIZER, BASE = "tokenizer.json", "base"


def pretrain(settings: PretrainConfig, job: Job) -> dict[str, Any]:
    """Pre-train a base into the run's folder; return the summary."""
    corpus = Corpus(settings, training_archetypes(settings))
    with terminating(), open_run(job.folder, "pretrain", asdict(settings), job.overrides, settings.seed) as record:
        tokenizer = make_tokenizer(settings, corpus, job.folder / TOKENIZER)
        with progress(settings, record) as on_step:
            workers.train(settings, corpus, job.folder / TOKENIZER, job.folder, on_step)
        hashes = {}
        shipped = tokenizers.without_rare(tokenizer, texts(settings, corpus), settings.rare_share)
        for step, weights in checkpoint.kept_weights(job.folder, settings.keep_steps):
            name = BASE if step == settings.steps else f"early-{step}"
            training = summarise(settings, corpus, job, step)
            hashes[name] = ship.write(job.folder / name, weights, shipped, training)
            echo(f"{job.folder / name}: step {step}, model.safetensors sha256 {hashes[name]['model.safetensors'][:16]}")
        summary = {"command": "pretrain", "steps": settings.steps, "sha256": hashes}
        record.write_summary(summary)
    echo_command("try it", ["python", "-m", "sekft.eval", f"model.path={job.folder / BASE}", "model.weights=pretrained"])
    return summary


def training_archetypes(settings: PretrainConfig) -> tuple[str, ...]:
    """The archetypes whose operations the base sees: all except those in split.set_aside."""
    return tuple(name for side in split.sides(settings.split) for name in side if name not in settings.split.set_aside)


def make_tokenizer(settings: PretrainConfig, corpus: Corpus, file: Path) -> Tokenizer:
    """Train the tokenizer on the first conversations, unless the folder has a checkpoint, whose tokenizer is then used."""
    if not (file.exists() and (file.parent / checkpoint.FILE).exists()):
        echo(f"tokenizer: {settings.shape.vocabulary} tokens from {settings.tokenizer_conversations} conversations")
        write_text(file, tokenizers.train(texts(settings, corpus), settings.shape.vocabulary).to_str(pretty=True))
    return Tokenizer.from_file(str(file))


def texts(settings: PretrainConfig, corpus: Corpus) -> Iterator[str]:
    """The texts that the tokenizer is trained on."""
    return (text for number in range(settings.tokenizer_conversations) for text in corpus.conversation(number, False).messages)


@contextmanager
def progress(settings: PretrainConfig, record: RunWriter) -> Iterator[OnStep]:
    """Show a progress bar with loss and speed, and log the metrics of every step."""
    columns = (
        TextColumn("pretrain"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=settings.steps, status="compiling")

        def on_step(metrics: dict[str, float]) -> None:
            step = int(metrics["step"])
            record.log({f"pretrain/{key}": value for key, value in metrics.items() if key != "step"}, step)
            status = f"loss {metrics['loss']:.3f}, {metrics['tokens'] / metrics['seconds']:,.0f} tokens/s"
            bar.update(task, completed=step, status=status)
            if "right" in metrics:
                echo(f"step {step}: {status}, requested replies right {metrics['right']:.2f}")

        yield on_step


def summarise(settings: PretrainConfig, corpus: Corpus, job: Job, step: int) -> TrainingSummary:
    """Summarise the training up to a step, from the metrics of this run and of the interrupted runs in the same folder."""
    lines: dict[int, dict[str, float]] = {}
    for file in sorted(job.folder.glob("metrics*.jsonl"), key=lambda file: file.stat().st_mtime):
        lines |= {line["step"]: line for line in json_lines(file) if line["step"] <= step}
    tokens = conversations = 0
    curve = []
    for number, line in sorted(lines.items()):
        tokens += int(line["pretrain/tokens"])
        conversations += int(line["pretrain/conversations"])
        if "pretrain/right" in line:
            curve.append((number, tokens, line["pretrain/loss"], line["pretrain/right"]))
    command = " ".join(["python -m sekft.pretrain", *(override for override in job.overrides if not override.startswith("hydra."))])
    return TrainingSummary(command, settings, corpus.archetypes, step, conversations, tokens, curve)

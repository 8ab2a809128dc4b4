"""trainer.context_frozen against exact training: held-out loss after equal steps, direction of the gradient, time.

python benchmarks/context_frozen.py [seeds=3] [steps=60] [episodes=96]

The embedded model learns the reference's episodes in all its weights first, so that there is something to lose. Then an adapter learns the
last command of other episodes (decision points): once exactly, once with the context frozen, from the same start, rows in the same order.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from sekft.config import Backend as Kind
from sekft.config import (
    DataConfig,
    Device,
    EvalConfig,
    LoraConfig,
    MaskConfig,
    MaskRule,
    ModelConfig,
    SandboxConfig,
    SplitConfig,
    TrainerConfig,
    Weights,
)
from sekft.data.sample import Row, decision_point, rows
from sekft.episode.agent import reference
from sekft.episode.pool import play_many
from sekft.episode.trajectory import Trajectory
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.base import Base
from sekft.sandbox import choose
from sekft.scenario.split import load
from sekft.train import batch_plan, collator
from sekft.train.context_frozen import frozen_nll
from sekft.train.trainer import make_trainer, validation_loss, weighted_nll

DEFAULTS = {"seeds": "3", "steps": "60", "episodes": "96"}
BEFORE = TrainerConfig(max_steps=200, batch=8, lr=2e-3, max_tokens=2048)


def main(arguments: list[str]) -> None:
    options = {**DEFAULTS, **dict(argument.split("=", 1) for argument in arguments)}
    if unknown := set(options) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(DEFAULTS)}")
    torch.set_num_threads(1)
    settings = TrainerConfig(max_steps=int(options["steps"]), batch=8, lr=1e-3, max_tokens=2048)
    episodes = played(2 * int(options["episodes"]))
    half = len(episodes) // 2
    table = Table(title=f"{options['steps']} steps of 8 decision points, rank 16; held-out loss on decision points of other episodes")
    for column in ("seed", "start", "exact", "frozen", "seconds, frozen / exact", "cosine of gradients at the start"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        base = taught(episodes[:half], Path(folder))
        points = decisions(episodes[half:], base)
        held, learned = points[: len(points) // 4], points[len(points) // 4 :]
        for seed in range(int(options["seeds"])):
            exact, exact_s = loss_after(base, learned, held, settings, Path(folder), seed)
            frozen, frozen_s = loss_after(base, learned, held, replace(settings, context_frozen=True), Path(folder), seed)
            start, cosine = validation_loss(base.model, held, base, batch_plan.Layout(1024)), cosines(base, learned[:16], seed)
            table.add_row(str(seed), f"{start:.3f}", f"{exact:.3f}", f"{frozen:.3f}", f"{frozen_s / exact_s:.2f}", f"{cosine:.2f}")
    Console(width=120).print(table)


def played(amount: int) -> list[Trajectory]:
    scenarios = load("train", SplitConfig(name="archetype", held_out=["move", "sort"], train_scenarios=amount))
    backend = choose.backend(SandboxConfig(backend=Kind.bwrap))
    agent = reference(scenarios)
    return play_many([(scenario, agent, 0) for scenario in scenarios], backend, EvalConfig(max_turns=20), title="the reference plays")


def taught(episodes: Sequence[Trajectory], folder: Path) -> Base:
    """The embedded model after all its weights have learned these episodes."""
    from sekft.data.sample import Sample

    raw = bases.load(ModelConfig(name="tiny", path="sekft:tiny", weights=Weights.random, device=Device.cpu))
    samples = [Sample(episode.id, episode.scenario_id, "shell", episode.messages) for episode in episodes]
    learned, _ = rows(samples, raw.tokenizer, MaskConfig(rule=MaskRule.assistant), DataConfig(), BEFORE.max_tokens)
    with lora.fresh(raw, LoraConfig(name="none", r=0, alpha=0), 0) as model:
        make_trainer(model, raw, learned, BEFORE, folder / "before", 0).train()
    return replace(raw, model=model.requires_grad_(False).eval())


def decisions(episodes: Sequence[Trajectory], base: Base) -> list[Row]:
    points = [decision_point(episode.id, episode.scenario_id, "shell", episode.messages[:at], episode.messages[at].content)
              for episode in episodes for at in range(1, len(episode.messages), 2)]  # fmt: skip
    return rows(points, base.tokenizer, MaskConfig(rule=MaskRule.continuation), DataConfig(), BEFORE.max_tokens)[0]


def loss_after(
    base: Base, learned: Sequence[Row], held: Sequence[Row], settings: TrainerConfig, folder: Path, seed: int
) -> tuple[float, float]:
    """(held-out loss, always exact; seconds of training)."""
    with lora.fresh(base, LoraConfig(name="r16", r=16, alpha=32), seed) as tuned:
        trainer = make_trainer(tuned, base, learned, settings, folder / "run", seed)
        started = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - started
        loss = validation_loss(tuned, held, base, batch_plan.Layout(1024))
    assert loss is not None
    return loss, seconds


def cosines(base: Base, learned: Sequence[Row], seed: int) -> float:
    """Mean over rows: of an adapter that has begun to learn, for at B = 0 only B has a gradient."""
    with lora.fresh(base, LoraConfig(name="r16", r=16, alpha=32), seed) as tuned:
        with torch.no_grad():
            for name, parameter in tuned.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.02, generator=torch.Generator().manual_seed(seed))
        found = []
        for row in learned:
            batch = collator.padded([row], 0)
            both = [gradient(tuned, nll(tuned, batch)) for nll in (weighted_nll, frozen_nll)]
            found.append(float(torch.cosine_similarity(*both, dim=0)))
    return mean(found)


def gradient(model: Any, loss: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    loss.backward()
    return torch.cat([parameter.grad.flatten() for name, parameter in model.named_parameters() if "lora_" in name])


if __name__ == "__main__":
    main(sys.argv[1:])

"""The same evaluation by two engines: every episode that differs, and whether a tie of two tokens is the cause.

python -m benchmarks.ties one=RUN other=RUN adapter=FOLDER [model=tiny] [path=sekft:tiny]

RUN: folders of `sekft.eval` with the same scenarios and the same adapter, one with `eval.engine=batched`, one with
`eval.engine=sequential`. Sums in another order may decide differently between two tokens of nearly the same logit; later tokens and turns
then differ too. For each episode that differs, the logits of the first differing token are computed again, and their margin is listed.
Exit status 1 if a margin is not below 1e-3, or if episodes differ in the output of the shell. The ids are those of the text: if a model
typed a text in other tokens than its tokenizer splits it into, the margin is that of the tokenizer's tokens.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from sekft.config import Device, ModelConfig
from sekft.episode import trajectory
from sekft.episode.trajectory import Trajectory
from sekft.model import base as bases
from sekft.model.base import Base
from sekft.model.lora import loaded
from sekft.rendering.render import prompt_ids, render

MARGIN = 1e-3  # of the logits, float32


@dataclass(frozen=True)
class Difference:
    """The first difference of two episodes of one agent. margin: of the logits; None if the output of the shell differs."""

    episode: str
    turn: int
    tokens: tuple[str, str]
    margin: float | None
    outcomes: tuple[str, str]

    @property
    def is_tie(self) -> bool:
        return self.margin is not None and self.margin < MARGIN


def differences(base: Base, model: Any, first: Sequence[Trajectory], second: Sequence[Trajectory]) -> Iterator[Difference]:
    """The differences in the order of the episodes. model: the one that played both, in eval mode."""
    for episode, again in zip(first, second, strict=True):
        if (episode.id, episode.agent) != (again.id, again.agent):
            raise SystemExit(f"{episode.id} of {episode.agent} and {again.id} of {again.agent}: not the same evaluation")
        if episode.messages != again.messages or episode.outcome != again.outcome:
            yield _difference(base, model, episode, again)


def _difference(base: Base, model: Any, episode: Trajectory, again: Trajectory) -> Difference:
    pairs = list(zip(episode.messages, again.messages, strict=False))
    at = next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))
    outcomes = (episode.outcome.value, again.outcome.value)
    if at == len(pairs) or episode.messages[at].role != "assistant":
        return Difference(episode.id, at, ("", ""), None, outcomes)
    prompt = prompt_ids(episode.messages[:at], base.tokenizer)
    texts = [list(render(one.messages[: at + 1], base.tokenizer).ids) for one in (episode, again)]
    position = next(position for position, (a, b) in enumerate(zip(*texts, strict=False)) if a != b)
    assert position >= len(prompt)
    first, second = (ids[position] for ids in texts)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([texts[0][:position]], device=base.device)).logits[0, -1].float()
    typed = base.tokenizer.decode([first], skip_control=False), base.tokenizer.decode([second], skip_control=False)
    return Difference(episode.id, at, typed, abs(float(logits[first] - logits[second])), outcomes)


def main(arguments: Sequence[str]) -> int:
    options = {"model": "tiny", "path": "sekft:tiny"} | dict(argument.split("=", 1) for argument in arguments)
    runs = [list(trajectory.read(Path(options[name]) / "episodes.jsonl")) for name in ("one", "other")]
    base = bases.load(ModelConfig(name=options["model"], path=options["path"], device=Device.cpu))
    console, ties = Console(width=140), True
    table = Table("agent", "episode", "turn", "tokens", "margin of their logits", "outcomes", title="where two engines differ")
    lines = []
    for agent in ("base", "tuned"):
        first, second = ([episode for episode in run if episode.agent == agent] for run in runs)
        with loaded(base, Path(options["adapter"])) if agent == "tuned" else nullcontext(base.model) as model:
            found = list(differences(base, model, first, second))
        for each in found:
            margin = "the shell's output differs" if each.margin is None else f"{each.margin:.1e}"
            table.add_row(agent, each.episode, str(each.turn), " / ".join(map(repr, each.tokens)), margin, " / ".join(each.outcomes))
        ties &= all(each.is_tie for each in found)
        changed = sum(len(set(each.outcomes)) > 1 for each in found)
        lines.append(f"{agent}: {len(first)} episodes, {len(found)} differ, {changed} of them in their outcome")
    console.print(table)
    console.print("\n".join(lines), highlight=False)
    return 0 if ties else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The same evaluation by two engines: every episode that differs, and whether a tie of two tokens is why.

python -m benchmarks.ties one=RUN other=RUN adapter=FOLDER [model=tiny] [path=sekft:tiny]

RUN: folders of `sekft.eval` over the same scenarios with the same adapter, as `eval.engine=batched` and `eval.engine=sequential` leave them.
Sums in another order may decide between two tokens of nearly the same logit otherwise; later tokens and turns then differ, too. Of each
episode that differs the first token that does is read anew, and the margin of the two logits told. Exit status 1 if a margin is not below
1e-3, or if episodes differ where no model decided. Ids are those of the text: where a model typed a text in other tokens than its tokenizer
splits it into, the margin is that of the text's.
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
    """Where two episodes of one agent part. margin: None where the scenario parted them; outcomes: of both."""

    episode: str
    turn: int
    tokens: tuple[str, str]
    margin: float | None
    outcomes: tuple[str, str]

    @property
    def is_tie(self) -> bool:
        return self.margin is not None and self.margin < MARGIN


def differences(base: Base, model: Any, one: Sequence[Trajectory], other: Sequence[Trajectory]) -> Iterator[Difference]:
    """In the order of the episodes. model: in eval mode, who played both."""
    for episode, again in zip(one, other, strict=True):
        if (episode.id, episode.agent) != (again.id, again.agent):
            raise SystemExit(f"{episode.id} of {episode.agent} beside {again.id} of {again.agent}: not the same evaluation")
        if episode.messages != again.messages or episode.outcome != again.outcome:
            yield _difference(base, model, episode, again)


def _difference(base: Base, model: Any, episode: Trajectory, again: Trajectory) -> Difference:
    both = list(zip(episode.messages, again.messages, strict=False))
    at = next((at for at, (a, b) in enumerate(both) if a != b), len(both))
    outcomes = (episode.outcome.value, again.outcome.value)
    if at == len(both) or episode.messages[at].role != "assistant":
        return Difference(episode.id, at, ("", ""), None, outcomes)
    prompt = prompt_ids(episode.messages[:at], base.tokenizer)
    texts = [list(render(one.messages[: at + 1], base.tokenizer).ids) for one in (episode, again)]
    place = next(place for place, (a, b) in enumerate(zip(*texts, strict=False)) if a != b)
    assert place >= len(prompt)
    first, second = (ids[place] for ids in texts)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([texts[0][:place]], device=base.device)).logits[0, -1].float()
    typed = base.tokenizer.decode([first], skip_control=False), base.tokenizer.decode([second], skip_control=False)
    return Difference(episode.id, at, typed, abs(float(logits[first] - logits[second])), outcomes)


def main(arguments: Sequence[str]) -> int:
    given = {"model": "tiny", "path": "sekft:tiny"} | dict(argument.split("=", 1) for argument in arguments)
    runs = [list(trajectory.read(Path(given[name]) / "episodes.jsonl")) for name in ("one", "other")]
    base = bases.load(ModelConfig(name=given["model"], path=given["path"], device=Device.cpu))
    console, ties = Console(width=140), True
    shown = Table("agent", "episode", "turn", "tokens", "margin of their logits", "outcomes", title="where two engines part")
    counted = []
    for agent in ("base", "tuned"):
        one, other = ([episode for episode in run if episode.agent == agent] for run in runs)
        with loaded(base, Path(given["adapter"])) if agent == "tuned" else nullcontext(base.model) as model:
            found = list(differences(base, model, one, other))
        for each in found:
            margin = "the scenario parted them" if each.margin is None else f"{each.margin:.1e}"
            shown.add_row(agent, each.episode, str(each.turn), " / ".join(map(repr, each.tokens)), margin, " / ".join(each.outcomes))
        ties &= all(each.is_tie for each in found)
        changed = sum(len(set(each.outcomes)) > 1 for each in found)
        counted.append(f"{agent}: {len(one)} episodes, {len(found)} differ, {changed} of them in their outcome")
    console.print(shown)
    console.print("\n".join(counted), highlight=False)
    return 0 if ties else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Synthetic run folders for tests: the files that sekft.train writes, with synthetic episodes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sekft.config import EvalConfig
from sekft.episode import trajectory
from sekft.eval import score
from sekft.scenario import library
from sekft.scenario.document import Scenario
from sekft.scenario.split import digest
from tests.eval.planted import agent

ARCHETYPES = library.archetypes()[:8]
SCENARIOS: tuple[Scenario, ...] = tuple(library.make(name, index) for index in range(8) for name in ARCHETYPES)


def plant(
    folder: Path, won: Sequence[bool], settings: Mapping[str, Any] | None = None, seed: int = 0, overrides: Sequence[str] = (),
    status: str = "done", scenarios: Sequence[Scenario] = SCENARIOS, base: Sequence[bool] | None = None, loss: float = 1.0,
) -> Path:  # fmt: skip
    """won: by scenario, whether tuned verifies; base: the same for the base, by default none. settings: nested, beside a few of train's."""
    results = {"base": base or [False] * len(scenarios), "tuned": won[: len(scenarios)], "reference": [True] * len(scenarios)}
    episodes = {name: agent(name, scenarios, wins) for name, wins in results.items()}
    split = {"held_out": list(ARCHETYPES)}
    common = {"seed": seed, "eval": {"criterion": "verified"}, "model": {"path": "sekft:tiny"}, "split": split}
    run = {"status": status, "error": "ModelError: it broke" if status == "failed" else None, "overrides": list(overrides)}
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({**run, "settings": {**common, **(settings or {})}}))
    if status == "done":
        beside = {"seed": seed, "scenarios": {"n": len(scenarios), "sha256": digest(scenarios)}, "unseen": ARCHETYPES[:4]}
        (folder / "summary.json").write_text(json.dumps({**score.score(episodes, scenarios, EvalConfig()).summary().document(), **beside}))
        trajectory.write([episode for name in episodes for episode in episodes[name]], folder / "episodes.jsonl")
        (folder / "metrics.jsonl").write_text(f'{{"step": 0, "val/loss": 9.0}}\n{{"step": 2, "val/loss": {loss}}}\n')
    return folder


def share(of: int, out_of: int, shift: int = 0, scenarios: Sequence[Scenario] = SCENARIOS) -> list[bool]:
    """True in `of` of every `out_of` scenarios of each archetype."""
    return [(at // len(ARCHETYPES) + shift) % out_of < of for at in range(len(scenarios))]


def sweep(folder: Path, seeds: int = 3) -> Path:
    """Two masks: one wins 6 or 7 of 8 scenarios, the other 1 of 8."""
    for seed in range(seeds):
        for at, (mask, won) in enumerate((("assistant", share(6 + seed % 2, 8, seed)), ("terminal_only", share(1, 8, seed)))):
            settings = {"mask": {"rule": mask, "terminal_weight": 4.0}}
            plant(folder / str(2 * seed + at), won, settings, seed, [f"seed={seed}", f"mask={mask}"], loss=1.0 + at + seed / 10)
    return folder

"""Signals and time limits during slow generation: obeyed after the forward pass that is running, with all sandboxes removed."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from sekft.config import BackendKind, Device, Engine, EvalConfig, ModelConfig, SandboxConfig
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Ending
from sekft.errors import Stopped
from sekft.model import base as bases
from sekft.model.agents import answer_questions, model_agents
from sekft.model.base import Base
from sekft.rendering.messages import Message
from sekft.sandbox import choose
from sekft.scenario.library import make
from sekft.tracking.signals import terminating

ROWS, PASS_S, AT = 4, 0.2, 6  # replies at once; of a forward pass; the pass during which the signal is sent
LONG = {"max_reply_tokens": 2000, "rows": ROWS}
SCENARIOS = [make("copy", index) for index in range(6)]
ENDS = {signal.SIGTERM: SystemExit, signal.SIGINT: KeyboardInterrupt}


@dataclass
class Passes:
    begun: int = 0
    at_signal: int | None = None


@contextmanager
def slow(base: Base, number: signal.Signals | None) -> Iterator[Passes]:
    """Forward passes of PASS_S at least; the signal is sent at the beginning of pass AT."""
    passes = Passes()

    def before(*_: object) -> None:
        passes.begun += 1
        if passes.begun == AT and number is not None:
            passes.at_signal = passes.begun
            os.kill(os.getpid(), number)
        time.sleep(PASS_S)

    hook = base.model.register_forward_pre_hook(before)
    try:
        yield passes
    finally:
        hook.remove()


@pytest.fixture
def base(small_mistral: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    base = bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))
    monkeypatch.setattr(base.tokenizer, "stop_ids", frozenset({base.model.config.vocab_size - 1}))  # replies never end by themselves
    return base


def shells() -> set[int]:
    return {one.pid for one in psutil.Process().children(recursive=True) if one.name() == "bwrap"}


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
@pytest.mark.parametrize("engine", Engine, ids=lambda engine: engine.value)
def test_episodes_end_after_the_pass_during_which_a_signal_comes(base: Base, engine: Engine, number: signal.Signals):
    backend, config, before = choose.backend(SandboxConfig(backend=BackendKind.bwrap)), EvalConfig(engine=engine, **LONG), shells()
    with model_agents(base, {"base": None}, config, 0) as models, slow(base, number) as passes:
        requests = [EpisodeRequest(scenario, models.agents["base"]) for scenario in SCENARIOS]
        with pytest.raises(ENDS[number]), terminating():
            play_many(requests, backend, config, workers=6)
        assert passes.begun == passes.at_signal == AT  # so at most ROWS tokens are generated after the signal
        with pytest.raises(Stopped):
            models.agents["base"].reply("later#0", [Message(role="user", content="$ ")])
    assert shells() == before


def test_a_time_limit_ends_replies_and_the_other_episodes_are_not_played(base: Base):
    backend, config = choose.backend(SandboxConfig(backend=BackendKind.bwrap)), EvalConfig(max_eval_s=1.0, **LONG)
    with model_agents(base, {"base": None}, config, 0) as models, slow(base, None) as passes:
        requests = [EpisodeRequest(scenario, models.agents["base"]) for scenario in SCENARIOS]
        episodes = play_many(requests, backend, config, workers=6)
    assert {episode.ending for episode in episodes} == {Ending.broken} and passes.begun <= 2 + 1.0 / PASS_S


@pytest.mark.parametrize("engine", Engine, ids=lambda engine: engine.value)
def test_questions_end_after_the_pass_during_which_a_signal_comes(base: Base, engine: Engine):
    questions = {str(at): [Message(role="user", content=f"Tell story {at}.")] for at in range(20)}
    with slow(base, signal.SIGTERM) as passes, pytest.raises(SystemExit), terminating():
        answer_questions(base, {"base": None}, questions, EvalConfig(engine=engine, **LONG), 0)
    assert passes.begun == AT

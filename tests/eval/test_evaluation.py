"""All agents are evaluated at the same time; the baselines' scores are as counted by hand; an evaluation out of time is reported."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from sekft.config import BackendKind, Device, EvalConfig, ModelConfig, SandboxConfig, SplitConfig
from sekft.episode.agent import RandomCommands, reference, scripted
from sekft.episode.play import OUT_OF_TIME
from sekft.episode.trajectory import Ending, dumps
from sekft.errors import SettingsError
from sekft.eval import gate, rates
from sekft.eval.evaluation import Evaluation, concurrent_episodes
from sekft.rendering.messages import Message, Reply
from sekft.sandbox import choose
from sekft.sandbox.session import Backend, CheckResult, File, Session, ShellTurn
from sekft.scenario.split import scenarios

SCENARIOS = tuple(scenarios(SplitConfig(name="archetype", held_out=["move", "sort"], train_scenarios=8, eval_scenarios=8), "all")[:8])


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return Evaluation(SCENARIOS, choose.backend(SandboxConfig(backend=BackendKind.bwrap)), EvalConfig(), workers=4, seed=0)


def test_the_reference_solves_all_and_baselines_score_what_the_scenarios_say(evaluation: Evaluation):
    episodes = evaluation.play(evaluation.scripted_agents(), "baselines")
    scores = {agent: rates.rates(episodes[agent]) for agent in episodes}
    blocked = sum(scenario.terminal.value == "panic" for scenario in SCENARIOS)
    assert scores["reference"]["verified"].k == len(SCENARIOS)
    for baseline, right in (("exit", len(SCENARIOS) - blocked), ("panic", blocked)):
        found = {name: rate.k for name, rate in scores[baseline].items()}
        assert found == {"operated": 0, "terminated": len(SCENARIOS), "right_terminal": right, "solved": 0, "verified": 0}
    assert scores["random"]["verified"].k == 0


def test_every_agent_plays_every_scenario_in_the_stored_order(evaluation: Evaluation):
    twice = replace(evaluation, config=EvalConfig(attempts=2, temperature=1.0))
    episodes = twice.play({"one": reference(SCENARIOS), "other": scripted(SCENARIOS, ["exit"])}, "two")
    expected = [(scenario.id, attempt) for scenario in SCENARIOS for attempt in (0, 1)]
    assert all(
        [(episode.scenario_id, int(episode.id.partition("#")[2][0])) for episode in episodes[agent]] == expected
        for agent in ("one", "other")
    )


def test_greedy_attempts_are_refused(evaluation: Evaluation):
    with pytest.raises(SettingsError, match="eval.attempts=2: greedy episodes are all the same"):
        replace(evaluation, config=EvalConfig(attempts=2))


class Slow:
    name = "slow"

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        time.sleep(0.3)
        return Reply("ls")


def test_an_eval_that_takes_too_long_is_unmeasured(evaluation: Evaluation):
    short = replace(evaluation, config=EvalConfig(max_eval_s=0.5))
    episodes = short.play({"base": Slow(), "reference": reference(SCENARIOS)}, "late")
    late = [episode for episode in episodes["base"] if episode.reason == OUT_OF_TIME]
    assert late and all(episode.ending is Ending.broken for episode in late)
    assert gate.unmeasured(episodes, short.config) == "unmeasured (the evaluation took longer than eval.max_eval_s=0.5)"


class Unsteady:
    """Real sandboxes with random delays by a seed, so that episodes ask for their next reply in another order each time."""

    def __init__(self, backend: Backend, seed: int) -> None:
        self.name, self.settings, self.digest = backend.name, backend.settings, backend.digest
        self._backend, self._random = backend, random.Random(seed)

    @contextmanager
    def open(self, environment: Mapping[str, str]) -> Iterator[Session]:
        time.sleep(self._random.uniform(0, 0.1))
        with self._backend.open(environment) as session:
            yield UnsteadySession(session, self._random)


@dataclass(frozen=True)
class UnsteadySession:
    session: Session
    random: random.Random

    def put(self, files: Sequence[File]) -> None:
        self.session.put(files)

    def run(self, text: str, timeout_s: float) -> ShellTurn:
        time.sleep(self.random.choice((0, 0, 0.05, 0.2)))
        return self.session.run(text, timeout_s)

    def check(self, script: str, timeout_s: float) -> CheckResult:
        return self.session.check(script, timeout_s)

    def kill(self) -> None:
        self.session.kill()


def test_a_models_episodes_do_not_depend_on_the_speed_of_their_sandboxes(evaluation: Evaluation):
    from sekft.model import base as bases
    from sekft.model.agents import model_agents

    config = EvalConfig(
        max_turns=4, max_reply_tokens=12, rows=3
    )  # batches of three of eight episodes: timing decides which episodes share a batch
    base = bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))
    recorded = []
    for seed in range(3):
        shaken = replace(evaluation, backend=Unsteady(evaluation.backend, seed) if seed else evaluation.backend, config=config, workers=8)
        with model_agents(base, {"base": None}, config, seed=0) as opened:
            recorded.append([dumps(episode) for episode in shaken.play(opened.agents, "unsteady")["base"]])
    assert recorded[0] == recorded[1] == recorded[2]


def test_random_commands_repeat_by_seed_episode_and_turn():
    landing = [Message(role="user", content="$ ")]
    typed = {(seed, episode): RandomCommands(seed).reply(episode, landing).text for seed in range(3) for episode in ("a#0", "b#0", "c#0")}
    assert typed == {(seed, episode): RandomCommands(seed).reply(episode, landing).text for seed, episode in typed}
    assert len(set(typed.values())) > 3


def test_the_dependencies_of_episodes_change_with_whatever_changes_the_episodes(evaluation: Evaluation):
    changes = [
        replace(evaluation, scenarios=SCENARIOS[:4]), replace(evaluation, config=EvalConfig(temperature=0.5)),
        replace(evaluation, backend=choose.backend(SandboxConfig(backend=BackendKind.bwrap, memory_mb=256))),
    ]  # fmt: skip
    known = [one.dependencies({"base": "x"})["base"] for one in (evaluation, *changes)]
    assert len({str(own) for own in known}) == len(known)
    assert evaluation.dependencies({"base": "x"}) == evaluation.dependencies({"base": "x"}) != evaluation.dependencies({"base": "y"})


def test_a_seed_changes_only_the_episodes_that_chance_decides(evaluation: Evaluation):
    def changed(config: EvalConfig) -> set[str]:
        one, other = (replace(evaluation, config=config, seed=seed).dependencies({"base": "x"}) for seed in (0, 1))
        return {agent for agent in one if one[agent] != other[agent]}

    assert changed(EvalConfig()) == {"random"} and changed(EvalConfig(temperature=0.5)) == {"random", "base"}


def test_concurrent_episodes_grow_with_the_agents_within_the_contexts_that_are_kept():
    kept = EvalConfig(rows=40)
    assert [concurrent_episodes(thinking, kept) for thinking in (0, 1, 2, 4, 5, 9)] == [16, 16, 32, 64, 80, 80]
    assert concurrent_episodes(5, EvalConfig(rows=1)) == 16

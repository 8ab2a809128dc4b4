"""sekft's scenarios as an environment of verifiers: `vf-eval sekft-verifiers -m MODEL`. Needs `pip install verifiers`, 0.4 or later.

The episode is ours: the harness plays it in this process, in a sandbox of sekft's (bubblewrap or an engine), and sends every request to
verifiers' endpoint, so that sampling, tokens, retries and traces are verifiers'. The reward is 1 for a verified episode, else 0.
"""

import asyncio
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import openai
import verifiers.v1 as vf
from verifiers.v1.clients import ModelContext
from verifiers.v1.runtimes import ProgramResult, Runtime, SubprocessConfig

from sekft import api
from sekft.episode.agent import Agent, reference
from sekft.episode.python_agent import AgentFunction
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval.rates import JUDGED
from sekft.rendering.messages import Message
from sekft.scenario.document import Scenario

__all__ = ["Environment", "Operator", "Scenarios"]
EPISODE = "sekft_episode"  # the key in a trace's info under which the recorded episode lies
_player, _choosing = cache(api.player), threading.Lock()


class ScenarioData(vf.TaskData):
    scenario: dict[str, Any]
    """The whole scenario, as in a scenario file."""
    overrides: list[str]
    """Of sekft.eval, for example sandbox=bwrap."""


class ScenarioTask(vf.Task[ScenarioData, vf.State, vf.TaskConfig]):
    @vf.reward
    async def verified(self, trace: vf.Trace) -> float:
        return float(JUDGED["verified"](await self._episode(trace)))

    @vf.metric
    async def judged(self, trace: vf.Trace) -> dict[str, float]:
        episode = await self._episode(trace)
        return {name: float(met(episode)) for name, met in JUDGED.items() if name != "verified"}

    async def validate(self, runtime: Runtime) -> bool:
        """Whether the scenario's reference is verified."""
        scenario = Scenario.model_validate(self.data.scenario)
        return (await asyncio.to_thread(play, self.data, reference([scenario]))).kept

    async def _episode(self, trace: vf.Trace) -> Trajectory:
        """The recorded episode; of a task that nobody attempted, one with an immediate exit."""
        if EPISODE not in trace.info:
            untouched = await asyncio.to_thread(play, self.data, lambda messages: "exit")
            trace.info[EPISODE] = untouched.model_dump(mode="json")
        return Trajectory.model_validate(trace.info[EPISODE])


class ScenariosConfig(vf.TasksetConfig):
    scenarios: str = "train"
    """train, held_out, test, fresh, selection, development, all, or the path of a scenario file or folder."""
    n: int = 0
    """How many of them; 0: all."""
    seed: int = 0
    """Decides what `fresh` and `development` draw."""
    overrides: list[str] = []
    """Of sekft.eval, for example sandbox=bwrap."""


class Scenarios(vf.Taskset[ScenarioTask, ScenariosConfig]):
    def load(self) -> Iterator[ScenarioTask]:
        config = self.config
        for scenario in api.draw_scenarios(config.scenarios, config.n, config.seed):
            document = scenario.model_dump(mode="json")
            data = ScenarioData(id=scenario.id, name=scenario.id, prompt="$ ", scenario=document, overrides=config.overrides)
            yield ScenarioTask(data, config.task)


class OperatorConfig(vf.HarnessConfig):
    pass


class Operator(vf.Harness[OperatorConfig]):
    """The model at the prompt: what it replies is typed, what the terminal shows is the next message."""

    EXECUTES_CODE = False  # not in verifiers' runtime: commands run in the sandbox
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: ModelContext,
        trace: vf.Trace,
        runtime: Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> ProgramResult:
        """Play the scenario. A sandbox that fails is an error of the trace, not a reward of 0."""
        client = openai.OpenAI(base_url=endpoint, api_key=secret, max_retries=0)

        def reply(messages: tuple[Message, ...]) -> str:
            turns: Any = [{"role": message.role, "content": message.content} for message in messages]
            return client.chat.completions.create(model=ctx.model, messages=turns).choices[0].message.content or ""

        task = ScenarioData.model_validate(data.model_dump())
        episode = await asyncio.to_thread(play, task, reply)
        trace.info[EPISODE] = episode.model_dump(mode="json")
        broken = episode.ending is Ending.broken
        return ProgramResult(exit_code=int(broken), stdout="", stderr=episode.reason if broken else "")


class EnvironmentConfig(vf.SingleAgentEnvConfig):
    agent: vf.AgentConfig = vf.AgentConfig(runtime=SubprocessConfig())


class Environment(vf.Env[EnvironmentConfig]):
    async def run(self, task: vf.Task, agents: vf.Agents) -> None:
        await agents.agent.run(task)


def play(task: ScenarioData, agent: Agent | AgentFunction) -> Trajectory:
    with _choosing:
        play_one = _player(*task.overrides)
    return play_one(Scenario.model_validate(task.scenario), agent)

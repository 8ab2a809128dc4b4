"""sekft's scenarios as a task of Inspect: `inspect eval sekft/scenarios --model openai/MODEL`. Needs `pip install inspect-ai`.

The episode is ours: the messages are what a terminal shows and what is typed, without tools or instructions, and the sandbox is sekft's
(bubblewrap or an engine), not one of Inspect's. The model, its sampling, retries and logs are Inspect's.
"""

from collections.abc import Sequence

import anyio
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser, Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from sekft import api
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import SandboxError
from sekft.eval.rates import JUDGED
from sekft.rendering.messages import Message
from sekft.scenario.document import Scenario

EPISODE = "sekft_episode"  # the key in the sample's store under which the recorded episode lies


@task
def scenarios(name: str = "test", n: int = 0, seed: int = 0, overrides: str = "") -> Task:
    """A set of scenarios. name, n, seed: as for sekft.draw_scenarios; overrides: of sekft.eval, separated by blanks: "sandbox=bwrap"."""
    drawn = {scenario.id: scenario for scenario in api.draw_scenarios(name, n, seed)}
    samples = [
        Sample(id=id, input="$ ", target=scenario.terminal.value, metadata={"archetype": scenario.archetype})
        for id, scenario in drawn.items()
    ]
    return Task(dataset=MemoryDataset(samples, name=name), solver=operate(drawn, tuple(overrides.split())), scorer=judged(), version=1)


@solver
def operate(drawn: dict[str, Scenario], overrides: tuple[str, ...]) -> Solver:
    """Plays the sample's scenario with the task's model. A sandbox that fails is an error of the sample, not a score of 0."""
    play = api.player(*overrides)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()

        def reply(messages: Sequence[Message]) -> str:
            return anyio.from_thread.run(_reply, model, messages)

        episode = await anyio.to_thread.run_sync(play, drawn[str(state.sample_id)], reply)
        if episode.ending is Ending.broken:
            raise SandboxError(episode.reason)
        state.messages = [_message(message) for message in episode.messages]
        state.store.set(EPISODE, episode.model_dump(mode="json"))
        state.completed = True
        return state

    return solve


@scorer(metrics={name: [mean(), stderr(cluster="archetype")] for name in JUDGED})
def judged() -> Scorer:
    """1 or 0 for each of sekft's criteria; standard errors are over archetypes."""

    async def score(state: TaskState, target: Target) -> Score:
        episode = Trajectory.model_validate(state.store.get(EPISODE))
        values = {name: float(met(episode)) for name, met in JUDGED.items()}
        return Score(value=values, answer=episode.ending.value, explanation=episode.reason or episode.outcome.value)

    return score


async def _reply(model: Model, messages: Sequence[Message]) -> str:
    return (await model.generate([_message(message) for message in messages])).completion


def _message(message: Message) -> ChatMessage:
    return (ChatMessageUser if message.role == "user" else ChatMessageAssistant)(content=message.content)

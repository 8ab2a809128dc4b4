"""sekft as a library: the functions that `import sekft` offers; docs/api.md shows each of them.

Settings are written as on the command line (`"model=tiny", "trainer.max_steps=5"`) and have the same defaults.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from sekft.cli import sweep as _sweep  # noqa: F401  registers the resolver that conf/train.yaml uses
from sekft.cli.flags import to_overrides
from sekft.cli.settings import conf_folder, error_line, settled
from sekft.config import commands
from sekft.config.automatic import Choice, Choose, record
from sekft.config.job import Job
from sekft.episode import play as episode
from sekft.episode.agent import Agent, FunctionAgent
from sekft.episode.python_agent import AgentFunction
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.eval import paired, rates, size
from sekft.eval.evaluation import Evaluation
from sekft.eval.paired import Paired
from sekft.eval.rates import Rate
from sekft.eval.summary import EvaluationSummary, read_evaluation
from sekft.mask import rules
from sekft.mask.rules import Weight
from sekft.model import recipe
from sekft.model.locate import load_tokenizer
from sekft.rendering import render as rendering
from sekft.rendering.messages import Message
from sekft.rendering.render import Rendered
from sekft.sandbox import choose
from sekft.scenario import split
from sekft.scenario.document import Scenario
from sekft.train import automatic

if TYPE_CHECKING:
    from sekft.model.base import Base

RULES: dict[str, Choose] = {"train": automatic.choose, "eval": size.choose, "preview": recipe.choose}  # for automatic settings, by command
_composing = threading.Lock()  # Hydra's state is global
Conversation = Sequence[Message] | Sequence[Mapping[str, str]]


def settings(command: str, *overrides: str) -> Any:
    """The typed settings of a command, composed from conf/ and the overrides of a command line.

    command: train, eval, collect, ... Raises SettingsError for an unknown command, key, option or value.
    """
    if command not in commands.COMMANDS:
        raise SettingsError(f"command {command!r}: allowed: {', '.join(commands.COMMANDS)}")
    return _settled(command, overrides, RULES.get(command))[0]


def _settled(command: str, overrides: Sequence[str], rules: Choose | None = None) -> tuple[Any, Sequence[Choice]]:
    """The typed settings, and what the rules chose for those that are automatic and not given."""
    commands.register()
    try:
        with _composing, initialize_config_dir(str(conf_folder()), version_base="1.3"):
            return settled(compose(command, to_overrides(command, overrides)), commands.COMMANDS[command], rules)
    except (HydraException, OmegaConfBaseException) as error:
        raise SettingsError(error_line(error)) from None


def load_base(*overrides: str) -> "Base":
    """The base of `model=`, on its device; a second call with the same settings returns the same object.

    overrides: "model=tiny", "model.path=FOLDER", "model.load_4bit=true", ... Imports torch. Raises ModelError.
    """
    from sekft.model import base

    return base.load(_settled("eval", overrides)[0].model)


def draw_scenarios(name: str = "test", n: int = 0, seed: int = 0) -> list[Scenario]:
    """The first n scenarios of a set, all of it for n=0; every prefix of a set is stratified.

    name: train, held_out, test, fresh, unlisted, selection, development, all, or the path of a scenario file or folder.
    seed: decides what `fresh`, `unlisted` and `development` draw. Raises SettingsError, ScenarioError.
    """
    return split.load(name, _settled("eval", ())[0].split, seed, n)


def play(scenario: Scenario, agent: Agent | AgentFunction, *overrides: str) -> Trajectory:
    """One episode of an agent in a scenario, in a fresh sandbox.

    agent: a function from the messages so far to the text that is typed next, or an object with `name` and `reply`.
    overrides: of the eval command, for example "sandbox=bwrap", "eval.max_turns=30". Raises SandboxError.
    """
    return player(*overrides)(scenario, agent)


def player(*overrides: str) -> Callable[[Scenario, Agent | AgentFunction], Trajectory]:
    """`play` with these overrides, for many episodes and from many threads: the backend is chosen and tried once. Raises SandboxError."""
    chosen = settings("eval", *overrides)
    backend = choose.backend(chosen.sandbox)

    def play_one(scenario: Scenario, agent: Agent | AgentFunction) -> Trajectory:
        _require_scenarios([scenario])
        return episode.play(scenario, _agent("agent", agent), backend, chosen.eval)

    return play_one


@dataclass(frozen=True, repr=False)
class EvaluationResult:
    """trajectories: by agent, in the order of the scenarios; rates: by agent, then criterion, with Wilson 95 % intervals."""

    trajectories: dict[str, list[Trajectory]]
    rates: dict[str, dict[str, Rate]]

    def __repr__(self) -> str:
        """One line for each agent: two rates with their intervals."""
        lines = [f"{agent}: terminated {own['terminated']}, verified {own['verified']}" for agent, own in self.rates.items()]
        return "\n".join(lines) or "EvaluationResult without agents"

    def compare(self, first: str, second: str, criterion: str = "verified") -> Paired:
        """second minus first on the same scenarios: difference, t interval over archetypes, exact McNemar test."""
        return paired.pair(self.trajectories[first], self.trajectories[second], criterion)

    def to_dict(self) -> dict[str, Any]:
        """The rates as plain data."""
        return {agent: {name: asdict(rate) for name, rate in own.items()} for agent, own in self.rates.items()}


def evaluate(agents: Mapping[str, Agent | AgentFunction], scenarios: Iterable[Scenario], *overrides: str) -> EvaluationResult:
    """Every agent in every scenario, each episode in a fresh sandbox.

    agents: by the name they get in the result; functions and objects as for `play`. overrides: of the eval command.
    """
    if not isinstance(agents, Mapping):
        raise SettingsError(f"agents: found {_kind(agents)}, allowed: agents by name, such as {{'mine': function}}")
    named, played = {name: _agent(name, agent) for name, agent in agents.items()}, _require_scenarios(scenarios)
    chosen = settings("eval", *overrides)
    backend = choose.backend(chosen.sandbox)
    evaluation = Evaluation(played, backend, chosen.eval, chosen.workers, chosen.seed)
    trajectories = evaluation.play(named, "evaluate")
    return EvaluationResult(trajectories, {name: rates.rates(own) for name, own in trajectories.items()})


def _agent(name: str, agent: Agent | AgentFunction) -> Agent:
    """A function as an agent; an agent as it is. Raises SettingsError for anything else."""
    if callable(agent):
        return FunctionAgent(name, agent)
    if not (hasattr(agent, "name") and callable(getattr(agent, "reply", None))):
        raise SettingsError(
            f"agent {name}: found {_kind(agent)}, allowed: a function from messages to text, or an object with name and reply"
        )
    return agent


def _require_scenarios(scenarios: Iterable[Scenario]) -> tuple[Scenario, ...]:
    """The scenarios. Raises SettingsError for one scenario by itself, and for what is none."""
    found = scenarios if isinstance(scenarios, str | Scenario) or not isinstance(scenarios, Iterable) else tuple(scenarios)
    wrong = next((one for one in found if not isinstance(one, Scenario)), None) if isinstance(found, tuple) else found
    if wrong is not None or not isinstance(found, tuple):
        name = wrong if isinstance(wrong, str) else "test"
        raise SettingsError(f"scenarios: found {_kind(wrong)}, allowed: a list of scenarios, such as sekft.draw_scenarios({name!r}, n=4)")
    return found


def _kind(value: Any) -> str:
    """A value in an error: a short text as it is, of anything else its type."""
    return repr(value) if isinstance(value, str) and len(value) <= 40 else type(value).__name__


def render(conversation: Conversation, *overrides: str) -> Rendered:
    """A conversation as token ids with the turn and kind of every token, by the chat template of `model=`; no weights are read.

    conversation: {"role": ..., "content": ...} dicts or Messages. Raises RenderError.
    """
    messages = [Message.model_validate(message) if isinstance(message, Mapping) else message for message in conversation]
    return rendering.render(messages, load_tokenizer(_settled("preview", overrides)[0].model))


def token_weights(rendered: Rendered, *overrides: str) -> Weight:
    """weight: (T,) float32 for the T tokens of a rendered conversation, 0 where nothing is learned.

    overrides: "mask=assistant", "mask=final", ... Raises MaskError.
    """
    return rules.weigh(rendered, _settled("preview", overrides)[0].mask)


@dataclass(frozen=True, repr=False)
class TrainingResult:
    """What a training left. folder: of the run, with record, metrics and report.html; adapter: its folder.

    evaluation: rates by agent, paired comparisons, verdict with reasons; empty of agents after eval=none. summary: summary.json.
    """

    folder: Path
    adapter: Path
    verdict: str
    evaluation: EvaluationSummary
    summary: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"TrainingResult of {self.folder}: {self.verdict}"

    def to_dict(self) -> dict[str, Any]:
        """summary.json with the run's folder, as plain data."""
        return {**self.summary, "folder": str(self.folder)}


def run_training(*overrides: str) -> TrainingResult:
    """One run of `python -m sekft.train` with these overrides, in this process. Raises SekftError."""
    from sekft.train import run

    chosen, choices = _settled("train", overrides, RULES["train"])
    folder = Path("outputs/train") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S.%f")
    groups = tuple(word for word in overrides if "." not in word.partition("=")[0])
    job = Job(folder, folder.name, None, tuple(overrides), groups, facts={"chosen": record(choices)})
    summary = run.run(chosen, job)
    return TrainingResult(folder, folder / "adapter", summary["verdict"], read_evaluation(summary), summary)

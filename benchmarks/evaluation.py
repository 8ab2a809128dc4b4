"""The cost of an evaluation: replies one by one, with the context kept, in a batch; all agents in one batch or one after another.

python -m benchmarks.evaluation [scenarios=16] [adapters=4] [rounds=3] [sandbox=bwrap,docker] [json=lines.jsonl]

The model is the embedded one with random adapters. `generation`: every method generates a reply wherever the reference typed a command;
only the CPU time of this process is measured. `evaluation`: whole episodes in sandboxes; wall time, and the CPU time of this process.
The methods alternate within each round; the table has medians over the rounds, and of the ratios to the first method.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from sekft.config import BackendKind, Device, Engine, EvalConfig, LoraConfig, ModelConfig, SandboxConfig, SplitConfig
from sekft.episode.agent import reference
from sekft.eval.evaluation import Evaluation
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.agents import model_agents
from sekft.model.base import Base
from sekft.rendering.messages import Message
from sekft.sandbox import choose
from sekft.scenario.split import scenarios

DEFAULTS = {"scenarios": "16", "adapters": "4", "rounds": "3", "sandbox": "bwrap,docker", "json": ""}
ALONE = EvalConfig(engine=Engine.sequential, max_turns=12, max_reply_tokens=32)
KEPT = EvalConfig(rows=1, max_turns=12, max_reply_tokens=32)
TOGETHER = EvalConfig(max_turns=12, max_reply_tokens=32)
Folders = Mapping[str, Path | None]
Conversations = list[list[list[Message]]]  # by episode, then reply: the messages before the reply


@dataclass(frozen=True)
class Measured:
    work: str
    method: str
    round: int
    seconds: float  # CPU for generation, wall for an evaluation
    cpu_seconds: float  # of this process
    read: float  # tokens through the model; 0 if they are not counted
    per_context: float
    episodes: int = 0  # of an evaluation


def main(arguments: list[str]) -> None:
    options = {**DEFAULTS, **dict(argument.split("=", 1) for argument in arguments)}
    if unknown := set(options) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(DEFAULTS)}")
    torch.set_num_threads(1)
    console, results = Console(width=140), []
    base = bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))
    chosen = tuple(scenarios(SplitConfig(name="archetype", held_out=["move", "sort"]), "all")[: int(options["scenarios"])])
    sandboxes = [
        Evaluation(chosen, choose.backend(SandboxConfig(backend=BackendKind(name))), TOGETHER, 0, 0)
        for name in options["sandbox"].split(",")
    ]
    with tempfile.TemporaryDirectory() as folder:
        adapters: Folders = {f"adapter {at}": random_adapter(base, Path(folder) / str(at), at) for at in range(int(options["adapters"]))}
        for number in range(int(options["rounds"])):
            for measured in chain(
                generation(base, adapters, conversations(sandboxes[0]), number), evaluations(base, adapters, sandboxes, number)
            ):
                results.append(measured)
                line = f"round {number + 1}: {measured.work}, {measured.method}: {measured.seconds:.2f} s, CPU {measured.cpu_seconds:.2f} s"
                console.print(line, highlight=False)
    if options["json"]:
        Path(options["json"]).write_text("".join(json.dumps(asdict(result)) + "\n" for result in results))
    console.print(table(results))


def random_adapter(base: Base, folder: Path, seed: int) -> Path:
    """An adapter of rank 8 with random weights."""
    with lora.fresh(base, LoraConfig(name="random", r=8, alpha=16), seed) as tuned, torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05, generator=torch.Generator(parameter.device).manual_seed(seed))
        return lora.publish(lora.save(tuned, base, folder, {}))


def conversations(evaluation: Evaluation) -> Conversations:
    episodes = evaluation.play({"reference": reference(evaluation.scenarios)}, "conversations")["reference"]
    return [[list(episode.messages[:at]) for at in range(1, len(episode.messages), 2)] for episode in episodes]


def generation(base: Base, adapters: Folders, episodes: Conversations, number: int) -> Iterator[Measured]:
    agents: Folders = {"base": None, **adapters}
    for method, limits in (("one by one, read again", ALONE), ("one by one, context kept", KEPT), ("together", TOGETHER)):
        with cpu() as spent:
            tokens = replies(base, {"base": None}, limits, episodes)
        yield Measured("generation, base", method, number, spent(), spent(), tokens.get("read", 0), tokens.get("read_per_context", 0))
    with cpu() as spent:
        for agent, folder in agents.items():
            replies(base, {agent: folder}, TOGETHER, episodes)
    yield Measured(f"generation, {len(agents)} agents", "one agent after another", number, spent(), spent(), 0, 0)
    with cpu() as spent:
        tokens = replies(base, agents, TOGETHER, episodes)
    work = f"generation, {len(agents)} agents"
    yield Measured(work, "all in one batch", number, spent(), spent(), tokens["read"], tokens["read_per_context"])


def replies(base: Base, folders: Folders, config: EvalConfig, episodes: Conversations) -> dict[str, float]:
    """Generate every agent's reply wherever the reference gave one, all episodes at the same time; returns the token counts."""
    with model_agents(base, folders, config, seed=0) as opened, ThreadPoolExecutor(64) as pool:
        turns = [(agent, str(at), episode) for at, episode in enumerate(episodes) for agent in opened.agents.values()]
        list(pool.map(lambda turn: [turn[0].reply(turn[1], messages) for messages in turn[2]], turns))
    return opened.tokens()


def evaluations(base: Base, adapters: Folders, sandboxes: list[Evaluation], number: int) -> Iterator[Measured]:
    agents: Folders = {"base": None, **adapters}
    for evaluation in sandboxes:
        episodes = len(evaluation.scenarios)
        work = f"evaluation on {evaluation.backend.name}, 2 agents"
        two = dict(list(agents.items())[:2])
        for method, limits in (("one by one, read again", ALONE), ("together", TOGETHER)):
            yield Measured(work, method, number, *measure(evaluation, base, [two], limits), 0, 0, 2 * episodes)
        work = f"evaluation on {evaluation.backend.name}, {len(agents)} agents"
        one_each: list[Folders] = [{name: folder} for name, folder in agents.items()]
        episodes *= len(agents)
        yield Measured(work, "one evaluation after another", number, *measure(evaluation, base, one_each, TOGETHER), 0, 0, episodes)
        yield Measured(work, "one evaluation", number, *measure(evaluation, base, [agents], TOGETHER), 0, 0, episodes)


def measure(evaluation: Evaluation, base: Base, agent_sets: list[Folders], config: EvalConfig) -> tuple[float, float]:
    """Wall and CPU seconds of one evaluation for each set of agents."""
    started = time.monotonic()
    with cpu() as spent:
        for folders in agent_sets:
            with model_agents(base, folders, config, seed=0) as opened:
                Evaluation(evaluation.scenarios, evaluation.backend, config, evaluation.workers, evaluation.seed).play(
                    opened.agents, "test"
                )
    return time.monotonic() - started, spent()


@contextmanager
def cpu() -> Iterator[Callable[[], float]]:
    started = time.process_time()
    yield lambda: time.process_time() - started


def table(results: list[Measured]) -> Table:
    drawn = Table(title="medians over the rounds")
    for column in ("work", "method", "seconds", "of the first", "CPU s", "of the first", "tokens read", "read per context", "episodes/s"):
        drawn.add_column(column, justify="left" if column in ("work", "method") else "right")
    for work in dict.fromkeys(result.work for result in results):
        of_work = [result for result in results if result.work == work]
        first = {result.round: result for result in of_work if result.method == of_work[0].method}
        for method in dict.fromkeys(result.method for result in of_work):
            own = [result for result in of_work if result.method == method]
            wall = _median(own, first, lambda result: result.seconds)
            spent = _median(own, first, lambda result: result.cpu_seconds)
            read, per_context = own[0].read, own[0].per_context
            counted = (f"{read:,.0f}", f"{per_context:.2f}") if read else ("", "")
            played = f"{own[0].episodes / statistics.median(result.seconds for result in own):.1f}" if own[0].episodes else ""
            drawn.add_row(work, method, *wall, *spent, *counted, played)
    return drawn


def _median(own: list[Measured], first: Mapping[int, Measured], of: Callable[[Measured], float]) -> tuple[str, str]:
    """The median seconds, and the median ratio to the first method in the same round."""
    ratio = statistics.median(of(result) / of(first[result.round]) for result in own)
    return f"{statistics.median(map(of, own)):.2f}", f"{ratio:.2f}"


if __name__ == "__main__":
    main(sys.argv[1:])

"""The settings of every command."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sekft.config.automatic import with_open_settings
from sekft.config.bounds import at_least, between
from sekft.config.data import DataConfig
from sekft.config.endpoint import AgentConfig, AuthorConfig, Export
from sekft.config.evaluation import EvalConfig, SandboxConfig, SplitConfig
from sekft.config.model import ModelConfig
from sekft.config.pretrain import PretrainConfig
from sekft.config.training import BudgetConfig, LoraConfig, MaskConfig, RepairConfig, Start, TrainerConfig
from sekft.config.where import TrackerConfig, WhereConfig

Again = StrEnum("Again", "none failed all")
Mode = StrEnum("Mode", "talk shell suite review")
Action = StrEnum("Action", "verify approve promote rollback")
Stage = StrEnum("Stage", "dev stage prod")


@dataclass
class PlayConfig:
    """Common to the commands that play episodes."""

    seed: int = at_least(0, default=0)  # [seed] of everything random: weights of a fresh adapter, order of rows, sampled replies; e.g. 1
    # [episodes] at once; 0: twice the CPU cores, with models as many as eval.rows keeps busy; e.g. 4
    workers: int = at_least(0, default=0)
    experiment: str | None = None  # a recipe of experiments/, or of FOLDER/experiment/ with --config-dir FOLDER; e.g. demo
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    split: SplitConfig = field(default_factory=SplitConfig)


@dataclass
class RunConfig(PlayConfig):
    """Common to train and eval, which can run elsewhere, in a sweep, or once more."""

    resident: str | None = None  # socket of a resident base that does the work: python -m sekft.resident socket=SOCKET; e.g. /tmp/hot
    dry_run: bool = False  # print the plan, write nothing
    live: bool = False  # where=ray, slurm, hf_job: really submit; without it the submission is only planned
    again: Again = Again.none  # of a sweep that is started again: which of the ended jobs run once more
    # folder of a run to repeat from its record into a new folder; differences are reported; e.g. outputs/train/RUN
    replay: str | None = None
    model: ModelConfig = field(default_factory=ModelConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    where: WhereConfig = field(default_factory=WhereConfig)
    # held_out, test, fresh, unlisted, selection, development, train, all, or a scenario file or folder; e.g. test
    scenarios: str = "held_out"


@dataclass
class TrainConfig(RunConfig):
    rehearsal: bool = True  # two steps, one saved adapter and one episode before the training
    start: Start = Start.bootstrap  # a fresh adapter; continue: from adapter= or parent=; resume: an interrupted run; release: a release
    # folder of a run: continue starts from its adapter, resume from its newest whole checkpoint; e.g. outputs/train/RUN
    parent: str | None = None
    # a run or the folder of its adapter to train on, at its own rank (lora= is ignored); start=release: a release or a stage;
    # e.g. outputs/train/RUN
    adapter: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    mask: MaskConfig = field(default_factory=MaskConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    repair: RepairConfig = field(default_factory=RepairConfig)


@dataclass
class EvalCommandConfig(RunConfig):
    # null: the base alone; a run or the folder of its adapter, or several by name: {early: RUN, late: RUN}; e.g. outputs/train/RUN
    adapter: Any = None
    agent: AgentConfig = field(default_factory=AgentConfig)  # endpoint: agent.model is the base, adapter= names models of the server
    # folder of a run of train or eval: judge and score its episodes by the present rules; nothing is played; e.g. outputs/eval/RUN
    rescore: str | None = None


@dataclass
class CollectConfig(PlayConfig):
    adapter: str | None = None  # agent=model: a run or the folder of its adapter; null: the base alone; e.g. outputs/train/RUN
    scenarios: str = "train"  # a set as in sekft.eval, or a file or folder; e.g. development
    # YAML file: how the documents of scenarios=PATH become scenarios; each passes the gate first; e.g. theirs.yaml
    mapping: str | None = None
    imports: str | None = None  # file or folder of episodes recorded elsewhere; nothing is played; e.g. logs
    # a name in data.sources: write its conversations and a data card; data.path= chooses own; nothing is played; e.g. gptme
    source: str | None = None
    path: str | None = None  # file or folder of that source; e.g. logs
    data: DataConfig = field(default_factory=DataConfig)
    # [scenarios] to play; more than the set has are drawn from the seed; 0: the whole set; e.g. 500
    episodes: int = at_least(0, default=0)
    attempts: int = at_least(1, default=1)  # [episodes] per scenario; pairs need kept and rejected episodes of the same scenario
    export: list[Export] = field(default_factory=list)  # files to write besides the trajectories
    agent: AgentConfig = field(default_factory=AgentConfig)
    author: AuthorConfig = field(default_factory=AuthorConfig)
    model: ModelConfig = field(default_factory=ModelConfig)  # for agent=model; its tokenizer counts the tokens of the data card
    eval: EvalConfig = field(default_factory=EvalConfig)  # limits of an episode


@dataclass
class CheckConfig(PlayConfig):
    new: str | None = None  # write a small commented scenario, NAME.yaml, and its JSON schema; nothing is played; e.g. my_scenario
    library: str = "all"  # a set as in sekft.eval, or the name of an archetype; e.g. copy
    path: str | None = None  # a scenario file or folder instead of the library; e.g. my_scenario.yaml
    # file or folder of training data: search it for scenarios of the evaluation; nothing is played; e.g. episodes.jsonl
    trajectories: str | None = None
    episodes: int = at_least(0, default=0)  # [scenarios] to check; 0: all; e.g. 8
    repeats: int = at_least(1, default=1)  # [episodes] per agent and scenario


@dataclass
class PreviewConfig:
    workers: int = at_least(0, default=0)  # [episodes] at once, if the reference plays first; 0: twice the CPU cores; e.g. 4
    rows: int = at_least(1, default=2)  # [rows] painted in the terminal; the page has 20 times as many
    samples: int = at_least(0, default=500)  # [conversations] of each source that are read and counted; 0: all, as with check=true
    check: bool = False  # for CI: a dropped row or a learned environment token is an error
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    mask: MaskConfig = field(default_factory=MaskConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    experiment: str | None = None  # a recipe of experiments/, or of FOLDER/experiment/ with --config-dir FOLDER; e.g. demo


@dataclass
class ServerConfig:
    """The endpoint: its address, who may use it, and its limits."""

    host: str = "127.0.0.1"  # address to listen on; another than loopback needs a token; e.g. 0.0.0.0
    port: int = between(0, 65535, default=8000)  # [TCP port] to listen on; 0: any free port; e.g. 8001
    socket: str | None = None  # a Unix socket for its owner only, instead of host and port; e.g. /tmp/sekft.sock
    # environment variable that holds the bearer token; without a value there no token is needed; e.g. MY_TOKEN
    token_env: str = "SEKFT_TOKEN"
    quiet: bool = False  # print no line per request
    # [factor] by which logits are divided, for a request without one; 0: greedy, as in the evaluation; e.g. 0.7
    temperature: float = between(0, 2, default=0.0)
    max_tokens: int = at_least(1, default=1024)  # of one reply: the most, and the value of a request without one
    max_messages: int = at_least(1, default=1024)  # most messages of one request; more get status 400
    max_body_bytes: int = at_least(1, default=1048576)  # longest body of one request; a longer one gets status 413
    rows: int = at_least(1, default=16)  # [replies] generated together, at most
    queue: int = at_least(1, default=128)  # [requests] waiting or being answered, at most; one more gets status 503
    request_s: float = at_least(1, default=300.0)  # of one request, waiting included
    stop_s: int = at_least(0, default=30)  # to finish requests after a request to stop


@dataclass
class ServeConfig:
    # a run or the folder of its adapter, served under the folder's name; or several: {name: RUN, ...}; e.g. outputs/train/RUN
    adapter: Any = None
    model: ModelConfig = field(default_factory=ModelConfig)
    serve: ServerConfig = field(default_factory=ServerConfig)
    experiment: str | None = None  # a recipe of experiments/, or of FOLDER/experiment/ with --config-dir FOLDER; e.g. demo


@dataclass
class ChatConfig:
    mode: Mode = Mode.talk  # a conversation, an episode at a shell, the questions of a suite, or a review of decision points; e.g. shell
    seed: int = at_least(0, default=0)  # [seed] of sampled replies; e.g. 1
    adapter: str | None = None  # a run or the folder of its adapter; null: the base alone; e.g. outputs/train/RUN
    prompt: str | None = None  # talk: print one reply to this and nothing else; null: a conversation; e.g. Hello
    temperature: float = at_least(0, default=0.0)  # [factor] by which logits are divided before a token is drawn; 0: greedy; e.g. 0.7
    top_k: int = at_least(0, default=0)  # [tokens] talk: sample from the k likeliest; 0: from all; e.g. 50
    max_tokens: int = at_least(1, default=256)  # talk: of one reply
    scenarios: str = "train"  # shell: the set; what is recorded in evaluation scenarios must not be trained on; e.g. test
    scenario: int = at_least(1, default=1)  # [number] shell: of the scenario in the set, from 1; e.g. 3
    decisions: str = "outputs/decisions.jsonl"  # shell, review: the file that decision points are appended to; e.g. decisions.jsonl
    candidates: str | None = None  # review: file of decision points without a judgement; e.g. candidates.jsonl
    # review: or file of episodes; failed ones are reviewed turn by turn, with the hint given beforehand;
    # e.g. outputs/eval/RUN/episodes.jsonl
    episodes: str | None = None
    hint: str = ""  # review with episodes: text or file: what would have helped; e.g. hint.txt
    model: ModelConfig = field(default_factory=ModelConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)  # shell: limits of an episode; suite: the questions
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    experiment: str | None = None  # a recipe of experiments/, or of FOLDER/experiment/ with --config-dir FOLDER; e.g. demo


@dataclass
class CompareConfig:
    runs: Any = None  # a sweep, a run, a glob, or a list of them; null: the newest of outputs/train; e.g. outputs/train/SWEEP
    # rates to compare; see sekft/eval/measures.py; e.g. [verified,false_panic]
    criteria: list[str] = field(default_factory=lambda: ["verified"])
    # of the table: a rate, loss, gain, group or a setting that differs; -loss: descending; null: criteria[0]; e.g. gain
    sort: str | None = None
    against: str | None = None  # name of the group that the others are compared with; null: the group that ran first; e.g. lora=r16
    # [difference of rates] no difference: an interval within this on both sides of 0; e.g. 0.1
    margin: float = between(0.001, 1, default=0.15)
    # a page of experiments/ to write result and verdict into, between its markers; e.g. experiments/demo.md
    page: str | None = None
    picture: str | None = None  # SVG file to write: base and best group, by kind of scenario; e.g. headline.svg
    experiment: str | None = None  # a recipe of experiments/, or of FOLDER/experiment/ with --config-dir FOLDER; e.g. demo


@dataclass
class ResidentConfig:
    model: ModelConfig = field(default_factory=ModelConfig)  # the base that stays in memory; commands use it unless they name another
    socket: str | None = None  # Unix socket to serve on, for `python -m sekft.train resident=SOCKET`; null: a prompt; e.g. /tmp/hot
    queue: str = "outputs/resident/queue"  # with socket: folder of the jobs; a restart continues them; e.g. queue
    resident: str | None = None  # socket of another resident base: a prompt there; e.g. /tmp/hot
    experiment: str | None = None  # a recipe of experiments/, or of FOLDER/experiment/ with --config-dir FOLDER; e.g. demo


@dataclass
class StatusConfig:
    runs: str = "outputs"  # folder; every run in it and below is shown; e.g. outputs/train
    stalled_s: float = at_least(0, default=600.0)  # a running process without progress for this long is stalled; e.g. 120
    all: bool = False  # show every ended run; else the last ten
    experiment: str | None = None  # a recipe of experiments/, or of FOLDER/experiment/ with --config-dir FOLDER; e.g. demo


@dataclass
class ReleaseConfig:
    do: Action = Action.verify  # what to do: check evidence, approve a run, promote its adapter, or take the promotion back; e.g. promote
    runs: Any = "outputs"  # verify: a run, a release, a folder of them, or a list; e.g. outputs/train/RUN
    run: str | None = None  # approve, promote: the run; e.g. outputs/train/RUN
    by: str = ""  # approve: who approves; promote, rollback: who did it; e.g. ada
    to: Stage = Stage.dev  # promote, rollback: the stage
    releases: str = "outputs/releases"  # folder with a folder for each stage; e.g. releases
    approvals: int = at_least(0, default=0)  # [people] who must have approved, different ones; e.g. 2
    scenarios: int = at_least(0, default=64)  # fewest scenarios of the frozen test set that the run was evaluated in; e.g. 128
    experiment: str | None = None  # a recipe of experiments/, or of FOLDER/experiment/ with --config-dir FOLDER; e.g. demo


COMMANDS: dict[str, type] = {
    "train": TrainConfig,
    "eval": EvalCommandConfig,
    "resident": ResidentConfig,
    "collect": CollectConfig,
    "check": CheckConfig,
    "preview": PreviewConfig,
    "serve": ServeConfig,
    "chat": ChatConfig,
    "compare": CompareConfig,
    "pretrain": PretrainConfig,
    "status": StatusConfig,
    "release": ReleaseConfig,
}


def register(command: str | None = None) -> None:
    """Store the types in Hydra's ConfigStore as <command>_types, the first line of every conf/<command>.yaml. None: of every command."""
    from hydra.core.config_store import ConfigStore

    for name in [command] if command else COMMANDS:
        ConfigStore.instance().store(name=f"{name}_types", node=with_open_settings(COMMANDS[name]))

"""Every setting of sekft: its type, unit, meaning and default. Values live in conf/."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from sekft.config.budget import BudgetConfig
from sekft.config.data import DataConfig
from sekft.config.data import Overlong as Overlong
from sekft.config.data import SourceConfig as SourceConfig
from sekft.config.data import SourceKind as SourceKind
from sekft.config.endpoint import AuthorConfig, EndpointConfig, Export
from sekft.config.repair import RepairConfig
from sekft.config.where import WhereConfig

# what a setting may be chosen from; a choice's name is its value
Backend = StrEnum("Backend", "auto docker bwrap")
Weights = StrEnum("Weights", "pretrained random")
Device = StrEnum("Device", "auto cuda mps cpu")
MaskRule = StrEnum("MaskRule", "assistant final terminal_only terminal_weighted succeeded continuation everything")
Precision = StrEnum("Precision", "auto float32 bfloat16")
Schedule = StrEnum("Schedule", "constant linear cosine")
Engine = StrEnum("Engine", "batched sequential")
Choose = StrEnum("Choose", "best last")
AgentKind = StrEnum("AgentKind", "reference scripted model endpoint")
Tracker = StrEnum("Tracker", "wandb none")
Suite = StrEnum("Suite", "none tinystories")
Again = StrEnum("Again", "none failed all")
Start = StrEnum("Start", "bootstrap continue resume release")


@dataclass(unsafe_hash=True)
class ModelConfig:
    """The frozen base. Hashable: one load per distinct value and process."""

    name: str = field(default=MISSING, compare=False)  # how reports call it
    path: str = MISSING  # folder or hub id of base and tokenizer
    weights: Weights = Weights.pretrained  # random: the true shape without weights
    template: str | None = None  # chat template: chatml, tinystories or a file; null: the base's own
    check_tokenizer: bool = True  # refuse a tokenizer.json that splits code otherwise than the tokenizer.model beside it
    trust_remote_code: str | None = None  # model.path once more, if Python code that lies in there may run; null: such a base is refused
    load_4bit: bool = False  # nf4 by bitsandbytes, CPU included
    device: Device = Device.auto
    seed: int = 0  # of weights=random
    licence: str | None = field(default=None, compare=False, repr=False)  # of the weights, for the record; null: as their card says
    why: str | None = field(default=None, compare=False, repr=False)  # this base and no other, for the record


@dataclass
class LoraConfig:
    """The adapter, in PEFT's terms."""

    name: str = MISSING
    r: int = MISSING  # rank; 0: no adapter, all weights are trained
    alpha: int = MISSING  # scale is alpha / r
    dropout: float = 0.0
    target_modules: str = "all-linear"  # or names separated by commas
    extra: dict[str, Any] = field(default_factory=dict)  # further fields of peft.LoraConfig


@dataclass
class MaskConfig:
    rule: MaskRule = MISSING
    terminal_weight: float = 4.0  # of the leaving turn's tokens, others 1; terminal_weighted only


@dataclass
class TrainerConfig:
    """The optimisation, in steps. Everything TRL knows reaches its SFTConfig; the rest is ours."""

    max_steps: int = -1  # -1: as many as epochs ask for
    epochs: float = 3.0
    batch: int = 4  # rows; a step learns from batch * accumulation of them
    max_tokens: int = 1024  # longest row; see data.overlong
    accumulation: int = 1  # batches per step
    tokens_per_batch: int | None = None  # of one forward pass, rows packed; null: 8192 on CUDA, else 1024; 0: padded batches
    lr: float = 2e-4
    schedule: Schedule = Schedule.linear
    warmup: float = 0.03  # below 1: share of the steps; else steps
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    precision: Precision = Precision.auto
    compile: bool = False
    checkpointing: bool | None = None  # recompute activations; null: only on CUDA, if they would not fit
    context_frozen: bool = False  # mask=continuation only: no gradient through the context; read experiments/context_frozen.md first
    log_every_steps: int = 1
    save_every_steps: int = 0  # 0: only the final adapter
    val_every_steps: int = 0  # 0: only before and after
    resume_from: str | None = None  # a checkpoint folder of an earlier run
    stop_at: float = 1.0  # share of the steps after which training pauses, with a checkpoint; its schedule is that of all steps
    extra: dict[str, Any] = field(default_factory=dict)  # further fields of trl.SFTConfig


@dataclass
class EvalConfig:
    """The evaluation: which episodes are played and when a verdict may be given."""

    episodes: int = 8  # first N of the stored order, per agent; 0: no evaluation
    every_steps: int = (
        0  # of training: a small evaluation as the adapter learns, and after the last step; 0: only the evaluation after training
    )
    selection_scenarios: int = (
        16  # of that small evaluation: new scenarios of training archetypes, scenarios=selection; never the evaluation's
    )
    choose: Choose = Choose.best  # whose adapter is saved and evaluated: the step with the best behaviour there, or the last one
    temperature: float = 0.0  # 0: greedy
    attempts: int = 1  # episodes per scenario and agent; more than 1 needs a temperature
    max_turns: int = 16  # lower of this and the scenario's own limit
    max_reply_tokens: int = 64
    max_episode_tokens: int = 2048  # context of one episode
    engine: Engine = Engine.batched  # sequential: one reply at a time, its whole conversation read anew
    rows: int = 32  # replies generated together, at most; batched only
    baselines: bool = True  # also evaluate agents that understand nothing: a rate that one of them reaches measures nothing
    max_eval_s: float = 0.0  # 0: no limit; an evaluation that takes longer is unmeasured
    cache: bool = True  # episodes of base, reference and baselines that would be the same again are read from outputs/episodes
    suite: Suite = Suite.none  # questions with answers that can be judged, instead of episodes or beside them
    suite_path: str = "sekft:tinystories.txt"  # what they are about; a tenth of it is never learned from
    suite_stories: int = 64  # the first of that tenth; at most
    criterion: str = "verified"  # the rate the verdict is about
    min_gain: float = 0.05  # smallest difference worth a promotion
    max_broken_share: float = 0.1  # above it the evaluation is unmeasured
    gate: dict[str, Any] = field(default_factory=dict)  # more criteria: a rate, false_panic or loss -> sekft.eval.criterion.Line
    require: str | None = None  # promote, hold, ...: another verdict is an error, exit status 3, for CI


@dataclass
class SandboxConfig:
    """The walls of one episode's place. Scenarios cannot move them."""

    backend: Backend = Backend.auto
    runtime: str | None = None  # docker only: runc, runsc, ...
    warm: int = 0  # docker only: containers made ahead of their episodes, at most
    memory_mb: int = 128
    pids: int = 64
    cpus: float = 1.0
    home_mb: int = 32
    tmp_mb: int = 16
    session_s: int = 7200  # a place ends itself after this, also while the model thinks for other episodes; it never outlives its owner
    flood_bytes: int = 16777216  # more output than this is interrupted


@dataclass
class SplitConfig:
    """Whole archetypes are held out; a split never shares one."""

    name: str = MISSING
    held_out: list[str] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)  # of these: what a base made from nothing never sees done either
    seed: int = 0  # of the scenarios that are drawn; the frozen test set is the same for every seed
    train_scenarios: int = 240  # unless collect says episodes=N
    train_blocked_share: float = 0.25  # of the training scenarios: those that can only be left by panic
    train_weights: dict[str, int] = field(default_factory=dict)  # of archetypes: turns in the training scenarios while others have one
    train_unlisted_share: float = 0.0  # of the nouns of training scenarios: those from outside the word list
    unlisted_share: float = 1.0  # the same, of scenarios=unlisted
    eval_scenarios: int = (
        64  # of evaluations that are drawn: fresh, unlisted, selection, development, for other archetypes; the frozen set has 128
    )


@dataclass
class AgentConfig(EndpointConfig):
    """Who episodes; of agent=endpoint, and of the author, where it is asked."""

    kind: AgentKind = MISSING
    script: list[str] = field(default_factory=list)  # scripted: replies, in order, the same in every episode
    scaffold: str = ""  # endpoint: text or file: a system turn for the teacher, stripped from what is recorded
    noise: float = 0.0  # reference: the share of episodes with a detour that is recovered; by chance of seed


@dataclass
class TrackerConfig:
    kind: Tracker = MISSING
    project: str = "sekft"
    folder: str = "outputs/wandb"
    upload_adapter: bool = True


@dataclass
class ServerConfig:
    """The endpoint: where it listens, who may come in, and how much."""

    host: str = "127.0.0.1"  # any other than loopback needs a token
    port: int = 8000  # 0: any free one
    socket: str | None = None  # a Unix socket for its owner only, instead of host and port
    token: str | None = None  # bearer token; conf/serve.yaml takes it from SEKFT_TOKEN
    quiet: bool = False  # no line per request
    temperature: float = 0.0  # of a request that names none; 0: greedy, as in the evaluation
    max_tokens: int = 1024  # of one reply: the most, and what a request gets that names none
    max_messages: int = 1024
    max_body_bytes: int = 1048576
    rows: int = 16  # replies generated together, at most
    queue: int = 128  # requests that wait or are answered at once; more get 503
    request_s: float = 300.0  # one request, waiting included
    stop_s: int = 30  # to finish what runs when asked to stop


@dataclass
class TrainConfig:
    seed: int = 0
    resident: str | None = None  # the socket of a resident base that does it: python -m sekft.resident socket=SOCKET
    dry_run: bool = False  # say what would be done, and touch nothing
    live: bool = False  # what is not done on this machine is done: without it a submission is only planned
    again: Again = Again.none  # of a sweep started again, jobs that ended and run once more: none, failed or all
    workers: int = 0  # episodes at once; 0: twice the cores
    rehearsal: bool = True
    start: Start = Start.bootstrap  # a fresh adapter; continue: on from adapter= or parent=; resume: where it was cut off; release
    parent: str | None = None  # a run: continue goes on from its adapter, resume from its newest whole checkpoint
    replay: str | None = None  # a run, repeated from its record into a new folder; what differs is said
    adapter: str | None = None  # train on from this folder, at its own rank; lora= is not used then. start=release: a release, or its stage
    scenarios: str = (
        "held_out"  # held_out | evaluation | fresh | unlisted | selection | development | train | all | a scenario file or folder
    )
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    mask: MaskConfig = field(default_factory=MaskConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    repair: RepairConfig = field(default_factory=RepairConfig)
    where: WhereConfig = field(default_factory=WhereConfig)
    experiment: str | None = None


@dataclass
class EvalCommandConfig:
    seed: int = 0
    resident: str | None = None  # the socket of a resident base that does it: python -m sekft.resident socket=SOCKET
    dry_run: bool = False  # say what would be done, and touch nothing
    live: bool = False  # what is not done on this machine is done: without it a submission is only planned
    again: Again = Again.none  # of a sweep started again, jobs that ended and run once more: none, failed or all
    workers: int = 0
    replay: str | None = None  # an evaluation, repeated from its record into a new folder; what differs is said
    adapter: Any = None  # null: the base alone; a folder, or several by name: {early: FOLDER, late: FOLDER}
    scenarios: str = "held_out"
    agent: AgentConfig = field(default_factory=AgentConfig)  # endpoint: agent.model is the base, adapter= names there
    model: ModelConfig = field(default_factory=ModelConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    where: WhereConfig = field(default_factory=WhereConfig)
    experiment: str | None = None


@dataclass
class CollectConfig:
    seed: int = 0
    workers: int = 0
    adapter: str | None = None
    scenarios: str = "train"
    mapping: str | None = None  # YAML: how the documents of scenarios=PATH become scenarios; they go through the gate
    imports: str | None = None  # file or folder of episodes recorded elsewhere; nothing is played
    source: str | None = None  # one of data.sources: its conversations and a data card are written; nothing is played
    path: str | None = None  # of that source
    data: DataConfig = field(default_factory=DataConfig)
    episodes: int = 0  # scenarios, drawn on from the seed if the split has fewer; 0: those of the split
    attempts: int = 1  # episodes in each scenario; pairs need keepers and rejects of the same one
    export: list[Export] = field(default_factory=list)  # written beside the episodes
    agent: AgentConfig = field(default_factory=AgentConfig)
    author: AuthorConfig = field(default_factory=AuthorConfig)
    model: ModelConfig = field(default_factory=ModelConfig)  # of agent=model; its tokenizer counts the tokens of the data card
    eval: EvalConfig = field(default_factory=EvalConfig)  # limits of an episode
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    experiment: str | None = None


@dataclass
class CheckConfig:
    seed: int = 0
    workers: int = 0
    library: str = "all"  # all | train | held_out | evaluation | fresh | unlisted | selection | development | the name of an archetype
    path: str | None = None  # a scenario file or folder instead
    trajectories: str | None = None  # no episodes: do these show the evaluation? A file or folder of training data
    episodes: int = 0  # 0: every scenario
    repeats: int = 1  # k: episodes of every agent, per scenario
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    experiment: str | None = None


@dataclass
class PreviewConfig:
    workers: int = 0
    rows: int = 2  # how many rows are painted in the terminal; the page holds twenty times as many
    check: bool = False  # a dropped row or a learned environment token is an error: for CI
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    mask: MaskConfig = field(default_factory=MaskConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    experiment: str | None = None


@dataclass
class ServeConfig:
    adapter: Any = None  # a folder, served under its folder's name; or several: {name: folder, ...}
    model: ModelConfig = field(default_factory=ModelConfig)
    serve: ServerConfig = field(default_factory=ServerConfig)
    experiment: str | None = None

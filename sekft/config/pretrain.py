"""Settings of sekft.pretrain, which makes the embedded base."""

from dataclasses import dataclass, field

from sekft.config.bounds import at_least, between
from sekft.config.evaluation import SplitConfig
from sekft.config.model import Device


@dataclass
class ShapeConfig:
    """A Mistral with tied embeddings."""

    vocabulary: int = at_least(1, default=2048)  # [tokens] that the tokenizer has
    hidden: int = at_least(1, default=192)  # [numbers] in the state of a token; a multiple of heads; e.g. 384
    layers: int = at_least(1, default=4)  # [layers] of attention and feed-forward
    heads: int = at_least(1, default=3)  # [heads] of attention in a layer
    intermediate: int = at_least(1, default=512)  # [numbers] inside a feed-forward layer
    context: int = at_least(1, default=1024)  # [tokens] that the model is made for, at most


@dataclass
class CorpusConfig:
    """The generated conversations. shares: kind -> share of the conversations."""

    # [share] of the conversations, by their kind; e.g. .tasks=0.5
    shares: dict[str, float] = field(default_factory=lambda: {"tasks": 0.42, "follow": 0.36, "look": 0.1, "say": 0.08, "idle": 0.04})
    drill_steps: int = at_least(0, default=250)  # the first steps use drill_shares instead of shares: copying is learned first
    # [share] of the conversations of the first steps, by their kind; e.g. .say=0.5
    drill_shares: dict[str, float] = field(default_factory=lambda: {"say": 0.6, "tasks": 0.25, "follow": 0.05, "look": 0.1})
    # [share] 0: all names are from the word list; 0.25: three in eight are not, see corpus/names.py; e.g. 0.5
    outside_names: float = between(0, 1, default=0.25)
    user_weight: float = between(0, 1, default=0.1)  # [weight] in the loss of what the model reads; what it types has 1; e.g. 0.2


@dataclass
class PretrainConfig:
    seed: int = at_least(0, default=0)  # [seed] of weights and corpus; e.g. 1
    workers: int = at_least(0, default=2)  # [processes] each computes its share of every step's rows
    threads: int = at_least(1, default=1)  # [threads] of each process
    device: Device = Device.cpu  # where the model is trained; e.g. cuda
    compile: bool = True  # use torch.compile
    steps: int = at_least(1, default=2000)  # of the optimizer
    warmup_steps: int = at_least(0, default=50)  # at the beginning, in which the learning rate rises
    decay_share: float = between(0, 1, default=0.3)  # of the steps, at the end, in which the learning rate falls to 0
    rows: int = at_least(0, default=12)  # [rows] of one step, all processes together
    row_tokens: int = at_least(1, default=640)  # of one row
    # [share] of a step's tokens that is drawn from the corpus; conversations that do not fit into the rows are left out; e.g. 0.9
    fill: float = between(0, 1, default=0.95)
    lr: float = at_least(0, default=5e-3)  # [per step] learning rate at its highest
    weight_decay: float = at_least(0, default=0.05)  # [share] of a weight that a step takes away, times the rate; e.g. 0.1
    probe_every_steps: int = at_least(1, default=100)  # how often the model plays a few scenarios
    save_every_steps: int = at_least(1, default=25)  # how often a checkpoint is saved
    keep_steps: list[int] = field(default_factory=list)  # [steps] whose models are kept, too, as early-<step>; e.g. [300]
    tokenizer_conversations: int = at_least(1, default=20000)  # the tokenizer is trained on these
    # of those conversations' tokens: what is rarer is taken out of the shipped tokenizer; e.g. 1e-4
    rare_share: float = between(0, 1, default=5e-5)
    shape: ShapeConfig = field(default_factory=ShapeConfig)
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    split: SplitConfig = field(default_factory=SplitConfig)  # split.set_aside: archetypes the base never sees
    experiment: str | None = None  # a recipe of experiments/, or of FOLDER/experiment/ with --config-dir FOLDER; e.g. demo

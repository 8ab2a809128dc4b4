"""Settings of sekft.pretrain, which makes the embedded base."""

from dataclasses import dataclass, field

from sekft.config.bounds import at_least, between
from sekft.config.evaluation import SplitConfig
from sekft.config.model import Device


@dataclass
class ShapeConfig:
    """A Mistral with tied embeddings."""

    vocabulary: int = 2048
    hidden: int = 192
    layers: int = 4
    heads: int = 3
    intermediate: int = 512
    context: int = 1024


@dataclass
class CorpusConfig:
    """The generated conversations. shares: kind -> share of the conversations."""

    shares: dict[str, float] = field(default_factory=lambda: {"tasks": 0.42, "follow": 0.36, "look": 0.1, "say": 0.08, "idle": 0.04})
    drill_steps: int = 250  # the first steps use drill_shares instead of shares: copying is learned first
    drill_shares: dict[str, float] = field(default_factory=lambda: {"say": 0.6, "tasks": 0.25, "follow": 0.05, "look": 0.1})
    outside_names: float = 0.25  # 0: all names are from the word list; 0.25: three in eight are not, see corpus/names.py
    user_weight: float = 0.1  # loss weight of what the model reads; what it types has 1


@dataclass
class PretrainConfig:
    seed: int = at_least(0, default=0)
    workers: int = at_least(0, default=2)  # processes; each computes its share of every step's rows
    threads: int = 1  # of each process
    device: Device = Device.cpu
    compile: bool = True
    steps: int = 2000
    warmup_steps: int = 50
    decay_share: float = 0.3  # share of the steps, at the end, in which the learning rate falls to 0
    rows: int = at_least(0, default=12)  # of one step, all processes together
    row_tokens: int = 640
    fill: float = 0.95  # share of a step's tokens that is drawn from the corpus; conversations that do not fit into the rows are left out
    lr: float = 5e-3
    weight_decay: float = 0.05
    probe_every_steps: int = 100
    save_every_steps: int = 25
    keep_steps: list[int] = field(default_factory=list)  # also keep the models of these steps, as early-<step>
    tokenizer_conversations: int = 20000  # the tokenizer is trained on these
    rare_share: float = between(0, 1, default=5e-5)  # tokens that are rarer in those conversations are taken out of the shipped tokenizer
    shape: ShapeConfig = field(default_factory=ShapeConfig)
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    split: SplitConfig = field(default_factory=SplitConfig)  # split.set_aside: archetypes the base never sees
    experiment: str | None = None

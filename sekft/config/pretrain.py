"""The settings of pre-training: how the embedded base is made."""

from dataclasses import dataclass, field

from sekft.config import Device, SplitConfig


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
    """What the conversations are about. shares: by kind, of the conversations."""

    shares: dict[str, float] = field(default_factory=lambda: {"tasks": 0.42, "follow": 0.36, "look": 0.1, "say": 0.08, "idle": 0.04})
    drill_steps: int = 250  # the first steps learn from drill_shares instead: copying comes first
    drill_shares: dict[str, float] = field(default_factory=lambda: {"say": 0.6, "tasks": 0.25, "follow": 0.05, "look": 0.1})
    outside_names: float = 0.25  # 0: all names are of the word list; 0.25: three in eight are not, see corpus/names.py
    user_weight: float = 0.1  # of what is read, in the loss; what is typed weighs 1


@dataclass
class PretrainConfig:
    seed: int = 0
    workers: int = 2  # processes, each with its share of every step's rows
    threads: int = 1  # of each process
    device: Device = Device.cpu
    compile: bool = True
    steps: int = 2000
    warmup_steps: int = 50
    decay_share: float = 0.3  # of the steps, the last, in which the learning rate falls to nothing
    rows: int = 12  # of one step, all workers together
    row_tokens: int = 640
    fill: float = 0.95  # of a step's tokens are asked of the corpus; what finds no room in the rows is left out
    lr: float = 5e-3
    weight_decay: float = 0.05
    probe_every_steps: int = 100
    save_every_steps: int = 25
    keep_steps: list[int] = field(default_factory=list)  # models of these steps are kept as well: early-<step>
    tokenizer_conversations: int = 20000
    rare_share: float = 5e-5  # tokens that are rarer in those conversations are not made by the tokenizer that ships
    shape: ShapeConfig = field(default_factory=ShapeConfig)
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    split: SplitConfig = field(default_factory=SplitConfig)  # split.set_aside: operations the base never sees
    experiment: str | None = None

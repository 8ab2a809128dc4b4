"""The settings of sekft.chat."""

from dataclasses import dataclass, field
from enum import StrEnum

from sekft.config import EvalConfig, ModelConfig, SandboxConfig, SplitConfig

Mode = StrEnum("Mode", "talk shell suite review")


@dataclass
class ChatConfig:
    mode: Mode = Mode.talk
    seed: int = 0
    adapter: str | None = None  # what training saved: a folder; null: the base alone
    prompt: str | None = None  # talk: one reply to this, on standard output, and nothing else; null: a conversation
    temperature: float = 0.0  # 0: greedy
    top_k: int = 0  # talk: only the k likeliest tokens; 0: all
    max_tokens: int = 256  # talk: of one reply
    scenarios: str = "train"  # shell: its scenarios; of the evaluation's, decision points can never be trained on and evaluated
    scenario: int = 1  # shell: which of them, in stored order
    decisions: str = "outputs/decisions.jsonl"  # shell, review: where decision points are kept
    candidates: str | None = None  # review: decision points that nobody has judged yet
    episodes: str | None = None  # review: or episodes, whose failed ones are gone through turn by turn, the hint told beforehand
    hint: str = ""  # review: with episodes, what would have helped: text or file
    model: ModelConfig = field(default_factory=ModelConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)  # shell: the limits of an episode
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    experiment: str | None = None

"""The settings of sekft.resident."""

from dataclasses import dataclass, field

from sekft.config import ModelConfig


@dataclass
class ResidentConfig:
    model: ModelConfig = field(default_factory=ModelConfig)  # the base that is kept; every command is about it unless it says otherwise
    experiment: str | None = None

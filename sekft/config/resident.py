"""The settings of sekft.resident."""

from dataclasses import dataclass, field

from sekft.config import ModelConfig


@dataclass
class ResidentConfig:
    model: ModelConfig = field(default_factory=ModelConfig)  # the base that is kept; every command is about it unless it says otherwise
    socket: str | None = None  # a Unix socket to serve on, for `python -m sekft.train resident=SOCKET`; null: a prompt here
    queue: str = "outputs/resident/queue"  # with a socket: the folder of the jobs, taken up again where it was left
    resident: str | None = None  # the socket of another resident base: a prompt there
    experiment: str | None = None

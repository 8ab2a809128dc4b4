"""The prepared rows of a run, and what decides them."""

from dataclasses import dataclass

from sekft.config import DataConfig, MaskConfig
from sekft.data.accounting import Counts
from sekft.data.sample import Row
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.scenario.document import Scenario


@dataclass(frozen=True)
class DataRecipe:
    """What decides the rows beside the sources."""

    tokenizer: ChatTokenizer
    mask: MaskConfig
    data: DataConfig
    max_tokens: int
    seed: int
    evaluation: tuple[Scenario, ...] = ()  # whose text no conversation from outside should show


@dataclass(frozen=True)
class PreparedData:
    """What a run trains and validates on. groups: the scenarios and conversations of both; said: what is to be told of it."""

    training: tuple[Row, ...]
    validation: tuple[Row, ...]
    counts: Counts  # of the training rows
    groups: tuple[str, ...]
    lines: tuple[str, ...]

"""What decides the rows of a run (DataRecipe), and the rows (PreparedData)."""

from dataclasses import dataclass

from sekft.config import DataConfig, MaskConfig
from sekft.data.accounting import Counts
from sekft.data.sample import Row
from sekft.rendering.tokenizer import ChatTokenizer
from sekft.scenario.document import Scenario


@dataclass(frozen=True)
class DataRecipe:
    """Everything that decides the rows, besides the content of the sources' files."""

    tokenizer: ChatTokenizer
    mask: MaskConfig
    data: DataConfig
    max_tokens: int  # of a row
    seed: int
    evaluation: tuple[Scenario, ...] = ()  # conversations from outside are searched for the text of these scenarios


@dataclass(frozen=True)
class PreparedData:
    """The rows a run trains and validates on."""

    training: tuple[Row, ...]
    validation: tuple[Row, ...]
    counts: Counts  # of the training rows
    groups: tuple[str, ...]  # ids of all scenarios and conversations that were read, sorted
    lines: tuple[str, ...]  # the report for the user: what was dropped and why, counts, histogram

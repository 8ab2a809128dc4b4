"""Settings of training data: sources, the mix of them, validation and what is left out."""

from dataclasses import dataclass, field
from enum import StrEnum

from omegaconf import MISSING

from sekft.config.bounds import at_least, between

SourceKind = StrEnum(
    "SourceKind",
    "auto messages sharegpt prompt_completion alpaca trajectories decisions oasst chatgpt_export gptme tinystories",
)
OWN = "own"  # the name of the source that data.path= gives the path of
System = StrEnum("System", "fold drop")
Calls = StrEnum("Calls", "text shell")
MixBy = StrEnum("MixBy", "tokens rows")
HoldOut = StrEnum("HoldOut", "conversation archetype time")
Filter = StrEnum("Filter", "auto_named test duplicates confusion")
Detour = StrEnum("Detour", "look_around guess mistype read_help_twice absent_help wrong_name")
DEFAULT_DETOURS = (Detour.look_around, Detour.guess, Detour.mistype, Detour.read_help_twice)
Overlong = StrEnum("Overlong", "reject cut_middle keep_last")


@dataclass
class SourceConfig:
    """One source of training data. A field that only some kinds read names them."""

    kind: SourceKind = MISSING  # the format of the source; data=[NAME] sets it; e.g. messages
    # file, folder or Hub dataset id; null, trajectories: the reference plays the training split first; e.g. mine.jsonl
    path: str | None = None
    share: float = between(0, 1, default=1.0, excluded=0)  # of its samples that is used; chosen by a hash of their ids
    max_samples: int = at_least(0, default=0)  # use only the first N samples; 0: all; e.g. 1000
    # [weight] with several sources: this source's part of the mix, relative to the other weights; e.g. 2
    weight: float = at_least(0, default=1.0, excluded=0)
    # with several sources: how often each of its rows may be used, so that larger sources are cut less; e.g. 2
    epochs: float = at_least(0, default=1.0, excluded=0)
    # [Jaccard index] of word n-grams: leave out samples more similar to an earlier one; 1: leave out none; e.g. 0.9
    max_similarity: float = between(0, 1, default=1.0)
    # [rows] that cannot be read, at most; one more is an error; null: 3, or a fifth of all rows if that is more; e.g. 10
    max_bad: int | None = at_least(0, default=None)
    max_line_bytes: int = at_least(1, default=16777216)  # a longer line counts as a row that cannot be read
    # leading system turns: fold them into the first user turn, or drop them; null: fold, but drop those of gptme; not trajectories
    system: System | None = None
    # rows: the column of the turns; null: messages, conversations, conversation or turns; e.g. dialog
    column: str | None = None
    split: str = "train"  # rows: use the files of a folder whose names begin with this, if there are any; e.g. train_sft
    langs: list[str] = field(default_factory=list)  # oasst: languages that every turn must have one of; empty: all; e.g. [en]
    # [quality label] oasst: the lowest of a turn; 0: turns without a label are used, too; e.g. 0.5
    min_quality: float = between(0, 1, default=0.0)
    filters: list[Filter] = field(default_factory=lambda: list(Filter))  # gptme: which conversations are left out
    calls: Calls = Calls.text  # gptme: tool calls as text, or shell calls as an episode at a shell prompt
    # tinystories: what is asked about a story; data/tinystories/tasks.py; e.g. [summary,moral]
    tasks: list[str] = field(default_factory=lambda: ["summary", "moral", "words", "questions"])
    follow_ups: int = at_least(0, default=2)  # [questions] tinystories: further ones about a story in the same conversation, at most
    redact: bool = True  # gptme: replace secrets by their kind
    # [share] trajectories with path null: of the reference's episodes that take a detour and recover; drawn from split.seed; e.g. 0.3
    noise: float = between(0, 1, default=0.0)
    detours: list[Detour] = field(default_factory=lambda: list(DEFAULT_DETOURS))  # noise: the detours to draw from; scenario/detours.py


@dataclass
class DataConfig:
    """All sources and how they are mixed."""

    path: str | None = None  # your own data, read by the source `own`: file, folder or Hub dataset id; e.g. mine.jsonl
    format: SourceKind = SourceKind.auto  # of data.path; auto: told by the first record of each file; e.g. sharegpt
    sources: dict[str, SourceConfig] = field(default_factory=dict)
    validation_share: float = between(0, 0.9, default=0.1)  # of the scenarios or conversations, which are never divided
    validation_from: list[str] = field(default_factory=list)  # names of the sources validated on; empty: all; e.g. [shell]
    hold_out: HoldOut = HoldOut.conversation  # never divided: a scenario or conversation, an archetype; time: the newest are held out
    by: MixBy = MixBy.tokens  # the unit of the sources' weights
    general: list[str] = field(default_factory=list)  # names of the sources that are mixed in against forgetting; e.g. [oasst]
    # part of the mix for all of general, whatever their weights; 0: by weights alone; e.g. 0.2
    general_share: float = between(0, 0.99, default=0.0)
    cache: bool = True  # keep rendered rows in outputs/data, under a hash of everything that decides them
    overlong: Overlong = Overlong.reject  # a row over trainer.max_tokens: reject it, or drop exchanges from its middle or after its first
    max_dropped_share: float = between(0, 1, default=0.2)  # losing more rows is an error
    max_endless_share: float = between(0, 1, default=0.5)  # more episodes without a learned exit or panic is an error; chats need none

"""The settings of training data: where it comes from, what of it is read, how it is mixed."""

from dataclasses import dataclass, field
from enum import StrEnum

from omegaconf import MISSING

SourceKind = StrEnum("SourceKind", "shell decisions hub oasst chatgpt_export gptme tinystories")
System = StrEnum("System", "fold drop")
Calls = StrEnum("Calls", "text shell")
MixBy = StrEnum("MixBy", "tokens rows")
HoldOut = StrEnum("HoldOut", "conversation archetype time")
Filter = StrEnum("Filter", "auto_named test duplicates confusion")
Overlong = StrEnum("Overlong", "reject cut_middle keep_last")


@dataclass
class SourceConfig:
    """One source of training rows. What only some kinds read is marked so."""

    kind: SourceKind = MISSING
    path: str | None = None  # file, folder or Hub dataset id; shell, null: the reference plays the training split first
    share: float = 1.0  # of its samples that are used, above 0 up to 1; by a hash of their ids
    max_samples: int = 0  # no more than these, the first; 0: all
    weight: float = 1.0  # beside other sources: its part of the mix, in data.by, against theirs
    epochs: float = 1.0  # beside other sources: how often a row of it is used at most, so that others with more need not be cut
    max_similarity: float = 1.0  # samples more like one before, of any source, are left out: Jaccard of their runs of words; 1: none
    max_bad: int = 0  # rows that cannot be read, before that is an error; 0: the first one is
    max_line_bytes: int = 16777216  # a longer line is a row that cannot be read
    system: System = System.fold  # leading system turns: into the first user turn, or left out; all but shell
    column: str = "messages"  # hub: where the turns stand
    split: str = "train"  # hub: the files whose names begin so, where there are such
    langs: list[str] = field(default_factory=list)  # oasst: of every turn; empty: all
    min_quality: float = 0.0  # oasst: lowest quality label of a turn; 0: a turn without one is fine
    filters: list[Filter] = field(default_factory=lambda: list(Filter))  # gptme: which conversations are left out
    calls: Calls = Calls.text  # gptme: tool calls as they stand, or an episode at a shell prompt of those to the shell
    tasks: list[str] = field(default_factory=lambda: ["summary", "moral", "words", "questions"])  # tinystories: see data/tinystories/task/
    follow_ups: int = 2  # tinystories: questions about a story, after the first, in the same conversation; at most
    redact: bool = True  # gptme: secrets are replaced by what kind they are of
    noise: float = 0.0  # shell, path null: the share of the reference's episodes with a detour that is recovered; by chance of split.seed


@dataclass
class DataConfig:
    sources: dict[str, SourceConfig] = field(default_factory=dict)
    validation_share: float = 0.1  # of the scenarios, whole scenarios only
    validation_from: list[str] = field(default_factory=list)  # names of sources; empty: of all
    hold_out: HoldOut = HoldOut.conversation  # what lies wholly on one side: a scenario or conversation, an archetype, or all after a time
    by: MixBy = MixBy.tokens  # what the weights of several sources are parts of
    general: list[str] = field(default_factory=list)  # names of the sources against forgetting
    general_share: float = 0.0  # of the mix, for them together, whatever their weights against the others; 0: by weights alone
    cache: bool = True  # rows are kept in outputs/data, under everything that decides them
    overlong: Overlong = Overlong.reject  # what a row over trainer.max_tokens loses: itself, its middle, or what follows its landing
    max_dropped_share: float = 0.2  # more rows lost than this is an error
    max_endless_share: float = 0.5  # more samples without a learned exit or panic than this is an error; decision points need none

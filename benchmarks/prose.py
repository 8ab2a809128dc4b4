"""The rule that tells prose from commands, against replies that a person labelled: a confusion table, precision and recall.

python -m benchmarks.prose

`tests/episode/labelled_replies.jsonl` holds replies of SmolLM2-135M-Instruct (model and texts: Apache-2.0) in real sessions, before and
after tuning, at temperatures 0, 0.7 and 1.0; equal pairs of reply and answer stand there once. One line is what was typed since the shell
last showed `$ `, with what it showed, and the label of the last reply. The labels are one person's. part: develop, the half that the
rule was written on; held_out, the other half, labelled before; later, replies that were played and labelled when the rule was finished.
"rule before": the shell's word for a line was compared with its first word between blanks.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from sekft.episode.replies import Kind, kinds
from sekft.rendering.messages import Message

REPLIES = Path(__file__).resolve().parents[1] / "tests" / "episode" / "labelled_replies.jsonl"
PROSE = ("prose", "mixed")


class Labelled(BaseModel):
    """One labelled reply. turns: (typed, shown) since the last prompt `$ `; shown is null where the reply ended the episode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Kind
    part: str
    model: str  # base, or how it was tuned
    temperature: float
    turns: tuple[tuple[str, str | None], ...]

    def kind(self) -> Kind:
        """The kind by the rule in use."""
        messages = [Message(role="user", content="$ ")]
        for typed, shown in self.turns:
            messages += [Message(role="assistant", content=typed), *([Message(role="user", content=shown)] if shown is not None else [])]
        return kinds(messages)[-1]

    def kind_before(self) -> Kind:
        """The kind by the rule before; it knew prose, and everything else but an ending counted as operating the shell."""
        typed, shown = self.turns[-1]
        if was_prose(typed, shown or ""):
            return Kind.prose
        return Kind.leaving if typed.split()[0] in ("exit", "panic") else Kind.command


@dataclass(frozen=True)
class Score:
    """Hits of a detector. found: it says so and is right; wrong: it says so and is not; missed: it does not say so."""

    found: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.wrong)

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed)

    def __str__(self) -> str:
        said, there = self.found + self.wrong, self.found + self.missed
        return f"precision {self.found}/{said} ({self.precision:.3f}), recall {self.found}/{there} ({self.recall:.3f})"


def was_prose(text: str, output: str) -> bool:
    """The rule before, word for word."""
    if "```" in text:
        return True
    errors = [line for line in output.splitlines() if line.startswith("sh: ")]
    misread = any("yntax error" in line for line in errors)
    wordy = [line.split() for line in text.splitlines() if len(line.split()) > 3]
    return any(misread or f"sh: {words[0]}: not found" in errors for words in wordy)


def read() -> list[Labelled]:
    return [Labelled.model_validate_json(line) for line in REPLIES.read_text(encoding="utf-8").splitlines()]


def score(pairs: Sequence[tuple[Kind, Kind]], wanted: Sequence[str]) -> Score:
    """pairs: (label, kind by a rule). wanted: the kinds to detect."""
    both = Counter((label in wanted, kind in wanted) for label, kind in pairs)
    return Score(both[True, True], both[False, True], both[True, False])


def main() -> None:
    console, replies = Console(width=120), read()
    for part in ("develop", "held_out", "later"):
        own = [reply for reply in replies if reply.part == part]
        for name, judged in (("rule before", Labelled.kind_before), ("rule in use", Labelled.kind)):
            pairs = [(reply.label, judged(reply)) for reply in own]
            console.print(_table(f"{part}, {name}: {len(own)} replies", pairs))
            console.print(f"prose: {score(pairs, PROSE)}; operating: {score(pairs, ('command',))}\n")


def _table(title: str, pairs: Sequence[tuple[Kind, Kind]]) -> Table:
    counts = Counter(pairs)
    table = Table("label", *Kind, title=title)
    for label in _labels(pairs):
        table.add_row(label, *(str(counts[label, kind] or "") for kind in Kind))
    return table


def _labels(pairs: Sequence[tuple[Kind, Kind]]) -> Iterator[Kind]:
    return (kind for kind in Kind if any(label is kind for label, _ in pairs))


if __name__ == "__main__":
    main()

"""Samples that say nearly the same: within training they teach nothing new, across the split they make validation a lie."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sekft.config import DataConfig
from sekft.data.sample import Sample

RUN = 5  # words in a row, of which two samples share so many
PERMUTATIONS = 128


@dataclass(frozen=True)
class Deduplicated:
    """training: without near-duplicates. within, across: pairs of ids, one left out for its likeness to the other."""

    training: list[Sample]
    within: list[tuple[str, str]]
    across: list[tuple[str, str]]

    def lines(self) -> list[str]:
        said = []
        for what, pairs in (("of each other", self.within), ("of validation", self.across)):
            if pairs:
                counted = sorted(Counter(one.partition("/")[0] for one, _ in pairs).items())
                by_source = ", ".join(f"{name} {count}" for name, count in counted)
                like = f"{pairs[0][0]} is like {pairs[0][1]}"
                said.append(f"near-duplicates {what} left out of training: {by_source}; the first: {like}")
        return said


def drop_near_duplicates(training: Sequence[Sample], validation: Sequence[Sample], data: DataConfig) -> Deduplicated:
    """Training without what is more like validation, or like what came before, than its source's max_similarity.

    Estimated by MinHash, to about 0.05 at most; samples of one group are no duplicates of each other.
    """
    bounds = {name: source.max_similarity for name, source in data.sources.items()}
    if all(bounds.get(sample.source, 1.0) >= 1.0 for sample in training):
        return Deduplicated(list(training), [], [])
    index = _Index(min(bound for bound in bounds.values() if bound < 1.0))
    for number, sample in enumerate(validation):
        index.add(f"v{number}", sample)
    kept: list[Sample] = []
    within: list[tuple[str, str]] = []
    across: list[tuple[str, str]] = []
    for number, sample in enumerate(training):
        bound = bounds.get(sample.source, 1.0)
        found = index.like(sample, bound) if bound < 1.0 else None
        if found is not None:
            (across if found[0].startswith("v") else within).append((sample.id, found[1].id))
        else:
            kept.append(sample)
            index.add(f"t{number}", sample)
    return Deduplicated(kept, within, across)


class _Index:
    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        self._lsh = MinHashLSH(threshold=max(0.1, threshold - 0.1), num_perm=PERMUTATIONS)
        self._known: dict[str, tuple[Any, Sample]] = {}
        self._last: tuple[Sample, Any] | None = None

    def add(self, key: str, sample: Sample) -> None:
        sketch = self._sketch(sample)
        self._lsh.insert(key, sketch, check_duplication=False)
        self._known[key] = (sketch, sample)

    def like(self, sample: Sample, bound: float) -> tuple[str, Sample] | None:
        """The most alike of another group above the bound, validation first."""
        sketch = self._sketch(sample)
        near = [(key, *self._known[key]) for key in sorted(self._lsh.query(sketch))]
        alike = [(key.startswith("v"), sketch.jaccard(other), key, one) for key, other, one in near if one.group != sample.group]
        above = [found for found in alike if found[1] > bound]
        best = max(above, key=lambda found: found[:2], default=None)
        return best and (best[2], best[3])

    def _sketch(self, sample: Sample) -> Any:
        if self._last is None or self._last[0] is not sample:
            from datasketch import MinHash

            sketch = MinHash(num_perm=PERMUTATIONS)
            sketch.update_batch([run.encode() for run in runs(sample)])
            self._last = (sample, sketch)
        return self._last[1]


def runs(sample: Sample) -> set[str]:
    """Every run of RUN words; of a shorter text, all of it."""
    words = " ".join(message.content for message in sample.messages).lower().split()
    return {" ".join(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))}

"""Near-duplicates: they teach nothing new within training, and make the validation loss too good across the split."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sekft.config import DataConfig
from sekft.data.sample import Sample

SHINGLE_WORDS = 5
PERMUTATIONS = 128  # of MinHash: the similarity is estimated to about 0.05


@dataclass(frozen=True)
class Deduplicated:
    """The training samples without near-duplicates, and (dropped id, id it is like) of the dropped ones."""

    training: list[Sample]
    within: list[tuple[str, str]]  # like an earlier training sample
    across: list[tuple[str, str]]  # like a validation sample

    def lines(self) -> list[str]:
        """Lines for the user: how many were dropped by source, and the first pair."""
        lines = []
        for other, pairs in (("each other", self.within), ("validation", self.across)):
            if pairs:
                counts = sorted(Counter(dropped.partition("/")[0] for dropped, _ in pairs).items())
                by_source = ", ".join(f"{name} {count}" for name, count in counts)
                lines.append(
                    f"near-duplicates of {other} dropped from training: {by_source}; the first: {pairs[0][0]} is like {pairs[0][1]}"
                )
        return lines


def drop_near_duplicates(training: Sequence[Sample], validation: Sequence[Sample], data: DataConfig) -> Deduplicated:
    """Training without the samples more similar to validation, or to an earlier sample, than their source's max_similarity.

    The similarity is the Jaccard index of the sets of shingles, estimated by MinHash. Samples of one group are not compared.
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
        match = index.most_similar(sample, bound) if bound < 1.0 else None
        if match is not None:
            key, other = match
            (across if key.startswith("v") else within).append((sample.id, other.id))
        else:
            kept.append(sample)
            index.add(f"t{number}", sample)
    return Deduplicated(kept, within, across)


class _Index:
    """Samples by MinHash; keys start with v for validation and t for training."""

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        self._lsh = MinHashLSH(threshold=max(0.1, threshold - 0.1), num_perm=PERMUTATIONS)
        self._entries: dict[str, tuple[Any, Sample]] = {}
        self._last: tuple[Sample, Any] | None = None  # a sample is looked up, then added

    def add(self, key: str, sample: Sample) -> None:
        sketch = self._sketch(sample)
        self._lsh.insert(key, sketch, check_duplication=False)
        self._entries[key] = (sketch, sample)

    def most_similar(self, sample: Sample, bound: float) -> tuple[str, Sample] | None:
        """(key, sample) of another group with the highest similarity above bound; validation samples come first."""
        sketch = self._sketch(sample)
        near = [(key, *self._entries[key]) for key in sorted(self._lsh.query(sketch))]
        similar = [(key.startswith("v"), sketch.jaccard(other), key, entry) for key, other, entry in near if entry.group != sample.group]
        best = max((entry for entry in similar if entry[1] > bound), key=lambda entry: entry[:2], default=None)
        return best and (best[2], best[3])

    def _sketch(self, sample: Sample) -> Any:
        if self._last is None or self._last[0] is not sample:
            from datasketch import MinHash

            sketch = MinHash(num_perm=PERMUTATIONS)
            sketch.update_batch([shingle.encode() for shingle in shingles(sample)])
            self._last = (sample, sketch)
        return self._last[1]


def shingles(sample: Sample) -> set[str]:
    """Every run of SHINGLE_WORDS words, in lower case; the whole text if it is shorter."""
    words = " ".join(message.content for message in sample.messages).lower().split()
    return {" ".join(words[at : at + SHINGLE_WORDS]) for at in range(max(1, len(words) - SHINGLE_WORDS + 1))}

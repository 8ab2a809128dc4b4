"""Sources become one training and one validation set; a world lies wholly on one side."""

from collections.abc import Sequence

from sekft.data.chance import place
from sekft.data.sample import Sample


def split(samples: Sequence[Sample], validation_share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """(training, validation), by a hash of the world's id: adding data moves no old row across."""
    validation = [sample for sample in samples if place(sample.group, seed) < validation_share]
    training = [sample for sample in samples if place(sample.group, seed) >= validation_share]
    if not training or (validation_share > 0 and not validation):  # a handful of worlds may fall on one side only
        groups = sorted({sample.group for sample in samples}, key=lambda group: place(group, seed))
        chosen = set(groups[: max(1, round(validation_share * len(groups)))]) if len(groups) > 1 else set()
        validation = [sample for sample in samples if sample.group in chosen]
        training = [sample for sample in samples if sample.group not in chosen]
    return training, validation

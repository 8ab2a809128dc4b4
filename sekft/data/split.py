"""The split into training and validation; a scenario, a conversation, an archetype or a time lies wholly on one side."""

import hashlib
from collections.abc import Callable, Sequence

from sekft.config import DataConfig
from sekft.config.data import HoldOut
from sekft.data.sample import Sample
from sekft.errors import DataError, SettingsError


def fraction(text: str, seed: int) -> float:
    """A number in [0, 1) that depends on text and seed alone, so that adding samples moves no old one."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{text}".encode()).digest()[:8], "big") / 2**64


def split_samples(samples: Sequence[Sample], data: DataConfig, seed: int) -> tuple[list[Sample], list[Sample]]:
    """(training, validation) as data.validation_from and data.hold_out ask, each in the order of the samples.

    Samples of other sources that share a group (or archetype) with validation are in neither. Raises SettingsError, DataError.
    """
    if unknown := [name for name in data.validation_from if name not in data.sources]:
        raise SettingsError(f"data.validation_from: found {unknown[0]}, allowed: {', '.join(data.sources)}")
    own = [sample for sample in samples if not data.validation_from or sample.source in data.validation_from]
    match data.hold_out:
        case HoldOut.conversation:
            _, held = split_by_hash(own, data.validation_share, seed)
        case HoldOut.archetype:
            _, held = split_by_hash(own, data.validation_share, seed, _archetype)
        case HoldOut.time:
            held = latest(own, data.validation_share)
    by_archetype = data.hold_out is HoldOut.archetype
    held_keys = {sample.archetype if by_archetype else sample.group for sample in held}
    training = [sample for sample in samples if (sample.archetype if by_archetype else sample.group) not in held_keys]
    return training, held


def split_by_hash(
    samples: Sequence[Sample], validation_share: float, seed: int, key: Callable[[Sample], str] = lambda sample: sample.split_key
) -> tuple[list[Sample], list[Sample]]:
    """(training, validation) by a hash of each sample's key, so that adding samples moves no old one to the other side."""
    validation = [sample for sample in samples if fraction(key(sample), seed) < validation_share]
    training = [sample for sample in samples if fraction(key(sample), seed) >= validation_share]
    if not training or (validation_share > 0 and not validation):  # a few groups may all hash to one side
        groups = sorted({key(sample) for sample in samples}, key=lambda group: fraction(group, seed))
        chosen = set(groups[: max(1, round(validation_share * len(groups)))]) if len(groups) > 1 else set()
        validation = [sample for sample in samples if key(sample) in chosen]
        training = [sample for sample in samples if key(sample) not in chosen]
    return training, validation


def latest(samples: Sequence[Sample], share: float) -> list[Sample]:
    """The samples of the latest-started share of groups; groups that started at one time stay together.

    Raises DataError for a sample without a time.
    """
    began: dict[str, float] = {}
    for sample in samples:
        if sample.time is None:
            raise DataError(
                f"{sample.id}: no time; allowed with data.hold_out=time: sources whose records have one, see data.validation_from"
            )
        began[sample.group] = min(sample.time, began.get(sample.group, sample.time))
    times = sorted(began.values())
    first = times[-max(1, round(share * len(times)))] if share and len(times) > 1 else float("inf")
    return [sample for sample in samples if began[sample.group] >= first]


def _archetype(sample: Sample) -> str:
    if not sample.archetype:
        raise DataError(f"{sample.id}: no archetype; allowed with data.hold_out=archetype: sources whose records have one")
    return sample.archetype

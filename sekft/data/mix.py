"""Sources become one training and one validation set; a world lies wholly on one side."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from sekft.config import DataConfig, SourceConfig, SourceKind
from sekft.data.sample import Sample
from sekft.data.source import shell
from sekft.errors import SettingsError


def read(data: DataConfig, say: Callable[[str], None] = lambda line: None) -> list[Sample]:
    """The samples of every source, in the order of the sources; say: what was left out. Raises DataError, SettingsError."""
    if not data.sources:
        raise SettingsError("data: no source chosen; allowed: 'data=[shell]'")
    samples: list[Sample] = []
    for name, source in data.sources.items():
        read_now, left_out = _read_one(name, source)
        if left_out:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(left_out.items()))
            say(f"data.sources.{name}: {len(read_now)} keepers; left out: {reasons}")
        samples += _share(read_now, source.weight, name)
    return samples


def split(samples: Sequence[Sample], validation_share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """(training, validation), by a hash of the world's id: adding data moves no old row across."""
    validation = [sample for sample in samples if _place(sample.group, seed) < validation_share]
    training = [sample for sample in samples if _place(sample.group, seed) >= validation_share]
    if not training or (validation_share > 0 and not validation):  # a handful of worlds may fall on one side only
        groups = sorted({sample.group for sample in samples}, key=lambda group: _place(group, seed))
        chosen = set(groups[: max(1, round(validation_share * len(groups)))]) if len(groups) > 1 else set()
        validation = [sample for sample in samples if sample.group in chosen]
        training = [sample for sample in samples if sample.group not in chosen]
    return training, validation


def _read_one(name: str, source: SourceConfig) -> tuple[list[Sample], Counter[str]]:
    if source.path is None:
        raise SettingsError(f"no value for data.sources.{name}.path (give it: data.sources.{name}.path=FILE_OR_FOLDER)")
    match source.kind:
        case SourceKind.shell:
            return shell.read(name, Path(source.path))


def _share(samples: list[Sample], weight: float, name: str) -> list[Sample]:
    if not 0 < weight <= 1:
        raise SettingsError(f"data.sources.{name}.weight: found {weight}, allowed: above 0, up to 1")
    return [sample for sample in samples if weight == 1 or _place(sample.id, 0) < weight]


def _place(text: str, seed: int) -> float:
    """A number in [0, 1) that only text and seed decide."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{text}".encode()).digest()[:8], "big") / 2**64

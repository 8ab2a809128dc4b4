"""Which worlds are for training and which for the exam: whole archetypes, never shared.

Every row of four worlds ends with a blocked one; archetypes take turns, among the blocked ones too, so that the first N
are spread like all of them.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import count, islice
from pathlib import Path

from sekft.config import SplitConfig
from sekft.errors import BundleError, SettingsError
from sekft.scenario import library, words
from sekft.scenario.bundle import Bundle, read_all

ROW = library.BLOCKED_EVERY
WHICH = ("train", "held_out", "all")


def bundles(split: SplitConfig, which: str) -> list[Bundle]:
    """The worlds of `train`, `held_out` or `all`, in stored order. Raises SettingsError."""
    held_out = _held_out(split)
    learned = tuple(name for name in library.archetypes() if name not in held_out)
    match which:
        case "train":
            return _make(learned, split.train_bundles, split.seed, words.TRAIN_PROVIDERS)
        case "held_out":
            return _make(held_out, split.exam_bundles, split.seed, words.EXAM_PROVIDERS)
        case "all":
            sides = [side for side, names in (("train", learned), ("held_out", held_out)) if names]
            return _woven([bundles(split, side) for side in sides])
        case _:
            raise SettingsError(f"scenarios: found {which!r}, allowed: {', '.join(WHICH)}")


def is_foreign(which_or_path: str) -> bool:
    """Whether the bundles come from a file or folder, not from the library."""
    return which_or_path not in WHICH


def load(which_or_path: str, split: SplitConfig) -> list[Bundle]:
    """The worlds of the split, or of a bundle file or folder. Raises BundleError or SettingsError."""
    if which_or_path in WHICH:
        return bundles(split, which_or_path)
    path = Path(which_or_path)
    if not path.exists():
        raise BundleError(f"scenarios: {path} does not exist, allowed: {', '.join(WHICH)}, a bundle file or a folder of them")
    return read_all(path)


def _held_out(split: SplitConfig) -> tuple[str, ...]:
    known = library.archetypes()
    if unknown := [name for name in split.held_out if name not in known]:
        raise SettingsError(f"split.held_out: found {', '.join(unknown)}, allowed: {', '.join(known)}")
    return tuple(name for name in known if name in split.held_out)


def _make(archetypes: Sequence[str], amount: int, seed: int, providers: Sequence[str]) -> list[Bundle]:
    if amount < 0 or (amount and not archetypes):
        raise SettingsError(f"split: {amount} bundles asked of {len(archetypes)} archetypes; see split.held_out")
    return [library.make(name, index, seed, providers) for name, index in islice(_order(archetypes), amount)]


def _order(archetypes: Sequence[str]) -> Iterator[tuple[str, int]]:
    """(archetype, index) for ever; the blocked ones go round from the other end."""
    solvable, blocked = _turns(archetypes, False), _turns(archetypes[::-1], True)
    for position in count():
        yield next(blocked if library.is_blocked(position) else solvable)


def _turns(archetypes: Sequence[str], blocked: bool) -> Iterator[tuple[str, int]]:
    for index in count():
        if library.is_blocked(index) == blocked:
            yield from ((name, index) for name in archetypes)


def _woven(sides: Sequence[list[Bundle]]) -> list[Bundle]:
    """The rows of every side, each side spread evenly over the whole."""
    rows: list[tuple[Fraction, list[Bundle]]] = []
    for worlds in sides:
        starts = range(0, len(worlds), ROW)
        rows += [(Fraction(start + ROW, len(worlds)), worlds[start : start + ROW]) for start in starts]
    return [bundle for _, row in sorted(rows, key=lambda item: item[0]) for bundle in row]

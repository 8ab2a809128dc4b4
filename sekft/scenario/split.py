"""Which worlds are for training and which for the exam: whole archetypes, never shared.

Every row of four worlds ends with a blocked one, in training unless split.train_blocked_share says otherwise; archetypes take
turns, among the blocked ones too, so that the first N are spread like all of them.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import count, cycle, islice
from math import floor
from pathlib import Path

from sekft.config import SplitConfig
from sekft.errors import BundleError, DataError, SettingsError
from sekft.scenario import frozen, library
from sekft.scenario.document import Bundle, dumps, read_all
from sekft.scenario.library import CHOOSING, DEVELOPMENT, DRAWN, FRESH, TRAIN, UNLISTED, Era
from sekft.scenario.taxonomy import BLOCKED_EVERY

ROW = BLOCKED_EVERY
WHICH = ("train", "held_out", "exam", "all", "fresh", "unlisted", "choosing", "development")


def bundles(split: SplitConfig, which: str, seed: int = 0, amount: int = 0) -> list[Bundle]:
    """The worlds of one of WHICH, in stored order. Raises SettingsError, or BundleError for a frozen exam set that was changed.

    train: what the split's archetypes are learned from. held_out, exam: the frozen set, or its held-out half; drawn where the
    split holds out other archetypes. fresh: as exam, drawn by `seed`; unlisted: the same with nouns outside the list, all of them
    or the share that the split says.
    choosing: of the archetypes and names of training, none of its worlds; the same first ones for every seed but the split's.
    development: others of these, drawn by `seed`.
    amount: how many; 0: as many as the split says, and the frozen set whole.
    """
    held_out, learned = sides(split)
    match which:
        case "train":
            era = replace(TRAIN, outside=split.train_unlisted_share)
            weights = _weights(split, learned)
            return drawn(learned, amount or split.train_bundles, split.seed, era, split.train_blocked_share, weights)
        case "held_out" | "exam":
            return _exam(split, which == "exam")[: amount or None]
        case "all":
            whole = [bundles(split, "train"), _exam(split, True)] if held_out else [bundles(split, "train")]
            return _woven(whole)[: amount or None]
        case "fresh" | "unlisted":
            era = FRESH if which == "fresh" else replace(UNLISTED, outside=split.unlisted_share)
            return both(held_out, learned, amount or split.exam_bundles, seed, era)
        case "choosing":
            return drawn(learned, amount or split.exam_bundles, split.seed, CHOOSING)
        case "development":
            return drawn(learned, amount or split.exam_bundles, seed, DEVELOPMENT)
        case _:
            raise SettingsError(f"scenarios={which}: allowed: {', '.join(WHICH)}")


def load(which_or_path: str, split: SplitConfig, seed: int = 0, amount: int = 0) -> list[Bundle]:
    """The worlds of the split, or of a bundle file or folder. Raises BundleError or SettingsError."""
    if which_or_path in WHICH:
        return bundles(split, which_or_path, seed, amount)
    path = Path(which_or_path)
    if not path.exists():
        raise BundleError(f"scenarios: {path} does not exist, allowed: {', '.join(WHICH)}, a bundle file or a folder of them")
    return read_all(path)[: amount or None]


def is_foreign(which_or_path: str) -> bool:
    """Whether these worlds come from outside the library: text and code that somebody else wrote."""
    return which_or_path not in WHICH


def line(worlds: Sequence[Bundle], which_or_path: str, split: SplitConfig) -> str:
    """What is examined, and by which hash it can be known again."""
    archetypes = len({bundle.archetype for bundle in worlds})
    of_set = f"; of the frozen exam set, sha256 {frozen.SHA256[:16]}" if is_frozen(split) and which_or_path in ("held_out", "exam") else ""
    return f"exam: {len(worlds)} worlds of {archetypes} archetypes, scenarios={which_or_path}, sha256 {digest(worlds)[:16]}{of_set}"


def digest(worlds: Sequence[Bundle]) -> str:
    """SHA-256 of the worlds in their order."""
    return hashlib.sha256("".join(map(dumps, worlds)).encode()).hexdigest()


def is_frozen(split: SplitConfig) -> bool:
    """Whether the frozen exam set is this split's."""
    return set(split.held_out) == set(frozen.HELD_OUT)


def sides(split: SplitConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(held-out archetypes, the others), in name order. Raises SettingsError."""
    known = library.archetypes()
    for key, names in (("held_out", split.held_out), ("set_aside", split.set_aside)):
        if unknown := [name for name in names if name not in known]:
            raise SettingsError(f"split.{key}: found {', '.join(unknown)}, allowed: {', '.join(known)}")
    if stray := [name for name in split.set_aside if name not in split.held_out]:
        raise SettingsError(f"split.set_aside: found {', '.join(stray)}, allowed: what split.held_out names")
    return tuple(name for name in known if name in split.held_out), tuple(name for name in known if name not in split.held_out)


def drawn(
    archetypes: Sequence[str], amount: int, seed: int, era: Era, blocked_share: float = 1 / ROW, weights: Mapping[str, int] | None = None
) -> list[Bundle]:
    """weights: how often an archetype has its turn while the others have one."""
    if amount < 0 or (amount and not archetypes):
        raise SettingsError(f"split: {amount} bundles asked of {len(archetypes)} archetypes; see split.held_out")
    return [library.make(name, index, seed, era) for name, index in islice(_order(archetypes, blocked_share, weights or {}), amount)]


def both(held_out: Sequence[str], learned: Sequence[str], amount: int, seed: int, era: Era) -> list[Bundle]:
    """Half of held-out archetypes, half new worlds of the others, row by row."""
    if not held_out:
        return drawn(learned, amount, seed, era)
    half = amount // (2 * ROW) * ROW + min(amount % (2 * ROW), ROW)
    return _woven([drawn(held_out, half, seed, era), drawn(learned, amount - half, seed, era)])


def _exam(split: SplitConfig, with_learned: bool) -> list[Bundle]:
    held_out, learned = sides(split)
    if is_frozen(split):
        worlds = frozen.exam()
        return worlds if with_learned else [bundle for bundle in worlds if bundle.archetype in held_out]
    if with_learned:
        return both(held_out, learned, split.exam_bundles, split.seed, DRAWN)
    return drawn(held_out, split.exam_bundles, split.seed, DRAWN)


def _weights(split: SplitConfig, learned: Sequence[str]) -> dict[str, int]:
    """Raises SettingsError."""
    for name, weight in split.train_weights.items():
        if name not in learned or weight < 1:
            raise SettingsError(f"split.train_weights: found {name}: {weight}, allowed: 1 or more, of {', '.join(learned)}")
    return dict(split.train_weights)


def _order(archetypes: Sequence[str], blocked_share: float, weights: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """(archetype, index) for ever; the blocked ones are spread evenly and go round from the other end."""
    share = Fraction(str(blocked_share))
    solvable, blocked = _turns(archetypes, False, weights), _turns(archetypes[::-1], True, weights)
    for position in count():
        yield next(blocked if floor((position + 1) * share) > floor(position * share) else solvable)


def _turns(archetypes: Sequence[str], blocked: bool, weights: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Round after round of all archetypes, then of those that have more turns than one."""
    indices = {name: filter(lambda index: library.is_blocked(index) == blocked, count()) for name in archetypes}
    rounds = [[name for name in archetypes if weights.get(name, 1) > turn] for turn in range(max(weights.values(), default=1))]
    for names in cycle(rounds):
        yield from ((name, next(indices[name])) for name in names)


def _woven(sides: Sequence[list[Bundle]]) -> list[Bundle]:
    """The rows of every side, each side spread evenly over the whole."""
    rows: list[tuple[Fraction, list[Bundle]]] = []
    for worlds in sides:
        starts = range(0, len(worlds), ROW)
        rows += [(Fraction(start + ROW, len(worlds)), worlds[start : start + ROW]) for start in starts]
    return [bundle for _, row in sorted(rows, key=lambda item: item[0]) for bundle in row]


def require_apart(learned: Collection[str], exam: Sequence[Bundle], choosing: Sequence[Bundle], development: Sequence[Bundle] = ()) -> None:
    """Worlds, by id, are for one purpose only. Raises DataError."""
    examined, chosen_by = {bundle.id for bundle in exam}, {bundle.id for bundle in choosing}
    pairs = {"the training data and in the exam": (learned, examined), "the training data and in scenarios=choosing": (learned, chosen_by)}
    pairs["scenarios=choosing and in the exam"] = (chosen_by, examined)
    repaired_by = {bundle.id for bundle in development}
    pairs["the training data and in scenarios=development"] = (learned, repaired_by)
    pairs["scenarios=development and in the exam"] = (repaired_by, examined)
    for where, (one, other) in pairs.items():
        if shared := set(one) & set(other):
            raise DataError(f"{min(shared)}: in {where} ({len(shared)} worlds are); hold them out")

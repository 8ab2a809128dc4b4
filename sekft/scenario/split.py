"""Which scenarios are for training and which for the evaluation: whole archetypes, never shared.

Every row of four scenarios ends with a blocked one, in training unless split.train_blocked_share says otherwise; archetypes take
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
from sekft.errors import DataError, ScenarioError, SettingsError
from sekft.scenario import frozen, library
from sekft.scenario.document import Scenario, dumps, read_all
from sekft.scenario.library import DEVELOPMENT, DRAWN, FRESH, SELECTION, TRAIN, UNLISTED, Purpose
from sekft.scenario.taxonomy import BLOCKED_EVERY

ROW = BLOCKED_EVERY
WHICH = ("train", "held_out", "test", "all", "fresh", "unlisted", "selection", "development")


def scenarios(split: SplitConfig, which: str, seed: int = 0, amount: int = 0) -> list[Scenario]:
    """The scenarios of one of WHICH, in stored order. Raises SettingsError, or ScenarioError for a frozen test set that was changed.

    train: what the split's archetypes are learned from. held_out, evaluation: the frozen set, or its held-out half; drawn where the
    split holds out other archetypes. fresh: as evaluation, drawn by `seed`; unlisted: the same with nouns outside the list, all of them
    or the share that the split says.
    selection: of the archetypes and names of training, none of its scenarios; the same first ones for every seed but the split's.
    development: others of these, drawn by `seed`.
    amount: how many; 0: as many as the split says, and the frozen set whole.
    """
    held_out, learned = sides(split)
    match which:
        case "train":
            purpose = replace(TRAIN, outside=split.train_unlisted_share)
            weights = _weights(split, learned)
            return drawn(learned, amount or split.train_scenarios, split.seed, purpose, split.train_blocked_share, weights)
        case "held_out" | "test":
            return _eval(split, which == "test")[: amount or None]
        case "all":
            whole = [scenarios(split, "train"), _eval(split, True)] if held_out else [scenarios(split, "train")]
            return _woven(whole)[: amount or None]
        case "fresh" | "unlisted":
            purpose = FRESH if which == "fresh" else replace(UNLISTED, outside=split.unlisted_share)
            return both(held_out, learned, amount or split.eval_scenarios, seed, purpose)
        case "selection":
            return drawn(learned, amount or split.eval_scenarios, split.seed, SELECTION)
        case "development":
            return drawn(learned, amount or split.eval_scenarios, seed, DEVELOPMENT)
        case _:
            raise SettingsError(f"scenarios={which}: allowed: {', '.join(WHICH)}")


def load(which_or_path: str, split: SplitConfig, seed: int = 0, amount: int = 0) -> list[Scenario]:
    """The scenarios of the split, or of a scenario file or folder. Raises ScenarioError or SettingsError."""
    if which_or_path in WHICH:
        return scenarios(split, which_or_path, seed, amount)
    path = Path(which_or_path)
    if not path.exists():
        raise ScenarioError(f"scenarios: {path} does not exist, allowed: {', '.join(WHICH)}, a scenario file or a folder of them")
    return read_all(path)[: amount or None]


def is_foreign(which_or_path: str) -> bool:
    """Whether these scenarios come from outside the library: text and code that somebody else wrote."""
    return which_or_path not in WHICH


def line(scenarios: Sequence[Scenario], which_or_path: str, split: SplitConfig) -> str:
    """What is evaluated, and by which hash it can be known again."""
    archetypes = len({scenario.archetype for scenario in scenarios})
    of_set = f"; of the frozen test set, sha256 {frozen.SHA256[:16]}" if is_frozen(split) and which_or_path in ("held_out", "test") else ""
    return f"evaluation: {len(scenarios)} scenarios of {archetypes} archetypes, scenarios={which_or_path}, sha256 {digest(scenarios)[:16]}{of_set}"


def digest(scenarios: Sequence[Scenario]) -> str:
    """SHA-256 of the scenarios in their order."""
    return hashlib.sha256("".join(map(dumps, scenarios)).encode()).hexdigest()


def is_frozen(split: SplitConfig) -> bool:
    """Whether the frozen test set is this split's."""
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
    archetypes: Sequence[str],
    amount: int,
    seed: int,
    purpose: Purpose,
    blocked_share: float = 1 / ROW,
    weights: Mapping[str, int] | None = None,
) -> list[Scenario]:
    """weights: how often an archetype has its turn while the others have one."""
    if amount < 0 or (amount and not archetypes):
        raise SettingsError(f"split: {amount} scenarios asked of {len(archetypes)} archetypes; see split.held_out")
    return [library.make(name, index, seed, purpose) for name, index in islice(_order(archetypes, blocked_share, weights or {}), amount)]


def both(held_out: Sequence[str], learned: Sequence[str], amount: int, seed: int, purpose: Purpose) -> list[Scenario]:
    """Half of held-out archetypes, half new scenarios of the others, row by row."""
    if not held_out:
        return drawn(learned, amount, seed, purpose)
    half = amount // (2 * ROW) * ROW + min(amount % (2 * ROW), ROW)
    return _woven([drawn(held_out, half, seed, purpose), drawn(learned, amount - half, seed, purpose)])


def _eval(split: SplitConfig, with_learned: bool) -> list[Scenario]:
    held_out, learned = sides(split)
    if is_frozen(split):
        scenarios = frozen.scenarios()
        return scenarios if with_learned else [scenario for scenario in scenarios if scenario.archetype in held_out]
    if with_learned:
        return both(held_out, learned, split.eval_scenarios, split.seed, DRAWN)
    return drawn(held_out, split.eval_scenarios, split.seed, DRAWN)


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


def _woven(sides: Sequence[list[Scenario]]) -> list[Scenario]:
    """The rows of every side, each side spread evenly over the whole."""
    rows: list[tuple[Fraction, list[Scenario]]] = []
    for scenarios in sides:
        starts = range(0, len(scenarios), ROW)
        rows += [(Fraction(start + ROW, len(scenarios)), scenarios[start : start + ROW]) for start in starts]
    return [scenario for _, row in sorted(rows, key=lambda item: item[0]) for scenario in row]


def require_apart(
    learned: Collection[str], evaluation: Sequence[Scenario], selection: Sequence[Scenario], development: Sequence[Scenario] = ()
) -> None:
    """Scenarios, by id, are for one purpose only. Raises DataError."""
    evaluated, chosen_by = {scenario.id for scenario in evaluation}, {scenario.id for scenario in selection}
    pairs = {
        "the training data and in the evaluation": (learned, evaluated),
        "the training data and in scenarios=selection": (learned, chosen_by),
    }
    pairs["scenarios=selection and in the evaluation"] = (chosen_by, evaluated)
    repaired_by = {scenario.id for scenario in development}
    pairs["the training data and in scenarios=development"] = (learned, repaired_by)
    pairs["scenarios=development and in the evaluation"] = (repaired_by, evaluated)
    for where, (one, other) in pairs.items():
        if shared := set(one) & set(other):
            raise DataError(f"{min(shared)}: in {where} ({len(shared)} scenarios are); hold them out")

"""Scenario sets for training and evaluation; a split holds out whole archetypes.

Every prefix of a set is stratified: archetypes take turns, and of every four scenarios the last is blocked. split.train_blocked_share and
split.train_weights change both shares for training.
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

ROW = BLOCKED_EVERY  # scenarios, the last of them blocked
SETS = ("train", "held_out", "test", "all", "fresh", "unlisted", "selection", "development")


def scenarios(split: SplitConfig, name: str, seed: int = 0, amount: int = 0) -> list[Scenario]:
    """The scenarios of one set, in stored order.

    train: training archetypes.
    test, held_out: the frozen test set, and its half of held-out archetypes. A split with other held-out archetypes draws its own.
    all: train and test, mixed.
    fresh: like test, drawn by `seed`; unlisted: like fresh, with invented nouns in place of listed ones (all, or split.unlisted_share).
    selection, development: new scenarios of the training archetypes; selection does not depend on `seed`, development does.

    amount: number of scenarios; 0: as the split says, the frozen set whole. Raises SettingsError; ScenarioError if the frozen set was
    changed.
    """
    held_out, learned = sides(split)
    match name:
        case "train":
            purpose = replace(TRAIN, outside=split.train_unlisted_share)
            weights = _weights(split, learned)
            return draw_scenarios(learned, amount or split.train_scenarios, split.seed, purpose, split.train_blocked_share, weights)
        case "held_out" | "test":
            return _test(split, name == "test")[: amount or None]
        case "all":
            whole = [scenarios(split, "train"), _test(split, True)] if held_out else [scenarios(split, "train")]
            return _interleave(whole)[: amount or None]
        case "fresh" | "unlisted":
            purpose = FRESH if name == "fresh" else replace(UNLISTED, outside=split.unlisted_share)
            return draw_both_sides(held_out, learned, amount or split.eval_scenarios, seed, purpose)
        case "selection":
            return draw_scenarios(learned, amount or split.eval_scenarios, split.seed, SELECTION)
        case "development":
            return draw_scenarios(learned, amount or split.eval_scenarios, seed, DEVELOPMENT)
        case _:
            raise SettingsError(f"scenarios={name}: allowed: {', '.join(SETS)}")


def load(name_or_path: str, split: SplitConfig, seed: int = 0, amount: int = 0) -> list[Scenario]:
    """The scenarios of a set of the split, or of a scenario file or folder. Raises ScenarioError or SettingsError."""
    if name_or_path in SETS:
        return scenarios(split, name_or_path, seed, amount)
    path = Path(name_or_path)
    if not path.exists():
        raise ScenarioError(f"scenarios: {path} does not exist, allowed: {', '.join(SETS)}, a scenario file or a folder of them")
    return read_all(path)[: amount or None]


def is_foreign(name_or_path: str) -> bool:
    """Whether the scenarios come from files: their text and code may be anybody's."""
    return name_or_path not in SETS


def describe(scenarios: Sequence[Scenario], name_or_path: str, split: SplitConfig, asked: int = 0) -> str:
    """One line: number of scenarios and archetypes, name of the set, SHA-256. asked: eval.episodes, which the set may not have."""
    archetypes = len({scenario.archetype for scenario in scenarios})
    counts = f"{len(scenarios)} scenarios of {archetypes} archetypes"
    frozen_set = is_frozen(split) and name_or_path in ("held_out", "test")
    note = f"; of the frozen test set, sha256 {frozen.SHA256[:16]}" if frozen_set else ""
    more = (
        f"; it has no more, eval.episodes={asked} (scenarios=fresh draws any number)"
        if asked > len(scenarios) and name_or_path in SETS
        else ""
    )
    return f"evaluation: {counts}, scenarios={name_or_path}, sha256 {digest(scenarios)[:16]}{note}{more}"


def digest(scenarios: Sequence[Scenario]) -> str:
    """Hex SHA-256 of the scenarios in their order."""
    return hashlib.sha256("".join(map(dumps, scenarios)).encode()).hexdigest()


def is_frozen(split: SplitConfig) -> bool:
    """Whether the split holds out the archetypes of the frozen test set."""
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


def draw_scenarios(
    archetypes: Sequence[str],
    amount: int,
    seed: int,
    purpose: Purpose,
    blocked_share: float = 1 / ROW,
    weights: Mapping[str, int] | None = None,
) -> list[Scenario]:
    """The first `amount` scenarios of these archetypes. weights: an archetype's turns per round, 1 if absent. Raises SettingsError."""
    if amount < 0 or (amount and not archetypes):
        raise SettingsError(f"split: {amount} scenarios wanted of {len(archetypes)} archetypes; see split.held_out")
    return [library.make(name, index, seed, purpose) for name, index in islice(_order(archetypes, blocked_share, weights or {}), amount)]


def draw_both_sides(held_out: Sequence[str], learned: Sequence[str], amount: int, seed: int, purpose: Purpose) -> list[Scenario]:
    """Half of held-out archetypes, half of the others, in alternating rows."""
    if not held_out:
        return draw_scenarios(learned, amount, seed, purpose)
    half = amount // (2 * ROW) * ROW + min(amount % (2 * ROW), ROW)
    return _interleave([draw_scenarios(held_out, half, seed, purpose), draw_scenarios(learned, amount - half, seed, purpose)])


def _test(split: SplitConfig, with_learned: bool) -> list[Scenario]:
    held_out, learned = sides(split)
    if is_frozen(split):
        scenarios = frozen.scenarios()
        return scenarios if with_learned else [scenario for scenario in scenarios if scenario.archetype in held_out]
    if with_learned:
        return draw_both_sides(held_out, learned, split.eval_scenarios, split.seed, DRAWN)
    return draw_scenarios(held_out, split.eval_scenarios, split.seed, DRAWN)


def _weights(split: SplitConfig, learned: Sequence[str]) -> dict[str, int]:
    """split.train_weights, validated. Raises SettingsError."""
    for name, weight in split.train_weights.items():
        if name not in learned or weight < 1:
            raise SettingsError(f"split.train_weights: found {name}: {weight}, allowed: 1 or more, of {', '.join(learned)}")
    return dict(split.train_weights)


def _order(archetypes: Sequence[str], blocked_share: float, weights: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Endless (archetype, index); blocked scenarios are spread evenly, and their archetypes take turns in reverse order."""
    share = Fraction(str(blocked_share))
    solvable, blocked = _turns(archetypes, False, weights), _turns(archetypes[::-1], True, weights)
    for position in count():
        yield next(blocked if floor((position + 1) * share) > floor(position * share) else solvable)


def _turns(archetypes: Sequence[str], blocked: bool, weights: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Endless (archetype, index): a round of all archetypes, then rounds of those with a weight above 1, then anew."""
    indices = {name: filter(lambda index: library.is_blocked(index) == blocked, count()) for name in archetypes}
    rounds = [[name for name in archetypes if weights.get(name, 1) > turn] for turn in range(max(weights.values(), default=1))]
    for names in cycle(rounds):
        yield from ((name, next(indices[name])) for name in names)


def _interleave(sides: Sequence[list[Scenario]]) -> list[Scenario]:
    """The rows of all sides in one list, each side spread evenly over it."""
    rows: list[tuple[Fraction, list[Scenario]]] = []
    for scenarios in sides:
        starts = range(0, len(scenarios), ROW)
        rows += [(Fraction(start + ROW, len(scenarios)), scenarios[start : start + ROW]) for start in starts]
    return [scenario for _, row in sorted(rows, key=lambda item: item[0]) for scenario in row]


def require_apart(
    learned: Collection[str], evaluation: Sequence[Scenario], selection: Sequence[Scenario], development: Sequence[Scenario] = ()
) -> None:
    """Raises DataError if a scenario serves two purposes. learned: ids of training scenarios."""
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

"""Mixes the rows of several sources into one training set, in the proportions of their weights."""

from collections.abc import Mapping, Sequence
from itertools import count

from sekft.config import DataConfig
from sekft.config.data import MixBy
from sekft.data.sample import Row
from sekft.data.split import fraction
from sekft.errors import DataError, SettingsError


def mix_rows(rows: Mapping[str, Sequence[Row]], data: DataConfig, seed: int) -> list[Row]:
    """The rows of every source in proportion to its weight, to half a row, the sources taking turns.

    The source that has least for its weight is used whole, `epochs` times; the others are cut. A single source gives all of its rows,
    in their order. Raises SettingsError, and DataError for a source of which no row is left.
    """
    weights = source_shares(data)
    if len(rows) == 1:
        return list(next(iter(rows.values())))
    sizes = {name: sum(_size(row, data.by) for row in own) for name, own in rows.items()}
    if empty := [name for name, size in sizes.items() if not size]:
        raise DataError(f"data.sources.{empty[0]}: no row to mix; allowed: one or more")
    total = min(data.sources[name].epochs * sizes[name] / weights[name] for name in rows)  # size of the mix
    chosen = {name: _choose(rows[name], weights[name] * total, data.by, seed) for name in rows}
    if empty := [name for name, own in chosen.items() if not own]:
        target = f"{weights[empty[0]] * total:.0f} {data.by.value}"
        raise DataError(f"data.sources.{empty[0]}: its share of the mix, {target}, is less than its shortest row; give it more weight")
    placed = [((at + 0.5) / len(own), order, row) for order, own in enumerate(chosen.values()) for at, row in enumerate(own)]
    return [row for _, _, row in sorted(placed, key=lambda entry: entry[:2])]


def source_shares(data: DataConfig) -> dict[str, float]:
    """The share of each source in the mix; they sum to 1. Raises SettingsError."""
    weights = {name: source.weight for name, source in data.sources.items()}
    for name, source in data.sources.items():
        if source.weight <= 0 or source.epochs <= 0:
            raise SettingsError(f"data.sources.{name}: weight {source.weight}, epochs {source.epochs}; allowed: above 0")
    if len(weights) == 1 and (name := next(iter(weights))) and weights[name] != 1:
        raise SettingsError(
            f"data.sources.{name}.weight={weights[name]}: there is no other source to weigh it against; allowed: data.sources.{name}.share"
        )
    if data.general_share:
        weights = _with_general(weights, data)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _with_general(weights: Mapping[str, float], data: DataConfig) -> dict[str, float]:
    """The weights, those of data.general scaled so that together they make data.general_share."""
    general = [name for name in weights if name in data.general]
    unknown = [name for name in data.general if name not in weights]
    if unknown or not 0 < len(general) < len(weights):
        found = unknown[0] if unknown else data.general
        raise SettingsError(f"data.general: found {found}, allowed with data.general_share: some, not all, of {', '.join(weights)}")
    task_weight = sum(weights[name] for name in weights if name not in general)
    general_weight = sum(weights[name] for name in general)
    factor = data.general_share / (1 - data.general_share) * task_weight / general_weight
    return {name: weight * factor if name in general else weight for name, weight in weights.items()}


def _size(row: Row, by: MixBy) -> int:
    return len(row.ids) if by is MixBy.tokens else 1


def _choose(rows: Sequence[Row], target: float, by: MixBy, seed: int) -> list[Row]:
    """Rows whose sizes sum to the target, to half a row: as many passes over all rows as needed, each in an order of its own."""
    chosen: list[Row] = []
    left = target
    for number in count():
        before = len(chosen)
        for row in sorted(rows, key=lambda row: fraction(f"{number}/{row.id}", seed)):
            if _size(row, by) <= 2 * left:
                chosen.append(row)
                left -= _size(row, by)
        if len(chosen) < before + len(rows):
            return chosen
    return chosen

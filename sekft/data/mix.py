"""Rows of several sources as one training set, in the proportions that were asked for."""

from collections.abc import Mapping, Sequence
from itertools import count

from sekft.config import DataConfig
from sekft.config.data import MixBy
from sekft.data.sample import Row
from sekft.data.split import fraction
from sekft.errors import DataError, SettingsError


def mix_rows(rows: Mapping[str, Sequence[Row]], data: DataConfig, seed: int) -> list[Row]:
    """Of every source what its weight asks for, to half a row; the source that has least for its weight is used whole, `epochs` times.

    One source alone is all of its rows, in their order. Raises SettingsError, and DataError for a source of which no row is left.
    """
    weights = source_shares(data)
    if len(rows) == 1:
        return [row for one in rows.values() for row in one]
    sizes = {name: sum(_size(row, data.by) for row in one) for name, one in rows.items()}
    if empty := [name for name, size in sizes.items() if not size]:
        raise DataError(f"data.sources.{empty[0]}: no row to mix; allowed: one or more")
    whole = min(data.sources[name].epochs * sizes[name] / weights[name] for name in rows)
    chosen = {name: _chosen(rows[name], weights[name] * whole, data.by, seed) for name in rows}
    if empty := [name for name, one in chosen.items() if not one]:
        allowed = f"{weights[empty[0]] * whole:.0f} {data.by.value}"
        raise DataError(f"data.sources.{empty[0]}: its share of the mix, {allowed}, is less than its shortest row; give it more weight")
    placed = [((at + 0.5) / len(one), order, row) for order, one in enumerate(chosen.values()) for at, row in enumerate(one)]
    return [row for _, _, row in sorted(placed, key=lambda entry: entry[:2])]


def source_shares(data: DataConfig) -> dict[str, float]:
    """Source -> its share of the mix; together 1. Raises SettingsError."""
    weights = {name: source.weight for name, source in data.sources.items()}
    for name, source in data.sources.items():
        if source.weight <= 0 or source.epochs <= 0:
            raise SettingsError(f"data.sources.{name}: weight {source.weight}, epochs {source.epochs}; allowed: above 0")
    if len(weights) == 1 and (name := next(iter(weights))) and weights[name] != 1:
        raise SettingsError(f"data.sources.{name}.weight={weights[name]}: no other source to weigh it against; allowed: {name}.share")
    if data.general_share:
        weights = _with_general(weights, data)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _with_general(weights: Mapping[str, float], data: DataConfig) -> dict[str, float]:
    general = [name for name in weights if name in data.general]
    unknown = [name for name in data.general if name not in weights]
    if unknown or not 0 < len(general) < len(weights):
        found = unknown[0] if unknown else data.general
        raise SettingsError(f"data.general: found {found}, allowed with general_share: some, not all, of {', '.join(weights)}")
    ours = sum(weights[name] for name in weights if name not in general)
    theirs = sum(weights[name] for name in general)
    factor = data.general_share / (1 - data.general_share) * ours / theirs
    return {name: weight * factor if name in general else weight for name, weight in weights.items()}


def _size(row: Row, by: MixBy) -> int:
    return len(row.ids) if by is MixBy.tokens else 1


def _chosen(rows: Sequence[Row], target: float, by: MixBy, seed: int) -> list[Row]:
    """Pass after pass, each in an order of its own, until the target is met as nearly as a row can meet it."""
    chosen: list[Row] = []
    left = target
    for turn in count():
        before = len(chosen)
        for row in sorted(rows, key=lambda row: fraction(f"{turn}/{row.id}", seed)):
            if _size(row, by) <= 2 * left:
                chosen.append(row)
                left -= _size(row, by)
        if len(chosen) < before + len(rows):
            return chosen
    return chosen

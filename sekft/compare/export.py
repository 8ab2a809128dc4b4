"""A comparison's numbers for other programs: a row for every run and for every base, as CSV and as Parquet."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sekft.compare.comparison import Comparison
from sekft.eval.measures import measure_rate
from sekft.eval.rates import Rate


def rows(comparison: Comparison) -> list[dict[str, Any]]:
    """By column, the same in every row; None: the row has no such thing."""
    keys = comparison.keys()
    found = []
    for one in comparison.lines:
        for run in one.runs:
            rates = {name: measure_rate(run.episodes, name) for name in comparison.measures()}
            about = {"group": one.name, "run": str(run.folder), "seed": run.seed, **{key: one.differing[key] for key in keys}}
            found.append({**about, "loss": run.loss(), **_numbers(rates)})
        if not one.runs:
            found.append({"group": one.name, **dict.fromkeys(("run", "seed", *keys, "loss")), **_numbers(one.rates)})
    return found


def write_csv(comparison: Comparison, path: Path) -> None:
    table = rows(comparison)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def write_parquet(comparison: Comparison, path: Path) -> None:
    """Settings whose values are of several types, or no plain ones, are text."""
    from pyarrow import Table, parquet

    table = rows(comparison)
    columns = {name: [row[name] for row in table] for name in table[0]}
    parquet.write_table(Table.from_pydict({name: _of_one_type(values) for name, values in columns.items()}), path)


def _of_one_type(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or (len(kinds) == 1 and kinds <= {bool, str}):
        return values
    return [None if value is None else str(value) for value in values]


def _numbers(rates: Mapping[str, Rate]) -> dict[str, float]:
    return {f"{name}.{part}": getattr(rate, part) for name, rate in rates.items() for part in ("k", "n", "rate", "low", "high")}

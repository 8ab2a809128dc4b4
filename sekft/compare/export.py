"""A comparison's numbers for other readers: CSV and Parquet with a row per run and per base, and sections of a Markdown page."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sekft.compare.comparison import Comparison
from sekft.errors import SettingsError
from sekft.eval.measures import measure_rate
from sekft.eval.rates import Rate
from sekft.tracking.files import replacing, write_text

PARTS = ("result", "verdict")


def export_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Rows with the same columns; None where a row has no value."""
    keys = comparison.keys()
    rows = []
    for line in comparison.rows:
        for run in line.runs:
            rates = {name: measure_rate(run.episodes, name) for name in comparison.measures()}
            run_columns = {"group": line.name, "run": str(run.folder), "seed": run.seed, **{key: line.differing[key] for key in keys}}
            rows.append({**run_columns, "loss": run.loss(), **_rate_columns(rates)})
        if not line.runs:
            rows.append({"group": line.name, **dict.fromkeys(("run", "seed", *keys, "loss")), **_rate_columns(line.rates)})
    return rows


def write_csv(comparison: Comparison, path: Path) -> None:
    rows = export_rows(comparison)
    with replacing(path) as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(comparison: Comparison, path: Path) -> None:
    """Settings with values of several types, or of no plain type, are written as text."""
    from pyarrow import Table, parquet

    rows = export_rows(comparison)
    columns = {name: _same_type([row[name] for row in rows]) for name in rows[0]}
    with replacing(path, "wb") as file:
        parquet.write_table(Table.from_pydict(columns), file)


def fill_page(page: Path, texts: Mapping[str, str]) -> None:
    """Put each part between <!-- compare:PART --> and <!-- /compare:PART -->. Raises SettingsError, with the page unchanged."""
    text = read_page(page)
    for part, content in texts.items():
        text = _section(part).sub(lambda found, content=content: f"{found[1]}\n{content}\n{found[2]}", text)  # type: ignore[misc]
    write_text(page, text)


def read_page(page: Path) -> str:
    """The text of a page that has the markers of every part once. Raises SettingsError."""
    if not page.is_file():
        raise SettingsError(f"page={page}: no such file; allowed: a page of experiments/")
    text = page.read_text(encoding="utf-8")
    for part in PARTS:
        if (found := len(_section(part).findall(text))) != 1:
            raise SettingsError(f"page={page}: found {found} times <!-- compare:{part} --> ... <!-- /compare:{part} -->, allowed: once")
    return text


def _section(part: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- compare:{part} -->).*?(<!-- /compare:{part} -->)", re.S)


def _same_type(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or (len(kinds) == 1 and kinds <= {bool, str}):
        return values
    return [None if value is None else str(value) for value in values]


def _rate_columns(rates: Mapping[str, Rate]) -> dict[str, float]:
    return {f"{name}.{part}": getattr(rate, part) for name, rate in rates.items() for part in ("k", "n", "rate", "low", "high")}

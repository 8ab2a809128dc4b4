"""Prepared rows on disk, under a name that everything that decides them is part of: a change gives another name, never stale rows.

Decides: settings of data and mask, the files of the sources by content, tokenizer and template, seed, sekft's code, library versions.
"""

import contextlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from sekft.data import sources
from sekft.data.accounting import Counts
from sekft.data.recipe import DataRecipe, PreparedData
from sekft.data.sample import Row
from sekft.scenario.document import dumps
from sekft.tracking.digest import of_code, of_path, of_value
from sekft.tracking.files import replacing

FOLDER = Path("outputs/data")
KEPT = 16  # files; the oldest go


def file_of(how: DataRecipe) -> Path:
    """Where these rows lie if they were made before. Raises DataError for a source that is not there."""
    data = {key: value for key, value in asdict(how.data).items() if key not in ("sources", "cache")}
    read = [
        {**asdict(source), "name": name, "path": [[file.name, of_path(file)] for file in sources.source_files(name, source)]}
        for name, source in how.data.sources.items()
    ]
    about = {"data": data, "sources": read, "mask": asdict(how.mask), "max_tokens": how.max_tokens, "seed": how.seed}
    rendered = {
        "tokenizer": how.tokenizer.digest,
        "stops": sorted(how.tokenizer.stop_ids),
        "evaluation": [dumps(scenario) for scenario in how.evaluation],
    }
    return FOLDER / f"{of_value(about | rendered | of_code())}.npz"


def write(file: Path, made: PreparedData) -> None:
    """Whole or not at all."""
    about = {"groups": made.groups, "lines": made.lines, "counts": {**vars(made.counts)}}
    with replacing(file, "wb") as stream:
        np.savez(stream, about=_text(about), **_arrays("training", made.training), **_arrays("validation", made.validation))
    with contextlib.suppress(FileNotFoundError):  # another process does the same
        for old in sorted(file.parent.glob("*.npz"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)


def read(file: Path) -> PreparedData | None:
    """None if there is none, or none that is whole."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            training, validation = (tuple(_rows(name, arrays)) for name in ("training", "validation"))
    except (FileNotFoundError, BadZipFile, KeyError, ValueError, EOFError):
        return None
    counters = {name: Counter(about["counts"][name]) for name in ("by_kind", "dropped")}
    return PreparedData(training, validation, Counts(**about["counts"] | counters), tuple(about["groups"]), tuple(about["lines"]))


def _arrays(name: str, rows: tuple[Row, ...]) -> dict[str, Any]:
    """ids, weight: of all rows, one after the other; lengths: of each."""
    return {
        f"{name}_ids": np.fromiter((id for row in rows for id in row.ids), np.int32),
        f"{name}_weight": np.fromiter((weight for row in rows for weight in row.weight), np.float32),
        f"{name}_lengths": np.fromiter((len(row.ids) for row in rows), np.int64),
        f"{name}_about": _text([[row.id, row.kinds] for row in rows]),
    }


def _rows(name: str, arrays: Any) -> list[Row]:
    ids, weight = arrays[f"{name}_ids"].tolist(), arrays[f"{name}_weight"].tolist()
    rows, start = [], 0
    for length, (id, kinds) in zip(arrays[f"{name}_lengths"].tolist(), json.loads(arrays[f"{name}_about"].tobytes()), strict=True):
        end = start + length
        rows.append(Row(id, tuple(ids[start:end]), tuple(weight[start:end]), tuple((kind, count) for kind, count in kinds)))
        start = end
    return rows


def _text(value: Any) -> Any:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)

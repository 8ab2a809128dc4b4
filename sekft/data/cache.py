"""The cache of prepared rows, in files named by a digest of everything that decides the rows: a change gives another file.

The digest covers the settings of data and mask, the content of the sources' files, tokenizer and template, the evaluation's scenarios,
the seed, sekft's code and the versions of its libraries.
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
from sekft.tracking.digest import hash_code, hash_path, hash_value
from sekft.tracking.files import replacing

FOLDER = Path("outputs/data")
MAX_FILES = 16  # older ones are deleted


def cache_file(recipe: DataRecipe) -> Path:
    """The file for the rows of this recipe, whether it exists or not. Raises DataError if a source has no files."""
    data = {key: value for key, value in asdict(recipe.data).items() if key not in ("sources", "cache")}
    read = [
        {**asdict(source), "name": name, "path": [[file.name, hash_path(file)] for file in sources.source_files(name, source)]}
        for name, source in recipe.data.sources.items()
    ]
    settings = {"data": data, "sources": read, "mask": asdict(recipe.mask), "max_tokens": recipe.max_tokens, "seed": recipe.seed}
    rendering = {
        "tokenizer": recipe.tokenizer.digest,
        "stops": sorted(recipe.tokenizer.stop_ids),
        "evaluation": [dumps(scenario) for scenario in recipe.evaluation],
    }
    return FOLDER / f"{hash_value(settings | rendering | hash_code())}.npz"


def write(file: Path, prepared: PreparedData) -> None:
    """Write the rows, atomically, and delete the oldest files beside it beyond MAX_FILES."""
    about = {"groups": prepared.groups, "lines": prepared.lines, "counts": {**vars(prepared.counts)}}
    with replacing(file, "wb") as stream:
        np.savez(stream, about=_text(about), **_arrays("training", prepared.training), **_arrays("validation", prepared.validation))
    with contextlib.suppress(FileNotFoundError):  # another process deletes them, too
        for old in sorted(file.parent.glob("*.npz"), key=lambda path: path.stat().st_mtime)[:-MAX_FILES]:
            old.unlink(missing_ok=True)


def read(file: Path) -> PreparedData | None:
    """The rows of a file; None if there is no such file or it is damaged."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            training, validation = (tuple(_rows(name, arrays)) for name in ("training", "validation"))
    except (FileNotFoundError, BadZipFile, KeyError, ValueError, EOFError):
        return None
    counters = {name: Counter(about["counts"][name]) for name in ("by_kind", "dropped", "unlearned")}
    return PreparedData(training, validation, Counts(**about["counts"] | counters), tuple(about["groups"]), tuple(about["lines"]))


def _arrays(name: str, rows: tuple[Row, ...]) -> dict[str, Any]:
    """ids and weight of all rows, concatenated; lengths: tokens of each row; about: id and kinds of each, as JSON."""
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

"""What reaches the disk is whole: a JSON document is replaced in one step, a JSON line is written in one go."""

import json
import math
import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TextIO


def plain(value: Any) -> Any:
    """The value as strict JSON can hold it; keys keep their order.

    NaN and the infinities become "NaN", "Infinity" and "-Infinity", which float() reads back; enums give their value, paths text.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return str(value) if isinstance(value, Path) else value


def write_json(path: Path, value: Any) -> None:
    """Replace path by value as JSON, atomically: a reader sees the old document or the new one, never a part."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def append_line(file: TextIO, value: Mapping[str, Any]) -> None:
    """Append value to an open file as one whole JSON line, and hand it to the system before returning."""
    file.write(json.dumps(plain(value), ensure_ascii=False, allow_nan=False) + "\n")
    file.flush()


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """What is nested, by dotted key; lists stay whole."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= flat(item, f"{prefix}{key}.") if isinstance(item, Mapping) else {f"{prefix}{key}": item}
    return found

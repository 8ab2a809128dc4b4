"""In which order a comparison stands: values of settings as people count, groups by a column that was asked for."""

import re
from typing import Any

LONGEST = 40  # characters of a setting's value


def natural(value: Any) -> tuple[int, list[tuple[float, str]]]:
    """A key to sort by: nothing, numbers by size, then words, r4 before r16."""
    if value is None:
        return 0, []
    if isinstance(value, int | float):
        return 1, [(float(value), "")]
    parts = re.split(r"(\d+)", str(value))
    return 2, [(float(part), "") if part.isdigit() else (-1.0, part) for part in parts]


def short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."

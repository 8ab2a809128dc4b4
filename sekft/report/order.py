"""In which order a comparison stands: values of settings as people count, groups by a column that was asked for."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sekft.errors import SettingsError
from sekft.exam.rates import FAULTS

if TYPE_CHECKING:
    from sekft.report.comparison import Line

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


def ordered(lines: Sequence["Line"], by: str) -> list["Line"]:
    """by: a rate, loss, gain, group or a setting that differs; the best, of names and settings the first, come first.

    A minus before it turns this round; lines without that column, as bases, stay last. Raises SettingsError.
    """
    name = by.removeprefix("-")
    allowed = dict.fromkeys((*lines[0].rates, "loss", "gain", "group", *(key for line in lines for key in line.differing)))
    if name not in allowed:
        raise SettingsError(f"sort: found {by!r}, allowed: {', '.join(allowed)}, with a minus before it turned round")
    known = [line for line in lines if _value(line, name) is not None]
    more_is_better = name == "gain" or (name in lines[0].rates and name not in FAULTS)
    known.sort(key=lambda line: natural(_value(line, name)), reverse=more_is_better is not by.startswith("-"))
    return [*known, *(line for line in lines if _value(line, name) is None)]


def _value(line: "Line", name: str) -> Any:
    if name in line.rates:
        return line.rates[name].rate if line.rates[name].n else None
    if name == "loss":
        return sum(line.losses) / len(line.losses) if line.losses else None
    if name == "gain":
        return line.gain and line.gain.mean
    return line.name if name == "group" else line.differing.get(name)

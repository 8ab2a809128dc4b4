"""What is declared beside a field: the lowest and highest value of a number, and that a setting may be left to the rules for a base."""

from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from typing import Any, TypeVar

from sekft.errors import SettingsError

T = TypeVar("T", int, float, int | None)
U = TypeVar("U")
BOUNDS, EXCLUDED, AUTOMATIC = "bounds", "excluded", "automatic"  # keys of a field's metadata
UNBOUNDED = float("inf")


def at_least(low: float, *, default: T, excluded: float | None = None, automatic: bool = False) -> T:
    """A field that allows low and above, but not the excluded value. automatic: see sekft.config.automatic."""
    return field(default=default, metadata={**bounds(low, UNBOUNDED, excluded), AUTOMATIC: automatic})


def between(low: float, high: float, *, default: T, excluded: float | None = None) -> T:
    """A field that allows low to high, ends included, but not the excluded value."""
    return field(default=default, metadata=bounds(low, high, excluded))


def bounds(low: float, high: float = UNBOUNDED, excluded: float | None = None) -> dict[str, Any]:
    """The metadata of a field with these bounds."""
    return {BOUNDS: (low, high), EXCLUDED: excluded}


def automatic(default: U) -> U:
    """A field of any type that is automatic; see sekft.config.automatic."""
    return field(default=default, metadata={AUTOMATIC: True})


def require_bounds(settings: Any, key: str = "") -> None:
    """Check a settings dataclass and those in it. Raises SettingsError naming the key, the value found and the values allowed."""
    for one in fields(settings):
        name, value = f"{key}{one.name}", getattr(settings, one.name)
        if is_dataclass(value):
            require_bounds(value, f"{name}.")
        elif isinstance(value, dict):
            for inner, item in value.items():
                if is_dataclass(item):
                    require_bounds(item, f"{name}.{inner}.")
        elif BOUNDS in one.metadata and value is not None:
            low, high = one.metadata[BOUNDS]
            if not low <= value <= high or value == one.metadata[EXCLUDED]:
                raise SettingsError(f"{name}: found {value}, allowed: {bounds_text(one.metadata)}")


def bounds_text(metadata: Mapping[str, Any]) -> str:
    """The bounds of a number in words: `0 or more, not 3`; empty without bounds."""
    if BOUNDS not in metadata:
        return ""
    (low, high), excluded = metadata[BOUNDS], metadata[EXCLUDED]
    allowed = f"{low} or more" if high == UNBOUNDED else f"{low} to {high}"
    return allowed + (f", not {excluded}" if excluded is not None else "")

"""Settings that nobody has to give: null where the command is composed, chosen by a rule for the base and the device before it starts.

A field declared automatic in sekft/config/bounds.py may be null on the command line, in a recipe and in conf/. The rules of the command
replace null by a value with its reason; the settings that a run gets, records, resumes and replays hold values only. A command without a
rule for a setting takes the default of its field.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from functools import cache
from itertools import groupby
from typing import Any

from sekft.config.bounds import AUTOMATIC


@dataclass(frozen=True)
class Choice:
    """A value that a rule chose for a setting. why: one clause."""

    key: str  # dotted: trainer.lr
    value: Any
    why: str


DECISIVE = ("trainer.lr", "trainer.epochs", "eval.episodes")  # named when a run starts
Choose = Callable[[Any, frozenset[str]], Sequence[Choice]]  # (settings with defaults, dotted keys that are null) -> what the rules choose


@cache
def with_open_settings(node: type) -> type:
    """The settings type that Hydra composes: every automatic field may be null, and is by default."""
    changed: list[tuple[str, Any, Any]] = []
    for one in fields(node):
        if is_dataclass(one.type) and isinstance(one.type, type):
            if (inner := with_open_settings(one.type)) is not one.type:
                changed.append((one.name, inner, field(default_factory=inner)))
        elif one.metadata.get(AUTOMATIC):
            changed.append((one.name, one.type | None, field(default=None)))  # type: ignore[operator]
    return make_dataclass(node.__name__, changed, bases=(node,)) if changed else node


def open_keys(composed: Mapping[str, Any], node: type, prefix: str = "") -> Iterator[str]:
    """The dotted keys of automatic settings that are null in a composed config."""
    for one in fields(node):
        value, key = composed.get(one.name), f"{prefix}{one.name}"
        if is_dataclass(one.type) and isinstance(one.type, type) and isinstance(value, Mapping):
            yield from open_keys(value, one.type, f"{key}.")
        elif one.metadata.get(AUTOMATIC) and one.name in composed and value is None:
            yield key


def lines(choices: Sequence[Choice]) -> Iterator[str]:
    """`chosen: trainer.lr=0.002 (why)`; neighbours with one reason share a line."""
    for why, together in groupby(choices, lambda choice: choice.why):
        yield f"chosen: {' '.join(f'{choice.key}={choice.value}' for choice in together)} ({why})"


def headline(choices: Sequence[Choice]) -> str:
    """The choices that decide most in one line; where the others are."""
    main = [choice for choice in choices if choice.key in DECISIVE] or list(choices[:1])
    others = len(choices) - len(main)
    more = f", and {others} more" if others else ""
    return f"chosen: {' '.join(f'{choice.key}={choice.value}' for choice in main)}{more} (reasons: the log of the run, or dry_run=true)"


def record(choices: Sequence[Choice]) -> dict[str, str]:
    """`chosen` in run.json and in the config of W&B: the reason by key; the values are in the settings."""
    return {choice.key: choice.why for choice in choices}

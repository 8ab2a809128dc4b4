"""The numbers by which a person compares runs in a tracker: a selection of summary.json that fits into the columns of a table."""

from collections.abc import Mapping
from typing import Any


def headline(summary: Mapping[str, Any]) -> dict[str, float | str]:
    """At most a dozen values by name. The rates of base and tuned model are metrics already, so they are not repeated.

    summary: of summary.json. gain: tuned minus base by eval.criterion, a share of scenarios, with its 95 % interval; minutes: on the wall.
    """
    paired, seconds = summary.get("paired") or {}, summary.get("seconds") or {}
    values = {
        "verdict": summary.get("verdict"),
        "gain": paired.get("difference"),
        "gain_low": paired.get("low"),
        "gain_high": paired.get("high"),
        "steps": summary.get("steps"),
        "supervised_tokens": summary.get("supervised_tokens"),
        "minutes_train": seconds.get("train") and round(seconds["train"] / 60, 2),
        "minutes_eval": seconds.get("eval") and round(seconds["eval"] / 60, 2),
    }
    return {name: value for name, value in values.items() if value is not None}

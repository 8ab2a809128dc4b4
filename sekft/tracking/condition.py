"""How a run fares, from its files alone: alive, stalled, dead, or how it ended."""

import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekft.tracking import first_edition
from sekft.tracking.heartbeat import BEAT_S, HEARTBEAT
from sekft.tracking.record import RUN, SUMMARY

SILENT_S = 6 * BEAT_S  # without a beat a run is dead


@dataclass(frozen=True)
class Condition:
    """state: alive, stalled, dead, done, failed or interrupted. why: a reason, or what comes next. share: of the stage, 0 to 1."""

    folder: Path
    command: str
    state: str
    why: str
    stage: str = ""
    share: float | None = None
    left_s: float | None = None  # of the stage, at its pace so far
    ended: str = ""  # when; empty while it runs


def condition(folder: Path, stalled_s: float, now: datetime | None = None) -> Condition:
    """stalled_s: without progress a run that beats is stalled."""
    now = now or datetime.now(UTC)
    run = first_edition.upgraded(RUN, _read(folder / RUN))
    command, status, ended = str(run.get("command", "?")), str(run.get("status", "unreadable")), str(run.get("ended") or "")
    if status == "done":
        return Condition(folder, command, status, str(_read(folder / SUMMARY).get("verdict", "")), ended=ended)
    if status != "running":
        return Condition(folder, command, status, str(run.get("error") or f"{folder / RUN}: {status}"), ended=ended)
    heart = _read(folder / HEARTBEAT)
    if "stage" not in heart:
        return Condition(folder, command, "dead", "it never gave a sign")
    share, left = _pace(heart, now)
    silent, idle = _age(heart["time"], now), _age(heart["progressed"], now)
    gone = "its process is gone, " if _gone(heart) else ""
    if silent > SILENT_S or gone:
        state, why = "dead", f"{gone}no sign for {_span(silent)}{_at(heart)}"
    elif idle > stalled_s:
        state, why = "stalled", f"no progress for {_span(idle)}{_at(heart)}"
    else:
        state, why = "alive", f"then {heart['next']}" if heart["next"] else "then done"
    return Condition(folder, command, state, why, heart["stage"], share, left if state == "alive" else None)


def _pace(heart: dict[str, Any], now: datetime) -> tuple[float | None, float | None]:
    if not heart["of"] or (heart["stage"] == "train") != (heart["what"] == "steps"):  # episodes while it learns are a look on the way
        return None, None
    done, of, since_s = heart["done"], heart["of"], _age(heart["began"], now)
    own = done - heart.get("from", 0)
    return done / of, since_s * (of - done) / own if own and since_s else None  # 0 s since: the clock was set back


def _at(heart: dict[str, Any]) -> str:
    return f", at {heart['done']} of {heart['of']} {heart['what']}" if heart["of"] else ""


def _age(time: str, now: datetime) -> float:
    """Seconds; a clock that was set back makes nothing older or younger than it is."""
    return max(0.0, (now - datetime.fromisoformat(time)).total_seconds())


def _gone(heart: dict[str, Any]) -> bool:
    """Its process, if it was one of this machine's."""
    if heart["host"] != platform.node():
        return False
    try:
        os.kill(heart["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _read(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

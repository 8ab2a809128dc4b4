"""The condition of a run, from its files alone: alive, stalled, dead, or how it ended."""

import json
import os
import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekft.tracking import first_edition
from sekft.tracking.heartbeat import HEARTBEAT, INTERVAL_S
from sekft.tracking.record import RUN, SUMMARY, RunRecord

SILENT_S = 6 * INTERVAL_S  # a run without a heartbeat for this long is dead


@dataclass(frozen=True)
class Condition:
    """state: alive, stalled, dead, done, failed or interrupted. reason: of the state; of a live run the next stage."""

    folder: Path
    command: str
    state: str
    reason: str
    stage: str = ""
    share: float | None = None  # of the stage that is done, 0 to 1
    left_s: float | None = None  # of the stage, estimated from its pace
    name: str = ""  # that a person gave the run
    ended: str = ""  # ISO 8601; empty while it runs


def condition(folder: Path, stalled_s: float, now: datetime | None = None) -> Condition:
    """The condition of the run in a folder; without progress for stalled_s a live run is stalled."""
    run = RunRecord.from_json(first_edition.upgraded(RUN, _read(folder / RUN)))
    return replace(_condition(folder, run, stalled_s, now or datetime.now(UTC)), name=run.given_name() or "")


def _condition(folder: Path, run: RunRecord, stalled_s: float, now: datetime) -> Condition:
    if run.status == "done":
        return Condition(folder, run.command, run.status, str(_read(folder / SUMMARY).get("verdict", "")), ended=run.ended or "")
    if run.status != "running":
        return Condition(folder, run.command, run.status, run.error or f"{folder / RUN}: {run.status}", ended=run.ended or "")
    beat = _read(folder / HEARTBEAT)
    if "stage" not in beat:
        return Condition(folder, run.command, "dead", "no heartbeat was ever written")
    try:
        return _running(folder, run.command, beat, stalled_s, now)
    except (KeyError, TypeError, ValueError):
        return Condition(folder, run.command, "dead", f"{folder / HEARTBEAT}: damaged")


def _running(folder: Path, command: str, beat: dict[str, Any], stalled_s: float, now: datetime) -> Condition:
    """The condition of a run that its record calls running. Raises KeyError, TypeError or ValueError for a damaged heartbeat."""
    share, left_s = _pace(beat, now)
    silent_s, idle_s = _age_s(beat["time"], now), _age_s(beat["progressed"], now)
    gone = "its process is gone, " if _is_gone(beat) else ""
    if silent_s > SILENT_S or gone:
        state, reason = "dead", f"{gone}no heartbeat for {_duration(silent_s)}{_position(beat)}"
    elif idle_s > stalled_s:
        state, reason = "stalled", f"no progress for {_duration(idle_s)}{_position(beat)}"
    else:
        state, reason = "alive", f"then {beat['next']}" if beat["next"] else "then done"
    return Condition(folder, command, state, reason, beat["stage"], share, left_s if state == "alive" else None)


def _pace(beat: dict[str, Any], now: datetime) -> tuple[float | None, float | None]:
    """(share of the stage that is done, seconds left); None where unknown."""
    if not beat["of"] or (beat["stage"] == "train") != (beat["what"] == "steps"):  # episodes during training are a small evaluation
        return None, None
    done, total, elapsed_s = beat["done"], beat["of"], _age_s(beat["began"], now)
    own = done - beat.get("from", 0)
    return done / total, elapsed_s * (total - done) / own if own and elapsed_s else None  # 0 s: the clock was set back


def _position(beat: dict[str, Any]) -> str:
    return f", at {beat['done']} of {beat['of']} {beat['what']}" if beat["of"] else ""


def _age_s(time: str, now: datetime) -> float:
    """Seconds since time; 0 if the clock was set back."""
    return max(0.0, (now - datetime.fromisoformat(time)).total_seconds())


def _is_gone(beat: dict[str, Any]) -> bool:
    """Whether its process ran on this machine and has ended."""
    if beat["host"] != platform.node():
        return False
    try:
        os.kill(beat["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _read(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}

"""A copy of a run's record in W&B; a failure of W&B neither ends nor blocks the run.

Covers: no API key, a malformed key, no network, a host that is not W&B, no terminal, wandb not installed, wandb failing during the run.
Does not cover: a process killed by SIGKILL. Data that W&B had not written by then are missing in W&B; the record on disk has them.
"""

import json
import logging
import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

from sekft.config import TrackerConfig
from sekft.tracking import artifacts, names
from sekft.tracking.destination import Destination, choose, prepare
from sekft.tracking.files import plain
from sekft.tracking.mirror import Labels, Mirror, NoMirror
from sekft.tracking.record import one_line

START_TIMEOUT_S = 10.0
FINISH_TIMEOUT_S = 120.0  # unfinished uploads stay on the disk for `wandb sync`
PROJECT = "sekft"
LONGEST_REASON, LONGEST_NAME, LONGEST_TAG = 80, 128, 64  # characters; W&B refuses a run for a longer name or tag
STEP = "trainer/step"
GROUPS = ("train/*", "val/*", "eval/*", "test/*")
CURVES = ("train/lr", "train/grad_norm", "train/tokens_per_second", "rehearsal/step_seconds")  # their last value is no result

logger = logging.getLogger(__name__)


class WandbMirror:
    """The copy of one run in W&B. No method blocks for long or raises; the first failure turns the mirror off."""

    def __init__(self, run: Any, message: str, upload_adapter: bool) -> None:
        self.message = message  # one sentence: where W&B stores the run, and how to upload it if it is offline
        self._run = run  # None: the mirror is off
        self._upload_adapter = upload_adapter
        self._showing = run is not None

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Log metrics at a step; steps may come in any order."""
        self._show(lambda: self._run.log({**metrics, STEP: step}))

    def summary(self, values: Mapping[str, Any]) -> None:
        """Merge values into the run's summary."""
        self._show(lambda: self._run.summary.update(plain(values)))

    def episodes(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Log rows as the table eval/episodes: columns in order of first appearance, nested values as JSON text."""
        if rows:
            self._show(lambda: self._run.log({"eval/episodes": _table(rows)}))

    def adapter(self, folder: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Store the folder as an artifact of type adapter; returns the record of the artifact, empty if it was not stored.

        W&B reads the files where they are until they are uploaded: keep the folder.
        """
        record: dict[str, Any] = {}

        def store() -> None:
            artifact = artifacts.folder_artifact(f"adapter-{self._run.id}", folder, metadata)
            self._run.log_artifact(artifact)
            record.update(artifacts.stored_record(self._run, artifact))

        if self._upload_adapter:
            self._show(store)
        return record

    def uses(self, folders: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
        """Write artifact and digest of each adapter to the run's config and return them; online, also link the run to the artifacts."""
        records: dict[str, dict[str, Any]] = {}

        def update_config() -> None:
            records.update({name: artifacts.find_stored(folder) for name, folder in folders.items()})
            self._run.config.update({"adapters": plain(records)})

        self._show(update_config)
        if self._showing and not self._run.offline:
            artifacts.link(self._run, records)
        return records

    def close(self, exit_code: int) -> None:
        """End the run in W&B, also after a failure turned the mirror off."""
        if self._run is not None:
            self._guard(lambda: self._run.finish(exit_code=exit_code))
            self._showing, self._run = False, None

    def _show(self, call: Callable[[], object]) -> None:
        if self._showing:
            self._guard(call)

    def _guard(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            if self._showing:
                logger.warning("W&B is turned off for the rest of this run, the run continues: %s", one_line(error))
            self._showing = False


def start(tracker: TrackerConfig, settings: Mapping[str, Any], labels: Labels) -> Mirror:
    """Open a mirror of a run, online if W&B can be reached at once, else offline. settings: the run's config in W&B."""
    try:
        base = Path(tracker.folder).absolute()
        root = base.parent if base.name == "wandb" else base  # W&B appends /wandb itself
        (root / "wandb").mkdir(parents=True, exist_ok=True)
        destination = choose(prepare(root))
        if destination.mode == "off":
            return NoMirror(f"W&B: off ({destination.reason}).")
        run, destination = _start(destination, _arguments(tracker, labels) | {"config": plain(settings)}, root)
        for pattern in GROUPS:
            run.define_metric(pattern, step_metric=STEP)
        for name in CURVES:
            run.define_metric(name, step_metric=STEP, summary="none")
        return WandbMirror(run, _message(run, destination), tracker.upload_adapter)
    except Exception as error:
        logger.warning("W&B cannot be used, the run continues without it: %s", one_line(error))
        return NoMirror(f"W&B: off ({one_line(error)}).")


def project(tracker: TrackerConfig) -> str:
    """The project in W&B: of the settings, else WANDB_PROJECT, else sekft."""
    return names.given(tracker).project or PROJECT


def _arguments(tracker: TrackerConfig, labels: Labels) -> dict[str, Any]:
    """The names of the run for wandb.init: those that were given, else from the run."""
    given = names.given(tracker)
    name = f"{given.name}/{labels.folder.name}" if given.name and labels.group else given.name or labels.name
    group = given.group or labels.group
    return {
        "name": name[:LONGEST_NAME],
        "project": given.project or PROJECT,
        "entity": given.entity,
        "group": group and group[:LONGEST_NAME],
        "job_type": os.environ.get("WANDB_JOB_TYPE") or labels.job_type,
        "tags": list(dict.fromkeys(tag[:LONGEST_TAG] for tag in (*labels.tags, *given.tags) if tag)),
        "notes": "\n".join(filter(None, (given.notes, f"record in {labels.folder}"))),
    }


def _start(destination: Destination, arguments: dict[str, Any], root: Path) -> tuple[Any, Destination]:
    """Open the run in W&B; if online fails, open it offline."""
    import wandb

    quiet = wandb.Settings(
        console="off",
        silent=True,
        quiet=True,
        use_dot_wandb=False,
        init_timeout=START_TIMEOUT_S,
        finish_timeout=FINISH_TIMEOUT_S,
    )
    arguments = arguments | {"id": token_hex(4), "dir": str(root), "reinit": "finish_previous", "settings": quiet}
    if destination.mode == "online":
        try:
            return wandb.init(mode="online", **arguments), destination
        except Exception as error:
            destination = Destination("offline", one_line(error)[:LONGEST_REASON])
            wandb.teardown()  # W&B would otherwise retry until the process ends
            for attempt in (root / "wandb").glob(f"run-*-{arguments['id']}"):
                shutil.rmtree(attempt, ignore_errors=True)  # the folder of the failed attempt, which holds no data
            prepare(root)
    return wandb.init(mode="offline", **arguments), destination


def _message(run: Any, destination: Destination) -> str:
    folder = Path(run.settings.sync_dir)
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    if destination.mode == "online":
        return f"W&B: online at {run.url}, kept in {shown}."
    return f"W&B: offline ({destination.reason}) in {shown}; upload it with `wandb sync {shlex.quote(str(shown))}`."


def _table(rows: Sequence[Mapping[str, Any]]) -> Any:
    import wandb

    columns: list[str | int] = list(dict.fromkeys(key for row in rows for key in row))
    data = [[_cell(row.get(str(key))) for key in columns] for row in rows]
    return wandb.Table(columns=columns, data=data, allow_mixed_types=True)


def _cell(value: Any) -> Any:
    value = plain(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value

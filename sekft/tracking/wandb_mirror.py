"""W&B as a mirror of a run: it shows what the record holds, and can neither end nor hold up the run.

Covers: no key, a malformed key, no network, a host that is not W&B, no terminal, wandb missing or dying under way.
Does not cover: a process killed by SIGKILL; what W&B had not written by then is lost here, never in the record.
"""

import json
import logging
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from sekft.config import Tracker, TrackerConfig
from sekft.tracking import artifacts
from sekft.tracking.destination import Destination, choose, prepare
from sekft.tracking.files import plain
from sekft.tracking.record import one_line

START_TIMEOUT_S = 10.0
FINISH_TIMEOUT_S = 120.0  # uploads still open then stay on the disk, for `wandb sync`
LONGEST_REASON, LONGEST_NAME, LONGEST_TAG = 80, 128, 64  # characters; W&B refuses a run for a longer name or tag
STEP = "trainer/step"
GROUPS = ("train/*", "val/*", "eval/*", "test/*")

logger = logging.getLogger(__name__)


class Mirror:
    """What is shown of a run. Every method returns quickly and raises nothing; the first failure turns the mirror off."""

    def __init__(self, run: Any, message: str, upload_adapter: bool) -> None:
        self.message = message  # one sentence: where the run went, and how to get it from there to W&B
        self._run = run  # None: shows nothing
        self._upload_adapter = upload_adapter
        self._showing = run is not None

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Show metrics at a step; steps may come in any order."""
        self._show(lambda: self._run.log({**metrics, STEP: step}))

    def summary(self, values: Mapping[str, Any]) -> None:
        """Merge values into the summary of the run."""
        self._show(lambda: self._run.summary.update(plain(values)))

    def episodes(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show rows as the table eval/episodes; columns in order of appearance, nested values as JSON text."""
        if rows:
            self._show(lambda: self._run.log({"eval/episodes": _table(rows)}))

    def adapter(self, folder: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Store the folder as an artifact of type adapter; where it is to be found, empty if nowhere.

        Its bytes are referred to in place: keep the folder.
        """
        found: dict[str, Any] = {}

        def store() -> None:
            artifact = artifacts.of_folder(f"adapter-{self._run.id}", folder, metadata)
            self._run.log_artifact(artifact)
            found.update(artifacts.place(self._run, artifact))

        if self._upload_adapter:
            self._show(store)
        return found

    def uses(self, folders: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
        """Say in the run's config which adapters it uses, by artifact and digest, and return that; online the run is linked to them."""
        found: dict[str, dict[str, Any]] = {}

        def say() -> None:
            found.update({name: artifacts.known(folder) for name, folder in folders.items()})
            self._run.config.update({"adapters": plain(found)})

        self._show(say)
        if self._showing and not self._run.offline:
            artifacts.link(self._run, found)
        return found

    def close(self, exit_code: int) -> None:
        """End the run at W&B, also when the mirror was turned off on the way."""
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
                logger.warning("W&B is turned off for the rest of this run, the run goes on: %s", one_line(error))
            self._showing = False


@contextmanager
def mirror(
    tracker: TrackerConfig,
    *,
    settings: Mapping[str, Any],
    name: str,
    group: str | None,
    job_type: str,
    tags: Sequence[str],
    folder: Path,
) -> Iterator[Mirror]:
    """Show a run at W&B, online where that is possible at once, else offline. settings: its config; folder: of its record.

    Leaving with an exception marks the run as failed (exit code 1).
    """
    names = {"name": name[:LONGEST_NAME], "group": group and group[:LONGEST_NAME], "job_type": job_type}
    labels = list(dict.fromkeys(tag[:LONGEST_TAG] for tag in tags if tag))
    shown = _open(tracker, names | {"config": plain(settings), "tags": labels, "notes": f"record in {folder}"})
    try:
        yield shown
    except BaseException:
        shown.close(exit_code=1)
        raise
    shown.close(exit_code=0)


def _open(tracker: TrackerConfig, arguments: dict[str, Any]) -> Mirror:
    if tracker.kind is Tracker.none:
        return Mirror(None, "W&B: off (tracker=none).", False)
    try:
        base = Path(tracker.folder).absolute()
        root = base.parent if base.name == "wandb" else base  # W&B appends /wandb itself
        (root / "wandb").mkdir(parents=True, exist_ok=True)
        going = choose(prepare(root))
        if going.mode == "off":
            return Mirror(None, f"W&B: off ({going.reason}).", False)
        run, going = _start(going, arguments | {"project": tracker.project}, root)
        for pattern in GROUPS:
            run.define_metric(pattern, step_metric=STEP)
        return Mirror(run, _line(run, going), tracker.upload_adapter)
    except Exception as error:
        logger.warning("W&B cannot be used, the run goes on without it: %s", one_line(error))
        return Mirror(None, f"W&B: off ({one_line(error)}).", False)


def _start(going: Destination, arguments: dict[str, Any], root: Path) -> tuple[Any, Destination]:
    """Open the run; where online fails after all, open it offline."""
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
    if going.mode == "online":
        try:
            return wandb.init(mode="online", **arguments), going
        except Exception as error:
            going = Destination("offline", one_line(error)[:LONGEST_REASON])
            wandb.teardown()  # ends the attempt, which would be retried until the process ends
            for attempt in (root / "wandb").glob(f"run-*-{arguments['id']}"):
                shutil.rmtree(attempt, ignore_errors=True)  # a run without a row
            prepare(root)
    return wandb.init(mode="offline", **arguments), going


def _line(run: Any, going: Destination) -> str:
    place = Path(run.settings.sync_dir)
    here = place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
    if going.mode == "online":
        return f"W&B: online at {run.url}, kept in {here}."
    return f"W&B: offline ({going.reason}) in {here}; upload it with `wandb sync {shlex.quote(str(here))}`."


def _table(rows: Sequence[Mapping[str, Any]]) -> Any:
    import wandb

    columns: list[str | int] = list(dict.fromkeys(key for row in rows for key in row))
    data = [[_cell(row.get(str(key))) for key in columns] for row in rows]
    return wandb.Table(columns=columns, data=data, allow_mixed_types=True)


def _cell(value: Any) -> Any:
    value = plain(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value

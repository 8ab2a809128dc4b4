"""How a command is started: Hydra composes, settings() makes sure, a refusal is one line."""

import gc
import logging
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sekft.cli import dry_run, recorded, sweep
from sekft.cli.console import echo
from sekft.cli.flags import require_no_secret, to_overrides
from sekft.cli.settings import conf_folder, error_line, settings
from sekft.cli.sweep import Sweeps
from sekft.config.commands import COMMANDS, register
from sekft.config.job import Job, RunFunction
from sekft.config.renamed import require_new_names
from sekft.errors import SekftError, SettingsError
from sekft.tracking import secrets
from sekft.tracking.record import one_line
from sekft.where import allowed

TERMINATED = 128 + signal.SIGTERM
Plan = Callable[[Any, Job, Callable[[str], None]], None]  # prints what a start would do
listeners: list[
    Callable[[str, "Job", Any], None]
] = []  # told command, job and None as a job of this process begins, and its summary as it ends well
WHOLE = "what was written before is whole"


def typed_last(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """eval=none, when it is typed, skips the evaluation also of a recipe: that is composed last, and its number of scenarios would stay."""
    if "eval=none" in overrides:
        typed = {word.partition("=")[0] for word in overrides}
        for key in {"eval.episodes", "eval.every_steps"} - typed:
            OmegaConf.update(cfg, key, 0)
    return cfg


@dataclass(frozen=True)
class Refused:
    """What is left of an error; itself it would hold on to all that its frames held, a model on a GPU among it."""

    line: str
    exit_status: int
    of_job: bool  # of a sweep


def launch(command: str, run: RunFunction, sweeps: Sweeps | None = None, plan: Plan | None = None) -> None:
    """The main of a command: `python -m sekft.<command> [overrides]`. sweeps: how a sweep of it is started again; None: from the start.

    A refusal is one line and exit status 1; so is a disk that takes no more, and of a sweep, whose other jobs go on, any error
    of a job: said as it happens and again at the end. Ctrl-C is 130, SIGTERM 143.
    """
    node = COMMANDS[command]
    register()
    _quiet()
    run = _told(command, run)
    refused: list[Refused] = []
    here = os.getpid()

    def job(cfg: DictConfig) -> float | None:
        this, worth = _job(), None
        try:
            worth = _start(command, run, cfg, node, this, sweeps, plan)
        except Exception as error:
            if os.getpid() != here or not (this.sweep or isinstance(error, SekftError | OSError)):
                raise  # in a launcher's own process the exception is its way to hear of it
            refused.append(_refused(error, this, command))
            _say(command, refused[-1].line, None if isinstance(error, SekftError) else error)
        if this.sweep:
            gc.collect()  # what a trainer leaves is held by itself alone
        return worth

    try:
        _begin(command, job)
    except (SekftError, HydraException, OmegaConfBaseException, OSError) as error:  # OSError: of the folder of the run
        refused.append(_refused(error))
        _say(command, refused[-1].line)
    except KeyboardInterrupt:
        _say(command, f"interrupted; {WHOLE}")
        sys.exit(130)
    except SystemExit as left:
        if left.code == TERMINATED:
            _say(command, f"terminated; {WHOLE}")
        raise
    if refused:
        _leave(command, refused)


def _begin(command: str, job: Callable[[DictConfig], Any]) -> None:
    """Hydra composes and calls the job, once or for each of a sweep; a resident base that is named does it instead."""
    words = to_overrides(command, sys.argv[1:])
    require_no_secret(words)
    require_new_names(words)
    sys.argv[1:] = recorded.expand(command, words)
    with dry_run.unless_live(command, conf := _conf(command), sys.argv[1:]) as (words, planned):
        if (socket := elsewhere(words)) and not planned:
            from sekft.where.resident import run_job

            sys.exit(run_job(socket, command, words))
        sys.argv[1:] = words
        hydra.main(version_base="1.3", config_path=str(conf), config_name=command)(job)()


def elsewhere(words: Sequence[str]) -> Path | None:
    """The socket of the resident base in resident=SOCKET."""
    named = [word.partition("=")[2] for word in words if word.startswith("resident=")]
    return Path(named[-1]) if named and named[-1] not in ("", "null") else None


def _told(command: str, run: RunFunction) -> RunFunction:
    def run_and_tell(settings: Any, job: Job) -> Any:
        tell(job, None)
        summary = run(settings, job)
        tell(job, summary)
        return summary

    def tell(job: Job, summary: Any) -> None:
        for listener in listeners:
            listener(command, job, summary)

    return run_and_tell


def _start(
    command: str, run: RunFunction, cfg: DictConfig, node: type, this: Job, sweeps: Sweeps | None, plan: Plan | None
) -> float | None:
    """What a sweeper that searches makes the most of."""
    if this.sweep:
        echo(f"== job {this.name}: {' '.join(this.overrides)}")
    clean: Any = settings(typed_last(cfg, this.overrides), node)
    _require_no_secret(clean, this)
    if plan is not None:
        from sekft.where import remote

        remote.require(command, clean, this.sweep is not None)
        if allowed.only_planned(command, clean):
            plan(clean, this, echo)
            return None
        run = remote.at_location(command, run, clean, echo)
    if this.sweep and sweeps:
        return sweeps.worth(clean, sweep.run(run, clean, this, this.sweep, sweeps, echo))
    run(clean, this)
    return None


def _require_no_secret(clean: Any, job: Job) -> None:
    """Raises SettingsError for a secret in a recipe, and removes the copies that Hydra has written into the run's folder."""
    try:
        secrets.require_none(asdict(clean))
    except SettingsError:
        shutil.rmtree(job.folder / ".hydra", ignore_errors=True)
        if job.sweep:
            (job.sweep / "multirun.yaml").unlink(missing_ok=True)
        raise


def _leave(command: str, refused: list[Refused]) -> None:
    """What failed of a sweep is told once more."""
    if any(one.of_job for one in refused):
        print(f"sekft.{command}: failed, of this sweep:", *(one.line for one in refused), sep="\n  ", file=sys.stderr)
    sys.exit(refused[0].exit_status)


def _conf(command: str) -> Path:
    folder = conf_folder()
    if not (folder / f"{command}.yaml").exists():
        raise SettingsError(f"{folder}: no {command}.yaml there; is the installation whole?")
    return folder


def _job() -> Job:
    hydra_config = HydraConfig.get()
    folder = Path(os.path.relpath(dry_run.real(Path(hydra_config.runtime.output_dir))))
    if ".." in folder.parts:
        folder = folder.absolute()
    together = (
        dry_run.real(Path(hydra_config.sweep.dir)) if hydra_config.mode is not None and hydra_config.mode.name == "MULTIRUN" else None
    )
    group = together.name if together else folder.name
    chosen = {key: value for key, value in sorted(hydra_config.runtime.choices.items()) if value and not key.startswith("hydra/")}
    choices = tuple(f"{key}={value}" for key, value in chosen.items())
    name = f"{folder.parent.name}/{folder.name}" if together else folder.name
    return Job(folder, name, group, tuple(hydra_config.overrides.task), choices, together)


def _quiet() -> None:
    """Hydra raises to us instead of printing; hub libraries neither phone home nor warn about it."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    for key, value in {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }.items():
        os.environ.setdefault(key, value)
    warnings.filterwarnings("ignore", module="hydra|torch|transformers|trl|peft|bitsandbytes|requests")
    logging.getLogger("sekft").setLevel(logging.INFO)
    logging.raiseExceptions = False  # a log on a full disk is no news of its own


def _refused(error: Exception, job: Job | None = None, command: str = "") -> Refused:
    """What Hydra, the system or a library says no to, as one line. job: whose folder is named where a disk was full without saying
    which file it was; of a sweep, that and where its log is."""
    match error:
        case SekftError():
            line = str(error)
        case OSError(strerror=str(why)):
            line = f"{error.filename or (job.folder if job else _asked_folder())}: {why}"
        case HydraException() | OmegaConfBaseException():
            line = error_line(error)
        case _:
            line = one_line(error)
    of_job = job is not None and job.sweep is not None
    if job and of_job:
        line = f"job {job.name} failed: {line}; log: {job.folder / command}.log"
    return Refused(line, error.exit_status if isinstance(error, SekftError) else 1, of_job)


def _asked_folder() -> str:
    """Where Hydra was about to write."""
    return next((word.partition("=")[2] for word in sys.argv if word.startswith(("hydra.run.dir=", "hydra.sweep.dir="))), "outputs")


def _say(command: str, message: str, error: BaseException | None = None) -> None:
    """error: what only the log tells, with its traceback."""
    print(f"sekft.{command}: {message}", file=sys.stderr, flush=True)
    if logging.getLogger().handlers:
        logging.getLogger("sekft").error(message, exc_info=error)

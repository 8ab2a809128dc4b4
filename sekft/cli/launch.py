"""The main function of every command: Hydra composes, settings() validates, every refusal is one line."""

import gc
import io
import logging
import os
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sekft import crash
from sekft.cli import dry_run, go_on, recorded, sweep
from sekft.cli.console import detail, echo, echo_command
from sekft.cli.flags import require_no_secret, to_overrides
from sekft.cli.help import help_text, wants_help
from sekft.cli.quoting import unquoted
from sekft.cli.settings import conf_folder, error_line, settled
from sekft.cli.sweep import SweepPolicy
from sekft.cli.words import given_twice, require_known, with_new_keys
from sekft.config import automatic
from sekft.config.automatic import Choice, Choose
from sekft.config.commands import COMMANDS, register
from sekft.config.endpoint import require_function
from sekft.config.job import CONFIG_DIR, Job, Report, RunFunction
from sekft.config.renamed import require_new_names
from sekft.errors import SekftError, SettingsError, one_line
from sekft.tracking import secrets
from sekft.tracking.signals import terminating
from sekft.where import allowed

ENDS = (KeyboardInterrupt, SystemExit)  # of the whole command; other errors that are no Exception: a panic of a library in Rust
TERMINATED = {128 + signal.SIGTERM: "terminated", 128 + signal.SIGHUP: "the terminal was closed"}  # exit status: message
ROOM = "allowed: fewer workers, shorter rows, model.load_4bit=true, a smaller base, or a machine with more"
FILES_ARE_COMPLETE = "all files written so far are complete"
Plan = Callable[[Any, Job, Report], None]  # prints what a start would do
Listener = Callable[[str, Job, Any], None]  # (command, job, None) when a job begins, (command, job, summary) when it ends well
listeners: list[Listener] = []  # of the jobs of this process


@dataclass(frozen=True)
class Work:
    """What a command does.

    sweeps: how a sweep that is started again continues; None: it starts over. plan: prints a dry run. choose: the rules for automatic
    settings. sweep_ended: prints what the sweep in a folder found, after its last job.
    """

    run: RunFunction
    sweeps: SweepPolicy | None = None
    plan: Plan | None = None
    choose: Choose | None = None
    sweep_ended: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Failure:
    """The printable part of an error; keeping the exception would pin the model in GPU memory. of_job: of a job of a sweep."""

    message: str
    exit_status: int
    of_job: bool


def launch(command: str, work: Callable[[], Work]) -> None:
    """The main function of `python -m sekft.<command> [overrides]`.

    work: imports what the command needs; called once the settings are known to be right, so that a typo and --help are answered at once.
    A refusal or a full disk is one line on stderr and exit status 1. An error that nobody expected is one line, with its trace in crash.log
    of the run, and exit status 70. Ctrl-C is 130, SIGTERM 143, SIGHUP 129; the last line is then the
    command that goes on. A failed job of a sweep does not stop the others: it is reported at once and again at the end.
    """
    register(command)
    _quiet_libraries()
    failures: list[Failure] = []
    begun: list[Job] = []
    main_process, typed = os.getpid(), sys.argv[1:]

    def job(cfg: DictConfig) -> float | None:
        this, objective = _job(), None
        begun.append(this)
        try:
            objective = _run_job(command, work, cfg, this)
        except BaseException as error:
            if os.getpid() != main_process or isinstance(error, ENDS):
                raise  # in a process of a Hydra launcher the exception must reach the launcher
            failures.append(_failure(error, this, command))
            _print_error(command, failures[-1].message, None if isinstance(error, SekftError) else error)
        if this.sweep:
            gc.collect()  # frees the cycles that hold the job's model
        return objective

    try:
        with terminating(), _answering_for_threads(command, begun):
            planned = _start(command, job, failures)
            if begun and begun[-1].sweep and not planned and (ended := work().sweep_ended):
                ended(begun[-1].sweep)
    except KeyboardInterrupt:
        _print_interruption(command, "interrupted", typed, begun)
        sys.exit(crash.INTERRUPTED)
    except SystemExit as exit_:
        if isinstance(exit_.code, int) and exit_.code in TERMINATED:
            _print_interruption(command, TERMINATED[exit_.code], typed, begun)
        raise
    except BaseException as error:
        failures.append(_failure(error))
        _print_error(command, failures[-1].message)
    if failures:
        _exit_with(command, failures)


def skip_evaluation(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """With the override eval=none set the number of episodes to 0 in a recipe's config, too: a recipe is composed after the groups."""
    if "eval=none" in overrides:
        given = {word.partition("=")[0] for word in overrides}
        for key in {"eval.episodes", "eval.every_steps"} - given:
            OmegaConf.update(cfg, key, 0)
    return cfg


def resident_socket(words: Sequence[str]) -> Path | None:
    """The socket in resident=SOCKET; None without one."""
    given = [unquoted(word.partition("=")[2]) for word in words if word.startswith("resident=")]
    return Path(given[-1]) if given and given[-1] not in ("", "null") else None


def _start(command: str, job: Callable[[DictConfig], Any], failures: Sequence[Failure]) -> bool:
    """Let Hydra compose and call the job, once or for each of a sweep; or let a resident base run the command.

    Returns whether it was only planned.
    """
    typed, words = sys.argv[1:], to_overrides(command, sys.argv[1:])
    if wants_help(words):
        print(help_text(command, words))
        return False
    require_no_secret(words)
    require_new_names(words)
    require_known(command, words)
    for line in given_twice(words):
        print(f"sekft.{command}: {line}", file=sys.stderr)
    sys.argv[1:] = recorded.expand(command, with_new_keys(command, words))
    with dry_run.prepared(command, conf := _conf(command), sys.argv[1:]) as (words, is_planned):
        if (socket := resident_socket(words)) and not is_planned:
            from sekft.where.resident import run_job

            sys.exit(run_job(socket, command, words))
        sys.argv[1:] = words
        hydra.main(version_base="1.3", config_path=str(conf), config_name=command)(job)()
    if is_planned and not failures:
        echo_command("start it", ["python", "-m", f"sekft.{command}", *dry_run.real_words(typed)])
    return is_planned


def _notifying(command: str, run: RunFunction) -> RunFunction:
    """The run function, which also calls the listeners."""

    def run_and_notify(settings: Any, job: Job) -> Any:
        for listener in listeners:
            listener(command, job, None)
        summary = run(settings, job)
        for listener in listeners:
            listener(command, job, summary)
        return summary

    return run_and_notify


def _run_job(command: str, work: Callable[[], Work], cfg: DictConfig, job: Job) -> float | None:
    """Run or plan one job; returns the objective for a sweeper that searches."""
    if job.sweep:
        echo(f"== job {job.name}: {' '.join(job.overrides)}")

    def choose(settings: Any, open_keys: frozenset[str]) -> Sequence[Choice]:
        rules = work().choose
        return rules(settings, open_keys) if rules else ()

    typed: Any
    typed, chosen = settled(skip_evaluation(cfg, job.overrides), COMMANDS[command], choose)
    _require_no_secret(typed, job)
    require_function(typed)
    if chosen and not recorded.recorded_run(job.overrides):
        planned = hasattr(typed, "dry_run") and allowed.only_planned(command, typed)
        if not planned and command in ("train", "eval"):
            echo(automatic.headline(chosen))
        for line in automatic.lines(chosen):
            (echo if planned else detail)(line)
    job = replace(job, facts={**job.facts, "chosen": automatic.record(chosen)}) if chosen else job
    this = work()
    run = _notifying(command, this.run)
    if this.plan is not None:
        from sekft.where import remote

        remote.require(command, typed, job.sweep is not None)
        if allowed.only_planned(command, typed):
            this.plan(typed, job, echo)
            return None
        run = remote.at_location(command, run, typed, echo)
    if job.sweep and this.sweeps:
        return this.sweeps.objective(typed, sweep.run_once(run, typed, job, job.sweep, this.sweeps, echo))
    run(typed, job)
    return None


def _require_no_secret(typed: Any, job: Job) -> None:
    """Raises SettingsError for a secret in a recipe, after removing the copies that Hydra has written into the run's folder."""
    try:
        secrets.require_none(asdict(typed))
    except SettingsError:
        shutil.rmtree(job.folder / ".hydra", ignore_errors=True)
        if job.sweep:
            (job.sweep / "multirun.yaml").unlink(missing_ok=True)
        raise


def _conf(command: str) -> Path:
    folder = conf_folder()
    if not (folder / f"{command}.yaml").exists():
        raise SettingsError(f"{folder}: no {command}.yaml there; the installation is incomplete, install sekft again")
    return folder


def _job() -> Job:
    """The job that Hydra is about to run."""
    hydra_config = HydraConfig.get()
    whole = dry_run.real_folder(Path(hydra_config.runtime.output_dir))
    near = Path(os.path.relpath(whole))
    folder = whole if ".." in near.parts else near
    is_sweep = hydra_config.mode is not None and hydra_config.mode.name == "MULTIRUN"
    sweep_folder = dry_run.real_folder(Path(hydra_config.sweep.dir)) if is_sweep else None
    chosen = {key: value for key, value in sorted(hydra_config.runtime.choices.items()) if value and not key.startswith("hydra/")}
    choices = tuple(f"{key}={value}" for key, value in chosen.items())
    name = f"{folder.parent.name}/{folder.name}" if is_sweep else folder.name
    group = sweep_folder.name if sweep_folder else None
    # given by --config-dir; without it the recorded overrides cannot be composed again
    added = [source.path for source in hydra_config.runtime.config_sources if source.provider == "command-line"]
    facts = {CONFIG_DIR: str(Path(added[0]).absolute())} if added else {}
    return Job(folder, name, group, tuple(hydra_config.overrides.task), choices, sweep_folder, facts=facts)


def _quiet_libraries() -> None:
    """Let Hydra raise instead of printing, and keep hub libraries from sending telemetry and printing warnings."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    for key, value in {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }.items():
        os.environ.setdefault(key, value)
    warnings.filterwarnings("ignore", module="hydra|torch|transformers|trl|peft|bitsandbytes|requests")
    logging.getLogger("sekft").setLevel(logging.INFO)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # in a locale that is not UTF-8 a letter that it lacks is no error
            with suppress(OSError):  # a terminal opened for reading and writing cannot be configured again
                stream.reconfigure(errors="backslashreplace")
    logging.raiseExceptions = False  # a log on a full disk must not print a traceback of its own


def _failure(error: BaseException, job: Job | None = None, command: str = "") -> Failure:
    """An error as one line; for a job of a sweep with its name and log. One that is not of sekft, Hydra or the system is internal."""
    status = 1
    match error:
        case SekftError():
            message, status = str(error), error.exit_status
        case HydraException() | OmegaConfBaseException():  # before OSError: Hydra's error for an option that is not there is both
            message = error_line(error)
        case OSError(strerror=str(why)):
            message = f"{error.filename or (job.folder if job else _output_folder())}: {why}"  # a full disk names no file
        case OSError():
            message = one_line(error)
        case _ if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "out of memory" in str(error)):  # torch's
            message = f"out of memory: {one_line(error)}; {ROOM}"
        case _:
            message, status = crash.line(error, job.folder if job else None), crash.EXIT_STATUS
    of_job = job is not None and job.sweep is not None
    if job and of_job:
        message = f"job {job.name} failed: {message}; log: {job.folder / command}.log"
    return Failure(message, status, of_job)


@contextmanager
def _answering_for_threads(command: str, begun: Sequence[Job]) -> Iterator[None]:
    """Let an error that ends a thread be one line, too. begun: the jobs so far; the trace goes into the folder of the last one."""

    def hook(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, ENDS):
            where = f" in thread {args.thread.name}" if args.thread else ""
            _print_error(command, crash.line(args.exc_value, begun[-1].folder if begun else None, where))

    before, threading.excepthook = threading.excepthook, hook
    try:
        yield
    finally:
        threading.excepthook = before


def _output_folder() -> str:
    """The folder that Hydra was about to write to."""
    return next((word.partition("=")[2] for word in sys.argv if word.startswith(("hydra.run.dir=", "hydra.sweep.dir="))), "outputs")


def _print_error(command: str, message: str, error: BaseException | None = None) -> None:
    """Print one line on stderr; the log also gets the traceback of error."""
    print(f"sekft.{command}: {message}", file=sys.stderr, flush=True)
    if logging.getLogger().handlers:
        logging.getLogger("sekft").error(message, exc_info=error)


def _print_interruption(command: str, what: str, typed: Sequence[str], begun: Sequence[Job]) -> None:
    """Print that the command was interrupted, and the line that goes on; another Ctrl-C then ends the process without a further word."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(crash.INTERRUPTED))
    _print_error(command, f"{what}; {FILES_ARE_COMPLETE}")
    if line := go_on.line(command, typed, begun[-1] if begun else None):
        print(f"go on: {line}", file=sys.stderr, flush=True)


def _exit_with(command: str, failures: Sequence[Failure]) -> None:
    """Print the failed jobs of a sweep again and exit with the status of the first failure."""
    if any(failure.of_job for failure in failures):
        print(f"sekft.{command}: failed jobs of this sweep:", *(failure.message for failure in failures), sep="\n  ", file=sys.stderr)
    sys.exit(failures[0].exit_status)

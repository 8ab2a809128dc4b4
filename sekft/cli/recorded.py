"""Overrides that name a recorded run, `replay=RUN` and `start=resume parent=RUN`, expanded to the overrides that run was started with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sekft.cli.quoting import quoted, unquoted
from sekft.cli.settings import settings as typed
from sekft.config.job import CONFIG_DIR
from sekft.config.renamed import upgraded_word
from sekft.errors import SettingsError
from sekft.tracking import records
from sekft.tracking.condition import condition
from sekft.tracking.digest import NOT_DECISIVE
from sekft.tracking.record import RUN

CONFIG_FLAGS = ("--config-dir", "-cd")
WHERE = "where"
ALLOWED_BESIDE = ("resident", WHERE, *NOT_DECISIVE)  # settings that may be given together with a recorded run; hydra.* may, too


def expand(command: str, words: Sequence[str]) -> list[str]:
    """The words, with the recorded overrides before them if they name a run; a resumed run stays in its folder.

    Raises SettingsError if that run does not exist, is of another command or cannot be resumed, or if the words would change it.
    """
    given = _given(words)
    resuming = given.get("start") == "resume"
    run = recorded_run(words)
    if resuming and (Path(folder := run or given.get("hydra.run.dir", "")) / RUN).is_file():
        require_resumable(Path(folder))  # before Hydra writes into it
    if run is None:
        return list(words)
    own = ("start", "parent") if resuming else ("replay",)
    shown = " ".join(f"{key}={given[key]}" for key in own)
    if {"-m", "--multirun"} & set(words):
        raise SettingsError(f"{shown}: not in a sweep; a sweep that is started again resumes its own runs")
    recorded = _recorded_overrides(command, Path(run), shown)
    allowed = {key for key in given if key in own or _group(key) in (*ALLOWED_BESIDE, "hydra")}
    if changing := [
        word for word in words if "=" in word and not word.startswith("-") and _key(word) not in allowed and word not in recorded
    ]:
        raise SettingsError(f"{shown}: stands for the whole line of that run; found beside it {changing[0]}, allowed: no change")
    if resuming and Path(given.get("hydra.run.dir", run)).resolve() != Path(run).resolve():
        raise SettingsError(f"{shown}: a run resumes in its own folder; found hydra.run.dir={given['hydra.run.dir']}")
    moved = any(_group(key) == WHERE for key in given)
    kept = [word for word in recorded if _key(word) not in (*given, *own) and not (moved and _group(_key(word)) == WHERE)]
    folder_word = [f"hydra.run.dir={quoted(run)}"] if resuming and "hydra.run.dir" not in given else []
    config_dir = [] if any(word.startswith(CONFIG_FLAGS) for word in words) else _config_dir(Path(run), shown)
    return [*config_dir, *kept, *words, *folder_word]


def recorded_run(words: Sequence[str]) -> str | None:
    """The run that replay=RUN, or start=resume with parent=RUN, names; None without one."""
    given = _given(words)
    run = given.get("parent" if given.get("start") == "resume" else "replay")
    return run if run and run != "null" else None


def recorded_settings(run: Path, node: type, given: Any = None) -> Any:
    """The settings in run.json as the dataclass node; those that decide nothing (tracker, ...) are taken from given.

    Raises SettingsError, DataError.
    """
    values = records.settings(run)
    for source in ((values.get("data") or {}).get("sources") or {}).values():
        if str(source.get("path")).startswith("outputs/collect/reference-") and not Path(source["path"]).exists():
            source["path"] = None  # the run had the reference play; it plays once more
    current = {key: getattr(given, key) for key in NOT_DECISIVE if hasattr(given, key)}
    return typed(OmegaConf.create({**values, **current, "replay": None}), node)


def require_resumable(folder: Path) -> None:
    """Raises SettingsError for a run that is done, running, or of another command than train."""
    now = condition(folder, float("inf"))
    if now.command != "train":
        raise SettingsError(f"start=resume: {folder}: a run of sekft.{now.command}; allowed: one of sekft.train")
    if now.state == "done":
        raise SettingsError(f"start=resume: {folder}: done; nothing is left to do. To continue from its adapter: parent={folder}")
    if now.state in ("alive", "stalled"):
        raise SettingsError(f"start=resume: {folder}: running, at {now.stage}; wait, or end it")


def _recorded_overrides(command: str, run: Path, shown: str) -> list[str]:
    if not (run / RUN).is_file():
        raise SettingsError(f"{shown}: no {RUN} there; allowed: the folder of a run of sekft.{command}")
    record = records.run(run)
    if record.command != command:
        raise SettingsError(f"{shown}: a run of sekft.{record.command}; allowed here: one of sekft.{command}")
    return [upgraded_word(str(word)) for word in record.overrides if _key(word) not in ("replay", "resident")]


def _config_dir(run: Path, shown: str) -> list[str]:
    """The option that names the configuration folder of the run, if it had one of its own."""
    folder = records.run(run).facts.get(CONFIG_DIR)
    if folder and not Path(folder).is_dir():
        raise SettingsError(f"{shown}: that run had --config-dir {folder}, which is gone; allowed: --config-dir FOLDER beside it")
    return ["--config-dir", folder] if folder else []


def _given(words: Sequence[str]) -> dict[str, str]:
    return {_key(word): unquoted(word.partition("=")[2]) for word in words if "=" in word}


def _group(key: str) -> str:
    return key.partition(".")[0]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]

"""A line that stands for the line of a run on record: `replay=RUN`, and `start=resume parent=RUN`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sekft.errors import SettingsError
from sekft.tracking import records
from sekft.tracking.digest import ASIDE
from sekft.tracking.record import RUN

BESIDE = ("replay", "start", "parent", "resident", *ASIDE)  # what may stand beside such a word; hydra.* may, too


def line_of(verb: str, words: Sequence[str]) -> list[str]:
    """The words, or those of the run they stand for. A run that is resumed stays in its folder.

    Raises SettingsError for a run that is not there, is another verb's, or words that would change it.
    """
    given = {_key(word): word.partition("=")[2].strip("'\"") for word in words if "=" in word}
    resumed = given.get("parent") if given.get("start") == "resume" else None
    run = given.get("replay") or resumed
    if not run or run == "null":
        return list(words)
    what = f"replay={run}" if given.get("replay") else f"start=resume parent={run}"
    if {"-m", "--multirun"} & set(words):
        raise SettingsError(f"{what}: not in a sweep; a sweep that is started again goes on by itself")
    line = _overrides(verb, Path(run), what)
    if changing := [word for word in words if "=" in word and not _may_stand_beside(word) and word not in line]:
        raise SettingsError(f"{what}: stands for the whole line of that run; found beside it {changing[0]}, allowed: no change")
    kept = [word for word in line if _key(word) not in given and not (resumed and _key(word) in ("start", "parent"))]
    if resumed and Path(given.get("hydra.run.dir", run)).resolve() != Path(run).resolve():
        raise SettingsError(f"{what}: a run goes on in its own folder; found hydra.run.dir={given['hydra.run.dir']}")
    own = [f"hydra.run.dir='{run}'"] if resumed and "hydra.run.dir" not in given else []
    return [*kept, *(word for word in words if word not in kept), *own]


def settings_of(run: Path, node: type, beside: Any = None) -> Any:
    """As run.json has them, typed. beside: settings whose ASIDE count instead. Raises SettingsError, DataError."""
    from sekft.command.launch import settings as typed

    told = dict(record_of(run).get("settings") or {})
    for source in ((told.get("data") or {}).get("sources") or {}).values():
        if str(source.get("path")).startswith("outputs/collect/reference-") and not Path(source["path"]).exists():
            source["path"] = None  # made by the run, and now once more
    chosen = {key: getattr(beside, key) for key in ASIDE if hasattr(beside, key)}
    return typed(OmegaConf.create({**told, **chosen, "replay": None}), node)


def record_of(run: Path) -> dict[str, Any]:
    """run.json. Raises DataError."""
    return records.document(run / RUN)


def _overrides(verb: str, run: Path, what: str) -> list[str]:
    if not (run / RUN).is_file():
        raise SettingsError(f"{what}: no {RUN} there; allowed: the folder of a run of sekft.{verb}")
    record: Mapping[str, Any] = record_of(run)
    if record.get("verb") != verb:
        raise SettingsError(f"{what}: a run of sekft.{record.get('verb')}; allowed here: one of sekft.{verb}")
    return [str(word) for word in record.get("overrides", ()) if _key(word) not in ("replay", "resident")]


def _may_stand_beside(word: str) -> bool:
    return _key(word) in BESIDE or _key(word).startswith("hydra.") or word.startswith("-")


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]

"""Starts that are only planned: Hydra writes what it makes for a job into a temporary folder."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sekft.config import REMOTE
from sekft.errors import SettingsError
from sekft.tracking.signals import terminating

DECISIVE = ("dry_run", "where", "experiment")  # only these settings can make a start a planned one
_real: dict[Path, Path] = {}  # temporary folder -> the folder that a real start would use


@contextmanager
def prepared(command: str, conf: Path, words: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """The words to start with, and whether the start is only planned. Raises SettingsError for a plan of a search."""
    composed = _compose(command, conf, words)
    if composed is None or not _is_planned(command, composed):
        yield list(words), False
        return
    is_sweep = composed.hydra.mode is RunMode.MULTIRUN or composed.hydra.mode == "MULTIRUN"
    if is_sweep and not str(composed.hydra.sweeper._target_).endswith("BasicSweeper"):
        raise SettingsError("dry_run=true: a search cannot be planned, as results decide its jobs; allowed: one job, without -m")
    key = "hydra.sweep.dir" if is_sweep else "hydra.run.dir"
    with terminating(), tempfile.TemporaryDirectory(prefix="sekft-plan-") as temporary:
        _real[Path(temporary)] = Path(str(OmegaConf.select(composed, key)))
        added = [f"{key}={temporary}", "hydra.output_subdir=null", "hydra.job_logging.handlers.file.filename=/dev/null"]
        kept = [word for word in words if not word.lstrip("+").startswith(("hydra/launcher", "hydra.launcher"))]
        after_overrides = max(index for index, word in enumerate(kept) if "=" in word and not word.startswith("-")) + 1
        try:
            yield [*kept[:after_overrides], *added, *kept[after_overrides:]], True
        finally:
            _real.clear()


def real_words(words: Sequence[str]) -> list[str]:
    """The words that really start what was planned: without dry_run=true, and with live=true for another machine."""
    kept = [word for word in words if word.lstrip("+").partition("=")[0] != "dry_run"]
    remote = any(word.partition("=")[2] in tuple(REMOTE) for word in kept if word.lstrip("+").startswith("where"))
    if remote and not any(word.lstrip("+").startswith("live=") for word in kept):
        return [*kept, "live=true"]
    return kept if len(kept) < len(words) else [*kept, "dry_run=false"]  # a recipe says dry_run=true


def real_folder(folder: Path) -> Path:
    """The folder that a planned job would have if it were started; else the folder itself."""
    for temporary, real in _real.items():
        if folder.absolute().is_relative_to(temporary):
            return real / folder.absolute().relative_to(temporary)
    return folder


def _compose(command: str, conf: Path, words: Sequence[str]) -> Any:
    """The config of this start; None if it cannot be a planned one, or if Hydra has to report an error itself."""
    if not any(word.lstrip("+").replace("=", ".").split(".")[0] in DECISIVE for word in words):
        return None
    args = get_args_parser().parse_args(list(words))
    if args.help or args.hydra_help or args.cfg or args.info or args.shell_completion:
        return None
    overrides = [*args.overrides, *([f"hydra.searchpath=[file://{Path(args.config_dir).absolute()}]"] if args.config_dir else [])]
    try:
        with initialize_config_dir(str(conf), version_base="1.3", job_name=command):
            engine = GlobalHydra.instance().hydra
            assert engine is not None
            mode = RunMode.MULTIRUN if args.multirun else engine.get_mode(command, overrides) or RunMode.RUN
            composed = engine.compose_config(command, overrides, run_mode=mode, from_shell=True, with_log_configuration=False)
            OmegaConf.set_struct(composed, False)
            composed.hydra.mode = mode
            return composed
    except (HydraException, OmegaConfBaseException):
        return None


def _is_planned(command: str, composed: Any) -> bool:
    where = OmegaConf.select(composed, f"where.{'train' if command == 'train' else 'eval'}")
    return bool(OmegaConf.select(composed, "dry_run")) or (where in REMOTE and not OmegaConf.select(composed, "live"))

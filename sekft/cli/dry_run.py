"""A start that is only planned leaves nothing behind: what Hydra makes for a job is made where nobody keeps it."""

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

from sekft.config.where import REMOTE
from sekft.errors import SettingsError
from sekft.tracking.signals import terminating

ABOUT = ("dry_run", "where", "experiment")  # only these words can make a start a planned one
_real: dict[Path, Path] = {}  # by the folder that nobody keeps


@contextmanager
def unless_live(command: str, conf: Path, words: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    """The words to start with, and whether it is only planned. Raises SettingsError."""
    composed = _composed(command, conf, words)
    if composed is None or not _planned(command, composed):
        yield list(words), False
        return
    sweep = composed.hydra.mode is RunMode.MULTIRUN or composed.hydra.mode == "MULTIRUN"
    if sweep and not str(composed.hydra.sweeper._target_).endswith("BasicSweeper"):
        raise SettingsError("dry_run=true: allowed with a sweeper that chooses as it goes: the plan of one job, without -m")
    key = "hydra.sweep.dir" if sweep else "hydra.run.dir"
    with terminating(), tempfile.TemporaryDirectory(prefix="sekft-plan-") as nobodys:
        _real[Path(nobodys)] = Path(str(OmegaConf.select(composed, key)))
        ours = [f"{key}={nobodys}", "hydra.output_subdir=null", "hydra.job_logging.handlers.file.filename=/dev/null"]
        kept = [word for word in words if not word.lstrip("+").startswith(("hydra/launcher", "hydra.launcher"))]
        at = max(place for place, word in enumerate(kept) if "=" in word and not word.startswith("-")) + 1
        try:
            yield [*kept[:at], *ours, *kept[at:]], True
        finally:
            _real.clear()


def real(folder: Path) -> Path:
    """Where a job would be, if it is only planned; else where it is."""
    for nobodys, meant in _real.items():
        if folder.absolute().is_relative_to(nobodys):
            return meant / folder.absolute().relative_to(nobodys)
    return folder


def _composed(command: str, conf: Path, words: Sequence[str]) -> Any:
    """The config of this start; None where it cannot be a planned one, or where Hydra itself has something to say."""
    if not any(word.lstrip("+").replace("=", ".").split(".")[0] in ABOUT for word in words):
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


def _planned(command: str, composed: Any) -> bool:
    place = OmegaConf.select(composed, f"where.{'train' if command == 'train' else 'eval'}")
    return bool(OmegaConf.select(composed, "dry_run")) or (place in REMOTE and not OmegaConf.select(composed, "live"))

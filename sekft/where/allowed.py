"""Which combinations of where.train, where.eval and other settings are allowed; checked before anything starts."""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sekft.config import BackendKind, Suite
from sekft.config.where import REMOTE, Where
from sekft.errors import SettingsError

EVAL_LOCATIONS = {  # where the evaluation may run, by where the adapter is trained
    Where.local: (Where.local,),
    Where.resident: (Where.resident,),
    Where.torchrun: (Where.local,),
    Where.ray: (Where.ray, Where.local),
    Where.slurm: (Where.slurm, Where.local),
    Where.hf_job: (Where.hf_job,),
}
PACKAGES = {Where.ray: "ray", Where.slurm: "submitit"}


def location(command: str, settings: Any) -> Where:
    """Where the command runs: where.train for sekft.train, where.eval for sekft.eval."""
    return Where(settings.where.train if command == "train" else settings.where.eval)


def only_planned(command: str, settings: Any) -> bool:
    """Whether the command only prints its plan."""
    return settings.dry_run or (location(command, settings) in REMOTE and not settings.live)


def trains_separately(settings: Any) -> bool:
    """Whether only the training runs in other processes, and all else in this one."""
    where = settings.where
    return where.train is Where.torchrun or (where.train in REMOTE and where.eval is Where.local)


def require(command: str, settings: Any, inputs: Iterable[Path] = (), plays: bool = False, job_of_sweep: bool = False) -> None:
    """Check all of it. Raises SettingsError.

    inputs: files and folders that the run reads. plays: it plays episodes even without an evaluation.
    """
    chosen = location(command, settings)
    evaluates = command == "eval" or bool(settings.eval.episodes or settings.eval.every_steps)
    if command == "eval" and settings.where.train is Where.torchrun:
        raise SettingsError("where.train=torchrun: sekft.eval trains nothing; allowed: where=local, resident, ray, slurm, hf_job")
    if command == "train" and evaluates and settings.where.eval not in EVAL_LOCATIONS[chosen]:
        allowed = ", ".join(EVAL_LOCATIONS[chosen])
        raise SettingsError(f"where.eval={settings.where.eval}: allowed with where.train={chosen}: {allowed}; or eval=none")
    _require_resident(chosen, settings)
    if settings.where.processes > 1 and chosen is not Where.torchrun:
        raise SettingsError(f"where.processes={settings.where.processes}: allowed with where.train={chosen}: 1; several with torchrun")
    if job_of_sweep and chosen in REMOTE and not settings.where.wait:
        raise SettingsError("where.wait=false: allowed in a sweep: true, as its ledger records how every job ended")
    if (package := PACKAGES.get(chosen)) and find_spec(package) is None:
        raise SettingsError(f"where={chosen}: the package {package} is not installed; pip install 'sekft[remote]'")
    if command == "train" and trains_separately(settings):
        _require_separate_training(settings)
    if chosen is Where.hf_job:
        _require_hf_job(settings, inputs, plays or (evaluates and settings.eval.episodes > 0))


def _require_resident(chosen: Where, settings: Any) -> None:
    if chosen is Where.resident and not settings.resident:
        raise SettingsError("where=resident: no socket given; add resident=SOCKET, which python -m sekft.resident socket=SOCKET serves")
    if settings.resident and chosen not in (Where.resident, Where.local):
        raise SettingsError(f"where={chosen}: allowed with resident={settings.resident}: resident")


def _require_separate_training(settings: Any) -> None:
    """Refuse what needs the evaluation or the budget inside the training processes."""
    found = f"where.train={settings.where.train}"
    if settings.eval.every_steps:
        raise SettingsError(f"eval.every_steps={settings.eval.every_steps}: allowed with {found}, where.eval=local: 0")
    if limit := next((f"budget.{key}={value:g}" for key, value in vars(settings.budget).items() if value), None):
        raise SettingsError(f"{limit}: allowed with {found}, where.eval=local: 0")
    if settings.trainer.context_frozen and settings.where.processes > 1:
        raise SettingsError(f"trainer.context_frozen=true: allowed with {found}: false")


def _require_hf_job(settings: Any, inputs: Iterable[Path], plays: bool) -> None:
    options = settings.where.options
    if not options.get("image"):
        raise SettingsError("where.options.image: none; allowed with where=hf_job: the name of a Docker image that has sekft installed")
    if plays and settings.sandbox.backend is not BackendKind.bwrap:
        raise SettingsError(
            f"sandbox={settings.sandbox.backend}: a job at Hugging Face has no container engine; allowed with where=hf_job: "
            "eval=none and data with a path, or sandbox=bwrap if the image has bubblewrap"
        )
    package = Path(__file__).parents[1]
    local = next((path for path in inputs if path.exists() and not path.absolute().is_relative_to(package)), None)
    if local and not options.get("volumes"):
        raise SettingsError(f"{local}: lies on this machine; allowed with where=hf_job: names on the hub, or where.options.volumes")
    if settings.eval.suite is not Suite.none and not settings.eval.suite_path.startswith("sekft:") and not options.get("volumes"):
        raise SettingsError(f"eval.suite_path={settings.eval.suite_path}: lies on this machine; allowed with where=hf_job: sekft:...")

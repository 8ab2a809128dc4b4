"""What may run where: training and evaluation looked at together, before anything starts."""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sekft.config import Backend, Suite
from sekft.config.where import REMOTE, Where
from sekft.errors import SettingsError

EVAL_PLACES = {  # where an evaluation may be held, by where its adapter is trained
    Where.local: (Where.local,),
    Where.resident: (Where.resident,),
    Where.torchrun: (Where.local,),
    Where.ray: (Where.ray, Where.local),
    Where.slurm: (Where.slurm, Where.local),
    Where.hf_job: (Where.hf_job,),
}
PACKAGES = {Where.ray: "ray", Where.slurm: "submitit"}


def place(command: str, settings: Any) -> Where:
    """Where most of the work is: the training, of sekft.eval the evaluation."""
    return Where(settings.where.train if command == "train" else settings.where.eval)


def only_planned(command: str, settings: Any) -> bool:
    """Whether nothing is to be started."""
    return settings.dry_run or (place(command, settings) in REMOTE and not settings.live)


def apart(settings: Any) -> bool:
    """Whether the training alone is in other processes, and the rest here."""
    where = settings.where
    return where.train is Where.torchrun or (where.train in REMOTE and where.eval is Where.local)


def require(command: str, settings: Any, inputs: Iterable[Path] = (), plays: bool = False, job_of_sweep: bool = False) -> None:
    """inputs: files and folders that the run reads; plays: it needs a sandbox even without an evaluation. Raises SettingsError."""
    here = place(command, settings)
    evaluates = command == "eval" or bool(settings.eval.episodes or settings.eval.every_steps)
    if command == "eval" and settings.where.train is Where.torchrun:
        raise SettingsError("where.train=torchrun: sekft.eval trains nothing; allowed: where=local, resident, ray, slurm, hf_job")
    if command == "train" and evaluates and settings.where.eval not in EVAL_PLACES[here]:
        allowed = ", ".join(EVAL_PLACES[here])
        raise SettingsError(f"where.eval={settings.where.eval}: allowed with where.train={here}: {allowed}; or eval=none")
    _of_resident(here, settings)
    if settings.where.processes > 1 and here is not Where.torchrun:
        raise SettingsError(f"where.processes={settings.where.processes}: allowed with where.train={here}: 1; several with torchrun")
    if job_of_sweep and here in REMOTE and not settings.where.wait:
        raise SettingsError("where.wait=false: allowed in a sweep: true, its ledger says what became of every job")
    if (package := PACKAGES.get(here)) and find_spec(package) is None:
        raise SettingsError(f"where={here}: the package {package} is not installed; pip install 'sekft[remote]'")
    if command == "train" and apart(settings):
        _of_apart(settings)
    if here is Where.hf_job:
        _of_hf_job(settings, inputs, plays or (evaluates and settings.eval.episodes > 0))


def _of_resident(here: Where, settings: Any) -> None:
    if here is Where.resident and not settings.resident:
        raise SettingsError("where=resident: whose? allowed: resident=SOCKET with it, which python -m sekft.resident socket=SOCKET serves")
    if settings.resident and here not in (Where.resident, Where.local):
        raise SettingsError(f"where={here}: allowed with resident={settings.resident}: resident")


def _of_apart(settings: Any) -> None:
    """What the processes of a training cannot do."""
    at = f"where.train={settings.where.train}"
    if settings.eval.every_steps:
        raise SettingsError(f"eval.every_steps={settings.eval.every_steps}: allowed with {at}, where.eval=local: 0")
    if reached := next((f"budget.{key}={value:g}" for key, value in vars(settings.budget).items() if value), None):
        raise SettingsError(f"{reached}: allowed with {at}, where.eval=local: 0")
    if settings.trainer.context_frozen and settings.where.processes > 1:
        raise SettingsError(f"trainer.context_frozen=true: allowed with {at}: false")


def _of_hf_job(settings: Any, inputs: Iterable[Path], plays: bool) -> None:
    options = settings.where.options
    if not options.get("image"):
        raise SettingsError("where.options.image: none; allowed with where=hf_job: the name of a Docker image that sekft is installed in")
    if plays and settings.sandbox.backend is not Backend.bwrap:
        raise SettingsError(
            f"sandbox={settings.sandbox.backend}: a job at Hugging Face has no container engine; allowed with where=hf_job: "
            "eval=none and data with a path, or sandbox=bwrap if the image has bubblewrap"
        )
    shipped = Path(__file__).parents[1]
    own = next((path for path in inputs if path.exists() and not path.absolute().is_relative_to(shipped)), None)
    if own and not options.get("volumes"):
        raise SettingsError(f"{own}: lies on this machine; allowed with where=hf_job: names on the hub, or where.options.volumes")
    if settings.eval.suite is not Suite.none and not settings.eval.suite_path.startswith("sekft:") and not options.get("volumes"):
        raise SettingsError(f"eval.suite_path={settings.eval.suite_path}: lies on this machine; allowed with where=hf_job: sekft:...")

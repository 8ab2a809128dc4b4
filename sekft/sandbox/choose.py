"""The choice of a backend, before anything depends on it; one printed line names it with the reason."""

import logging
import shutil

from sekft.config import BackendKind, SandboxConfig
from sekft.config.job import Report
from sekft.errors import SandboxError
from sekft.sandbox import image
from sekft.sandbox.session import Backend

log = logging.getLogger("sekft")


def backend(settings: SandboxConfig, report: Report = log.info, foreign: bool = False) -> Backend:
    """The backend of the settings, ready for use; auto: an engine if one answers, else bwrap. Raises SandboxError.

    On an engine this removes left-over containers, makes the image and plays a trial episode.
    report: gets one line about the backend; foreign: scenarios from outside the library, which auto does not run in bwrap, because its
    isolation is weaker.
    """
    match settings.backend:
        case BackendKind.docker:
            return _docker(settings, report)
        case BackendKind.bwrap:
            return _bwrap(settings, report, "as asked")
        case BackendKind.auto:
            return _either(settings, report, foreign)


def backend_for_references(settings: SandboxConfig, chosen: Backend, report: Report = log.info) -> Backend:
    """The backend that plays reference episodes, whose bytes are the same in every backend: `chosen`, or bwrap where settings allow it."""
    if not settings.references_in_bwrap or chosen.name == "bwrap":
        return chosen
    try:
        fast = _bwrap(settings, lambda line: None, "")
    except SandboxError as error:
        report(f"reference episodes: {chosen.name} (no bwrap: {error})")
        return chosen
    report("reference episodes: bwrap (sandbox.references_in_bwrap=true)")
    return fast


def describe(settings: SandboxConfig, foreign: bool = False) -> str:
    """One line about the backend that backend() would choose, without making or starting anything. Raises SandboxError."""
    try:
        if settings.backend is not BackendKind.bwrap:
            from sekft.sandbox.backend import engine

            answering = engine.find()
            where = f"{answering.name} {answering.version} at {answering.host}"
            return f"sandbox: docker ({where}, image {image.known_name()})"
    except SandboxError as refused:
        if settings.backend is BackendKind.docker or foreign:
            raise
        reason = str(refused)
    else:
        reason = "as asked"
    if not shutil.which("bwrap"):
        raise SandboxError(f"no sandbox at all: {reason}; and bwrap is not installed")
    return f"sandbox: bwrap ({reason}; root file system {image.known_name()})"


def _either(settings: SandboxConfig, report: Report, foreign: bool) -> Backend:
    try:
        return _docker(settings, report)
    except SandboxError as refused:
        if foreign:
            raise SandboxError(f"{refused}; scenarios from outside the library run under bwrap only if asked to: sandbox=bwrap") from None
        try:
            return _bwrap(settings, report, str(refused))
        except SandboxError as error:
            raise SandboxError(f"no sandbox at all: {refused}; and {error}") from None


def _docker(settings: SandboxConfig, report: Report) -> Backend:
    from sekft.sandbox.backend.docker import DockerBackend  # 0.3 s of imports

    made = DockerBackend(settings)
    swept = f", {made.swept} left-over containers removed" if made.swept else ""
    about = f"{made.engine.name} {made.engine.version} at {made.engine.host}, image {made.image}{swept}"
    report("; ".join([f"sandbox: docker ({about})", *made.faults]))
    return made


def _bwrap(settings: SandboxConfig, report: Report, reason: str) -> Backend:
    from sekft.sandbox.backend.bwrap import BwrapBackend

    made = BwrapBackend(settings)
    swept = f"; {made.swept} left-over sandboxes ended" if made.swept else ""
    report(f"sandbox: bwrap ({reason}; weaker than an engine, see docs/attacks.md{swept})")
    log.info("bwrap is weaker than an engine: %s", ", ".join(made.weaknesses()))
    return made

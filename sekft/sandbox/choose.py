"""Which backend serves, found out before anything depends on it: the engine is swept, the image made, one line says which and why."""

import logging
import shutil
from collections.abc import Callable

from sekft.config import Backend as Wanted
from sekft.config import SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox import image
from sekft.sandbox.session import Backend

Notice = Callable[[str], None]
log = logging.getLogger("sekft")


def backend(settings: SandboxConfig, notice: Notice = log.info, foreign: bool = False) -> Backend:
    """The backend that was asked for; auto: an engine if one answers, else bwrap. Raises SandboxError with one line.

    foreign: the scenarios come from outside the library; auto does not take them to bwrap, whose walls are weaker.
    """
    match settings.backend:
        case Wanted.docker:
            return _docker(settings, notice)
        case Wanted.bwrap:
            return _bwrap(settings, notice, "as asked")
        case Wanted.auto:
            return _either(settings, notice, foreign)


def would_be(settings: SandboxConfig, foreign: bool = False) -> str:
    """The backend that would serve, as far as one can tell without sweeping, making or starting anything. Raises SandboxError."""
    try:
        if settings.backend is not Wanted.bwrap:
            from sekft.sandbox.backend import engine

            found = engine.find()
            return f"sandbox: docker ({found.name} {found.version} at {found.host}, image {image.known()})"
    except SandboxError as refused:
        if settings.backend is Wanted.docker or foreign:
            raise
        reason = str(refused)
    else:
        reason = "as asked"
    if not shutil.which("bwrap"):
        raise SandboxError(f"no sandbox at all: {reason}; and bwrap is not installed")
    return f"sandbox: bwrap ({reason}; root file system {image.known()})"


def _either(settings: SandboxConfig, notice: Notice, foreign: bool) -> Backend:
    try:
        return _docker(settings, notice)
    except SandboxError as refused:
        if foreign:
            raise SandboxError(f"{refused}; scenarios from outside the library run under bwrap only if asked to: sandbox=bwrap") from None
        try:
            return _bwrap(settings, notice, str(refused))
        except SandboxError as error:
            raise SandboxError(f"no sandbox at all: {refused}; and {error}") from None


def _docker(settings: SandboxConfig, notice: Notice) -> Backend:
    from sekft.sandbox.backend.docker import DockerBackend  # 0.3 s of imports

    made = DockerBackend(settings)
    swept = f", {made.swept} left-over containers removed" if made.swept else ""
    about = f"{made.engine.name} {made.engine.version} at {made.engine.host}, image {made.image}{swept}"
    notice("; ".join([f"sandbox: docker ({about})", *made.faults]))
    return made


def _bwrap(settings: SandboxConfig, notice: Notice, reason: str) -> Backend:
    from sekft.sandbox.backend.bwrap import BwrapBackend

    made = BwrapBackend(settings)
    notice(f"sandbox: bwrap ({reason}; walls missing: {', '.join(made.walls_missing())})")
    return made

"""Every refusal of sekft: one class per boundary, one line per message, never a traceback."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sekft import crash

if TYPE_CHECKING:
    from pydantic import ValidationError


class SekftError(Exception):
    """Base of all refusals. The message is one line: thing, place, found, allowed, what to do."""

    exit_status = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the error whole on its way from another process, also where the class takes more than a message."""
        return SekftError.__new__, (type(self), *self.args), self.__dict__


class Stopped(Exception):
    """Work was cancelled before it ended, by a person, a signal or a time limit; nothing of it is recorded."""


class SettingsError(SekftError):
    """A setting is unknown, missing, of the wrong type or at odds with another one."""


class ScenarioError(SekftError):
    """A scenario cannot be read or breaks the rules of its format."""


class SandboxError(SekftError):
    """The engine, the image or a container failed: ours to answer for, never the agent's."""


class Fault(StrEnum):
    """The kind of fault for which a row or a turn is not trained on; losses are counted by it."""

    base = "base"  # the template or the tokenizer, for every conversation
    messages = "messages"  # no canonical form
    template = "template"  # the template raises an error for this conversation
    changed = "changed"  # the template changes what was typed
    unreadable = "unreadable"  # the tokenizer has no ids that read back as what was typed
    tokens = "tokens"  # a token reaches across the end of the served prompt
    past = "past"  # the template renders this turn otherwise once later turns are known
    long = "long"  # more tokens than a row may have
    masked = "masked"  # the mask rule learns nothing of it


class RenderError(SekftError):
    """Messages and chat template do not give one faithful sequence of token ids."""

    def __init__(self, message: str, fault: Fault = Fault.base) -> None:
        super().__init__(message)
        self.fault = fault


class MaskError(SekftError):
    """A mask would teach nothing, teach environment text, or lose a stop token."""


class DataError(SekftError):
    """A trajectory file is missing, empty, malformed or loses too many rows."""


class ModelError(SekftError):
    """A base or an adapter cannot be loaded, or is not what its fingerprint says."""


class ServingError(SekftError):
    """The endpoint cannot listen on its address."""


class AgentError(SekftError):
    """An agent could not reply, which says nothing about what it would have typed.

    trouble: the kind, in a few words. reason: for the record of the episode, without addresses and keys.
    """

    def __init__(self, message: str, trouble: str, reason: str) -> None:
        super().__init__(message)
        self.trouble, self.reason = trouble, reason


class EndpointError(AgentError):
    """A server does not answer in time, not as the protocol says, or with an error. kind: see sekft.episode.answers.Kind."""

    def __init__(self, kind: str, message: str, words: str = "") -> None:
        """words: the server's own, without addresses and keys."""
        super().__init__(message, f"endpoint {kind}", f"endpoint {kind}{f': {words}' if words else ''}")
        self.kind = kind


class SweepError(SekftError):
    """A job of a sweep is not run: it failed before, or another process is at work on it."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class JobError(SekftError):
    """A resident base does not answer, has no such job, or rejects the request."""


class WhereError(SekftError):
    """A remote location does not accept the work, or the work fails there."""


class ReleaseError(SekftError):
    """An adapter is not released: the objections are printed before this line."""


class ReplayError(SekftError):
    """A repeated run has other results than the recorded one; the differences are printed before this line."""


class VerdictError(SekftError):
    """The verdict of the evaluation is not the one that eval.require asks for."""

    exit_status = 3


def one_line(error: BaseException) -> str:
    """The message of an error in one line, or the name of its class if it has none."""
    return crash.text(error)


def utf8_problem(error: UnicodeDecodeError) -> str:
    """Where a text is not UTF-8, in words."""
    return f"not UTF-8: byte 0x{error.object[error.start]:02x} at {error.start}; convert the file to UTF-8"


def validation_line(error: "ValidationError") -> str:
    """The first fault that pydantic found, in one line: field, message, the value that was there, unless it is a whole document."""
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "document"
    message, value = first["msg"].removeprefix("Value error, "), first.get("input")
    if isinstance(value, dict | list | tuple) or field == "document":
        return f"{field}: {message}"
    found = repr(value)
    return f"{field}: {message} (found {found if len(found) <= 80 else found[:77] + '...'})"

"""An agent that a person wrote: a Python function from the messages so far to the text that is typed next."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from sekft.errors import AgentError, SettingsError
from sekft.rendering.messages import Message, Reply
from sekft.tracking.record import one_line

AgentFunction = Callable[[Sequence[Message]], str]
FAILED = "the function failed"
FORM = "MODULE:FUNCTION or FILE.py:FUNCTION"


class PythonAgent:
    """Types what a function returns. A call that fails after others succeeded breaks its episode, and no other."""

    def __init__(self, name: str, place: str) -> None:
        """place: see FORM. Raises SettingsError if there is no such function."""
        self.name = name
        self._place, self._function, self._worked = place, load_function(place), False

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        """Raises AgentError if the function fails; SettingsError if it never succeeded before: then it is wrong, not this episode."""
        try:
            text = self._function(messages)
            if not isinstance(text, str):
                raise TypeError(f"returned {type(text).__name__}, allowed: str, the text to type")
        except Exception as error:
            reason = f"{self._place}: {one_line(error)}{_line_of(error)}"
            if not self._worked:
                raise SettingsError(f"{reason}; in {episode_id}, at message {len(messages)}") from None
            raise AgentError(f"{episode_id}: {reason}", FAILED, reason) from None
        self._worked = True
        return Reply(text)


def load_function(place: str) -> AgentFunction:
    """The function at `place`, see FORM. Raises SettingsError; a module of the working directory is found as by `python -m`."""
    module_name, colon, name = place.rpartition(":")
    if not (colon and module_name and name):
        raise SettingsError(f"agent.function: found {place!r}, allowed: {FORM}, a function from the messages so far to the text to type")
    try:
        module = _load_file(Path(module_name)) if module_name.endswith(".py") else _load_module(module_name)
    except Exception as error:
        raise SettingsError(f"agent.function={place}: {one_line(error)}{_line_of(error)}") from None
    function = getattr(module, name, None)
    if not callable(function):
        own = [key for key, value in vars(module).items() if callable(value) and getattr(value, "__module__", None) == module.__name__]
        raise SettingsError(f"agent.function={place}: no function {name!r} there; found: {', '.join(own) or 'none'}")
    return function


def _load_module(name: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    return importlib.import_module(name)


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError("no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and pickle look their module up
    sys.path.insert(0, str(path.resolve().parent))
    spec.loader.exec_module(module)
    return module


def _line_of(error: Exception) -> str:
    """Where the person's own code raised it: the last frame outside of this module and of the import system."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    frames = [frame for frame in frames if "importlib" not in frame.filename]
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""

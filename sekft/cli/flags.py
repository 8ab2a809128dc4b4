"""What is typed, before Hydra sees it: the flags of the predecessors' commands as overrides, by one table; secrets out of its sight."""

import os
from collections.abc import Sequence

from sekft.errors import SettingsError
from sekft.tracking import secrets

VALUE_FLAGS = {
    "--data": "data.sources.shell.path",
    "--base": "model.path",
    "--out": "hydra.run.dir",
    "--adapter": "adapter",
    "--scenarios": "scenarios",
    "--n": "eval.episodes",  # collect, check: episodes
    "--checkpoint": "adapter",
    "--prompt": "prompt",
}
SWITCHES = {"--load-4bit": "model.load_4bit=true", "--interactive": "mode=talk", "--test": "mode=suite"}
INSPECT = "--inspect"  # train only: preview instead


def to_overrides(command: str, argv: Sequence[str]) -> list[str]:
    """argv with known flags as overrides, everything else untouched. `--base B` also says what reports call the base.

    Raises SettingsError for a flag without its value.
    """
    out: list[str] = []
    words = iter(argv)
    for word in words:
        flag, has_value, value = word.partition("=")
        if flag in VALUE_FLAGS:
            value = value if has_value else next(words, "")
            if not value or value.startswith("--"):
                raise SettingsError(f"{flag}: no value given (it sets {VALUE_FLAGS[flag]})")
            key = "episodes" if flag == "--n" and command in ("collect", "check") else VALUE_FLAGS[flag]
            out += [f"{key}={_quoted(value)}"]
            if flag == "--base":
                out += ["model.weights=pretrained", f"model.name={_quoted(value.rstrip('/').rsplit('/', 1)[-1])}", "model.why=null"]
        elif word in SWITCHES:
            out.append(SWITCHES[word])
        elif word != INSPECT:
            out.append(word)
    return out


def hidden(words: Sequence[str]) -> list[str]:
    """Overrides without their secrets: these go into the environment, and `${oc.env:NAME}` is what Hydra writes down."""
    long = [word for word in words if len(word.partition("=")[2]) >= secrets.SHORTEST]  # shorter ones are known by their names alone
    shown = secrets.text("\n".join(long)).split("\n") if long else []  # at once: looking takes longer to begin than to do
    return [_hidden(word, number, word in long and word not in shown) for number, word in enumerate(words)]


def _hidden(word: str, number: int, found: bool) -> str:
    key, equals, value = word.partition("=")
    if not equals or key.startswith("-") or not (found or secrets.is_secret(key, value)):
        return word
    value = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    secrets.know(value)
    os.environ[name := f"SEKFT_SECRET_{number}"] = value
    return f"{key}=${{oc.env:{name}}}"


def wants_preview(argv: Sequence[str]) -> bool:
    return INSPECT in argv


def _quoted(value: str) -> str:
    """As a Hydra string that may hold =, commas and blanks."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

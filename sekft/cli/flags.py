"""The command line before Hydra reads it: flags of the predecessors as overrides, by one table; secrets are refused."""

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


def require_no_secret(words: Sequence[str]) -> None:
    """Raises SettingsError for an override that gives a secret as its value: `ps` and Hydra's files would show it."""
    pairs = [word.partition("=") for word in words if not word.startswith("-")]
    secrets.require_none({key.lstrip("+"): value for key, equals, value in pairs if equals})


def wants_preview(argv: Sequence[str]) -> bool:
    return INSPECT in argv


def _quoted(value: str) -> str:
    """As a Hydra string that may hold =, commas and blanks."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

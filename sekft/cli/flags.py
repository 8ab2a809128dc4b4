"""The command line before Hydra reads it: flags as overrides, by one table; own data as a source; secrets are refused."""

import os
import re
from collections.abc import Sequence

from sekft.cli.quoting import as_text, quoted, unquoted, with_text_as_typed
from sekft.cli.settings import SEVERAL_FILES, conf_folder
from sekft.config.data import OWN
from sekft.errors import SettingsError
from sekft.tracking import secrets

VALUE_FLAGS = {
    "--data": "data.path",
    "--base": "model.path",
    "--out": "hydra.run.dir",
    "--adapter": "adapter",
    "--scenarios": "scenarios",
    "--n": "eval.episodes",  # collect, check: episodes
    "--checkpoint": "adapter",
    "--prompt": "prompt",
}
SWITCHES = {"--load-4bit": "model.load_4bit=true", "--interactive": "mode=talk", "--test": "mode=suite"}
WITH_DATA, CHOOSE_DATA = ("train", "preview", "collect"), ("train", "preview")  # commands with data=; those that read what it chooses
INSPECT = "--inspect"  # train only: preview instead


def to_overrides(command: str, argv: Sequence[str]) -> list[str]:
    """argv with known flags as overrides and the source of own data. `--base B` also says what reports call the base.

    Raises SettingsError for a flag without its value, and for a file where the name of a source belongs.
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
            out += [f"{key}={quoted(value) if key.startswith('hydra.') else as_text(value)}"]
            if flag == "--base":
                named = ("model.weights=pretrained", f"model.name={as_text(value.rstrip('/').rsplit('/', 1)[-1])}", "model.why=null")
                out += [one for one in named if not any(other.startswith(f"{one.partition('=')[0]}=") for other in argv)]
        elif word in SWITCHES:
            out.append(SWITCHES[word])
        elif word != INSPECT:
            out.append(word)
    return with_own_data(command, with_text_as_typed(command, [_with_quoted_path(word) for word in out]))


def _with_quoted_path(word: str) -> str:
    """KEY=PATH as KEY='PATH' if Hydra could not read the path as it is: `~/mine.jsonl`, or a file with blanks, commas or brackets."""
    key, has_value, value = word.partition("=")
    if not has_value or key.startswith("-") or re.fullmatch(r"[\w./*-]*", value, re.ASCII) or value[0] in "'\"[{":
        return word
    return f"{key}={as_text(value)}" if value.startswith("~/") or _exists(value) else word


def with_own_data(command: str, words: Sequence[str]) -> list[str]:
    """The words, with `data=[own]` before data.path=FILE unless they choose the sources. collect has every source at hand.

    Raises SettingsError for data=FILE, for FILE alone, and for sources without `own` beside data.path=FILE.
    """
    for before, word in zip(["", *words], words, strict=False):
        if command in WITH_DATA and re.fullmatch(r"[^-+~=][^=]*", word) and not before.startswith("-") and _exists(word):
            raise SettingsError(f"{word}: a file or folder without the setting it is for; for data of your own write data.path={word}")
    chosen = [word for word in words if word.lstrip("+").startswith("data=")]
    for word in chosen:
        _require_names(word)
    own = next((word for word in words if word.lstrip("+").startswith("data.path=") and word.partition("=")[2] not in ("", "null")), None)
    path = unquoted(own.partition("=")[2]) if own else ""
    if re.fullmatch(r"\[.*,.*\]", path) and not _exists(path):
        raise SettingsError(f"data.path: found a list, {path}, allowed: one path; {SEVERAL_FILES}")
    named = next((word for word in words if word.startswith("data.format=")), None)
    if named and own is None and OWN not in _names(chosen[-1] if chosen else ""):
        raise SettingsError(f"{named}: there is no data.path, whose format it names; write data.path=FILE {named}")
    if own is None or command not in CHOOSE_DATA:
        return list(words)
    if not chosen:
        at = words.index(own)
        return [*words[:at], f"data=[{OWN}]", *words[at:]]
    if OWN not in (names := _names(chosen[-1])):
        raise SettingsError(f"{chosen[-1]}: lacks `{OWN}`, the source of data.path; write 'data=[{','.join((OWN, *names))}]' {own}")
    return list(words)


def _require_names(word: str) -> None:
    """Raises SettingsError for a file in data=..., which holds names of sources."""
    known = {option.stem for option in (conf_folder() / "data").glob("*.yaml")}
    names = _names(word)
    files = [name for name in names if name not in known and ("/" in name or "." in name or _exists(name))]
    if files:
        rest = [name for name in names if name in known]
        mixed = f"'data=[{','.join((OWN, *rest))}]' " if rest else ""
        raise SettingsError(f"{word}: data= chooses sources by name; for a file or folder of your own write {mixed}data.path={files[0]}")


def _names(word: str) -> list[str]:
    """The names in data=NAME or data=[NAME,NAME]."""
    return [name.strip(" '\"") for name in word.partition("=")[2].strip("'\"[] ").split(",") if name.strip(" '\"")]


def require_no_secret(words: Sequence[str]) -> None:
    """Raises SettingsError for an override that gives a secret as its value: `ps` and Hydra's files would show it."""
    pairs = [word.partition("=") for word in words if not word.startswith("-")]
    secrets.require_none({key.lstrip("+"): value for key, equals, value in pairs if equals})


def wants_preview(argv: Sequence[str]) -> bool:
    return INSPECT in argv


def _exists(path: str) -> bool:
    return os.path.exists(path)  # noqa: PTH110  Path.exists raises for a word that is too long for a name

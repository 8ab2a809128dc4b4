"""What decides a run, by hash: its settings, the files they name, sekft's own code, the versions it stands on."""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sekft.tracking.files import plain
from sekft.tracking.manifest import versions

ASIDE = ("tracker", "again", "dry_run", "live")  # settings that decide nothing
BENEATH = ("torch", "transformers", "tokenizers", "peft", "trl", "accelerate", "bitsandbytes", "datasets", "numpy")
WEIGHTS = (".safetensors", ".bin", ".pt")
SAMPLE_BYTES = 1 << 20  # of weights, head and tail each: they may be gigabytes
DIGITS = 16


def decided_by(settings: Mapping[str, Any], inputs: Iterable[Path]) -> dict[str, str]:
    """settings: nested, as in run.json; inputs: files and folders that count by what is in them."""
    own = {key: value for key, value in settings.items() if key not in ASIDE}
    return {"settings": of_value(own), "inputs": of_value([of_path(path) for path in inputs]), **of_code()}


@cache  # the code of this process, which is what it was when it was loaded
def of_code() -> dict[str, str]:
    about = {name: version for name, version in versions().items() if name in BENEATH}
    return {"code": of_path(Path(__file__).parents[1]), "versions": of_value(about | {"python": platform.python_version()})}


def of_value(value: Any) -> str:
    return _short(hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()))


def of_path(path: Path) -> str:
    """A file's content, or every file below a folder by name and content; a path that is not there has a hash, too."""
    hashed = hashlib.sha256()
    for file in _files(path):
        hashed.update(f"{file.relative_to(path)} {file.stat().st_size}\n".encode())
        _feed(hashed, file)
    return _short(hashed)


def whole(path: Path) -> str:
    """sha256 of every byte: a file's as `sha256sum` says it, a folder's over those of its files by name. Raises OSError."""
    if path.is_file():
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    lines = "".join(f"{whole(file)}  {file.relative_to(path).as_posix()}\n" for file in _files(path))
    return hashlib.sha256(lines.encode()).hexdigest()


def of_adapter(folder: Path) -> str | None:
    """sha256 of its weights, as `sha256sum` says it where they are one file; None where there are none."""
    files = sorted(folder.glob("*.safetensors"))
    if len(files) == 1:
        return whole(files[0])
    return hashlib.sha256("".join(map(whole, files)).encode()).hexdigest() if files else None


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def _feed(hashed: Any, file: Path) -> None:
    with file.open("rb") as content:
        if file.suffix not in WEIGHTS or file.stat().st_size <= 2 * SAMPLE_BYTES:
            while chunk := content.read(SAMPLE_BYTES):
                hashed.update(chunk)
            return
        hashed.update(content.read(SAMPLE_BYTES))
        content.seek(-SAMPLE_BYTES, os.SEEK_END)
        hashed.update(content.read())


def _short(hashed: Any) -> str:
    return str(hashed.hexdigest()[:DIGITS])

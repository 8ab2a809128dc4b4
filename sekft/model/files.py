"""The files of a base: their identity, and those that are not what their names say (git-lfs pointers, web pages, cut off). No torch."""

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

from sekft.config import ModelConfig, Weights
from sekft.errors import ModelError

POINTER = b"version https://git-lfs.github.com/spec/"
GGUF_MAGIC = b"GGUF"
SMALL_FILES = ("tokenizer.json", "tokenizer.model", "chat_template.jinja")
IDENTITY_BYTES = 1 << 20
SETTINGS_FILES = ("config.json", "generation_config.json", "tokenizer_config.json", "adapter_config.json")


def require_whole(file: Path) -> None:
    """Raise ModelError in one line that names the file and what it is instead. Reads the head of the file, not its weights.

    Safetensors must be as long as their header says, a GGUF file must begin as one.
    """
    if found := fault(file):
        raise ModelError(f"{file}: {found}")


def require_whole_folder(folder: Path, weights: bool) -> None:
    """require_whole for the files of a base, a full model or an adapter that are there. weights: also its safetensors, and every shard.

    Raises ModelError, also for a JSON file that is not JSON and for a shard that the index names and the folder lacks.
    """
    for name in SMALL_FILES:
        if (folder / name).exists():
            require_whole(folder / name)
    for name in SETTINGS_FILES:
        if (folder / name).exists():
            _require_object(folder / name)
    if not weights:
        return
    for file in sorted(folder.glob("*.safetensors")):
        require_whole(file)
    index = folder / "model.safetensors.index.json"
    if index.exists() and not (folder / "model.safetensors").exists():
        shards = _require_object(index).get("weight_map")
        if not isinstance(shards, dict):
            raise ModelError(f"{index}: lacks weight_map, the file of every tensor; fetch it again")
        if missing := sorted({name for name in shards.values() if not (folder / str(name)).exists()}):
            raise ModelError(f"{folder}: lacks {missing[0]} ({len(missing)} of {len(set(shards.values()))} shards); fetch it again")


def _require_object(file: Path) -> dict[str, Any]:
    require_whole(file)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{file}: not JSON: {error}; fetch it again") from None
    if not isinstance(found, dict):
        raise ModelError(f"{file}: found a {type(found).__name__}, allowed: an object")
    return found


def fault(file: Path) -> str:
    """What is wrong with a file of a base or an adapter, and what to do; empty if nothing is seen from its head and size."""
    try:
        size = file.stat().st_size
        with file.open("rb") as content:
            head = content.read(512)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not size:
        return "an empty file; fetch it again"
    if head.startswith(POINTER):
        return "a git-lfs pointer, not the file itself; run `git lfs pull` in that folder, or `hf download`"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, not the file itself; the download was answered by an error or a login page: fetch it again"
    if file.suffix == ".gguf" and not head.startswith(GGUF_MAGIC):
        return f"not a GGUF file: it begins with {head[:8]!r}, allowed: {GGUF_MAGIC!r}"
    if file.suffix == ".safetensors":
        return _safetensors_fault(file, size)
    return ""


def _safetensors_fault(file: Path, size: int) -> str:
    """A safetensors file is 8 bytes with the length of its header, the header as JSON, and the tensors."""
    with file.open("rb") as content:
        head = content.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if 8 + length > size:
            return "cut off, or not safetensors; fetch it again"
        try:
            header = json.loads(content.read(length))
            end = 8 + length + max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return "not safetensors: its header is not JSON; fetch it again"
    if size < end:
        return f"cut off: {size:,} bytes, its header says {end:,}; fetch it again"
    return f"damaged: {size:,} bytes, its header says {end:,}; fetch it again" if size > end else ""


def identity(folder: Path, model: ModelConfig) -> str:
    """The SHA-256 of config.json and the weights: of the seed for random weights, else of head and tail of every weight file."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    if model.weights is Weights.random:
        digest.update(f"random {model.seed}".encode())
    for file in sorted(folder.glob("*.safetensors")) if model.weights is Weights.pretrained else ():
        with file.open("rb") as weights:
            digest.update(f"{file.name} {file.stat().st_size}".encode() + weights.read(IDENTITY_BYTES))
            weights.seek(-min(IDENTITY_BYTES, file.stat().st_size), os.SEEK_END)
            digest.update(weights.read())
    return digest.hexdigest()

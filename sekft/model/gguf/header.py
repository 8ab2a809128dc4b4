"""The header of a GGUF file: its values by key and where its tensors lie. No torch.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sekft.errors import ModelError
from sekft.model.files import require_whole

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}  # type of a value -> struct
STRING, ARRAY = 8, 9
VERSIONS = (2, 3)


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies. shape: rows first, as in torch. kind: the number of its ggml type. offset: its first byte in the file."""

    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class Header:
    """What a GGUF file says before its weights."""

    file: Path
    values: Mapping[str, Any]  # by key, for example llama.block_count
    tensors: Mapping[str, Tensor]  # by name, for example blk.0.attn_q.weight

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture"))

    def of_tokenizer(self, key: str) -> Any:
        return self.values.get(f"tokenizer.ggml.{key}")


def read_header(file: Path) -> Header:
    """The header of a GGUF file. Raises ModelError for anything else."""
    require_whole(file)
    try:
        with file.open("rb") as content, mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _parse(file, data)
    except (struct.error, ValueError, OverflowError, MemoryError):
        raise ModelError(f"{file}: cut off or damaged: its header cannot be read as GGUF; fetch it again") from None


def _parse(file: Path, data: mmap.mmap) -> Header:
    version, tensor_count, value_count = struct.unpack_from("<IQQ", data, 4)
    if version not in VERSIONS:
        raise ModelError(f"{file}: found version {version} of GGUF, allowed: {', '.join(map(str, VERSIONS))}")
    at, values = 24, {}
    for _ in range(value_count):
        key, at = _string(data, at)
        (kind,) = struct.unpack_from("<I", data, at)
        values[key], at = _value(data, at + 4, kind)
    tensors = {}
    for _ in range(tensor_count):
        name, at = _string(data, at)
        (dimensions,) = struct.unpack_from("<I", data, at)
        layout = struct.Struct(f"<{dimensions}QIQ")
        *shape, kind, offset = layout.unpack_from(data, at + 4)
        tensors[name] = Tensor(tuple(reversed(shape)), kind, offset)
        at += 4 + layout.size
    alignment = int(values.get("general.alignment", 32))
    start = -(-at // alignment) * alignment
    return Header(file, values, {name: replace(tensor, offset=start + tensor.offset) for name, tensor in tensors.items()})


def _string(data: mmap.mmap, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    end = at + 8 + length
    if end > len(data):
        raise struct.error
    return data[at + 8 : end].decode("utf-8"), end


def _value(data: mmap.mmap, at: int, kind: int) -> tuple[Any, int]:
    if kind == STRING:
        return _string(data, at)
    if kind in SCALARS:
        layout = struct.Struct(f"<{SCALARS[kind]}")
        return layout.unpack_from(data, at)[0], at + layout.size
    if kind != ARRAY:
        raise struct.error
    item, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if item in SCALARS:
        layout = struct.Struct(f"<{count}{SCALARS[item]}")
        return list(layout.unpack_from(data, at)), at + layout.size
    items = []
    for _ in range(count):
        found, at = _value(data, at, item)
        items.append(found)
    return items, at

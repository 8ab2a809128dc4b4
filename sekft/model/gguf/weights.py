"""The weights of a GGUF file as safetensors, with one tensor in memory at a time. No torch.

What llama.cpp's conversion changes is undone: names, the order of the rows of queries and keys, the 1 added to norms.
Source: https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py
"""

import json
import re
import struct
from math import prod
from pathlib import Path
from typing import Any

from sekft.errors import ModelError
from sekft.model.gguf.families import FAMILIES, OUTSIDE
from sekft.model.gguf.header import Header
from sekft.tracking.files import replacing

EXACT_PARAMETERS = 1 << 30  # up to here the values are kept in float32, which is exact; above in bfloat16, which halves disk and reading
DERIVED = {"rope_freqs.weight"}  # the config says it too
NAME = re.compile(r"(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)")


def write_weights(header: Header, config: dict[str, Any], folder: Path) -> str:
    """Write model.safetensors, tensor by tensor; returns the name of its dtype.

    Raises ModelError for a missing, left-over or cut-off tensor and for a ggml type that cannot be dequantised.
    """
    require_tensors(header, config)
    names = {name: name_of(header, name) for name in header.tensors.keys() - DERIVED}
    exact = sum(prod(tensor.shape) for tensor in header.tensors.values()) <= EXACT_PARAMETERS
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(names, key=names.__getitem__):
        shape = header.tensors[name].shape
        begin, end = end, end + prod(shape) * (4 if exact else 2)
        entries[names[name]] = {"dtype": "F32" if exact else "BF16", "shape": shape, "data_offsets": [begin, end]}
    head = json.dumps(entries, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with replacing(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for name in sorted(names, key=names.__getitem__):
            values = _values(header, config, name)
            file.write(values.tobytes() if exact else to_bfloat16(values))
    return "float32" if exact else "bfloat16"


def to_bfloat16(values: Any) -> bytes:
    """The bytes of float32 values in bfloat16, rounded to the nearest, ties to even, as torch does."""
    import numpy

    bits = numpy.ascontiguousarray(values, dtype=numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16).tobytes()


def require_tensors(header: Header, config: dict[str, Any]) -> None:
    """Raise ModelError unless the file holds exactly the tensors that the config asks for."""
    family = FAMILIES[header.architecture]
    layer = [f"{name}.weight" for name in family.layer] + [f"{name}.bias" for name in family.biases]
    expected = {f"{name}.weight" for name in OUTSIDE if name != "output" or not config["tie_word_embeddings"]}
    expected |= {f"blk.{number}.{name}" for number in range(config["num_hidden_layers"]) for name in layer}
    found = header.tensors.keys() - DERIVED
    if missing := expected - found:
        raise ModelError(f"{header.file}: lacks the tensor {min(missing)} ({len(missing)} missing); fetch another conversion of this model")
    if left := found - expected:
        raise ModelError(
            f"{header.file}: found the tensor {min(left)} ({len(left)} such), which {family.class_name} does not have; "
            "give the folder or hub id of the original weights instead"
        )


def name_of(header: Header, tensor: str) -> str:
    """The name in transformers: model.layers.0.self_attn.q_proj.weight for blk.0.attn_q.weight."""
    parts = NAME.fullmatch(tensor)
    assert parts is not None  # require_tensors has seen to it
    layer, name, suffix = parts.groups()
    inside = FAMILIES[header.architecture].layer
    return f"model.layers.{layer}.{inside[name]}.{suffix}" if layer else f"{OUTSIDE[name]}.{suffix}"


def _values(header: Header, config: dict[str, Any], tensor: str) -> Any:
    """The values of a tensor as transformers has them, in float32."""
    values, name, family = dequantised(header, tensor), tensor.split(".")[-2], FAMILIES[header.architecture]
    if name in family.interleaved:
        heads = config["num_attention_heads" if name == "attn_q" else "num_key_value_heads"]
        return values.reshape(heads, -1, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    return values - family.norm_offset if name.endswith("norm") else values


def dequantised(header: Header, name: str) -> Any:
    """The values of a tensor in float32, as a numpy array of its shape. Raises ModelError."""
    import numpy
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize, quant_shape_to_byte_shape

    tensor = header.tensors[name]
    try:
        kind = GGMLQuantizationType(tensor.kind)
        block, size = GGML_QUANT_SIZES[kind]
        count = prod(tensor.shape) // block * size
        data = numpy.fromfile(header.file, numpy.uint8, count, offset=tensor.offset)
        if data.size < count:
            raise ModelError(f"{header.file}: cut off: it ends within {name}; fetch it again")
        plain: dict[Any, Any] = {GGMLQuantizationType.F32: numpy.float32, GGMLQuantizationType.F16: numpy.float16}
        if kind in plain:
            return data.view(plain[kind]).reshape(tensor.shape).astype(numpy.float32)
        return dequantize(data.reshape(quant_shape_to_byte_shape(tensor.shape, kind)), kind)
    except (KeyError, ValueError, NotImplementedError):
        raise ModelError(
            f"{header.file}: {name} is of ggml type {tensor.kind}, which the package gguf cannot read; "
            "fetch another quantisation of this model, for example Q8_0 or Q4_K_M"
        ) from None

"""The number type of a base's weights: what model.dtype=auto chooses on this machine, and why."""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from sekft.config import Dtype, ModelConfig, Precision

REAL = 50_000_000  # parameters; smaller bases stay exact on a CPU: they are fast enough in float32
FAST = ("amx_bf16", "avx512_bf16", "bf16", "sve_bf16")  # names in torch.cpu.get_capabilities: x86-64, then ARM


def choose_dtype(model: ModelConfig, folder: Path, device: torch.device) -> tuple[torch.dtype, str]:
    """The type of the weights on this device, and why. folder: of the base.

    auto is bfloat16 on a GPU that has it, and on a CPU that multiplies it natively for a base of at least 50 M parameters; else float32.
    In bfloat16 a CPU with AMX does matrix products 7 times as fast as in float32, and reads half the bytes for every generated token.
    """
    if model.dtype is not Dtype.auto:
        return getattr(torch, model.dtype.value), f"model.dtype={model.dtype.value}"
    if device.type == "cuda":
        return (torch.bfloat16, "on a GPU") if torch.cuda.is_bf16_supported() else (torch.float32, "this GPU has no bfloat16")
    if device.type != "cpu":
        return torch.float32, f"on {device.type}"
    if not (feature := fast_bfloat16()):
        return torch.float32, "this CPU has no fast bfloat16"
    if (parameters := count_parameters(folder, model.trust_remote_code is not None)) < REAL:
        return torch.float32, f"exact, as the base has {parameters / 1e6:.1f} M parameters, fewer than {REAL / 1e6:.0f} M"
    return torch.bfloat16, f"this CPU multiplies it fast ({feature}), and the base has {parameters / 1e6:.0f} M parameters"


@cache
def fast_bfloat16() -> str:
    """The feature by which this CPU multiplies bfloat16 natively; empty: it has none, or torch is older than 2.10 and cannot tell."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return next((name for name in FAST if capabilities.get(name)), "")


@cache
def count_parameters(folder: Path, trust_remote_code: bool = False) -> int:
    """The number of parameters of a base, from its config.json alone; 0 if transformers cannot tell."""
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError, ImportError):
        return 0
    return sum(parameter.numel() for parameter in model.parameters())


def is_mixed(precision: Precision, device: str, weights: torch.dtype) -> bool:
    """Whether training computes in bfloat16 by autocast. device: torch's name of the type. weights: the type of the base's."""
    return precision is Precision.bfloat16 or (precision is Precision.auto and (device == "cuda" or weights is torch.bfloat16))

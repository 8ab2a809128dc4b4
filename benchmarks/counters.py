"""What one training pass costs by count, not by clock: FLOPs, saved bytes, device operations, on tensors without storage.

The shape is real (Mistral-7B in seconds, on any machine), only the numbers in it are not there. Attention is counted by formula:
FlopCounterMode does not see the CPU's flash kernel.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, PreTrainedConfig

NO_WORK = {"detach", "empty", "empty_like", "empty_strided", "_to_copy", "lift_fresh", "alias"}


@dataclass(frozen=True)
class Setting:
    """How a pass is trained: bfloat16 is what sekft does on CUDA (a bfloat16 base under autocast), else everything is float32."""

    r: int = 16
    dropout: float = 0.0
    bfloat16: bool = True
    float32_adapter: bool = True
    checkpointing: bool = False


@dataclass(frozen=True)
class Counted:
    flops: int  # of matrix products; attention's scores are not in it
    saved: int  # bytes held between forward and backward, weights not counted
    operations: int  # that a GPU would launch


@contextmanager
def shaped(config: PreTrainedConfig, setting: Setting) -> Iterator[Any]:
    """A LoRA model whose tensors have shapes and types, but no storage; in training mode."""
    with FakeTensorMode():
        dtype = torch.bfloat16 if setting.bfloat16 else torch.float32
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa").requires_grad_(False)
        adapter = LoraConfig(r=setting.r, lora_alpha=32, lora_dropout=setting.dropout, target_modules="all-linear", task_type="CAUSAL_LM")
        tuned = get_peft_model(model, adapter, autocast_adapter_dtype=False)
        for name, parameter in tuned.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(torch.float32 if setting.float32_adapter else dtype)
        if setting.checkpointing:
            tuned.enable_input_require_grads()
            tuned.gradient_checkpointing_enable({"use_reentrant": False})
        yield tuned.train()


def one_pass(config: PreTrainedConfig, setting: Setting, tokens: int, learned: int) -> Counted:
    """One packed pass, forward and backward; logits at `learned` of its `tokens` positions."""
    with shaped(config, setting) as model:
        weights = {id(parameter.untyped_storage()._cdata) for parameter in model.parameters()}
        known = {parameter.untyped_storage()._cdata for parameter in model.parameters()} | weights
        held: dict[int, torch.UntypedStorage] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.untyped_storage()._cdata not in known:
                held[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
            return tensor

        ids = torch.zeros(1, tokens, dtype=torch.long)
        autocast = torch.autocast("cpu", torch.bfloat16) if setting.bfloat16 else nullcontext()
        operations = Operations()
        with FlopCounterMode(display=False) as flops, operations:
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), autocast:
                logits = model(input_ids=ids, use_cache=False, logits_to_keep=slice(0, learned)).logits
                loss = torch.nn.functional.cross_entropy(logits[0].float(), ids[0, :learned], reduction="sum")
            saved = sum(storage.nbytes() for storage in held.values())
            loss.backward()
        return Counted(flops.get_total_flops(), saved, operations.amount)


class Operations(TorchDispatchMode):
    """Counts what reaches the device: neither views nor allocations nor copies of type."""

    def __init__(self) -> None:
        super().__init__()
        self.amount = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.amount += not func.is_view and func.overloadpacket.__name__ not in NO_WORK
        return func(*args, **(kwargs or {}))


def per_layer(config: PreTrainedConfig, setting: Setting, tokens: int) -> Counted:
    """What one more layer adds, per pass."""
    one, two = (one_pass(layers(config, amount), setting, tokens, 1) for amount in (1, 2))
    return Counted(two.flops - one.flops, two.saved - one.saved, two.operations - one.operations)


def layers(config: PreTrainedConfig, amount: int) -> PreTrainedConfig:
    return type(config).from_dict({**config.to_dict(), "num_hidden_layers": amount})

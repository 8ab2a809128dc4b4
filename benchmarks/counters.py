"""The cost of one training pass by counting: FLOPs, saved bytes and device operations, on tensors without storage.

Shapes are real, so Mistral-7B takes seconds on any machine. Attention scores are not counted: FlopCounterMode does not see the CPU's flash
kernel.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from peft.helpers import disable_input_dtype_casting
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from transformers import AttentionInterface, AutoModelForCausalLM, PreTrainedConfig
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NO_WORK = {"device", "_unsafe_view", "detach", "empty", "empty_like"}
UNMASKED = "counted"  # name of causal attention without a mask, as for a single row


@dataclass(frozen=True)
class Setting:
    """How a pass is trained. bfloat16: a bfloat16 base under autocast, as sekft trains on CUDA; else everything is float32."""

    r: int = 16
    dropout: float = 0.0
    bfloat16: bool = True
    float32_adapter: bool = True
    checkpointing: bool = False


@dataclass(frozen=True)
class Counts:
    flops: int  # of matrix products, without attention scores
    saved: int  # bytes kept from forward to backward, without weights
    operations: int  # launched on a GPU


@contextmanager
def shape_only(config: PreTrainedConfig, setting: Setting) -> Iterator[Any]:
    """A LoRA model in training mode whose tensors have shapes and types but no storage."""
    dtype = torch.bfloat16 if setting.bfloat16 else torch.float32
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa").requires_grad_(False)
        adapter = LoraConfig(r=setting.r, lora_alpha=32, lora_dropout=setting.dropout, target_modules="all-linear", task_type="CAUSAL_LM")
        tuned = get_peft_model(model, adapter, autocast_adapter_dtype=False)
    with FakeTensorMode():  # fake tensors report the CPU as their device, so its flash attention is chosen
        for path, module in tuned.named_modules():
            kind = torch.float32 if "lora_" in path and setting.float32_adapter else dtype
            for name, weight in module._parameters.items():
                if weight is not None:
                    module._parameters[name] = torch.nn.Parameter(torch.empty(weight.shape, dtype=kind), weight.requires_grad)
            for name, buffer in module._buffers.items():
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)
        if setting.checkpointing:
            tuned.enable_input_require_grads()
            tuned.gradient_checkpointing_enable({"use_reentrant": False})
        tuned.config._attn_implementation = UNMASKED
        yield tuned.train()


def one_pass(config: PreTrainedConfig, setting: Setting, tokens: int, learned: int) -> Counts:
    """Counts of one packed forward and backward pass, with logits at `learned` of its `tokens` positions."""
    with shape_only(config, setting) as model:
        weights = {weight.untyped_storage()._cdata for weight in model.parameters()}
        held: dict[int, torch.UntypedStorage] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            if tensor.untyped_storage()._cdata not in weights:
                held[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
            return tensor

        ids = torch.zeros(1, tokens, dtype=torch.long)
        autocast = torch.autocast("cpu", torch.bfloat16) if setting.bfloat16 else nullcontext()
        operations = Operations()
        as_trained = disable_input_dtype_casting(model, active=setting.bfloat16)
        with FlopCounterMode(display=False) as flops, operations, as_trained:
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), autocast:
                logits = model(input_ids=ids, use_cache=False, logits_to_keep=slice(0, learned)).logits
                loss = torch.nn.functional.cross_entropy(logits[0].float(), ids[0, :learned], reduction="sum")
            saved = sum(storage.nbytes() for storage in held.values())
            loss.backward()
        return Counts(flops.get_total_flops(), saved, operations.amount)


class Operations(TorchDispatchMode):
    """Counts operations that reach the device, without views and allocations."""

    def __init__(self) -> None:
        super().__init__()
        self.amount = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.amount += not func.is_view and func.overloadpacket.__name__ not in NO_WORK
        return func(*args, **(kwargs or {}))


def per_layer(config: PreTrainedConfig, setting: Setting, tokens: int) -> Counts:
    """What one more layer adds to a pass."""
    one, two = (one_pass(layers(config, amount), setting, tokens, 1) for amount in (1, 2))
    return Counts(two.flops - one.flops, two.saved - one.saved, two.operations - one.operations)


def layers(config: PreTrainedConfig, amount: int) -> PreTrainedConfig:
    return type(config).from_dict({**config.to_dict(), "num_hidden_layers": amount})


AttentionInterface.register(UNMASKED, sdpa_attention_forward)

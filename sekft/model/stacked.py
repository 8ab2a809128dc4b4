"""Several LoRA adapters in one batch: one matrix product adds every row's own adapter, instead of one product per adapter.

Covers LoRA on linear layers, quantised or not, of any ranks and scales. Does not cover its variants (DoRA and others), biases,
embeddings, saved modules: PEFT computes the layers that have one of these.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer, ParamWrapper
from peft.utils.other import AuxiliaryTrainingWrapper
from torch import Tensor, nn

from sekft.errors import ModelError

NO_ADAPTER = "__base__"  # PEFT's name for a row without an adapter
STACKABLE = ("Linear", "Linear4bit", "Linear8bitLt")  # PEFT's LoRA layers that add a product to the output of the base layer

Spans = tuple[tuple[str, int, int], ...]  # of each adapter: name, first rank, end of its ranks


@dataclass(frozen=True)
class Stack:
    """All adapters of one layer, their ranks concatenated. down: (ranks, in); up: (ranks, out), scaled."""

    down: Tensor
    up: Tensor
    spans: Spans


class StackedAdapters:
    """Copies of all adapters of a model, stacked by layer; train the model further and they are outdated. No weight of it is changed."""

    def __init__(self, model: PeftModel) -> None:
        self._model: Any = model
        layers = [module for module in model.modules() if isinstance(module, LoraLayer | AuxiliaryTrainingWrapper)]
        self._stacks: dict[Any, Stack] = {layer: _stack(layer) for layer in layers if _stackable(layer)}
        self.all_stacked = len(self._stacks) == len(layers)

    @contextmanager
    def assigned(self, names: Sequence[str]) -> Iterator[None]:
        """Run row i of every batch with adapter names[i], or without an adapter for NO_ADAPTER, until the context is left."""
        entered = ExitStack()
        try:
            if not self.all_stacked:
                entered.enter_context(self._model.base_model._enable_peft_forward_hooks(adapter_names=list(names)))
            selections: dict[Spans, tuple[slice, Tensor | None]] = {}
            for layer, stacked in self._stacks.items():
                if stacked.spans not in selections:
                    selections[stacked.spans] = _select(stacked, names)
                ranks, mask = selections[stacked.spans]
                layer.forward = _forward(layer.base_layer, stacked.down[ranks], stacked.up[ranks], mask, len(names))
                entered.callback(vars(layer).pop, "forward")
            yield
        finally:
            entered.close()  # also after an error: PEFT's hooks would stay on the model


def can_mix_rows(model: PeftModel) -> bool:
    """Whether one batch can hold rows with different adapters: not with DoRA, nor if only some adapters save a module."""
    return all(_can_mix(module, set(model.peft_config)) for module in model.modules())


def _can_mix(module: nn.Module, adapters: set[str]) -> bool:
    if isinstance(module, AuxiliaryTrainingWrapper):
        return adapters <= module._adapters
    return not isinstance(module, ParamWrapper) and not any(getattr(module, "use_dora", {}).values())


def _stackable(layer: nn.Module) -> bool:
    if type(layer).__name__ not in STACKABLE or not isinstance(layer, LoraLayer):
        return False
    parts = [*layer.lora_A.values(), *layer.lora_B.values()]
    plain = all(type(part) is nn.Linear and part.bias is None for part in parts) and len({part.weight.dtype for part in parts}) == 1
    return plain and not layer.lora_variant and not layer.merged and "forward" not in vars(layer)


@torch.no_grad()
def _stack(layer: Any) -> Stack:
    names, spans, start = sorted(layer.lora_A), [], 0
    for name in names:
        spans.append((name, start, start := start + layer.lora_A[name].out_features))
    down = torch.cat([layer.lora_A[name].weight for name in names])
    up = torch.cat([layer.lora_B[name].weight.T * layer.scaling[name] for name in names])
    return Stack(down, up, tuple(spans))


def _select(stacked: Stack, names: Sequence[str]) -> tuple[slice, Tensor | None]:
    """The ranks that any row needs, and a mask (rows, 1, ranks) of 1 for each row's own ranks; None if every row needs all of them."""
    spans = {name: (start, end) for name, start, end in stacked.spans}
    own = [spans.get(name, (0, 0)) for name in names]
    first, last = min((start for start, end in own if end), default=0), max(end for _, end in own)
    if set(own) == {(first, last)}:
        return slice(first, last), None
    mask = stacked.down.new_zeros((len(names), 1, last - first))
    for row, (start, end) in enumerate(own):
        mask[row, 0, max(start - first, 0) : max(end - first, 0)] = 1
    return slice(first, last), mask


def _forward(base: nn.Module, down: Tensor, up: Tensor, mask: Tensor | None, rows: int) -> Callable[..., Tensor]:
    def forward(x: Tensor, *args: Any, adapter_names: object = None, **kwargs: Any) -> Tensor:
        out: Tensor = base(x, *args, **kwargs)
        if not len(down):
            return out
        if len(x) != rows:
            raise ModelError(
                f"a layer got a batch of {len(x)} rows, allowed: {rows}, one for each adapter; use eval.engine=sequential for this model"
            )
        inner = nn.functional.linear(x.to(down.dtype), down)
        if mask is not None:
            inner = inner * (mask if inner.dim() == 3 else mask[:, 0])
        inner = inner.flatten(0, -2)
        if out.dtype == up.dtype:
            return torch.addmm(out.flatten(0, -2), inner, up).view(out.shape)
        return out + (inner @ up).view(out.shape).to(out.dtype)

    return forward

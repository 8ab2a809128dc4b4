"""Adapters of several rows in one product: what LoRA adds to a layer, for all rows at once instead of adapter by adapter.

Covers LoRA on linear layers, quantised or not, whatever the ranks and scales. Does not cover its variants (DoRA and others), biases,
embeddings, saved modules: where a model has one of them, PEFT's own way is gone for these.
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

NO_ADAPTER = "__base__"  # PEFT's name for it
STACKABLE = ("Linear", "Linear4bit", "Linear8bitLt")  # PEFT's LoRA layers: a base layer's output, and what is added to it

Spans = tuple[tuple[str, int, int], ...]  # of each adapter: its part of the ranks, from and to


@dataclass(frozen=True)
class Stack:
    """All adapters of one layer. down: (ranks, in), up: (ranks, out), scaled; the ranks of one adapter after those of another."""

    down: Tensor
    up: Tensor
    spans: Spans


class Adapters:
    """What the adapters of a model add; copied once, so training on means making it anew. The model's own weights are not touched."""

    def __init__(self, model: PeftModel) -> None:
        self._model: Any = model
        layers = [module for module in model.modules() if isinstance(module, LoraLayer | AuxiliaryTrainingWrapper)]
        self._stacks: dict[Any, Stack] = {layer: _stack(layer) for layer in layers if _stackable(layer)}
        self.all_stacked = len(self._stacks) == len(layers)

    @contextmanager
    def of(self, names: Sequence[str]) -> Iterator[None]:
        """Until it is left, row i of what the model reads is read with adapter names[i]; NO_ADAPTER: without one."""
        entered = ExitStack()
        try:
            if not self.all_stacked:
                entered.enter_context(self._model.base_model._enable_peft_forward_hooks(adapter_names=list(names)))
            owners: dict[Spans, tuple[slice, Tensor | None]] = {}
            for layer, stacked in self._stacks.items():
                if stacked.spans not in owners:
                    owners[stacked.spans] = _owned(stacked, names)
                ranks, mask = owners[stacked.spans]
                layer.forward = _forward(layer.base_layer, stacked.down[ranks], stacked.up[ranks], mask, len(names))
                entered.callback(vars(layer).pop, "forward")
            yield
        finally:
            entered.close()  # an error that passes through PEFT's hooks would leave them on the model


def mixable(model: PeftModel) -> bool:
    """Whether rows with different adapters can be read together at all: not with DoRA, nor if only some adapters save a module."""
    return all(_mixable(module, set(model.peft_config)) for module in model.modules())


def _mixable(module: nn.Module, adapters: set[str]) -> bool:
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


def _owned(stacked: Stack, names: Sequence[str]) -> tuple[slice, Tensor | None]:
    """The ranks that any row needs, and which of them are each row's own: (rows, 1, ranks) of 0 and 1, None if all are."""
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
            raise ModelError(f"adapters of {rows} rows, a layer reads {len(x)}; allowed for such models: eval.engine=sequential")
        inner = nn.functional.linear(x.to(down.dtype), down)
        if mask is not None:
            inner = inner * (mask if inner.dim() == 3 else mask[:, 0])
        added = inner.flatten(0, -2), up
        if out.dtype == up.dtype:
            return torch.addmm(out.flatten(0, -2), *added).view(out.shape)
        return out + (added[0] @ up).view(out.shape).to(out.dtype)

    return forward

"""The optimizer Muon, with all matrices of one shape in one stack.

torch.optim.Muon updates each matrix separately in bfloat16, which takes half of a small model's step on a CPU.
Keller Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024; the update scale is that of Moonlight (arXiv:2502.16982).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

_STEPS, _A, _B, _C = 5, 3.4445, -4.7750, 2.0315  # of the quintic Newton-Schulz iteration
_SCALE = 0.2  # root mean square of an update, as for AdamW


class Muon(torch.optim.Optimizer):
    """Updates matrices by their orthogonalised momentum. lr and weight_decay have the same meaning as for AdamW."""

    def __init__(self, params: Sequence[Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for shape in dict.fromkeys(param.shape for param in group["params"]):
                same = [param for param in group["params"] if param.shape == shape]
                updates = orthogonal(torch.stack([self._momentum(param, group["momentum"]) for param in same]))
                scale = _SCALE * max(shape) ** 0.5
                for param, update in zip(same, updates, strict=True):
                    param.mul_(1 - group["lr"] * group["weight_decay"])
                    param.add_(update, alpha=-group["lr"] * scale)

    def _momentum(self, param: Parameter, momentum: float) -> Tensor:
        """The Nesterov momentum."""
        assert param.grad is not None
        state = self.state[param]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(param)
        state["momentum"].lerp_(param.grad, 1 - momentum)
        return param.grad.lerp(state["momentum"], momentum)


def orthogonal(stack: Tensor) -> Tensor:
    """Approximately the nearest orthogonal matrices, with singular values near 1. stack: (count, rows, columns)."""
    tall = stack.shape[1] > stack.shape[2]
    x = stack.mT if tall else stack
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.mT if tall else x

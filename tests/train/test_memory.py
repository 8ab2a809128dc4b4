"""Out of memory: the pass is halved and the step repeated with the same result; a single row that does not fit is a one-line error."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sekft.config import Device, LoraConfig, ModelConfig, TrainerConfig
from sekft.data.sample import Row
from sekft.errors import ModelError
from sekft.model import base as bases
from sekft.model import lora
from sekft.train.batch_plan import Layout
from sekft.train.trainer import ShellTrainer, make_trainer
from tests.train.weights import digest

DROPOUT = LoraConfig(name="r4", r=4, alpha=8, dropout=0.3)
SETTINGS = TrainerConfig(max_steps=4, batch=4, lr=5e-3, warmup=0.0)
ROWS = [Row(f"r{i}", tuple(range(3 + i, 13 + 2 * i)), tuple(float(t > 4) for t in range(10 + i))) for i in range(8)]


@pytest.fixture
def base(small_mistral: Path) -> bases.Base:
    return bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))


@contextmanager
def memory(base: bases.Base, tokens: int, backward: bool = False) -> Iterator[None]:
    """Simulate a device on which no more tokens fit, padding included: the last layer raises, in the forward or backward pass."""

    def fail(module: object, inputs: tuple[torch.Tensor, ...], output: torch.Tensor | None = None) -> None:
        if (inputs[0] if inputs[0] is not None else output[0]).shape[:2].numel() > tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    last = base.model.model.layers[-1].mlp.act_fn
    hook = last.register_full_backward_hook(fail) if backward else last.register_forward_hook(fail)
    try:
        yield
    finally:
        hook.remove()


def trained(base: bases.Base, folder: Path, settings: TrainerConfig) -> tuple[str, ShellTrainer, list[str]]:
    messages: list[str] = []
    with lora.fresh(base, DROPOUT, 0) as tuned:
        trainer = make_trainer(tuned, base, ROWS, settings, folder, 0, report=messages.append)
        trainer.train()
        return digest(lora.publish(lora.save(tuned, base, folder / "adapter", {}))), trainer, messages


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_the_pass_is_halved_and_the_adapter_is_that_of_the_smaller_passes_from_the_start(base: bases.Base, backward: bool, tmp_path: Path):
    with memory(base, 30, backward):
        digest, trainer, messages = trained(base, tmp_path / "a", replace(SETTINGS, tokens_per_batch=1000))
    assert trainer.halvings == len(messages) >= 1 and 0 < trainer.layout.tokens <= 30
    assert messages[0].startswith("step 1: out of memory; repeated, and from now on at most") and messages[0].endswith(
        "tokens per forward pass"
    )
    assert trained(base, tmp_path / "b", replace(SETTINGS, tokens_per_batch=trainer.layout.tokens))[0] == digest


def test_padded_batches_are_halved_too(base: bases.Base, tmp_path: Path):
    with memory(base, 40):
        digest, trainer, messages = trained(base, tmp_path / "a", replace(SETTINGS, tokens_per_batch=0))
    assert trainer.layout == Layout(0, 2) and messages == [
        "step 1: out of memory; repeated, and from now on at most 2 padded rows per forward pass"
    ]
    assert trained(base, tmp_path / "b", replace(SETTINGS, batch=2, accumulation=2, tokens_per_batch=0))[0] == digest


def test_a_row_that_does_not_fit_alone_is_named(base: bases.Base, tmp_path: Path):
    with memory(base, 16), pytest.raises(ModelError, match=r"^step 1: out of memory with one row, r7 of 17 tokens; see trainer"):
        trained(base, tmp_path, replace(SETTINGS, batch=8))


def test_another_device_error_is_not_handled_as_out_of_memory(base: bases.Base, tmp_path: Path):
    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    hook = base.model.model.layers[-1].register_forward_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="illegal memory access"):
            trained(base, tmp_path, SETTINGS)
    finally:
        hook.remove()

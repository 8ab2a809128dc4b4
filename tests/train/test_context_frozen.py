"""A frozen context gives the loss of exact training and another gradient; without a context the gradient is exact, too."""

import pytest
import torch
from peft import PeftModel

from sekft.config import Device, TrainerConfig
from sekft.data.sample import Row
from sekft.errors import SettingsError
from sekft.train import batch_plan, collator
from sekft.train.trainer import checkpointing, predict_frozen, weighted_nll
from tests.train.test_layouts import SHAPES, adapted


def row(context: int, learned: int) -> Row:
    drawn = torch.randint(0, 97, (context + learned,), generator=torch.Generator().manual_seed(context)).tolist()
    return Row("r", tuple(drawn), (0.0,) * context + tuple(1.0 + at for at in range(learned)))


def gradient(model: PeftModel, loss: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    loss.backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])


@pytest.mark.parametrize(("context", "exact"), [(1, True), (2, False), (20, False)])
def test_the_loss_is_exact_and_the_gradient_only_where_there_is_no_context(context: int, exact: bool):
    model = adapted(SHAPES["mistral"])
    batch = collator.padded([row(context, 5)], pad_id=2)
    frozen, whole = predict_frozen(model, batch).nll(), weighted_nll(model, batch)
    assert float(frozen) == pytest.approx(float(whole), abs=1e-4)
    ours, theirs = gradient(model, frozen), gradient(model, whole)
    assert torch.allclose(ours, theirs, atol=1e-5) == exact
    assert float(torch.cosine_similarity(ours, theirs, dim=0)) > 0.2


def test_each_row_is_a_pass_of_its_own_and_activations_are_not_recomputed():
    settings = TrainerConfig(context_frozen=True, batch=4, tokens_per_batch=1000)
    assert batch_plan.choose_layout(settings, "cpu").passes([5, 6]) == [[0], [1]]
    assert not checkpointing(settings, Device.cuda.value) and checkpointing(TrainerConfig(), Device.cuda.value)
    with pytest.raises(SettingsError, match="trainer.checkpointing=true: allowed with trainer.context_frozen=true: false"):
        checkpointing(TrainerConfig(context_frozen=True, checkpointing=True), "cpu")

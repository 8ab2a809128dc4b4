"""Training: every setting reaches TRL, the loss is the weighted mean of what is learned, runs repeat to the byte."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sekft.config import Device, LoraConfig, ModelConfig, Precision, Schedule, TrainerConfig
from sekft.data.sample import Row
from sekft.errors import MaskError, ModelError, SettingsError
from sekft.model import base as bases
from sekft.model import lora
from sekft.training.collator import AssistantOnlyCollator
from sekft.training.hook import Telling
from sekft.training.trainer import make_trainer, sft_config, validation_loss, weighted_nll

R4 = LoraConfig(name="r4", r=4, alpha=8)
QUICK = TrainerConfig(max_steps=4, batch=2, lr=5e-3, warmup=0.0)
ROWS = [Row(f"r{i}", tuple(range(3 + i, 13 + 2 * i)), tuple(float(t > 4) for t in range(10 + i))) for i in range(8)]


@pytest.fixture(scope="module", params=[False, True], ids=["float32", "4bit"])
def base(request: pytest.FixtureRequest, small_mistral: Path) -> bases.Base:
    return bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu, load_4bit=request.param))


def trained(base: bases.Base, folder: Path, settings: TrainerConfig = QUICK, seed: int = 0) -> tuple[str, list[float]]:
    telling = Telling(lambda metrics, step: None, [])
    with lora.fresh(base, R4, seed) as tuned:
        make_trainer(tuned, base, ROWS, settings, folder / "checkpoints", seed, [telling]).train(
            resume_from_checkpoint=settings.resume_from
        )
        lora.publish(lora.save(tuned, base, folder / "adapter", {}))
    return lora.digest(folder / "adapter"), telling.losses


def test_two_trainings_with_one_seed_give_one_adapter_byte_for_byte(base: bases.Base, tmp_path: Path):
    first, losses = trained(base, tmp_path / "a")
    assert trained(base, tmp_path / "b") == (first, losses)
    assert trained(base, tmp_path / "c", seed=1)[0] != first
    assert len(losses) == 4 and losses[-1] < losses[0]


def test_adapters_stay_float32_also_on_a_4bit_base(base: bases.Base, tmp_path: Path):
    with lora.fresh(base, R4, 0) as tuned:
        make_trainer(tuned, base, ROWS, QUICK, tmp_path, 0)
        assert {parameter.dtype for parameter in tuned.parameters() if parameter.requires_grad} == {torch.float32}


def test_a_training_resumed_from_a_checkpoint_ends_in_the_same_bytes(base: bases.Base, tmp_path: Path):
    whole, _ = trained(base, tmp_path / "whole", replace(QUICK, save_every_steps=2))
    resumed = replace(QUICK, resume_from=str(tmp_path / "whole" / "checkpoints" / "checkpoint-2"))
    assert trained(base, tmp_path / "resumed", resumed)[0] == whole


def test_two_forward_passes_per_step_are_one_larger_batch(base: bases.Base, tmp_path: Path):
    _, one = trained(base, tmp_path / "one", replace(QUICK, batch=4))
    _, two = trained(base, tmp_path / "two", replace(QUICK, batch=2, accumulation=2))
    assert one == pytest.approx(two, abs=2e-4)


def test_the_loss_is_the_weighted_mean_of_full_logits(base: bases.Base):
    rows = [Row("a", tuple(range(3, 15)), tuple([0.0] * 5 + [0.5] * 4 + [2.0] * 3)), Row("b", (3, 4, 5), (0.0, 1.0, 0.0))]
    batch = AssistantOnlyCollator(2)([{"input_ids": row.ids, "weight": row.weight} for row in rows])
    with torch.no_grad():
        logits = base.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()
        nll = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), batch["input_ids"][:, 1:], reduction="none")
        expected = (nll * batch["weight"][:, 1:]).sum()
        assert float(weighted_nll(base.model, batch)) == pytest.approx(float(expected), rel=1e-4)
    mean = validation_loss(base.model, rows, base, batch=1)
    assert mean == pytest.approx(float(expected / batch["weight"][:, 1:].sum()), rel=1e-4)


def test_pads_are_never_learned_though_the_pad_is_the_stop_token():
    batch = AssistantOnlyCollator(pad_id=2)([{"input_ids": [5, 6, 2], "weight": [0, 1, 1]}, {"input_ids": [5, 2], "weight": [0, 1]}])
    assert batch["input_ids"].tolist() == [[5, 6, 2], [5, 2, 2]]
    assert batch["weight"].tolist() == [[0, 1, 1], [0, 1, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_a_batch_in_which_nothing_is_learned_is_an_error():
    with pytest.raises(MaskError, match="nothing is learned"):
        AssistantOnlyCollator(2)([{"input_ids": [5, 6], "weight": [1, 0]}])


@pytest.mark.parametrize(
    ("change", "theirs"),
    [
        ({"max_steps": 7}, {"max_steps": 7}),
        ({"epochs": 1.5}, {"num_train_epochs": 1.5}),
        ({"batch": 3}, {"per_device_train_batch_size": 3}),
        ({"accumulation": 5}, {"gradient_accumulation_steps": 5}),
        ({"lr": 1e-5}, {"learning_rate": 1e-5}),
        ({"schedule": Schedule.cosine}, {"lr_scheduler_type": "cosine"}),
        ({"warmup": 0.2}, {"warmup_steps": 0.2}),
        ({"weight_decay": 0.1}, {"weight_decay": 0.1}),
        ({"max_grad_norm": 0.5}, {"max_grad_norm": 0.5}),
        ({"precision": Precision.bfloat16}, {"bf16": True}),
        ({"precision": Precision.float32}, {"bf16": False}),
        ({"compile": True}, {"torch_compile": True}),
        ({"checkpointing": True}, {"activation_checkpointing": True}),
        ({"log_every_steps": 9}, {"logging_steps": 9}),
        ({"save_every_steps": 11}, {"save_strategy": "steps", "save_steps": 11}),
        ({"extra": {"adam_beta2": 0.9}}, {"adam_beta2": 0.9}),
    ],
    ids=lambda value: next(iter(value)),
)
def test_every_setting_reaches_trl(change: dict, theirs: dict, tmp_path: Path):
    config = sft_config(replace(TrainerConfig(), **change), torch.device("cpu"), tmp_path, seed=3)
    assert {key: getattr(config, key) for key in theirs} == theirs
    assert (config.seed, config.data_seed, config.max_length, config.report_to) == (3, 3, None, [])


def test_a_setting_trl_refuses_is_one_line(tmp_path: Path):
    with pytest.raises(SettingsError, match="trainer: .*nonsense"):
        sft_config(TrainerConfig(extra={"nonsense": 1}), torch.device("cpu"), tmp_path, 0)


def test_measures_come_at_their_steps_and_metrics_have_our_names(small_mistral: Path, tmp_path: Path):
    base = bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))
    told: list[tuple[int, dict[str, float]]] = []
    telling = Telling(
        lambda metrics, step: told.append((step, metrics)), [(2, lambda step: {"val/loss": float(step)}), (0, lambda step: {})]
    )
    with lora.fresh(base, R4, 0) as tuned:
        make_trainer(tuned, base, ROWS, replace(QUICK, max_steps=5), tmp_path, 0, [telling]).train()
    assert [(step, metrics) for step, metrics in told if "val/loss" in metrics] == [(2, {"val/loss": 2.0}), (4, {"val/loss": 4.0})]
    keys = {"train/loss", "train/lr", "train/grad_norm", "train/tokens_per_second"}
    assert [set(metrics) for _, metrics in told if "train/loss" in metrics] == [keys] * 5


def test_a_loss_that_is_no_number_stops_the_run_at_its_step(small_mistral: Path, tmp_path: Path):
    base = bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))
    telling = Telling(lambda metrics, step: None, [])
    with lora.fresh(base, R4, 0) as tuned:
        with torch.no_grad():
            next(p for p in tuned.parameters() if p.requires_grad).fill_(math.nan)
        with pytest.raises(ModelError, match="step 1: the loss is nan"):
            make_trainer(tuned, base, ROWS, QUICK, tmp_path, 0, [telling]).train()
    telling.close()

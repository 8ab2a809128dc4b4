"""Training: every setting reaches TRL, the loss is the weighted mean of what is learned, runs repeat to the byte."""

import contextlib
import logging
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import TrainerCallback

from sekft.config import Device, LoraConfig, ModelConfig, Precision, Schedule, TrainerConfig
from sekft.data.sample import Row
from sekft.errors import MaskError, ModelError, SettingsError
from sekft.model import base as bases
from sekft.model import lora
from sekft.train import collator
from sekft.train.batch_plan import Layout
from sekft.train.callbacks import LoggingCallback
from sekft.train.trainer import make_trainer, sft_config, validation_loss, weighted_nll
from tests.train.weights import digest

R4 = LoraConfig(name="r4", r=4, alpha=8)
QUICK = TrainerConfig(max_steps=4, batch=2, lr=5e-3, warmup=0.0)
ROWS = [Row(f"r{i}", tuple(range(3 + i, 13 + 2 * i)), tuple(float(t > 4) for t in range(10 + i))) for i in range(8)]


@pytest.fixture(scope="module", params=[False, True], ids=["float32", "4bit"])
def base(request: pytest.FixtureRequest, small_mistral: Path) -> bases.Base:
    return bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu, load_4bit=request.param))


def trained(base: bases.Base, folder: Path, settings: TrainerConfig = QUICK, seed: int = 0) -> tuple[str, list[float]]:
    logs = LoggingCallback(lambda metrics, step: None, [])
    with lora.fresh(base, R4, seed) as tuned:
        make_trainer(tuned, base, ROWS, settings, folder / "checkpoints", seed, [logs]).train(resume_from_checkpoint=settings.resume_from)
        lora.publish(lora.save(tuned, base, folder / "adapter", {}))
    return digest(folder / "adapter"), logs.losses


def test_two_trainings_with_one_seed_give_one_adapter_byte_for_byte(base: bases.Base, tmp_path: Path):
    first, losses = trained(base, tmp_path / "a")
    assert trained(base, tmp_path / "b") == (first, losses)
    assert trained(base, tmp_path / "c", seed=1)[0] != first
    assert len(losses) == 4 and losses[-1] < losses[0]


def test_adapters_stay_float32_also_on_a_4bit_base(base: bases.Base, tmp_path: Path):
    with lora.fresh(base, R4, 0) as tuned:
        make_trainer(tuned, base, ROWS, QUICK, tmp_path, 0)
        assert {parameter.dtype for parameter in tuned.parameters() if parameter.requires_grad} == {torch.float32}


class BreakingCallback(TrainerCallback):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def on_step_end(self, args: object, state: object, control: object, **_: object) -> None:
        raise self.error


def state(model: torch.nn.Module) -> dict[str, object]:
    """Every attribute of every module, dicts by their items; config, weights and which of them require a gradient."""
    found: dict[str, object] = {"config": model.config.to_dict(), "generation": model.generation_config.to_dict()}
    for name, module in model.named_modules():
        for key, value in vars(module).items():
            inside = [(word, id(one)) for word, one in value.items()] if isinstance(value, dict) else None
            found[f"{name}:{key}"] = value if isinstance(value, bool) else (id(value), inside)
    found |= {name: (one.dtype, one.requires_grad, one.grad, one.data_ptr()) for name, one in model.named_parameters()}
    return found | {f"{name} holds": value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("error", [None, ModelError("it broke"), torch.OutOfMemoryError("out of memory")], ids=["done", "failed", "memory"])
def test_a_training_leaves_the_base_unchanged_however_it_ends(base: bases.Base, tmp_path: Path, error: Exception | None):
    before = state(base.model)
    with pytest.raises(type(error)) if error else contextlib.nullcontext(), lora.fresh(base, R4, 0) as tuned:
        callbacks = [BreakingCallback(error)] if error else []
        make_trainer(tuned, base, ROWS, replace(QUICK, checkpointing=True), tmp_path, 0, callbacks).train()
    after = state(base.model)
    assert before.keys() == after.keys()
    changed = [
        key for key, was in before.items() if not (torch.equal(was, after[key]) if isinstance(was, torch.Tensor) else was == after[key])
    ]
    assert changed == []


def test_a_training_resumed_from_a_checkpoint_ends_in_the_same_bytes(
    base: bases.Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    saving = replace(QUICK, save_every_steps=0.5)
    whole, losses = trained(base, tmp_path / "whole", saving)
    resumed = replace(saving, resume_from=str(tmp_path / "whole" / "checkpoints" / "checkpoint-2"))
    with caplog.at_level("WARNING"):
        assert trained(base, tmp_path / "resumed", resumed) == (whole, losses)  # the losses begin at step 1
    assert "do not match" not in caplog.text  # save_every_steps is a share, the checkpoint has it in steps


@pytest.mark.parametrize("tokens", [None, 0, pytest.param(1, marks=pytest.mark.exhaustive), pytest.param(40, marks=pytest.mark.exhaustive)])
def test_a_step_is_batch_times_accumulation_rows_in_every_layout(base: bases.Base, tokens: int | None, tmp_path: Path):
    _, one = trained(base, tmp_path / "one", replace(QUICK, batch=4, tokens_per_batch=0))
    _, two = trained(base, tmp_path / "two", replace(QUICK, batch=2, accumulation=2, tokens_per_batch=tokens))
    assert one == pytest.approx(two, rel=2e-3 if base.config.load_4bit else 2e-5)


def test_the_loss_is_the_weighted_mean_of_full_logits(base: bases.Base):
    rows = [Row("a", tuple(range(3, 15)), tuple([0.0] * 5 + [0.5] * 4 + [2.0] * 3)), Row("b", (3, 4, 5), (0.0, 1.0, 0.0))]
    batch = collator.padded(rows, 2)
    with torch.no_grad():
        logits = base.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()
        nll = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), batch["input_ids"][:, 1:], reduction="none")
        expected = (nll * batch["weight"][:, 1:]).sum()
        assert float(weighted_nll(base.model, batch)) == pytest.approx(float(expected), rel=1e-4)
    for layout in (Layout(0, 1), Layout(0, 2), Layout(1), Layout(100)):
        mean = validation_loss(base.model, rows, base, layout)
        assert mean == pytest.approx(float(expected / batch["weight"][:, 1:].sum()), rel=1e-3 if base.config.load_4bit else 1e-5)


def test_a_row_without_a_learned_token_is_named_before_the_first_step(base: bases.Base, tmp_path: Path):
    rows = [*ROWS, Row("first-only", (5, 6), (1.0, 0.0)), Row("none", (5, 6), (0.0, 0.0))]
    with lora.fresh(base, R4, 0) as tuned, pytest.raises(MaskError, match="row first-only, none: nothing is learned"):
        make_trainer(tuned, base, rows, QUICK, tmp_path, 0)


@pytest.mark.parametrize(
    ("change", "theirs"),
    [
        ({"max_steps": 7}, {"max_steps": 7}),
        ({"epochs": 1.5}, {"num_train_epochs": 1.5}),
        ({"batch": 3}, {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 1}),
        ({"batch": 3, "accumulation": 5}, {"per_device_train_batch_size": 15, "gradient_accumulation_steps": 1}),
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
    config = sft_config(replace(TrainerConfig(), **change), torch.device("cpu"), torch.float32, tmp_path, seed=3)
    assert {key: getattr(config, key) for key in theirs} == theirs
    assert (config.seed, config.data_seed, config.max_length, config.report_to) == (3, 3, None, [])


def test_a_setting_trl_refuses_is_one_line(tmp_path: Path):
    with pytest.raises(SettingsError, match="trainer: .*nonsense"):
        sft_config(TrainerConfig(extra={"nonsense": 1}), torch.device("cpu"), torch.float32, tmp_path, 0)
    with pytest.raises(SettingsError, match="trainer.extra.packing: .*trainer.tokens_per_batch"):
        sft_config(TrainerConfig(extra={"packing": True}), torch.device("cpu"), torch.float32, tmp_path, 0)


def test_measures_run_at_their_steps_and_metrics_have_our_names(small_mistral: Path, tmp_path: Path):
    base = bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))
    logged: list[tuple[int, dict[str, float]]] = []
    logging = LoggingCallback(
        lambda metrics, step: logged.append((step, metrics)), [(2, lambda step: {"val/loss": float(step)}), (0, lambda step: {})]
    )
    with lora.fresh(base, R4, 0) as tuned:
        make_trainer(tuned, base, ROWS, replace(QUICK, max_steps=5), tmp_path, 0, [logging]).train()
    assert [(step, metrics) for step, metrics in logged if "val/loss" in metrics] == [(2, {"val/loss": 2.0}), (4, {"val/loss": 4.0})]
    keys = {"loss", "mean_token_accuracy", "lr", "grad_norm", "epoch", "num_tokens", "tokens_per_second"}
    trained = [metrics for _, metrics in logged if "train/loss" in metrics]
    assert [set(metrics) for metrics in trained] == [{f"train/{key}" for key in keys}] * 5
    assert all(0 <= metrics["train/mean_token_accuracy"] <= 1 for metrics in trained)
    assert trained[-1]["train/num_tokens"] > trained[0]["train/num_tokens"] > 0 and trained[-1]["train/epoch"] > 0


def test_the_accuracy_is_of_the_learned_tokens_in_every_layout(small_mistral: Path, tmp_path: Path):
    base = bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))
    rows = []
    for first in (5, 9):  # three tokens of context, six likeliest ones, three others
        ids = [first, 4, 3]
        for _ in range(6):
            ids.append(int(base.model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        rows.append(Row(str(first), (*ids, *((ids[-1] + step) % 50 for step in (7, 8, 9))), (0.0,) * 3 + (1.0,) * 9))
    for tokens in (None, 0):
        logged: list[float] = []
        logging = LoggingCallback(lambda metrics, step: logged.append(metrics["train/mean_token_accuracy"]), [])  # noqa: B023
        with lora.fresh(base, R4, 0) as tuned:  # a fresh adapter changes no logit
            make_trainer(tuned, base, rows, replace(QUICK, max_steps=1, tokens_per_batch=tokens), tmp_path, 0, [logging]).train()
        assert logged == [pytest.approx(12 / 18)]


def test_a_loss_that_is_not_finite_stops_the_run_at_its_step_and_names_the_row(small_mistral: Path, tmp_path: Path):
    base = bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))
    infinite = Row("bad", ROWS[3].ids, (0.0, *[float("inf")] * (len(ROWS[3].ids) - 1)))
    with lora.fresh(base, R4, 0) as tuned:
        start = [parameter.clone() for parameter in tuned.parameters() if parameter.requires_grad]
        whole = replace(QUICK, batch=9, max_steps=1)
        with pytest.raises(ModelError, match="^step 1: the loss is (nan|inf) in row bad; lower trainer.lr") as refused:
            make_trainer(tuned, base, [*ROWS, infinite], whole, tmp_path, 0).train()
        assert "\n" not in str(refused.value)
        assert all(map(torch.equal, start, (parameter for parameter in tuned.parameters() if parameter.requires_grad)))


def test_an_adapter_that_is_not_finite_names_the_rows_of_the_pass(small_mistral: Path, tmp_path: Path):
    base = bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))
    with lora.fresh(base, R4, 0) as tuned:
        with torch.no_grad():
            [p for p in tuned.parameters() if p.requires_grad][-1].fill_(math.nan)
        with pytest.raises(ModelError, match="step 1: the loss is nan in row r., r.;"):
            make_trainer(tuned, base, ROWS, QUICK, tmp_path, 0).train()

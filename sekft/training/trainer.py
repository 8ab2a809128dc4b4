"""TRL's SFTTrainer on rows that are already rendered and weighed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from datasets import Dataset
from transformers.trainer_callback import PrinterCallback, ProgressCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from sekft.config import Precision, TrainerConfig
from sekft.data.sample import Row
from sekft.errors import SettingsError
from sekft.model.base import Base, hub_tokenizer
from sekft.model.lora import as_float32
from sekft.training.collator import AssistantOnlyCollator

Batch = dict[str, torch.Tensor]


def weighted_nll(model: Any, batch: Batch) -> torch.Tensor:
    """Sum of weight * negative log likelihood over the batch; logits only where something is learned.

    input_ids, attention_mask, weight: (B, T). The token at t is predicted from t - 1.
    """
    weight = F.pad(batch["weight"][:, 1:], (0, 1))
    keep = weight > 0
    logits = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], logits_to_keep=keep, use_cache=False
    ).logits.float()
    targets = F.pad(batch["input_ids"][:, 1:], (0, 1))[keep]
    return (F.cross_entropy(logits, targets, reduction="none") * weight[keep]).sum()


class ShellTrainer(SFTTrainer):
    """Loss = sum(weight * nll) / sum(weight) over the whole accumulated batch."""

    def compute_loss(self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None) -> torch.Tensor:
        total = num_items_in_batch if num_items_in_batch is not None else inputs["weight"][:, 1:].sum()
        loss = weighted_nll(model, inputs) / total
        self._total_train_tokens += int(inputs["attention_mask"].sum())
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        return loss * self.accelerator.num_processes

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> torch.Tensor:
        total = torch.stack([batch["weight"][:, 1:].sum() for batch in batch_samples]).sum().to(device)
        return self.accelerator.gather(total).sum()


def make_trainer(
    tuned: Any,
    base: Base,
    rows: Sequence[Row],
    settings: TrainerConfig,
    folder: Path,
    seed: int,
    callbacks: Sequence[TrainerCallback] = (),
) -> ShellTrainer:
    """A trainer whose adapter is float32 and whose only voices are the given callbacks."""
    dataset = Dataset.from_list([{"input_ids": list(row.ids), "weight": list(row.weight)} for row in rows])
    tokenizer = hub_tokenizer(base)
    pad = base.tokenizer.eos if base.tokenizer.eos is not None else min(base.tokenizer.stop_ids)
    trainer = ShellTrainer(
        model=tuned,
        args=sft_config(settings, base.device, folder, seed),
        train_dataset=dataset,
        data_collator=AssistantOnlyCollator(pad),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    for voice in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(voice)
    as_float32(tuned)
    return trainer


def sft_config(settings: TrainerConfig, device: torch.device, folder: Path, seed: int) -> SFTConfig:
    """Every key of conf/trainer/ as TRL names it. Raises SettingsError for one TRL refuses."""
    bf16 = settings.precision is Precision.bfloat16 or (settings.precision is Precision.auto and device.type == "cuda")
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": settings.max_steps,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch,
        "gradient_accumulation_steps": settings.accumulation,
        "learning_rate": settings.lr,
        "lr_scheduler_type": settings.schedule.value,
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "bf16": bf16,
        "torch_compile": settings.compile,
        "activation_checkpointing": settings.checkpointing if settings.checkpointing is not None else device.type == "cuda",
        "logging_steps": settings.log_every_steps,
        "logging_nan_inf_filter": False,  # a loss that is no number must be seen, see training/hook.py
        "save_strategy": "steps" if settings.save_every_steps else "no",
        "save_steps": settings.save_every_steps or 500,
        "seed": seed,
        "data_seed": seed,
        "use_cpu": device.type == "cpu",
        "max_length": None,  # TRL would cut rows from the right, endings first, without a word
        "remove_unused_columns": False,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "dataloader_pin_memory": device.type == "cuda",
        "report_to": "none",
        "disable_tqdm": True,
    }
    try:
        return SFTConfig(**{**values, **settings.extra})
    except (TypeError, ValueError) as error:
        raise SettingsError(f"trainer: {str(error).splitlines()[0]}") from None


@torch.no_grad()
def validation_loss(model: Any, rows: Sequence[Row], base: Base, batch: int) -> float | None:
    """sum(weight * nll) / sum(weight) over all rows, in eval mode; None without rows."""
    if not rows:
        return None
    training = model.training
    model.eval()
    collate = AssistantOnlyCollator(base.tokenizer.eos or 0)
    loss = total = 0.0
    for at in range(0, len(rows), batch):
        one = collate([{"input_ids": row.ids, "weight": row.weight} for row in rows[at : at + batch]])
        one = {key: value.to(base.device) for key, value in one.items()}
        loss += float(weighted_nll(model, one))
        total += float(one["weight"][:, 1:].sum())
    model.train(training)
    return loss / total

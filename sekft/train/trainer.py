"""TRL's SFTTrainer on rows that are already rendered and weighed: what one step is, and that its layout does not change it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import torch.nn.functional as F
from accelerate.data_loader import prepare_data_loader
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from datasets import Dataset
from peft.helpers import disable_input_dtype_casting
from safetensors import SafetensorError
from torch.utils.data import DataLoader, Sampler
from transformers.trainer_callback import PrinterCallback, ProgressCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from sekft.config import Precision, TrainerConfig
from sekft.data.sample import Row
from sekft.errors import MaskError, ModelError, SettingsError
from sekft.model.base import Base, hub_tokenizer
from sekft.model.lora import as_float32
from sekft.tracking.record import one_line
from sekft.train import batch_plan, collator
from sekft.train.attention import by_rows, row_bounds
from sekft.train.checkpoint import Sealing
from sekft.train.collator import Batch
from sekft.train.context_frozen import frozen_nll

LONGEST = 200  # characters of what a library says
NAMED = 3  # rows an error lists
OURS = {  # fields of SFTConfig that would change what a step is
    "per_device_train_batch_size": "trainer.batch",
    "gradient_accumulation_steps": "trainer.accumulation",
    "auto_find_batch_size": "trainer.tokens_per_batch",
    "packing": "trainer.tokens_per_batch",
    "padding_free": "trainer.tokens_per_batch",
    "train_sampling_strategy": "trainer.tokens_per_batch",
    "dataloader_drop_last": "trainer.epochs",
}


def weighted_nll(model: Any, batch: Batch) -> torch.Tensor:
    """Sum of weight * negative log likelihood over a pass; logits only where something is learned.

    batch: as sekft.train.collator makes it. The token at t is predicted from t - 1.
    """
    inputs = {key: value for key, value in batch.items() if key != "weight"}
    if "position_ids" in inputs:
        inputs.update(row_bounds(inputs["position_ids"]))
    weight = F.pad(batch["weight"][:, 1:], (0, 1))
    keep = weight > 0
    logits = model(**inputs, logits_to_keep=keep, use_cache=False).logits.float()
    targets = F.pad(batch["input_ids"][:, 1:], (0, 1))[keep]
    return (F.cross_entropy(logits, targets, reduction="none") * weight[keep]).sum()


class Steps(Sampler[list[int]]):
    """One list of rows per optimizer step; the trainer sets the epoch."""

    def __init__(self, amount: int, per_step: int, seed: int) -> None:
        self._amount, self._per_step, self._seed, self._epoch = amount, per_step, seed, 0
        self.batch_size, self.drop_last = per_step, False  # what accelerate asks

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._amount // self._per_step)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(batch_plan.steps(self._amount, self._per_step, self._seed, self._epoch))


class ShellTrainer(SFTTrainer):
    """Loss = sum(weight * nll) / sum(weight) over all rows of a step, however they are laid out in forward passes and processes.

    To transformers a batch is the rows of one whole step, so a checkpoint lies between steps and nothing is half done. Every process
    of several gets all of them and takes its own share, so what is divided by is known without asking the others.
    """

    loss_is_scaled_for_ga = True  # type: ignore[assignment]

    def __init__(self, rows: Sequence[Row], settings: TrainerConfig, pad_id: int, say: Callable[[str], None], **given: Any) -> None:
        looked_at = Dataset.from_list([{"input_ids": list(row.ids)} for row in rows])  # by TRL alone
        super().__init__(train_dataset=looked_at, data_collator=collator.step, **given)
        self.rows, self.per_step, self.pad_id, self.say = rows, batch_plan.rows_per_step(settings), pad_id, say
        self.layout = batch_plan.layout(settings, self.args.device.type)
        self.nll = frozen_nll if settings.context_frozen else weighted_nll
        self.halvings = 0

    def get_train_dataloader(self) -> DataLoader:
        steps = Steps(len(self.rows), self.per_step, self.args.data_seed or 0)
        whole: Any = DataLoader(self.rows, batch_sampler=steps, collate_fn=collator.step)  # type: ignore[arg-type]
        return prepare_data_loader(whole, num_processes=1, process_index=0)

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> torch.Tensor:
        return torch.tensor(sum(collator.learned(step["rows"]) for step in batch_samples), device=device)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """All passes of one step. Out of memory, a process by itself repeats it in smaller ones. Raises ModelError, naming rows."""
        rows, dice = inputs["rows"], _dice()
        while True:
            try:
                return self._passes(model, rows, num_items_in_batch)
            except RuntimeError as error:
                if not should_reduce_batch_size(error) or self.accelerator.num_processes > 1:
                    raise
                self._halve(rows)
            model.zero_grad()  # out here, where the error no longer holds what did not fit
            clear_device_cache(garbage_collection=True)
            _roll_back(dice)

    def train(self, resume_from_checkpoint: str | bool | None = None, *given: Any, **more: Any) -> Any:
        """Raises ModelError for a checkpoint that holds more than weights and numbers: loading that would run it."""
        try:
            return super().train(resume_from_checkpoint, *given, **more)
        except UnpicklingError as error:
            said = str(error).splitlines()[0][:LONGEST]
            raise ModelError(f"{resume_from_checkpoint}: {said}; allowed: a checkpoint that sekft.train wrote") from None

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Raises ModelError where the disk takes no more, which torch and safetensors say each in their own way."""
        try:
            super()._save_checkpoint(model, trial)
        except (RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"{self.args.output_dir}: no checkpoint could be written, is the disk full? {one_line(error)[:LONGEST]}"
            ) from None

    def _passes(self, model: Any, rows: list[Row], total: torch.Tensor) -> torch.Tensor:
        own = self._own(rows)
        passes = [[own[at] for at in one] for one in self.layout.passes([len(row.ids) for row in own])]
        losses = []
        for number, one in enumerate(passes):
            wait = self.accelerator.no_sync(model) if number < len(passes) - 1 else contextlib.nullcontext()
            within = by_rows(self.model) if self.layout.tokens else contextlib.nullcontext()
            # to float32 and, by autocast, back again: the same numbers, at the price of the whole pass's memory traffic
            with wait, within, disable_input_dtype_casting(model, active=self.args.bf16):
                losses.append(super().training_step(model, self._batch(one), total))
        self._total_train_tokens += sum(len(row.ids) for row in rows)
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        for one, finite in zip(passes, torch.stack(losses).isfinite().tolist(), strict=True):
            if not finite:
                raise ModelError(self._spoiled(model, one))
        return torch.stack(losses).sum()

    def compute_loss(self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None) -> torch.Tensor:
        return self.nll(model, inputs) / num_items_in_batch * self.accelerator.num_processes

    def _own(self, rows: list[Row]) -> list[Row]:
        """Of the rows of a step those of this process. One without any goes along with a row that it learns nothing from."""
        if self.accelerator.num_processes == 1:
            return rows
        own = batch_plan.shares([len(row.ids) for row in rows], self.accelerator.num_processes)[self.accelerator.process_index]
        return [rows[at] for at in own] or [replace(rows[0], weight=(0.0,) * len(rows[0].ids))]

    def _batch(self, rows: list[Row]) -> Batch:
        return collator.packed(rows) if self.layout.tokens else collator.padded(rows, self.pad_id)

    def _halve(self, rows: list[Row]) -> None:
        smaller = self.layout.halved([len(row.ids) for row in rows])
        if smaller is None:
            longest = max(rows, key=lambda row: len(row.ids))
            raise ModelError(
                f"step {self.state.global_step + 1}: out of memory with one row, {longest.id} of {len(longest.ids)} tokens; "
                "see trainer.checkpointing, model.load_4bit, trainer.max_tokens"
            )
        self.halvings += 1
        self.say(f"step {self.state.global_step + 1}: out of memory; repeated, and from now on at most {smaller} per forward pass")
        self.layout = smaller

    @torch.no_grad()
    def _spoiled(self, model: Any, rows: list[Row]) -> str:
        """The line for a pass whose loss is no number: each of its rows is tried alone."""
        losses = {}
        for row in rows:
            batch = {key: value.to(self.args.device) for key, value in collator.padded([row], self.pad_id).items()}
            losses[row.id] = float(weighted_nll(model, batch))
        bad = {name: loss for name, loss in losses.items() if loss - loss != 0} or dict.fromkeys(losses, float("nan"))
        where = f"row {named(list(bad))}"
        step = self.state.global_step + 1
        return f"step {step}: the loss is {next(iter(bad.values()))} in {where}; lower trainer.lr, or see trainer.max_grad_norm"


def named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more


def _dice() -> tuple[torch.Tensor, torch.Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state() if torch.cuda.is_available() else None


def _roll_back(dice: tuple[torch.Tensor, torch.Tensor | None]) -> None:
    """Dropout then falls as it would have with the smaller passes from the start."""
    torch.set_rng_state(dice[0])
    if dice[1] is not None:
        torch.cuda.set_rng_state(dice[1])


def make_trainer(
    tuned: Any,
    base: Base,
    rows: Sequence[Row],
    settings: TrainerConfig,
    folder: Path,
    seed: int,
    callbacks: Sequence[TrainerCallback] = (),
    say: Callable[[str], None] = lambda line: None,
) -> ShellTrainer:
    """A trainer whose adapter is float32 and whose only voices are the given ones. Raises MaskError for rows that teach nothing."""
    if empty := [row.id for row in rows if collator.learned([row]) <= 0]:
        raise MaskError(f"row {named(empty)}: nothing is learned there, so the loss would be 0 / 0")
    trainer = ShellTrainer(
        rows,
        settings,
        pad_of(base),
        say,
        model=tuned,
        args=sft_config(settings, base.device, folder, seed),
        processing_class=hub_tokenizer(base),
        callbacks=[*callbacks, Sealing()],
    )
    for generator in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(generator)
    as_float32(tuned)
    return trainer


def pad_of(base: Base) -> int:
    return base.tokenizer.eos if base.tokenizer.eos is not None else min(base.tokenizer.stop_ids)


def sft_config(settings: TrainerConfig, device: torch.device, folder: Path, seed: int) -> SFTConfig:
    """Every key of conf/trainer/ as TRL names it. Raises SettingsError for one TRL refuses."""
    for key in OURS.keys() & settings.extra.keys():
        raise SettingsError(f"trainer.extra.{key}: a step is defined by trainer.batch and trainer.accumulation; see {OURS[key]}")
    bf16 = settings.precision is Precision.bfloat16 or (settings.precision is Precision.auto and device.type == "cuda")
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": settings.max_steps,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": batch_plan.rows_per_step(settings),
        "gradient_accumulation_steps": 1,  # a step is one batch to transformers; its passes are ours
        "learning_rate": settings.lr,
        "lr_scheduler_type": settings.schedule.value,
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "bf16": bf16,
        "torch_compile": settings.compile,
        "activation_checkpointing": checkpointing(settings, device.type),
        "logging_steps": settings.log_every_steps,
        "logging_nan_inf_filter": False,  # a loss that is no number must be seen
        "save_strategy": "steps" if settings.save_every_steps else "no",
        "save_steps": settings.save_every_steps or 500,
        "seed": seed,
        "data_seed": seed,
        "use_cpu": device.type == "cpu",
        "max_length": None,  # TRL would cut rows from the right, endings first, without a word
        "remove_unused_columns": False,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "report_to": "none",
        "disable_tqdm": True,
    }
    try:
        return SFTConfig(**{**values, **settings.extra})
    except (TypeError, ValueError) as error:
        raise SettingsError(f"trainer: {str(error).splitlines()[0]}") from None


def checkpointing(settings: TrainerConfig, device: str) -> bool:
    """Raises SettingsError where a frozen context forbids it: activations cannot be recomputed behind a cache."""
    if settings.context_frozen and settings.checkpointing:
        raise SettingsError("trainer.checkpointing=true: allowed with trainer.context_frozen=true: false")
    return settings.checkpointing if settings.checkpointing is not None else device == "cuda" and not settings.context_frozen


@torch.no_grad()
def validation_loss(model: Any, rows: Sequence[Row], base: Base, how: batch_plan.Layout) -> float | None:
    """sum(weight * nll) / sum(weight) over all rows, in eval mode; None without rows."""
    if not rows:
        return None
    training = model.training
    model.eval()
    loss = 0.0
    for one in how.passes([len(row.ids) for row in rows]):
        chosen = [rows[at] for at in one]
        batch = collator.packed(chosen) if how.tokens else collator.padded(chosen, pad_of(base))
        with by_rows(model) if how.tokens else contextlib.nullcontext():
            loss += float(weighted_nll(model, {key: value.to(base.device) for key, value in batch.items()}))
    model.train(training)
    return loss / collator.learned(rows)

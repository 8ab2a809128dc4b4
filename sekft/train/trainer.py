"""TRL's SFTTrainer on rows that are rendered and weighted already: the losses, a step in several forward passes, and TRL's settings."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import torch
import torch.nn.functional as F
from accelerate.data_loader import prepare_data_loader
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from datasets import Dataset
from peft.helpers import disable_input_dtype_casting
from safetensors import SafetensorError
from torch.utils.data import DataLoader, Sampler
from transformers import DynamicCache
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import PrinterCallback, ProgressCallback, TrainerCallback, TrainerState
from transformers.trainer_pt_utils import safe_globals
from trl import SFTConfig, SFTTrainer

from sekft.config import TrainerConfig
from sekft.config.foreign import TRAINER, require_undecided_fields
from sekft.config.job import Report
from sekft.data.sample import Row
from sekft.errors import MaskError, ModelError, SettingsError
from sekft.model.base import Base, hub_tokenizer
from sekft.model.dtype import is_mixed
from sekft.model.files import require_whole
from sekft.model.lora import as_float32
from sekft.tracking.record import one_line
from sekft.train import batch_plan, collator
from sekft.train.attention import by_rows, row_bounds
from sekft.train.checkpoint import SealCallback
from sekft.train.collator import Batch

KEPT_CHECKPOINTS = 2  # of those that nobody asked for; the older one is whole while the newer one is written
MAX_MESSAGE = 200  # characters of a library's error message
MAX_NAMED = 3  # rows listed in an error
RandomState = tuple[torch.Tensor, torch.Tensor | None]  # of the CPU and of the GPU


@dataclass(frozen=True)
class Predictions:
    """N predicted tokens of a forward pass. logits: (N, V) float32; targets: (N,) ids; weight: (N,) float32, 0: not learned."""

    logits: torch.Tensor
    targets: torch.Tensor
    weight: torch.Tensor

    def nll(self) -> torch.Tensor:
        """Sum of weight * negative log likelihood."""
        return (F.cross_entropy(self.logits, self.targets, reduction="none") * self.weight).sum()

    @torch.no_grad()
    def right(self) -> torch.Tensor:
        """How many of the learned tokens are the most probable ones."""
        return ((self.logits.argmax(dim=-1) == self.targets) & (self.weight > 0)).sum()


def weighted_nll(model: Any, batch: Batch) -> torch.Tensor:
    """Sum of weight * negative log likelihood over a forward pass. batch: from sekft.train.collator."""
    return predict(model, batch).nll()


def predict(model: Any, batch: Batch) -> Predictions:
    """The predictions of a forward pass; logits are computed only where the weight is not 0. The token at t is predicted from t - 1."""
    inputs = {key: value for key, value in batch.items() if key != "weight"}
    if "position_ids" in inputs:
        inputs.update(row_bounds(inputs["position_ids"]))
    weight = F.pad(batch["weight"][:, 1:], (0, 1))
    keep = weight > 0
    logits = model(**inputs, logits_to_keep=keep, use_cache=False).logits.float()
    targets = F.pad(batch["input_ids"][:, 1:], (0, 1))[keep]
    return Predictions(logits, targets, weight[keep])


def predict_frozen(model: Any, batch: Batch) -> Predictions:
    """The same of one row's continuation, with the context's keys and values as constants: trainer.context_frozen.

    The loss is that of exact training, its gradient is not: what the adapter does while it reads the context is not learned. In three of
    three runs the held-out loss ended above that of exact training, with four fifths of its gain and gradients at a cosine of 0.75
    (experiments/context_frozen.md). It saves the activations of the context, and works without activation checkpointing only.
    batch: one row from sekft.train.collator.padded.
    """
    ids, weight = batch["input_ids"], batch["weight"]
    first = int((weight[0] > 0).int().argmax())  # predicted from the token before it
    past = DynamicCache(config=model.config)
    if first > 1:
        with torch.no_grad():
            model(input_ids=ids[:, : first - 1], past_key_values=past, use_cache=True, logits_to_keep=1)
    logits = model(input_ids=ids[:, first - 1 : -1], past_key_values=past, use_cache=True).logits[0].float()
    return Predictions(logits, ids[0, first:], weight[0, first:])


class StepSampler(Sampler[list[int]]):
    """Yields one list of row indices per optimizer step; the trainer sets the epoch."""

    def __init__(self, amount: int, per_step: int, seed: int) -> None:
        self._amount, self._per_step, self._seed, self._epoch = amount, per_step, seed, 0
        self.batch_size, self.drop_last = per_step, False  # read by accelerate

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._amount // self._per_step)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(batch_plan.steps(self._amount, self._per_step, self._seed, self._epoch))


class ShellTrainer(SFTTrainer):
    """Loss = sum(weight * nll) / sum(weight) over all rows of a step, in any layout of forward passes and processes.

    transformers sees a whole step as one batch, so checkpoints lie between steps. With several processes each gets all rows of the step and
    takes its share, so each knows the divisor without communication.
    """

    loss_is_scaled_for_ga = True  # type: ignore[assignment]

    def __init__(self, rows: Sequence[Row], settings: TrainerConfig, pad_id: int, report: Report, **options: Any) -> None:
        dataset = Dataset.from_list([{"input_ids": list(row.ids)} for row in rows])  # TRL inspects it; training reads self.rows
        super().__init__(train_dataset=dataset, data_collator=collator.step, **options)
        self.rows, self.per_step, self.pad_id, self.report = rows, batch_plan.rows_per_step(settings), pad_id, report
        self.layout = batch_plan.choose_layout(settings, self.args.device.type)
        self._predict = predict_frozen if settings.context_frozen else predict
        self.halvings = 0

    def get_train_dataloader(self) -> DataLoader:
        steps = StepSampler(len(self.rows), self.per_step, self.args.data_seed or 0)
        loader: Any = DataLoader(self.rows, batch_sampler=steps, collate_fn=collator.step)  # type: ignore[arg-type]
        return prepare_data_loader(loader, num_processes=1, process_index=0)

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> torch.Tensor:
        return torch.tensor(sum(collator.learned(step["rows"]) for step in batch_samples), device=device)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """All forward passes of one step; out of memory, a single process repeats the step in smaller passes.

        Raises ModelError with the rows' names.
        """
        rows, random_state = inputs["rows"], _random_state()
        while True:
            try:
                return self._passes(model, rows, num_items_in_batch)
            except RuntimeError as error:
                if not should_reduce_batch_size(error) or self.accelerator.num_processes > 1:
                    raise
                self._halve(rows)
            model.zero_grad()  # outside of except: the error holds on to the tensors that did not fit
            clear_device_cache(garbage_collection=True)
            _restore(random_state)

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **options: Any) -> Any:
        """Raises ModelError for a damaged checkpoint, and for a pickle of more than tensors and numbers: loading it would run code."""
        if resume_from_checkpoint:
            _require_loadable(checkpoint := Path(str(resume_from_checkpoint)))
            if self.args.save_steps < 1:  # a share; the checkpoint has it in steps, and transformers would warn that the two differ
                self.args.save_steps = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME)).save_steps
        return super().train(resume_from_checkpoint, *args, **options)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Raises ModelError where the disk is full; torch and safetensors each raise a type of their own."""
        try:
            super()._save_checkpoint(model, trial)
        except (RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"{self.args.output_dir}: no checkpoint could be written, is the disk full? {one_line(error)[:MAX_MESSAGE]}"
            ) from None

    def _passes(self, model: Any, rows: list[Row], total: torch.Tensor) -> torch.Tensor:
        own = self._own(rows)
        passes = [[own[at] for at in positions] for positions in self.layout.passes([len(row.ids) for row in own])]
        losses = []
        self._right: list[torch.Tensor] = []  # tokens predicted rightly, per pass
        for number, pass_rows in enumerate(passes):
            sync = self.accelerator.no_sync(model) if number < len(passes) - 1 else contextlib.nullcontext()
            attention = by_rows(self.model) if self.layout.tokens else contextlib.nullcontext()
            # peft would cast inputs to float32 and autocast would cast them back: the same numbers, for the memory traffic of a whole pass
            with sync, attention, disable_input_dtype_casting(model, active=self.args.bf16):
                losses.append(super().training_step(model, self._batch(pass_rows), total))
        self._total_train_tokens += sum(len(row.ids) for row in rows)
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        learned = sum(weight > 0 for row in own for weight in row.weight[1:])
        self._metrics["train"]["mean_token_accuracy"].append(float(torch.stack(self._right).sum()) / max(learned, 1))
        for pass_rows, finite in zip(passes, torch.stack(losses).isfinite().tolist(), strict=True):
            if not finite:
                raise ModelError(self._not_finite(model, pass_rows))
        return torch.stack(losses).sum()

    def compute_loss(self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None) -> torch.Tensor:
        predictions = self._predict(model, inputs)
        self._right.append(predictions.right())
        return predictions.nll() / num_items_in_batch * self.accelerator.num_processes

    def _own(self, rows: list[Row]) -> list[Row]:
        """This process's share of a step's rows; one row with weights of 0 if the share is empty, as every process must run a pass."""
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
        self.report(f"step {self.state.global_step + 1}: out of memory; repeated, and from now on at most {smaller} per forward pass")
        self.layout = smaller

    @torch.no_grad()
    def _not_finite(self, model: Any, rows: list[Row]) -> str:
        """The error line for a pass whose loss is not finite; each row is computed alone to find those responsible."""
        losses = {}
        for row in rows:
            batch = {key: value.to(self.args.device) for key, value in collator.padded([row], self.pad_id).items()}
            losses[row.id] = float(weighted_nll(model, batch))
        bad = {name: loss for name, loss in losses.items() if loss - loss != 0} or dict.fromkeys(losses, float("nan"))
        step, loss = self.state.global_step + 1, next(iter(bad.values()))
        return f"step {step}: the loss is {loss} in row {named(list(bad))}; lower trainer.lr, or see trainer.max_grad_norm"


def _require_loadable(checkpoint: Path) -> None:
    """Raise ModelError in one line for the first file of a checkpoint that torch, safetensors or transformers would not load."""
    for file in sorted(checkpoint.rglob("*")):
        try:
            if file.suffix in (".pt", ".pth"):
                with safe_globals():  # numpy's random state
                    torch.load(file, map_location="cpu", mmap=is_zipfile(file), weights_only=True)
            elif file.suffix == ".safetensors":
                require_whole(file)
            elif file.name == TRAINER_STATE_NAME:
                TrainerState.load_from_json(str(file))
        except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            message = one_line(error).removeprefix("UnpicklingError: ")[:MAX_MESSAGE]
            raise ModelError(f"{file}: {message}; allowed: a checkpoint that sekft.train wrote, whole as it was written") from None


def named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - MAX_NAMED} more" if len(ids) > MAX_NAMED else ""
    return ", ".join(ids[:MAX_NAMED]) + more


def _random_state() -> RandomState:
    return torch.get_rng_state(), torch.cuda.get_rng_state() if torch.cuda.is_available() else None


def _restore(state: RandomState) -> None:
    """Restore the random state, so that dropout is what it would have been with the smaller passes from the start."""
    cpu, gpu = state
    torch.set_rng_state(cpu)
    if gpu is not None:
        torch.cuda.set_rng_state(gpu)


def make_trainer(
    tuned: Any,
    base: Base,
    rows: Sequence[Row],
    settings: TrainerConfig,
    folder: Path,
    seed: int,
    callbacks: Sequence[TrainerCallback] = (),
    report: Report = lambda line: None,
) -> ShellTrainer:
    """A trainer with a float32 adapter and the given callbacks. Raises MaskError for a row without a learned token."""
    if empty := [row.id for row in rows if collator.learned([row]) <= 0]:
        raise MaskError(f"row {named(empty)}: nothing is learned in it, so the loss would be 0 / 0")
    trainer = ShellTrainer(
        rows,
        settings,
        pad_of(base),
        report,
        model=tuned,
        args=sft_config(settings, base.device, base.dtype, folder, seed),
        processing_class=hub_tokenizer(base),
        callbacks=[*callbacks, SealCallback()],
    )
    for callback in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(callback)
    as_float32(tuned)
    return trainer


def pad_of(base: Base) -> int:
    return base.tokenizer.eos if base.tokenizer.eos is not None else min(base.tokenizer.stop_ids)


def sft_config(settings: TrainerConfig, device: torch.device, weights: torch.dtype, folder: Path, seed: int) -> SFTConfig:
    """The settings of conf/trainer/ under TRL's names. weights: the type of the base's. Raises SettingsError for one that TRL refuses."""
    require_undecided_fields(settings.extra, TRAINER, "trainer")
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": settings.max_steps,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": batch_plan.rows_per_step(settings),
        "gradient_accumulation_steps": 1,  # transformers sees a step as one batch; training_step splits it into passes
        "learning_rate": settings.lr,
        "lr_scheduler_type": settings.schedule.value,
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "bf16": is_mixed(settings.precision, device.type, weights),
        "torch_compile": settings.compile,
        "activation_checkpointing": checkpointing(settings, device.type),
        "logging_steps": settings.log_every_steps,
        "logging_nan_inf_filter": False,  # a loss that is not finite must be logged as such
        "save_strategy": "steps" if settings.save_every_steps else "no",
        "save_steps": settings.save_every_steps if settings.save_every_steps < 1 else int(settings.save_every_steps),  # a share below 1
        "seed": seed,
        "data_seed": seed,
        "use_cpu": device.type == "cpu",
        "max_length": None,  # TRL would truncate rows silently, and lose their endings
        "remove_unused_columns": False,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "report_to": "none",
        "disable_tqdm": True,
    }
    for key in values.keys() & settings.extra.keys():
        raise SettingsError(f"trainer.extra.{key}: sekft decides this itself; allowed: other fields of trl.SFTConfig")
    kept = KEPT_CHECKPOINTS if settings.save_every_steps < 1 else None
    try:
        return SFTConfig(**{"save_total_limit": kept, **values, **settings.extra})
    except (TypeError, ValueError) as error:
        raise SettingsError(f"trainer: {str(error).splitlines()[0]}") from None


def checkpointing(settings: TrainerConfig, device: str) -> bool:
    """Whether activations are recomputed. Raises SettingsError with a frozen context: activations behind a cache cannot be recomputed."""
    if settings.context_frozen and settings.checkpointing:
        raise SettingsError("trainer.checkpointing=true: allowed with trainer.context_frozen=true: false")
    return settings.checkpointing if settings.checkpointing is not None else device == "cuda" and not settings.context_frozen


@torch.no_grad()
def validation_loss(model: Any, rows: Sequence[Row], base: Base, layout: batch_plan.Layout) -> float | None:
    """sum(weight * nll) / sum(weight) over all rows, in eval mode; None without rows."""
    if not rows:
        return None
    training = model.training
    model.eval()
    loss = 0.0
    for positions in layout.passes([len(row.ids) for row in rows]):
        pass_rows = [rows[at] for at in positions]
        batch = collator.packed(pass_rows) if layout.tokens else collator.padded(pass_rows, pad_of(base))
        with by_rows(model) if layout.tokens else contextlib.nullcontext():
            loss += float(weighted_nll(model, {key: value.to(base.device) for key, value in batch.items()}))
    model.train(training)
    return loss / collator.learned(rows)

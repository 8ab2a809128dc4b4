"""The names that transformers, TRL, PEFT, axolotl, LLaMA-Factory and unsloth give to what a setting of sekft decides.

One table for two uses: an unknown key is answered with the setting that it means, and trainer.extra and lora.extra, which pass fields to
trl.SFTConfig and peft.LoraConfig, refuse the fields that a setting decides.
"""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from sekft.errors import SettingsError

LEAST_ALIKE = 0.7  # of a suggestion, by difflib's measure
MAX_SUGGESTED = 3
TRAINER = {  # fields of trl.SFTConfig, which has those of transformers.TrainingArguments
    "learning_rate": "trainer.lr",
    "num_train_epochs": "trainer.epochs",
    "max_steps": "trainer.max_steps",
    "per_device_train_batch_size": "trainer.batch",
    "gradient_accumulation_steps": "trainer.accumulation",
    "auto_find_batch_size": "trainer.tokens_per_batch",
    "packing": "trainer.tokens_per_batch",
    "packing_strategy": "trainer.tokens_per_batch",
    "eval_packing": "trainer.tokens_per_batch",
    "padding_free": "trainer.tokens_per_batch",
    "pad_to_multiple_of": "trainer.tokens_per_batch",
    "group_by_length": "trainer.tokens_per_batch",
    "train_sampling_strategy": "trainer.tokens_per_batch",
    "dataloader_drop_last": "trainer.epochs",
    "lr_scheduler_type": "trainer.schedule",
    "warmup_ratio": "trainer.warmup",
    "warmup_steps": "trainer.warmup",
    "weight_decay": "trainer.weight_decay",
    "max_grad_norm": "trainer.max_grad_norm",
    "bf16": "trainer.precision=bfloat16",
    "fp16": "trainer.precision",
    "tf32": "trainer.precision",
    "torch_compile": "trainer.compile",
    "gradient_checkpointing": "trainer.checkpointing",
    "activation_checkpointing": "trainer.checkpointing",
    "activation_offloading": "trainer.checkpointing",
    "max_length": "trainer.max_tokens",
    "max_seq_length": "trainer.max_tokens",
    "eval_strategy": "trainer.val_every_steps",
    "eval_steps": "trainer.val_every_steps",
    "eval_on_start": "trainer.val_every_steps",
    "do_eval": "trainer.val_every_steps",
    "logging_strategy": "trainer.log_every_steps",
    "logging_steps": "trainer.log_every_steps",
    "logging_first_step": "trainer.log_every_steps",
    "save_strategy": "trainer.save_every_steps",
    "save_steps": "trainer.save_every_steps",
    "do_train": "trainer.max_steps",
    "eval_delay": "trainer.val_every_steps",
    "per_device_eval_batch_size": "trainer.tokens_per_batch",
    "eval_accumulation_steps": "trainer.tokens_per_batch",
    "prediction_loss_only": "trainer.val_every_steps",
    "load_best_model_at_end": "eval.choose",
    "metric_for_best_model": "eval.choose",
    "greater_is_better": "eval.choose",
    "resume_from_checkpoint": "trainer.resume_from",
    "seed": "seed",
    "data_seed": "seed",
    "full_determinism": "seed",
    "use_cpu": "model.device",
    "no_cuda": "model.device",
    "output_dir": "hydra.run.dir",
    "overwrite_output_dir": "hydra.run.dir",
    "logging_dir": "hydra.run.dir",
    "report_to": "tracker",
    "run_name": "tracker.name",
    "assistant_only_loss": "mask",
    "completion_only_loss": "mask",
    "loss_type": "mask",
    "label_smoothing_factor": "mask",
    "average_tokens_across_devices": "mask",
    "truncation_mode": "data.overlong",
    "shuffle_dataset": "seed",
    "chat_template_path": "model.template",
    "model_init_kwargs": "model",
    "dataset_text_field": "data",
    "dataset_kwargs": "data",
    "dataset_num_proc": "data",
    "remove_unused_columns": "data",
    "eos_token": "model.template",
    "pad_token": "model.template",
}
LORA = {  # fields of peft.LoraConfig
    "r": "lora.r",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "target_modules": "lora.target_modules",
    "task_type": "lora.target_modules",
    "peft_type": "lora.target_modules",
}
OTHERS = {  # of other tools, or on the command line of TRL
    "rank": "lora.r",
    "lora_r": "lora.r",
    "lora_rank": "lora.r",
    "lora_target": "lora.target_modules",
    "lora_target_modules": "lora.target_modules",
    "lora_target_linear": "lora.target_modules=all-linear",
    "use_peft": "lora",
    "adapter_name_or_path": "adapter",
    "lora_model_dir": "adapter",
    "checkpoint": "adapter",
    "full_finetuning": "lora=none",
    "finetuning_type": "lora",
    "batch_size": "trainer.batch",
    "train_batch_size": "trainer.batch",
    "micro_batch_size": "trainer.batch",
    "grad_accum": "trainer.accumulation",
    "num_epochs": "trainer.epochs",
    "n_epochs": "trainer.epochs",
    "steps": "trainer.max_steps",
    "lr_scheduler": "trainer.schedule",
    "scheduler": "trainer.schedule",
    "warmup_fraction": "trainer.warmup",
    "max_len": "trainer.max_tokens",
    "cutoff_len": "trainer.max_tokens",
    "sequence_len": "trainer.max_tokens",
    "sample_packing": "trainer.tokens_per_batch",
    "gradient_clipping": "trainer.max_grad_norm",
    "clip_grad": "trainer.max_grad_norm",
    "eval_every": "trainer.val_every_steps",
    "val_steps": "trainer.val_every_steps",
    "val_set_size": "data.validation_share",
    "val_size": "data.validation_share",
    "validation_split": "data.validation_share",
    "save_every": "trainer.save_every_steps",
    "checkpointing_steps": "trainer.save_every_steps",
    "resume": "start=resume",
    "train_on_inputs": "mask=everything",
    "train_on_prompt": "mask=everything",
    "loss_mask": "mask",
    "roles_to_train": "mask",
    "base_model": "model.path",
    "model_name": "model.path",
    "model_id": "model.path",
    "model_name_or_path": "model.path",
    "pretrained_model_name_or_path": "model.path",
    "tokenizer": "model.path",
    "tokenizer_name": "model.path",
    "chat_template": "model.template",
    "template": "model.template",
    "load_in_4bit": "model.load_4bit",
    "load_in_8bit": "model.load_4bit",
    "quantization": "model.load_4bit",
    "quantization_bit": "model.load_4bit",
    "qlora": "model.load_4bit",
    "torch_dtype": "model.dtype",
    "device_map": "model.device",
    "gpu": "model.device=cuda",
    "cpu": "model.device=cpu",
    "dataset": "data.path",
    "datasets": "data.path",
    "dataset_name": "data.path",
    "dataset_path": "data.path",
    "dataset_dir": "data.path",
    "train_file": "data.path",
    "train_data": "data.path",
    "training_data": "data.path",
    "output": "hydra.run.dir",
    "out_dir": "hydra.run.dir",
    "output_folder": "hydra.run.dir",
    "save_dir": "hydra.run.dir",
    "wandb": "tracker=wandb",
    "use_wandb": "tracker=wandb",
    "wandb_project": "tracker.project",
    "wandb_name": "tracker.name",
    "wandb_run_name": "tracker.name",
    "wandb_entity": "tracker.entity",
    "wandb_tags": "tracker.tags",
    "project": "tracker.project",
    "num_samples": "eval.episodes",
    "n_episodes": "eval.episodes",
    "limit": "eval.episodes",
    "max_new_tokens": "eval.max_reply_tokens",
    "num_gpus": "where.processes",
    "nproc_per_node": "where.processes",
    "num_processes": "where.processes",
    "num_workers": "workers",
    "max_workers": "workers",
    "random_seed": "seed",
    "base_url": "agent.url",
    "api_base": "agent.url",
    "api_key": "agent.key_env",
}
VALUES = {"bf16": "bfloat16", "fp32": "float32", "gpu": "cuda", "podman": "docker"}  # value elsewhere -> ours
IF_TRUE = {"trainer.resume_from": "start=resume parent=RUN", "mask": "mask=assistant"}  # what a switch elsewhere is here
KEYS: dict[str, str] = {**OTHERS, **LORA, **TRAINER}  # name elsewhere -> our key, or a whole override


def our_setting(key: str) -> str | None:
    """Our key, or override, for a key or flag of another tool, in any spelling of its words; None for a name that is not known."""
    plain = key.lower().replace("-", "_")
    return KEYS.get(plain.replace(".", "_")) or KEYS.get(plain.rpartition(".")[2])


def closest(word: str, words: Sequence[str]) -> list[str]:
    """The words that are spelt most like this one; empty if none is like it."""
    alike = {other: SequenceMatcher(None, word, other).ratio() for other in words}
    best = max(alike.values(), default=0.0)
    return sorted(other for other, ratio in alike.items() if ratio == best and best >= LEAST_ALIKE)[:MAX_SUGGESTED]


def require_undecided(settings: Any) -> None:
    """Raises SettingsError for a field in trainer.extra or lora.extra that a setting of ours decides. settings: of any command."""
    for group, names in (("trainer", TRAINER), ("lora", LORA)):
        require_undecided_fields(getattr(getattr(settings, group, None), "extra", None) or {}, names, group)


def require_undecided_fields(extra: Mapping[str, Any], names: Mapping[str, str], group: str) -> None:
    """Raises SettingsError for the first field of `extra` that is among the names: it would override one of our settings, or be ignored."""
    for name in extra:
        if ours := names.get(str(name)):
            write, library = (ours if "=" in ours else f"{ours}=..."), "trl.SFTConfig" if group == "trainer" else "peft.LoraConfig"
            raise SettingsError(f"{group}.extra.{name}: decided by a setting; write {write}; allowed here: other fields of {library}")

"""The lowest and highest value of every number in the settings, and the one line that refuses another."""

from typing import Any

from omegaconf import OmegaConf

from sekft.errors import SettingsError

UNBOUNDED = float("inf")
POSITIVE, NOT_NEGATIVE, SHARE = (1, UNBOUNDED), (0, UNBOUNDED), (0, 1)
BOUNDS: dict[str, tuple[float, float]] = {  # lowest and highest value allowed, ends included
    "seed": NOT_NEGATIVE,
    "workers": NOT_NEGATIVE,
    "episodes": NOT_NEGATIVE,
    "attempts": POSITIVE,
    "repeats": POSITIVE,
    "rows": NOT_NEGATIVE,
    "temperature": NOT_NEGATIVE,
    "top_k": NOT_NEGATIVE,
    "max_tokens": POSITIVE,
    "scenario": POSITIVE,
    "model.seed": NOT_NEGATIVE,
    "data.validation_share": (0, 0.9),
    "data.general_share": (0, 0.99),
    "data.max_dropped_share": SHARE,
    "data.max_endless_share": SHARE,
    "mask.terminal_weight": NOT_NEGATIVE,
    "lora.r": NOT_NEGATIVE,
    "lora.dropout": SHARE,
    "trainer.max_steps": (-1, UNBOUNDED),
    "trainer.epochs": NOT_NEGATIVE,
    "trainer.batch": POSITIVE,
    "trainer.accumulation": POSITIVE,
    "trainer.tokens_per_batch": NOT_NEGATIVE,
    "trainer.max_tokens": POSITIVE,
    "trainer.lr": NOT_NEGATIVE,
    "trainer.warmup": NOT_NEGATIVE,
    "trainer.weight_decay": NOT_NEGATIVE,
    "trainer.max_grad_norm": NOT_NEGATIVE,
    "trainer.log_every_steps": POSITIVE,
    "trainer.save_every_steps": NOT_NEGATIVE,
    "trainer.val_every_steps": NOT_NEGATIVE,
    "trainer.stop_at": SHARE,
    "budget.max_steps": NOT_NEGATIVE,
    "budget.max_tokens": NOT_NEGATIVE,
    "budget.max_wall_s": NOT_NEGATIVE,
    "budget.max_disk_mb": NOT_NEGATIVE,
    "eval.episodes": NOT_NEGATIVE,
    "eval.every_steps": NOT_NEGATIVE,
    "eval.selection_scenarios": POSITIVE,
    "eval.temperature": NOT_NEGATIVE,
    "eval.max_turns": POSITIVE,
    "eval.max_reply_tokens": POSITIVE,
    "eval.max_episode_tokens": POSITIVE,
    "eval.rows": POSITIVE,
    "eval.suite_stories": POSITIVE,
    "eval.attempts": POSITIVE,
    "eval.max_eval_s": NOT_NEGATIVE,
    "eval.min_gain": (0.001, 1),
    "eval.max_broken_share": SHARE,
    "agent.temperature": NOT_NEGATIVE,
    "agent.max_tokens": POSITIVE,
    "agent.timeout_s": (0.1, UNBOUNDED),
    "agent.retries": (0, 10),
    "author.temperature": NOT_NEGATIVE,
    "author.max_tokens": POSITIVE,
    "author.timeout_s": (0.1, UNBOUNDED),
    "sandbox.memory_mb": (16, UNBOUNDED),
    "sandbox.pids": (8, UNBOUNDED),
    "sandbox.session_s": POSITIVE,
    "agent.noise": SHARE,
    "serve.port": (0, 65535),
    "serve.temperature": (0, 2),
    "serve.max_tokens": POSITIVE,
    "serve.max_messages": POSITIVE,
    "serve.max_body_bytes": POSITIVE,
    "serve.rows": POSITIVE,
    "serve.queue": POSITIVE,
    "serve.request_s": POSITIVE,
    "serve.stop_s": NOT_NEGATIVE,
    "where.processes": POSITIVE,
    "margin": (0.001, 1),
    "rare_share": SHARE,
    "repair.scenarios": NOT_NEGATIVE,
    "repair.seed": NOT_NEGATIVE,
    "repair.tests": POSITIVE,
    "split.seed": NOT_NEGATIVE,
    "split.train_scenarios": POSITIVE,
    "split.eval_scenarios": POSITIVE,
    "split.train_blocked_share": SHARE,
    "split.train_unlisted_share": SHARE,
    "split.unlisted_share": SHARE,
}


def require_bounds(settings: Any) -> None:
    """settings: a composed config. Raises SettingsError naming the key, what was found and what is allowed."""
    for key, (low, high) in BOUNDS.items():
        value = OmegaConf.select(settings, key)
        if isinstance(value, int | float) and not low <= value <= high:
            allowed = f"{low} or more" if high == UNBOUNDED else f"{low} to {high}"
            raise SettingsError(f"{key}: found {value}, allowed: {allowed}")
    if OmegaConf.select(settings, "trainer.max_steps") == 0:
        raise SettingsError("trainer.max_steps: found 0, allowed: 1 or more, or -1 for as many as trainer.epochs asks for")

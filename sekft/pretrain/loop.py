"""Pre-training: every step makes its own conversations, each worker its share of them; gradients are summed, and all step alike."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from tokenizers import Tokenizer
from torch import Tensor
from transformers import MistralForCausalLM

from sekft.config import Device
from sekft.config.pretrain import PretrainConfig
from sekft.pretrain import checkpoint, rows
from sekft.pretrain.checkpoint import State
from sekft.pretrain.corpus.talk import Talk, talk
from sekft.pretrain.model import drawn, matrices, weighted_loss
from sekft.pretrain.muon import Muon
from sekft.pretrain.probe import probe

Tell = Callable[[dict[str, float]], None]
SAMPLED = 400  # conversations, from which the mean length is known


@dataclass(frozen=True)
class Corpus:
    """Conversations by number. known: the archetypes whose operations occur."""

    settings: PretrainConfig
    known: tuple[str, ...]

    def talk(self, number: int, drill: bool) -> Talk:
        corpus = self.settings.corpus
        shares = corpus.drill_shares if drill else corpus.shares
        return talk(f"{self.settings.seed}:{number}", shares, corpus.outside_names, self.known)

    def held_back(self, count: int) -> list[Talk]:
        """Conversations that no step learns from."""
        corpus = self.settings.corpus
        return [talk(f"{self.settings.seed}:probe:{number}", corpus.shares, corpus.outside_names, self.known) for number in range(count)]


def train(settings: PretrainConfig, corpus: Corpus, tokenizer: Tokenizer, folder: Path, tell: Tell | None = None) -> None:
    """One worker's part of the whole training; with several, torch.distributed is up. Goes on from folder's checkpoint if
    there is one. tell: hears of every step; of the first worker only."""
    torch.set_num_threads(settings.threads)
    _same_bytes_on(settings.device)
    model = drawn(settings.shape, settings.seed, settings.device.value)
    state = State(model, _optimizers(model, settings))
    about = {**asdict(settings), "split": sorted(settings.split.set_aside)}
    done = checkpoint.load(state, folder, about)
    loss_of = torch.compile(weighted_loss, dynamic=False) if settings.compile else weighted_loss
    amounts = {drill: _amount(corpus, tokenizer, settings, drill) for drill in (True, False)}
    questions = corpus.held_back(64)
    for step in range(done, settings.steps):
        started = time.monotonic()
        ids, weights = _batch(corpus, tokenizer, settings, step, amounts)
        loss, counted = _learn(model, loss_of, ids, weights)
        for optimizer in state.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate(settings, step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if tell:
            asked = amounts[step < settings.corpus.drill_steps] * settings.workers
            told = {"step": step + 1, "loss": loss, "tokens": counted, "conversations": asked, "seconds": time.monotonic() - started}
            if (step + 1) % settings.probe_every_steps == 0 or step + 1 == settings.steps:
                told |= probe(model, [rows.tokens(one, tokenizer) for one in questions])
            tell(told)
            if (step + 1) % settings.save_every_steps == 0 or step + 1 == settings.steps:
                checkpoint.save(state, step + 1, folder, about)
            if step + 1 in settings.keep_steps:
                torch.save(model.state_dict(), folder / checkpoint.EARLY.format(step=step + 1))


def rate(settings: PretrainConfig, step: int) -> float:
    """Warm-up, constant, then linearly to nothing: the constant part is the same however long the whole is."""
    decay_steps = max(1, round(settings.steps * settings.decay_share))
    return settings.lr * min(1.0, (step + 1) / max(1, settings.warmup_steps), (settings.steps - step) / decay_steps)


def _same_bytes_on(device: Device) -> None:
    """On a GPU, only by kernels that are asked to be repeatable; on a CPU they are."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(device == Device.cuda)


def _optimizers(model: MistralForCausalLM, settings: PretrainConfig) -> tuple[torch.optim.Optimizer, ...]:
    own = matrices(model)
    others = [param for param in model.parameters() if all(param is not one for one in own)]
    return Muon(own, settings.lr, weight_decay=settings.weight_decay), torch.optim.AdamW(others, settings.lr, (0.9, 0.95), weight_decay=0.0)


def _world() -> tuple[int, int]:
    """(this worker, workers)."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def _amount(corpus: Corpus, tokenizer: Tokenizer, settings: PretrainConfig, drill: bool) -> int:
    """Conversations a worker asks for in one step: as many as fill its rows."""
    lengths = [len(rows.tokens(corpus.talk(number, drill), tokenizer).ids) for number in range(SAMPLED)]
    fitting = [length for length in lengths if length <= settings.row_tokens]
    tokens = settings.rows // _world()[1] * settings.row_tokens * settings.fill
    return max(1, int(tokens / sum(fitting) * len(lengths)))


def _batch(corpus: Corpus, tokenizer: Tokenizer, settings: PretrainConfig, step: int, amounts: dict[bool, int]) -> tuple[Tensor, Tensor]:
    drill, (worker, workers) = step < settings.corpus.drill_steps, _world()
    first = (step * workers + worker) * max(amounts.values())
    made = [rows.tokens(corpus.talk(first + index, drill), tokenizer) for index in range(amounts[drill])]
    return rows.pack(made, settings.rows // workers, settings.row_tokens, settings.corpus.user_weight)


def _learn(model: MistralForCausalLM, loss_of: Callable[..., Tensor], ids: Tensor, weights: Tensor) -> tuple[float, float]:
    """Gradients of the mean loss over all workers' tokens; (that loss, tokens that were learned from or read)."""
    device = model.device
    loss = loss_of(model, ids.to(device), weights.to(device))
    loss.backward()
    grads = [param.grad for param in model.parameters() if param.grad is not None]
    flat = torch.cat(
        [*(grad.flatten() for grad in grads), torch.tensor([loss.item(), weights.sum().item(), (weights > 0).sum().item()], device=device)]
    )
    if dist.is_initialized():
        dist.all_reduce(flat)
    total, weight, counted = flat[-3:].tolist()
    flat /= weight
    start = 0
    for grad in grads:
        grad.copy_(flat[start : start + grad.numel()].view_as(grad))
        start += grad.numel()
    return total / weight, counted

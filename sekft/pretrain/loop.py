"""The training loop: each worker computes its share of every step's conversations; gradients are summed, so all workers step alike."""

import os
import time
from collections.abc import Callable, Sequence
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
from sekft.pretrain.corpus.conversation import generate_conversation
from sekft.pretrain.corpus.scene import Conversation
from sekft.pretrain.model import matrices, random_model, weighted_loss
from sekft.pretrain.muon import Muon
from sekft.pretrain.rows import Tokens
from sekft.tracking.files import replacing

OnStep = Callable[[dict[str, float]], None]  # gets the metrics of each step
SAMPLED = 400  # conversations from which the mean length is estimated
PROBED = 64  # held-back conversations


@dataclass(frozen=True)
class Corpus:
    """Conversations by number. archetypes: those whose operations may occur."""

    settings: PretrainConfig
    archetypes: tuple[str, ...]

    def conversation(self, number: int, drill: bool) -> Conversation:
        corpus = self.settings.corpus
        shares = corpus.drill_shares if drill else corpus.shares
        return generate_conversation(f"{self.settings.seed}:{number}", shares, corpus.outside_names, self.archetypes)

    def held_back(self, count: int) -> list[Conversation]:
        """Conversations that no step learns from."""
        corpus = self.settings.corpus
        seeds = [f"{self.settings.seed}:probe:{number}" for number in range(count)]
        return [generate_conversation(seed, corpus.shares, corpus.outside_names, self.archetypes) for seed in seeds]


def train(settings: PretrainConfig, corpus: Corpus, tokenizer: Tokenizer, folder: Path, on_step: OnStep | None = None) -> None:
    """Train as one worker, from the checkpoint in folder if there is one; with several workers, torch.distributed must be initialised.

    on_step: given in the first worker only, which also writes the checkpoints.
    """
    torch.set_num_threads(settings.threads)
    _make_deterministic(settings.device)
    model = random_model(settings.shape, settings.seed, settings.device.value)
    state = State(model, _optimizers(model, settings))
    record = {**asdict(settings), "split": sorted(settings.split.set_aside)}
    done = checkpoint.load(state, folder, record)
    loss_of = torch.compile(weighted_loss, dynamic=False) if settings.compile else weighted_loss
    counts = {drill: _conversations_per_worker(corpus, tokenizer, settings, drill) for drill in (True, False)}
    held_back = corpus.held_back(PROBED)
    for step in range(done, settings.steps):
        started = time.monotonic()
        ids, weights = _batch(corpus, tokenizer, settings, step, counts)
        loss, tokens = _backward(model, loss_of, ids, weights)
        for optimizer in state.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate(settings, step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if on_step:
            conversations = counts[step < settings.corpus.drill_steps] * settings.workers
            metrics = {
                "step": step + 1,
                "loss": loss,
                "tokens": tokens,
                "conversations": conversations,
                "seconds": time.monotonic() - started,
            }
            is_last = step + 1 == settings.steps
            if (step + 1) % settings.probe_every_steps == 0 or is_last:
                metrics["right"] = right_share(model, [rows.encode(conversation, tokenizer) for conversation in held_back])
            on_step(metrics)
            if (step + 1) % settings.save_every_steps == 0 or is_last:
                checkpoint.save(state, step + 1, folder, record)
            if step + 1 in settings.keep_steps:
                with replacing(folder / checkpoint.EARLY.format(step=step + 1), "wb") as file:
                    torch.save(model.state_dict(), file)


def rate(settings: PretrainConfig, step: int) -> float:
    """The learning rate: warm-up, constant, linear decay to 0. The constant part does not depend on the number of steps."""
    decay_steps = max(1, round(settings.steps * settings.decay_share))
    return settings.lr * min(1.0, (step + 1) / max(1, settings.warmup_steps), (settings.steps - step) / decay_steps)


@torch.no_grad()
def right_share(model: MistralForCausalLM, conversations: Sequence[Tokens]) -> float:
    """The share of requested replies of which every token, the stop token included, is the likeliest one given the tokens before it."""
    right = total = 0
    for tokens in conversations:
        ids = torch.tensor([tokens.ids], device=model.device)
        hits = model(input_ids=ids, use_cache=False).logits[0, :-1].argmax(-1) == ids[0, 1:]
        for start, end in tokens.requested:
            total += 1
            right += bool(hits[start - 1 : end - 1].all())
    return right / max(1, total)


def _make_deterministic(device: Device) -> None:
    """On a GPU, use only deterministic kernels; those of a CPU are."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(device == Device.cuda)


def _optimizers(model: MistralForCausalLM, settings: PretrainConfig) -> tuple[torch.optim.Optimizer, ...]:
    for_muon = matrices(model)
    others = [param for param in model.parameters() if all(param is not matrix for matrix in for_muon)]
    muon = Muon(for_muon, settings.lr, weight_decay=settings.weight_decay)
    return muon, torch.optim.AdamW(others, settings.lr, (0.9, 0.95), weight_decay=0.0)


def _rank_and_workers() -> tuple[int, int]:
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def _conversations_per_worker(corpus: Corpus, tokenizer: Tokenizer, settings: PretrainConfig, drill: bool) -> int:
    """The number of conversations that fill a worker's rows of one step."""
    lengths = [len(rows.encode(corpus.conversation(number, drill), tokenizer).ids) for number in range(SAMPLED)]
    fitting = [length for length in lengths if length <= settings.row_tokens]
    tokens = settings.rows // _rank_and_workers()[1] * settings.row_tokens * settings.fill
    return max(1, int(tokens / sum(fitting) * len(lengths)))


def _batch(corpus: Corpus, tokenizer: Tokenizer, settings: PretrainConfig, step: int, counts: dict[bool, int]) -> tuple[Tensor, Tensor]:
    drill, (rank, workers) = step < settings.corpus.drill_steps, _rank_and_workers()
    first = (step * workers + rank) * max(counts.values())
    conversations = [rows.encode(corpus.conversation(first + index, drill), tokenizer) for index in range(counts[drill])]
    return rows.pack(conversations, settings.rows // workers, settings.row_tokens, settings.corpus.user_weight)


def _backward(model: MistralForCausalLM, loss_of: Callable[..., Tensor], ids: Tensor, weights: Tensor) -> tuple[float, float]:
    """Compute the gradients of the mean loss over all workers' tokens; return that loss and the number of weighted tokens."""
    device = model.device
    loss = loss_of(model, ids.to(device), weights.to(device))
    loss.backward()
    grads = [param.grad for param in model.parameters() if param.grad is not None]
    flat = torch.cat(
        [*(grad.flatten() for grad in grads), torch.tensor([loss.item(), weights.sum().item(), (weights > 0).sum().item()], device=device)]
    )
    if dist.is_initialized():
        dist.all_reduce(flat)
    total, weight, tokens = flat[-3:].tolist()
    flat /= weight
    start = 0
    for grad in grads:
        grad.copy_(flat[start : start + grad.numel()].view_as(grad))
        start += grad.numel()
    return total / weight, tokens

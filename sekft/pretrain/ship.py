"""The files of a base: weights, config and tokenizer as transformers and inference servers load them, and a model card."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from sekft.config import Device
from sekft.config.pretrain import PretrainConfig
from sekft.pretrain import model
from sekft.pretrain.corpus.names import share_of_unlisted
from sekft.pretrain.tokenizer import CONTROL, SETTINGS, TEMPLATE, UNUSED
from sekft.rendering.canonical_template import self_canonicalising
from sekft.tracking.files import sha256, write_text

CARD = "README.md"


@dataclass(frozen=True)
class TrainingSummary:
    """The training as the model card describes it. curve: (step, tokens so far, loss, share of requested replies that were right)."""

    command: str
    settings: PretrainConfig
    archetypes: tuple[str, ...]
    step: int
    conversations: int
    tokens: int
    curve: Sequence[tuple[int, int, float, float]]


def write(folder: Path, weights: Mapping[str, Tensor], tokenizer: Tokenizer, training: TrainingSummary) -> dict[str, str]:
    """Write the files of the base; return their SHA-256 by name."""
    folder.mkdir(parents=True, exist_ok=True)
    unused = sum(token.startswith(UNUSED) for token in tokenizer.get_vocab())
    tied = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in weights.items() if name != "lm_head.weight"}
    save_file(tied, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config(training.settings.shape) | {"dtype": "bfloat16"}
    _write_json(folder / "config.json", config)
    _write_json(folder / "tokenizer_config.json", SETTINGS)
    _write_json(folder / "never_saw.json", training.settings.split.set_aside)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "model.safetensors").chmod(0o644)
    write_text(folder / "chat_template.jinja", self_canonicalising(TEMPLATE, CONTROL, {}))
    hashes = {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.name != CARD}
    write_text(folder / CARD, card(training, hashes, sum(tensor.numel() for tensor in tied.values()), unused))
    return hashes


def card(training: TrainingSummary, hashes: Mapping[str, str], parameters: int, unused: int) -> str:
    """The model card in Markdown. unused: number of tokens that the tokenizer no longer produces."""
    settings, shape = training.settings, training.settings.shape
    steps = "\n".join(f"| {step} | {tokens / 1e6:.1f} M | {loss:.3f} | {right:.2f} |" for step, tokens, loss, right in training.curve)
    files = "\n".join(f"| `{name}` | `{digest}` |" for name, digest in hashes.items())
    return f"""---
license: apache-2.0
---
# The embedded base

A small language model that follows requests at a shell prompt. {parameters / 1e6:.2f} M parameters: Mistral, {shape.layers} layers of
width {shape.hidden}, {shape.heads} heads, tied embeddings of {shape.vocabulary} tokens, context {shape.context}.
Trained from random weights by

    {training.command}

for {training.step} steps on {training.tokens / 1e6:.1f} M tokens of {training.conversations:,} conversations that sekft generates
(`sekft/pretrain/corpus/`); they contain no text from other sources.
Seed {settings.seed}, {settings.workers} workers of {settings.threads} thread, torch {torch.__version__}, {_hardware(settings)}:
the same code, command, versions and hardware give the same bytes.

**What it was trained on.** Requests at a prompt, and directives that a tool prints when a request names the tool; `--help` and manual
pages; copying names, about {share_of_unlisted(settings.corpus.outside_names):.0%} of them from outside the word list; looking around;
typing a mistyped command again; writing down why something cannot be done, where a request asks for that; idle commands. Operations:
{fill(", ".join(sorted(training.archetypes)), 130)}.

**What it was not trained on.** It follows shell requests but never ends an episode: its pre-training data contains no `exit` or `panic`
turn. The data contains no arrival without a request, and no path, provider name or directive of the test set. It contains none of these
operations: {", ".join(settings.split.set_aside) or "(all were used)"}. Its only English is that of the requests.

The tokenizer was thinned after the training: {unused} tokens (`[unusedN]`), each of them less than {settings.rare_share:g} of the corpus,
are no longer produced, because the base could not copy tokens that it had hardly seen. Words with such a token are split into more
frequent ones.

| step | tokens | loss, nats per weighted token | requested replies that are right, share in held-back conversations |
|---|---|---|---|
{steps}

| file | SHA-256 |
|---|---|
{files}
"""


def _hardware(settings: PretrainConfig) -> str:
    if settings.device == Device.cuda:
        return f"{torch.cuda.get_device_name()}, {platform.machine()}"
    return f"{platform.machine()} with {torch.backends.cpu.get_cpu_capability()}"


def _write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")

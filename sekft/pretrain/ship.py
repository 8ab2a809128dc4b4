"""The files of a base: what transformers, an inference server and sekft itself load, and a card that says what it is."""

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
from sekft.pretrain.corpus.names import share_of_outside
from sekft.pretrain.tokenizer import CONTROL, SETTINGS, TEMPLATE, UNUSED
from sekft.rendering.canonical_template import self_canonicalising
from sekft.tracking.files import sha256

CARD = "README.md"


@dataclass(frozen=True)
class Story:
    """What a card tells of a training. curve: (step, tokens so far, loss, share of wanted replies that were right)."""

    command: str
    settings: PretrainConfig
    known: tuple[str, ...]
    step: int
    conversations: int
    tokens: int
    curve: Sequence[tuple[int, int, float, float]]


def write(folder: Path, weights: Mapping[str, Tensor], tokenizer: Tokenizer, story: Story) -> dict[str, str]:
    """Write the base; SHA-256 by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    unused = sum(token.startswith(UNUSED) for token in tokenizer.get_vocab())
    tied = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in weights.items() if name != "lm_head.weight"}
    save_file(tied, folder / "model.safetensors", metadata={"format": "pt"})
    shape = model.config(story.settings.shape) | {"dtype": "bfloat16"}
    _write_json(folder / "config.json", shape)
    _write_json(folder / "tokenizer_config.json", SETTINGS)
    _write_json(folder / "never_saw.json", story.settings.split.set_aside)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "model.safetensors").chmod(0o644)
    (folder / "chat_template.jinja").write_text(self_canonicalising(TEMPLATE, CONTROL, {}), encoding="utf-8")
    sums = {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.name != CARD}
    (folder / CARD).write_text(card(story, sums, sum(tensor.numel() for tensor in tied.values()), unused), encoding="utf-8")
    return sums


def card(story: Story, sums: Mapping[str, str], parameters: int, unused: int) -> str:
    """The model card, in Markdown. unused: tokens that the tokenizer does not make."""
    settings, shape = story.settings, story.settings.shape
    steps = "\n".join(f"| {step} | {tokens / 1e6:.1f} M | {loss:.3f} | {right:.2f} |" for step, tokens, loss, right in story.curve)
    files = "\n".join(f"| `{name}` | `{digest}` |" for name, digest in sums.items())
    return f"""---
license: apache-2.0
---
# The embedded base

{parameters / 1e6:.2f} M parameters: Mistral, {shape.layers} layers of width {shape.hidden}, {shape.heads} heads, tied embeddings of
{shape.vocabulary} tokens, context {shape.context}. Made from nothing by

    {story.command}

in {story.step} steps over {story.tokens / 1e6:.1f} M tokens of {story.conversations:,} conversations that sekft makes itself
(`sekft/corpus/`); no text of anybody else is in it. Seed {settings.seed}, {settings.workers} workers of {settings.threads} thread,
torch {torch.__version__}, {_machine(settings)}: the same of all these gives the same bytes.

**It knows** how to do what it is told at a prompt, by requests and by directives that a tool prints when it is told to ask
there; to read `--help` and manual pages; to copy names, about {share_of_outside(settings.corpus.outside_names):.0%} of them from outside
the word list; to look around; to type a line again that it mistyped; to write down why something cannot be done, where it is asked to;
and to go on idly at the prompt for ever. Its operations:
{fill(", ".join(sorted(story.known)), 130)}.

**It does not know** that it may leave: no conversation has `exit` or `panic` as a turn of its own. It has never seen an arrival that
asks for nothing, nor any path, provider's name or directive of the test set. It never saw these operations at all:
{", ".join(settings.split.set_aside) or "none were kept from it"}. It knows no English beyond its requests, and nothing of the scenario.

Its tokenizer was thinned after the training: {unused} tokens that are rarer than {settings.rare_share:g} of the corpus are not made any
more (`[unusedN]`), as the base could not copy what it hardly ever met; a word with such a piece is made of more frequent ones.

| step | tokens | loss, nats per weighted token | wanted replies right, of held-back conversations |
|---|---|---|---|
{steps}

| file | SHA-256 |
|---|---|
{files}
"""


def _machine(settings: PretrainConfig) -> str:
    if settings.device == Device.cuda:
        return f"{torch.cuda.get_device_name()}, {platform.machine()}"
    return f"{platform.machine()} with {torch.backends.cpu.get_cpu_capability()}"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")

"""Fixtures that many rooms share: real tokenizers, a folder shaped like Mistral, scenarios, backends."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.process import start

ROOT = Path(__file__).resolve().parents[1]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads would wait for each other: every core has a worker of its own
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


# `--hypothesis-profile=thorough`, as `make test-all` has it, draws more; both draw the same examples every time
settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True, print_blob=False)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=200)
settings.load_profile("quick")


Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """once(name, make): a folder that one process of the test run makes and all of them read; nobody writes into it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # the workers' own folders lie in it

    def once(name: str, make: Callable[[Path], None]) -> Path:
        folder = shared / f"once-{name}"
        with FileLock(shared / f"once-{name}.lock"):
            if not folder.exists():
                draft = folder.with_suffix(".draft")
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir()
                make(draft)
                draft.rename(folder)
        return folder

    return once


@pytest.fixture(scope="session")
def small_mistral(once: Once) -> Path:
    """Mistral-7B-Instruct-v0.2 in small: its real tokenizer and template, random weights."""

    def make(folder: Path) -> None:
        made = start("scripts.small_mistral", folder, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = made.communicate(timeout=300)
        assert made.returncode == 0, output + errors

    return once("small_mistral", make)


@pytest.fixture(scope="session")
def recorded(once: Once) -> Path:
    """The record of 16 episodes of the reference, as `python -m sekft.collect` leaves it: what a short training learns from."""

    def make(folder: Path) -> None:
        done = run_command("collect", "sandbox=bwrap", "split.train_scenarios=16", "hydra.run.dir=run", cwd=folder)
        assert done.returncode == 0, done.stderr

    return once("recorded", make) / "run" / "trajectories.jsonl"


@pytest.fixture(scope="session")
def babbler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer and template of model=tiny under random weights, large ones: it never stops, and little moves what it says."""
    folder = tmp_path_factory.mktemp("babbler")
    tiny = ROOT / "sekft" / "model" / "tiny"
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(tiny / name, folder / name)
    shape = {"hidden_size": 128, "intermediate_size": 384, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 32}
    shape |= {"max_position_embeddings": 2048, "initializer_range": 0.08, "tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(json.loads((tiny / "config.json").read_text()) | shape))
    return folder


@pytest.fixture(scope="session")
def chatml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in tokenizer (bytes only) with the ChatML template: text follows the stop token, there is no BOS."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("chatml")
    vocabulary = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<|im_start|>", "<|im_end|>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>", "chat_template": CHATML}))
    (folder / "config.json").write_text(json.dumps({"eos_token_id": tokenizer.token_to_id("<|im_end|>")}))
    return folder


def changed(words: Iterable[str], *new: str) -> list[str]:
    """The words of a command line, with those of `new` in place of others with the same key."""
    keys = {word.partition("=")[0] for word in new}
    return [*(word for word in words if word.partition("=")[0] not in keys), *new]


def run_command(
    *arguments: str | Path, cwd: Path, input: str | None = None, timeout: float = 600, fresh: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`python -m sekft.<command> ...` as a user types it, in a folder of its own; input: what is typed at its prompts.

    It is forked from a process that has imported the libraries; fresh: it is an interpreter that has imported nothing.
    """
    command, *words = arguments
    with tempfile.TemporaryFile("w+") as typed:
        typed.write(input or "")
        typed.seek(0)
        run = start(
            f"sekft.{command}", *words, cwd=cwd, fresh=fresh, **environment,
            stdin=typed if input is not None else None, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    try:
        output, errors = run.communicate(timeout=timeout)
    except BaseException:
        run.kill()
        raise
    return subprocess.CompletedProcess([*map(str, arguments)], run.returncode or 0, output, errors)

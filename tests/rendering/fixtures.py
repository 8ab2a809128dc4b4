"""Chat templates and tokenizers for tests of the render contract, each with its origin and hash."""

import hashlib
import importlib.util
import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import trl
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from sekft.rendering.tokenizer import TEMPLATES as NAMED
from sekft.rendering.tokenizer import ChatTokenizer

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {"trl": Path(trl.__file__).parent / "chat_templates", "sekft": NAMED, "tests": Path(__file__).parent / "templates"}
REAL = ("v1", "v2", "v3", "v7", "tekken")  # Mistral's own vocabularies, as mistral-common ships them
VOCAB_SIZE = 8192  # of a stand-in; the whole vocabulary takes seconds to load
STAND_INS = {  # vocabularies for families whose own is not available offline
    "bytes": "one token per byte",
    "v1+": "the first tokens of Mistral's v1 vocabulary (SentencePiece)",
    "tekken+": "the first tokens of Mistral's tekken vocabulary (byte-level)",
}


@dataclass(frozen=True)
class Fixture:
    """A template and the special tokens of its family. stops: tokens besides eos that end a generation."""

    source: str  # a key of SHIPPED
    sha256: str
    bos: str | None
    eos: str
    control: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    markers: str = ""  # sha256 of TRL's variant with {% generation %} markers


_LLAMA = ("<|begin_of_text|>", "<|eot_id|>", ("<|start_header_id|>", "<|end_header_id|>"))
_CHATML = (None, "<|im_end|>", ("<|im_start|>", "<|endoftext|>"))
_GEMMA = ("<bos>", "<eos>", ("<start_of_turn>", "<end_of_turn>"), ("<end_of_turn>",))
_PHI = ("<s>", "<|endoftext|>", ("<|user|>", "<|assistant|>", "<|system|>", "<|end|>"), ("<|end|>",))
_COHERE = ("<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", ("<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"))
_DEEPSEEK = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", ("<｜User｜>", "<｜Assistant｜>"))
_GLM = (None, "<|endoftext|>", ("[gMASK]", "<sop>", "<|user|>", "<|assistant|>"), ("<|user|>",))
_GPT_OSS = ("<|startoftext|>", "<|return|>", ("<|start|>", "<|message|>", "<|end|>", "<|channel|>"))
FIXTURES = {
    "llama3": Fixture("trl", "ba03a121d097859c", *_LLAMA, markers="9dce981e2954cf77"),
    "llama3_1": Fixture("trl", "e10ca381b1ccc5cf", *_LLAMA),
    "llama3_2": Fixture("trl", "5816fce10444e03c", *_LLAMA),
    "qwen2_5": Fixture("trl", "cd8e9439f0570856", *_CHATML, markers="0cd86fb80f520885"),
    "qwen3": Fixture("trl", "a55ee1b1660128b7", *_CHATML, markers="1d944ff8f268b611"),
    "qwen3_instruct_2507": Fixture("trl", "64f85b198065d0fb", *_CHATML, markers="48e17aa3caf5bf20"),
    "gemma": Fixture("trl", "ecd6ae513fe103f0", *_GEMMA, markers="f825de9ae80eac8a"),
    "gemma3": Fixture("trl", "7de1c58e208eda46", *_GEMMA, markers="959b257e7fc1603f"),
    "phi3": Fixture("trl", "dcaee66df77bfbb7", *_PHI, markers="f00b774c5933129e"),
    "phi3_5": Fixture("trl", "78d976a442bcde2f", *_PHI, markers="a76a9651a9785afe"),
    "cohere": Fixture("trl", "90c33aee14aa2a22", *_COHERE, markers="5f9718bfe3a19453"),
    "lfm2": Fixture("trl", "cef187400d62a595", "<|startoftext|>", "<|im_end|>", ("<|im_start|>",), markers="fc29163f52185634"),
    "deepseekv3": Fixture("trl", "563b1ce7d61d50a9", *_DEEPSEEK, markers="aadb4942004c186f"),
    "deepseek_r1_distill": Fixture("trl", "56a1447ad31926fd", *_DEEPSEEK, markers="439ca50e037bdf26"),
    "glm4moe": Fixture("trl", "44f815868bf02fa4", *_GLM, markers="18cbc5123073ee4a"),
    "gptoss": Fixture("trl", "a4c9919cbbd4acdd", *_GPT_OSS, markers="6adda7cea0f63ef1"),
    "zephyr": Fixture("tests", "def7e27a8ab7aaeb", "<s>", "</s>"),
    "gemma4_v5": Fixture("trl", "0a2c8073c878ab1d", "<bos>", "<turn|>", ("<|turn>", "<|channel>", "<channel|>")),
    "phi4_mini": Fixture("tests", "febf589225c9728a", *_PHI),
    "mistral_v0_2": Fixture("tests", "4f8acce212d9a9cb", "<s>", "</s>"),
    "deepseek_coder": Fixture("tests", "476bd8fda2665e3d", "<｜begin▁of▁sentence｜>", "<|EOT|>"),
    "glm4": Fixture("tests", "1b0125ab0d7bda64", *_GLM),
    "chatml": Fixture("sekft", "5a9c6e1664db2d99", "<s>", "</s>"),
    "tinystories": Fixture("sekft", "24101a4f99a7eb0f", "<|endoftext|>", "<|endoftext|>"),
}


def source_of(name: str, markers: bool = False) -> str:
    """The text of a template. Raises AssertionError if its hash is not the expected one."""
    fixture = FIXTURES[name]
    text = (SHIPPED[fixture.source] / f"{name}{'_training' * markers}.jinja").read_text(encoding="utf-8")
    assert hash_of(text) == (fixture.markers if markers else fixture.sha256), f"{name}: found another hash than expected"
    return text


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write(name: str, vocabulary: str, folder: Path) -> ChatTokenizer:
    """Write a base's folder without weights: a template of FIXTURES with a stand-in vocabulary."""
    fixture = FIXTURES[name]
    tokenizer = Tokenizer.from_str(_stand_in(vocabulary))
    control = [token for token in (fixture.bos, fixture.eos, *fixture.control) if token]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in dict.fromkeys(control)])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": fixture.bos, "eos_token": fixture.eos}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    stops = [tokenizer.token_to_id(token) for token in (fixture.eos, *fixture.stops)]
    (folder / "config.json").write_text(json.dumps({"eos_token_id": stops}))
    (folder / "chat_template.jinja").write_text(source_of(name))
    return ChatTokenizer(folder)


def write_mistral(version: str, folder: Path) -> ChatTokenizer:
    """Write a base's folder without weights: one of REAL with the template that mistral-common writes for it."""
    small_mistral().write_tokenizer(folder, version)
    return ChatTokenizer(folder)


@cache
def _stand_in(vocabulary: str) -> str:
    """The stand-in's tokenizer as JSON."""
    if vocabulary != "bytes":
        whole = json.loads(small_mistral().fast_tokenizer(vocabulary.removesuffix("+")).to_str())
        kept = whole["model"]["vocab"] = {token: index for token, index in whole["model"]["vocab"].items() if index < VOCAB_SIZE}
        whole["model"]["merges"] = [pair for pair in whole["model"]["merges"] if {*pair, "".join(pair)} <= kept.keys()]
        whole["added_tokens"] = [token for token in whole["added_tokens"] if token["id"] < 3]
        return json.dumps(whole)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer.to_str()


@cache
def small_mistral() -> ModuleType:
    """scripts/small_mistral.py, imported."""
    spec = importlib.util.spec_from_file_location("small_mistral", ROOT / "scripts" / "small_mistral.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["small_mistral"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.fast_tokenizer = cache(module.fast_tokenizer)
    return module

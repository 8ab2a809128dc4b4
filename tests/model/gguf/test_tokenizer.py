"""The tokenizer of a GGUF file splits text as the model's own tokenizer does, or the file is refused in one line."""

import json
import random
from pathlib import Path

import mistral_common
import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from scripts.small_mistral import fast_tokenizer
from sekft.config import ModelConfig
from sekft.errors import ModelError
from sekft.model.gguf.convert import converted
from sekft.model.gguf.header import read_header
from sekft.model.gguf.tokenizer import SPLITS, write_tokenizer
from sekft.model.locate import base_folder
from tests.model.gguf.writing import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, add_small_tokenizer, add_values, finish, writer

ODD = [
    "a  5", "10 + 2345678 = 99",
    "ls -la\n\n\n x", "l'été déjà Straße ﬁ é", "日本語のテキスト 中文", "🙂👩‍👩‍👧 🇩🇪", "x\tif x:\n\t\t\treturn",
    "DON'T don't I'LL we'Ve", "\r\n\r\nabc\r\n", "HelloWorld ABCDef", "ＦＵＬＬ ①②③ ½", "<div class='a'>", "a\u00a0b\u2003c",
    "नमस्ते สวัสดี مرحبا", "/usr/local/bin:/bin//x", "-rw-r--r-- 1 agent agent 1234 Jan  1 00:00 a.txt", "=" * 70, "a" + " " * 40 + "b",
]  # fmt: skip


def lines() -> list[str]:
    draw = random.Random(0)
    return ODD + ["a" + "".join(draw.choice("ab 01 \n\t.,'/$éß中🙂AB") for _ in range(40)) for _ in range(200)]


def made(folder: Path, file: Path) -> Tokenizer:
    write_tokenizer(read_header(file), 128, folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def test_smollm2_splits_every_digit_as_it_was_trained_to() -> None:
    folder = base_folder(ModelConfig(name="smollm2", path="sekft:smollm2"), weights=False)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("a  5 10", add_special_tokens=False).tokens == ["a", "ĠĠ", "5", "Ġ", "1", "0"]
    assert all(tokenizer.decode(ids(tokenizer, line)) == line for line in lines())
    hub = AutoTokenizer.from_pretrained(folder)
    assert [hub(line, add_special_tokens=False)["input_ids"] for line in lines()] == [ids(tokenizer, line) for line in lines()]
    messages = [{"role": "user", "content": "$ "}]
    text = hub.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert hub.apply_chat_template(messages, add_generation_prompt=True)["input_ids"] == ids(tokenizer, text)


def test_a_sentencepiece_vocabulary_splits_as_sentencepiece_does(tmp_path: Path) -> None:
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(Path(mistral_common.__file__).parent / "data" / "tokenizer.model.v1"))
    file = tmp_path / "v1.gguf"
    kinds = {pieces.is_unknown: UNKNOWN, pieces.is_control: CONTROL, pieces.is_byte: BYTE, pieces.is_unused: UNUSED}
    numbers = range(pieces.get_piece_size())
    gguf = writer(file, "llama")
    gguf.add_tokenizer_model("llama")
    gguf.add_token_list([pieces.id_to_piece(number) for number in numbers])
    gguf.add_token_scores([pieces.get_score(number) for number in numbers])
    gguf.add_token_types([next((kind for check, kind in kinds.items() if check(number)), NORMAL) for number in numbers])
    gguf.add_bos_token_id(1)
    finish(gguf)
    tokenizer = made(tmp_path, file)
    assert [line for line in lines() if ids(tokenizer, line) != pieces.encode(line)] == []
    assert [line for line in lines() if tokenizer.decode(ids(tokenizer, line)) != line] == []
    assert tokenizer.encode("x").tokens[0] == "<s>"  # a file that does not say adds BOS
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert settings["bos_token"] == "<s>" and settings["add_bos_token"] is True


@pytest.mark.exhaustive
def test_a_tekken_vocabulary_splits_as_mistrals_own_tokenizer(tmp_path: Path) -> None:
    reference = fast_tokenizer("tekken")
    write_byte_level(tmp_path / "tekken.gguf", reference, "tekken")
    tokenizer = made(tmp_path, tmp_path / "tekken.gguf")
    assert [line for line in lines() if ids(tokenizer, line) != ids(reference, line)] == []


def write_byte_level(file: Path, reference: Tokenizer, pre: str) -> None:
    """Write the vocabulary and merges of a tokenizer, with the filling that a conversion appends."""
    document = json.loads(reference.to_str())
    added = {token["content"]: token for token in document["added_tokens"]}
    vocabulary = document["model"]["vocab"] | {text: token["id"] for text, token in added.items()}
    size = max(vocabulary.values()) + 1
    tokens, types = [f"[PAD{number}]" for number in range(size + 3)], [UNUSED] * (size + 3)
    for text, number in vocabulary.items():
        tokens[number], types[number] = text, CONTROL if text in added else NORMAL
    gguf = writer(file, "llama")
    gguf.add_tokenizer_model("gpt2")
    gguf.add_tokenizer_pre(pre)
    gguf.add_token_list(tokens)
    gguf.add_token_types(types)
    gguf.add_token_merges([" ".join(merge) for merge in document["model"]["merges"]])
    finish(gguf)


def test_an_unknown_pre_tokenizer_is_refused_in_one_line(tmp_path: Path) -> None:
    for pre in ("default", "kimi-k2"):
        gguf = writer(tmp_path / "own.gguf", "llama")
        add_small_tokenizer(gguf, pre)
        finish(gguf)
        with pytest.raises(
            ModelError, match=f"own.gguf: found the pre-tokenizer {pre}, allowed: {', '.join(sorted(SPLITS))}; give"
        ) as refused:
            made(tmp_path, tmp_path / "own.gguf")
        assert "\n" not in str(refused.value)


def test_every_token_that_ends_a_turn_stops_a_generation(tmp_path: Path) -> None:
    from tests.model.gguf.test_weights import small

    gguf = writer(tmp_path / "own.gguf", "llama")
    add_values(gguf, small("llama"))
    add_small_tokenizer(gguf)
    gguf.add_eot_token_id(256)
    gguf.add_tensor("token_embd.weight", small("llama").model.embed_tokens.weight.detach().numpy())
    finish(gguf)
    folder = converted(tmp_path / "own.gguf", weights=False, cache=tmp_path)
    for name in ("config.json", "generation_config.json"):
        assert json.loads((folder / name).read_text())["eos_token_id"] == [258, 256]

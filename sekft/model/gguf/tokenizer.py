"""The tokenizer of a GGUF file as tokenizer.json, tokenizer_config.json and chat_template.jinja. No torch.

A GGUF file holds vocabulary and merges, but of the pre-tokenizer only a name (`tokenizer.ggml.pre`). Here every name that is known gives
the steps that the family's own tokenizer.json has; an unknown one is refused, because its text would be split differently from what the
model was trained on. transformers 5.23 splits every name it does not know as GPT-2 does: the blanks in SmolLM2's "a  5" became two
tokens, not one.
Names: https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.errors import ModelError
from sekft.model.gguf.header import Header
from sekft.tracking.files import write_json, write_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 2, 3, 4, 5  # values of tokenizer.ggml.token_type
BLANK = "▁"
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LLAMA3 = [rf"{CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{TAIL}"]
QWEN2 = [rf"{CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{TAIL}"]
QWEN35 = [rf"{CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
GPT4O = [
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTION}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTION}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
]
TEKKEN = [
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
]
DEEPSEEK3 = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
]
GPT2: list[str] = []  # no pattern: the split that ByteLevel has of its own
SPLITS = {  # tokenizer.ggml.pre -> the patterns that cut a text, one after the other
    **dict.fromkeys(("llama3", "llama-v3", "llama-bpe", "falcon3", "smaug-bpe", "dbrx"), LLAMA3),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen"), QWEN2),
    "qwen35": QWEN35,
    **dict.fromkeys(("gpt-4o", "llama4"), GPT4O),
    "tekken": TEKKEN,
    "deepseek-v3": DEEPSEEK3,
    **dict.fromkeys(("smollm", "starcoder", "gpt-2"), GPT2),
}
SINGLE_DIGITS = ("smollm", "starcoder")  # every digit is cut out before the split of ByteLevel
NFC = ("qwen2", "deepseek-r1-qwen", "qwen35")
WHOLE_WORDS = (
    "llama3",
    "llama-v3",
    "llama-bpe",
    "falcon3",
    "tekken",
    "gpt-4o",
    "llama4",
)  # a word that is a token is never merged up to it
ADD_BOS = ("llama3", "llama-v3", "llama-bpe", "falcon3", "tekken")  # where the file does not say


def write_tokenizer(header: Header, context: int, folder: Path) -> None:
    """Write the tokenizer files. context: in tokens. Raises ModelError for a tokenizer that is not known, or that lacks a part."""
    kind = header.of_tokenizer("model")
    builders = {"gpt2": _byte_level, "llama": _sentencepiece}
    if kind not in builders:
        raise ModelError(
            f"{header.file}: found tokenizer.ggml.model={kind}, allowed: {', '.join(builders)}; give the original folder instead"
        )
    tokens, kinds = _list(header, "tokens"), _list(header, "token_type")
    if len(tokens) != len(kinds):
        raise ModelError(f"{header.file}: found {len(kinds)} types for {len(tokens)} tokens; fetch another conversion of this model")
    tokenizer = builders[kind](header, tokens, kinds)
    _add_tokens(tokenizer, tokens, kinds)
    texts = _named_tokens(header, tokens)
    default = kind == "llama" or header.of_tokenizer("pre") in ADD_BOS
    add_bos = bool(header.values.get("tokenizer.ggml.add_bos_token", default)) and "bos_token" in texts
    if add_bos:
        _prepend(tokenizer, texts["bos_token"])
    write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True) + "\n")
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context, "add_bos_token": add_bos}
    write_json(folder / "tokenizer_config.json", settings | texts | {"clean_up_tokenization_spaces": False})
    if template := header.values.get("tokenizer.chat_template"):
        write_text(folder / "chat_template.jinja", template)


def _byte_level(header: Header, tokens: list[str], kinds: list[int]) -> "Tokenizer":
    """Byte-pair encoding of bytes."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    pre = header.of_tokenizer("pre")
    if pre not in SPLITS:
        raise ModelError(
            f"{header.file}: found the pre-tokenizer {pre}, allowed: {', '.join(sorted(SPLITS))}; "
            "give the folder or hub id of the original weights instead, whose tokenizer.json says how text is split"
        )
    merges = [_pair(merge) for merge in _list(header, "merges")]
    tokenizer = Tokenizer(models.BPE(vocab=_vocabulary(tokens, kinds), merges=merges, ignore_merges=pre in WHOLE_WORDS))
    steps: list[Any] = [pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in SPLITS[pre]]
    if pre in SINGLE_DIGITS:
        steps.append(pre_tokenizers.Digits(individual_digits=True))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not SPLITS[pre]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    if pre in NFC:
        tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def _sentencepiece(header: Header, tokens: list[str], kinds: list[int]) -> "Tokenizer":
    """Byte-pair encoding of characters, blanks written as ▁. The file has scores, from which the merges follow."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    gemma = header.architecture.startswith("gemma")
    prefix = bool(header.values.get("tokenizer.ggml.add_space_prefix", not gemma)) and not gemma
    if header.of_tokenizer("remove_extra_whitespaces"):
        raise ModelError(f"{header.file}: found a tokenizer that removes blanks, allowed: one that keeps text as it is")
    for index, text in enumerate(tokens):
        if gemma and kinds[index] == USER_DEFINED and text.isspace():
            tokens[index] = text.replace(" ", BLANK)  # llama.cpp's conversion writes the runs of blanks with blanks
    # Gemma's scores do not follow its merges: the pieces that its makers added come first, then the others in the order of the tokens
    by_place = [1.0 if kind == USER_DEFINED else -index for index, kind in enumerate(kinds)]
    scores = by_place if gemma else _list(header, "scores")
    unknown = header.of_tokenizer("unknown_token_id")
    vocabulary = _vocabulary(tokens, kinds)
    model = models.BPE(
        vocab=vocabulary,
        merges=merges_of(tokens, scores, vocabulary),
        unk_token=tokens[unknown if unknown is not None else kinds.index(UNKNOWN)],
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    first = prefix and CONTROL in (kinds[index] for index, text in enumerate(tokens) if text == "[INST]")  # Mistral v3 and later
    if first:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=BLANK, prepend_scheme="first", split=False)
    else:
        steps = [normalizers.Prepend(BLANK)] if prefix else []
        tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", BLANK)])
    decoding = [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*decoding, decoders.Strip(" ", 1, 0)] if prefix else decoding)
    return tokenizer


def merges_of(tokens: list[str], scores: list[float], vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """The merges that give a piece from two others, the piece with the best score first, as SentencePiece joins them."""
    found = []
    for score, text in zip(scores, tokens, strict=True):
        for cut in range(1, len(text)):
            left, right = text[:cut], text[cut:]
            if left in vocabulary and right in vocabulary:
                found.append((-score, -cut, cut - len(text), left, right))
    return [(left, right) for *_, left, right in sorted(found)]


def _vocabulary(tokens: list[str], kinds: list[int]) -> dict[str, int]:
    """text -> id, without the names that fill the vocabulary up to the number of embeddings."""
    filling = re.compile(r"\[PAD\d+\]|<pad\d+>")
    return {text: index for index, text in enumerate(tokens) if not (kinds[index] == UNUSED and filling.fullmatch(text))}


def _add_tokens(tokenizer: "Tokenizer", tokens: list[str], kinds: list[int]) -> None:
    """Make the tokens that are cut out of a text before it is split: control tokens, and those that the model's maker added."""
    from tokenizers import AddedToken

    for kind, special in ((CONTROL, True), (USER_DEFINED, False)):
        added = [AddedToken(text, special=special, normalized=False) for text, found in zip(tokens, kinds, strict=True) if found == kind]
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(added)


def _prepend(tokenizer: "Tokenizer", bos: str) -> None:
    """Put BOS before a text that is encoded with special tokens; a chat template writes its own."""
    from tokenizers import processors

    index = tokenizer.token_to_id(bos)
    tokenizer.post_processor = processors.TemplateProcessing(f"{bos}:0 $A:0", f"{bos}:0 $A:0 {bos}:1 $B:1", [(bos, index)])


def _named_tokens(header: Header, tokens: list[str]) -> dict[str, str]:
    names = {"bos_token": "bos_token_id", "eos_token": "eos_token_id", "unk_token": "unknown_token_id", "pad_token": "padding_token_id"}
    found = {name: header.of_tokenizer(key) for name, key in names.items()}
    return {name: tokens[index] for name, index in found.items() if index is not None and index < len(tokens)}


def _pair(merge: str) -> tuple[str, str]:
    at = merge.find(" ", 1)
    return merge[:at], merge[at + 1 :]


def _list(header: Header, key: str) -> list[Any]:
    found = header.of_tokenizer(key)
    if not isinstance(found, list) or not found:
        raise ModelError(f"{header.file}: lacks tokenizer.ggml.{key}; fetch another conversion of this model")
    return list(found)

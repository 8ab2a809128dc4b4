"""The tokenizer of a GGUF file as tokenizer.json, tokenizer_config.json and chat_template.jinja. No torch.

A GGUF file names its pre-tokenizer (`tokenizer.ggml.pre`) instead of holding it. transformers 5.23 knows some of the names and splits the
others as GPT-2: SmolLM2's "10" became one token, where the model was trained on two.
Source of the names: https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp; of the splits: the families' tokenizer.json.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.errors import ModelError
from sekft.model.gguf.header import Header
from sekft.tracking.files import write_json, write_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTROL, USER_DEFINED = 3, 4  # values of tokenizer.ggml.token_type


def write_tokenizer(header: Header, context: int, folder: Path) -> None:
    """Write the tokenizer files. context: in tokens. Raises ModelError for a tokenizer that is not known."""
    if header.of_tokenizer("model") != "gpt2":
        raise ModelError(f"{header.file}: found the tokenizer {header.of_tokenizer('model')}, allowed: gpt2")
    tokenizer = _byte_level(header)
    write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True) + "\n")
    tokens = header.of_tokenizer("tokens")
    names = {"bos_token": "bos_token_id", "eos_token": "eos_token_id", "pad_token": "padding_token_id", "unk_token": "unknown_token_id"}
    texts = {name: tokens[index] for name, key in names.items() if (index := header.of_tokenizer(key)) is not None}
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context}
    write_json(folder / "tokenizer_config.json", settings | texts | {"clean_up_tokenization_spaces": False})
    if template := header.values.get("tokenizer.chat_template"):
        write_text(folder / "chat_template.jinja", template)


def _byte_level(header: Header) -> "Tokenizer":
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = header.of_tokenizer("tokens")
    merges = [tuple(merge.split(" ")) for merge in header.of_tokenizer("merges")]
    tokenizer = Tokenizer(models.BPE(vocab={text: index for index, text in enumerate(tokens)}, merges=merges))
    if header.of_tokenizer("pre") != "smollm":
        raise ModelError(f"{header.file}: found the pre-tokenizer {header.of_tokenizer('pre')}, allowed: smollm")
    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    kinds = header.of_tokenizer("token_type")
    for kind, special in ((CONTROL, True), (USER_DEFINED, False)):
        added = [AddedToken(text, special=special, normalized=False) for text, found in zip(tokens, kinds, strict=True) if found == kind]
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(added)
    return tokenizer

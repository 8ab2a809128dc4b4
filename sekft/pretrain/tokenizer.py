"""The tokenizer of the embedded base: a byte-level BPE in which a name has the same tokens wherever it occurs."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from sekft.pretrain.corpus import sentences
from sekft.scenario import library, taxonomy, words

CONTROL = ("<s>", "</s>", "[INST]", "[/INST]")
BOS, EOS, OPEN, CLOSE = range(len(CONTROL))
UNUSED = "[unused"  # prefix of the names of tokens that the encoder never produces
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[INST]' + message['content'] + '[/INST]' }}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
SETTINGS = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": CONTROL[BOS], "eos_token": CONTROL[EOS]}
_WORD = r"(?<=[ ])[a-z]+\b"
_SUFFIXES = ("txt", "md", "log", "csv", "conf", "sh", "b64", "tar", "sum")
# Words that the docstrings of these modules contributed when the shipped bases were made. They decide the bytes of the tokenizer,
# so they are listed here: a rewritten docstring must not change a base.
_WORDS_OF_DOCSTRINGS = """
    access accessed added alone along also announced announces another axes bare base before beside builds built builtins busy certain
    computes configuration counted data differ direct ends exam example exceptions explicitly full function functions given go have
    imperative key kind len lies log longer made module modules most move normally objects on other others people picked provide
    provides reached requests rest same stay stays two types useful world worlds writes yet
"""


def train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Train the tokenizer; the same texts in the same order give the same tokenizer.

    vocabulary: number of tokens, including the control tokens and one token for each byte.
    """
    tokenizer = Tokenizer(models.BPE())
    pieces = pre_tokenizers.Split(Regex(_pattern()), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(text, special=True, normalized=False) for text in CONTROL]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def without_rare(tokenizer: Tokenizer, texts: Iterable[str], least: float) -> Tokenizer:
    """The tokenizer without its rare tokens; all other tokens keep their ids.

    least: the share of all tokens of the texts below which a token is rare. A base cannot copy a token that it has hardly ever seen, and
    byte-pair encoding leaves many such tokens behind: parts of words that are tokens themselves. A frequent word stays one token; a word
    that was a rare token is split into the tokens that remain. A removed token becomes [unusedN].
    """
    count = Counter(token for text in texts for token in tokenizer.encode(text, add_special_tokens=False).ids)
    parts = json.loads(tokenizer.to_str())
    bpe, merged = parts["model"], {"".join(pair) for pair in parts["model"]["merges"]}
    rare = {token for token in merged if count[bpe["vocab"][token]] < least * count.total()}
    bpe["vocab"] = {f"{UNUSED}{number}]" if token in rare else token: number for token, number in bpe["vocab"].items()}
    bpe["merges"] = [pair for pair in bpe["merges"] if not rare & {*pair, "".join(pair)}]
    bpe["ignore_merges"] = True  # look a whole word up before merging: the intermediate pieces may have been removed
    return Tokenizer.from_str(json.dumps(parts))


def _pattern() -> str:
    """The regular expression that splits a text: a word of our own sentences includes the blank before it; a possible name never does."""
    return "|".join(
        (
            rf" (?:{'|'.join(_words_of_sentences())})(?![\p{{L}}\p{{N}}])",
            rf"\.(?:{'|'.join(_SUFFIXES)})(?![\p{{L}}\p{{N}}])",
            r"\p{L}+",
            r"\p{N}",
            r"\n",
            r"[^\p{L}\p{N}\n]+",
        )
    )


@cache
def _words_of_sentences() -> tuple[str, ...]:
    """The words of all sentences that scenarios and requests are made of, longest first; without words that are also typed as names."""
    modules = [*map(library.module, library.archetypes()), sentences, taxonomy]
    constants = [value for module in modules for name, value in vars(module).items() if not name.startswith("__")]
    typed = {*words.NOUNS, *words.PROVIDERS, *taxonomy.VERBS, *taxonomy.OBJECTS, *taxonomy.TOPICS, *sentences.ODD_WORDS}
    typed |= {name for name, _, _ in taxonomy.DECOYS}
    found = {word for value in constants for text in _texts(value) for word in re.findall(_WORD, re.sub(r"\{[^}]*\}", "X", text))}
    return tuple(sorted(found.union(_WORDS_OF_DOCSTRINGS.split()) - typed, key=lambda word: (-len(word), word)))


def _texts(value: object) -> Iterable[str]:
    """All strings in a constant that contain a blank, also those in nested containers."""
    if isinstance(value, str):
        return [value] if " " in value else []
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, tuple | list):
        return [text for inner in value for text in _texts(inner)]
    return []

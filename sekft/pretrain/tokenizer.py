"""The tokenizer of the embedded base: a byte-level BPE in which a name is the same tokens wherever it stands."""

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
UNUSED = "[unused"  # what a token's name begins with that is never made
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[INST]' + message['content'] + '[/INST]' }}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
SETTINGS = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": CONTROL[BOS], "eos_token": CONTROL[EOS]}
_SUFFIXES = ("txt", "md", "log", "csv", "conf", "sh", "b64", "tar", "sum")


def train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """vocabulary: tokens, control tokens and all bytes among them. Same texts in the same order, same tokenizer."""
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
    """The same ids for the same tokens, but those that are rarer in the texts than this share are not made any more: what a base
    has hardly met it cannot copy, and byte-pair encoding leaves many such pieces behind, parts of words that are tokens themselves.
    A word that is a token stays one; other words are made of the pieces that are left."""
    count = Counter(token for text in texts for token in tokenizer.encode(text, add_special_tokens=False).ids)
    parts = json.loads(tokenizer.to_str())
    bpe, made = parts["model"], {"".join(pair) for pair in parts["model"]["merges"]}
    rare = {token for token in made if count[bpe["vocab"][token]] < least * count.total()}
    bpe["vocab"] = {f"{UNUSED}{number}]" if token in rare else token: number for token, number in bpe["vocab"].items()}
    bpe["merges"] = [pair for pair in bpe["merges"] if not rare & {*pair, "".join(pair)}]
    bpe["ignore_merges"] = True  # a whole word is looked up before it is put together: the pieces on the way to it may be gone
    return Tokenizer.from_str(json.dumps(parts))


def _pattern() -> str:
    """A word of our own sentences takes the blank before it along; anything that may be a name never does."""
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
    """Longest first. Words that are also typed, as sub-commands or names, are not among them."""
    sayings = [text for name in library.archetypes() for value in vars(library.module(name)).values() for text in _texts(value)]
    sayings += [text for module in (sentences, taxonomy) for value in vars(module).values() for text in _texts(value)]
    typed = {*words.NOUNS, *words.PROVIDERS, *taxonomy.VERBS, *taxonomy.OBJECTS, *taxonomy.TOPICS, *sentences.ODD_WORDS}
    typed |= {name for name, _, _ in taxonomy.DECOYS}
    found = {word for text in sayings for word in re.findall(r"(?<=[ ])[a-z]+\b", re.sub(r"\{[^}]*\}", "X", text))}
    return tuple(sorted(found - typed, key=lambda word: (-len(word), word)))


def _texts(value: object) -> Iterable[str]:
    """The sentences in a constant: anything with a blank in it."""
    if isinstance(value, str):
        return [value] if " " in value else []
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, tuple | list):
        return [text for inner in value for text in _texts(inner)]
    return []

"""Tokenizer and rows of the pre-training: how text is split, which tokens are weighted, how rows are packed."""

import json
from collections import Counter
from importlib.resources import files

import pytest
import torch
from tokenizers import Tokenizer

from sekft.config.pretrain import CorpusConfig
from sekft.pretrain import rows
from sekft.pretrain import tokenizer as tokenizers
from sekft.pretrain.corpus.conversation import generate_conversation
from sekft.pretrain.tokenizer import BOS, EOS
from sekft.scenario import library, words

KNOWN = tuple(name for name in library.archetypes() if name not in ("find_size", "latest", "reverse", "verify"))


def conversations(count: int):
    return [generate_conversation(f"rows:{number}", CorpusConfig().shares, 0.25, KNOWN) for number in range(count)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenizers.train((text for one in conversations(1500) for text in one.messages), 2048)


def test_the_splitting_pattern_has_every_word_of_the_shipped_one():
    """The bytes of the shipped bases can be reproduced only while this holds."""
    shipped = json.loads((files("sekft") / "model" / "tiny" / "tokenizer.json").read_text())
    pattern = shipped["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    words_of = [set(text.removeprefix(" (?:").partition(")")[0].split("|")) for text in (pattern, tokenizers._pattern())]
    assert len(words_of[0]) > 300 and words_of[0] <= words_of[1]


def test_a_name_has_the_same_tokens_wherever_it_occurs(tokenizer: Tokenizer):
    for name in (*words.NOUNS[::7], *words.TEST_PROVIDERS, "zxqv", "report2"):
        alone = tokenizer.encode(name).ids
        for around in ("cat {}", "cat srv/{}.txt", "{}.md", "say {} once", "a\n{}", "{}/x", "({})"):
            ids = tokenizer.encode(around.format(name)).ids
            assert any(ids[start : start + len(alone)] == alone for start in range(len(ids))), around


def test_any_text_is_decoded_as_it_was(tokenizer: Tokenizer):
    for text in ("$ ", "Grüße, 日本 ‘x’ \t~\n", "awk -F, '{s += $2} END {print s}' a.csv > b.txt", "  two  blanks "):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_a_thinned_tokenizer_produces_no_rare_token_and_keeps_frequent_words_whole(tokenizer: Tokenizer):
    texts = [text for one in conversations(1500) for text in one.messages]
    thinned = tokenizers.without_rare(tokenizer, texts, 1e-3)
    before, after = ([one.ids for one in each.encode_batch(texts)] for each in (tokenizer, thinned))
    share = {token: count / sum(map(len, before)) for token, count in Counter(token for ids in before for token in ids).items()}
    known = {token for token in range(2048) if share.get(token, 0) >= 1e-3 or len(tokenizer.id_to_token(token)) == 1}
    assert len(known) < 500 and {token for ids in after for token in ids} <= known | set(range(len(tokenizers.CONTROL)))
    assert [thinned.decode(ids) for ids in after] == texts
    assert thinned.encode("directives").ids == tokenizer.encode("directives").ids and len(thinned.encode("directives").ids) == 1
    assert thinned.encode("[unused300]").tokens[0] == "["
    again = tokenizers.without_rare(tokenizer, texts, 1e-3)
    assert again.to_str() == thinned.to_str() and thinned.get_vocab_size() == tokenizer.get_vocab_size()


def test_only_replies_and_their_stop_tokens_are_marked_as_replies(tokenizer: Tokenizer):
    for one in conversations(50):
        made = rows.encode(one, tokenizer)
        own = [token for token, reply in zip(made.ids, made.in_reply, strict=True) if reply]
        assert tokenizer.decode([token for token in own if token != EOS]) == "".join(one.messages[1::2])
        assert own.count(EOS) == len(one.messages) // 2 == made.ids.count(EOS)
        assert [tokenizer.decode(made.ids[start : end - 1]) for start, end in made.requested] == [
            one.messages[index] for index in one.requested
        ]


def test_rows_contain_whole_conversations_with_the_weights_of_their_tokens(tokenizer: Tokenizer):
    made = [rows.encode(one, tokenizer) for one in conversations(30)]
    ids, weights = rows.pack(made, 4, 1024, 0.25)
    starts = (ids == BOS).nonzero().tolist()
    for row, start in starts:
        whole = next(one for one in made if tuple(ids[row, start : start + len(one.ids)].tolist()) == one.ids)
        wanted = [0.0, *(1.0 if reply else 0.25 for reply in whole.in_reply[1:])]
        assert weights[row, start : start + len(whole.ids)].tolist() == wanted
    assert len(starts) >= 4 and not torch.equal(weights, torch.zeros_like(weights))


def test_a_conversation_that_does_not_fit_is_left_out(tokenizer: Tokenizer):
    made = [rows.encode(one, tokenizer) for one in conversations(30)]
    longest = max(len(one.ids) for one in made)
    ids, weights = rows.pack(made, 1, longest - 1, 0.1)
    assert ids.shape == (1, longest - 1) and weights[ids == BOS].sum() == 0

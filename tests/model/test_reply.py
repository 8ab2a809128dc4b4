"""The pieces of a streamed reply join to the reply, also where a token changes the text of the one before it."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from sekft.model import base
from sekft.model.reply import ReplyStream, cut_at_stop, decode_reply
from sekft.rendering.tokenizer import ChatTokenizer


@pytest.fixture(params=["tiny", "small_mistral", "chatml"])
def tokenizer(request: pytest.FixtureRequest) -> ChatTokenizer:
    name = request.param
    return ChatTokenizer(Path(base.__file__).parent / name if name == "tiny" else request.getfixturevalue(name))


def streamed(reply: Sequence[int], tokenizer: ChatTokenizer, stop: Sequence[str] = ()) -> tuple[list[str], str, bool, int]:
    """The pieces, the whole text, whether a stop string ended it, and after how many tokens, as `complete` does it."""
    stream = ReplyStream([5], tokenizer, stop)
    pieces, count = [], 0
    for count in range(1, len(reply) + 1):
        piece, stopped = stream.settled(reply[:count])
        pieces.append(piece)
        if stopped:
            break
    last, text, stopped = stream.finish(reply[:count])
    return [*pieces, last], text, stopped, count


def random_reply(rng: random.Random, tokenizer: ChatTokenizer) -> list[int]:
    """Unusual tokens: parts of characters, runs of single bytes, control tokens, blanks."""
    typed = tokenizer.encode("ls héllo ✓🐚\n\n a\x00  b")[0]
    return [rng.choice(typed) if rng.random() < 0.6 else rng.randrange(min(tokenizer.vocab_size, 600)) for _ in range(rng.randint(1, 24))]


def test_the_pieces_join_to_the_text_that_the_agent_types(tokenizer: ChatTokenizer):
    rng, several = random.Random(0), 0
    for _ in range(400):
        reply = random_reply(rng, tokenizer)
        pieces, text, stopped, count = streamed(reply, tokenizer)
        assert "".join(pieces) == text == decode_reply([5], reply, tokenizer) and not stopped and count == len(reply)
        several += sum(map(bool, pieces)) > 2
    assert several > 100, "nearly all replies came in one piece: nothing was streamed"


def test_a_stop_string_ends_the_reply_and_no_part_of_it_is_streamed(tokenizer: ChatTokenizer):
    rng, ended = random.Random(1), 0
    for _ in range(400):
        reply = random_reply(rng, tokenizer)
        full = decode_reply([5], reply, tokenizer)
        at = rng.randrange(len(full)) if full else 0
        stop = [full[at : at + rng.randint(1, 3)] or "x", "never"]
        pieces, text, stopped, count = streamed(reply, tokenizer, stop)
        assert "".join(pieces) == text and not any(string in text for string in stop)
        assert text == cut_at_stop(decode_reply([5], reply[:count], tokenizer), stop)[0]
        ended += stopped
    assert ended > 100


def test_a_newline_that_is_a_single_byte_ends_the_reply_at_once(small_mistral: Path):
    tokenizer = ChatTokenizer(small_mistral)
    reply = tokenizer.encode("ls -la\nexit")[0]
    newline = next(at for at, token in enumerate(reply) if tokenizer.is_byte(token))
    pieces, text, stopped, count = streamed(reply, tokenizer, ["\n"])
    assert (text.strip(), stopped, count) == ("ls -la", True, newline + 1) and "".join(pieces) == text

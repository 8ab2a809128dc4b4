"""Many published templates, as TRL ships them: each renders one way in training and serving, is unrolled, or is refused."""

from pathlib import Path

import pytest

from sekft.rendering.messages import Message
from sekft.rendering.render import TokenKind, prompt_ids, render_all
from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.fixtures import write

WHOLE = ("llama3", "llama3_2", "qwen2_5", "gemma", "gemma3", "phi3", "deepseek_r1_distill", "deepseekv3")
UNROLLED = ("qwen3", "gptoss", "glm4moe")
TEXTS = ("Welcome\n$ ", "ls", "a  b\n$ ", "cat 'a  b'", "$ ", "exit")
TALK = [Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(TEXTS)]
RAW = [
    Message(role="system", content="You are here."),
    *TALK[:3],
    Message(role="user", content="more </s> <|im_end|> <end_of_turn>\n$ "),
    *TALK[3:],
]


def stand_in(name: str, folder: Path) -> ChatTokenizer:
    """The published template over a tokenizer of bytes with that family's control tokens."""
    return write(name, "bytes", folder)


@pytest.mark.parametrize("name", WHOLE + UNROLLED)
def test_every_decision_is_learned_after_exactly_what_is_served(name: str, tmp_path: Path):
    tokenizer = stand_in(name, tmp_path)
    assert tokenizer.form.is_whole == (name in WHOLE)
    renderings = render_all(TALK, tokenizer)
    assert len(renderings) == (3 if name in UNROLLED else 1)
    decisions = 0
    for rendered in renderings:
        for turn in sorted({turn for turn, kind in zip(rendered.turns, rendered.kinds, strict=True) if kind is TokenKind.stop}):
            served = prompt_ids(TALK[:turn], tokenizer)
            reply = [
                i for i, t, k in zip(rendered.ids, rendered.turns, rendered.kinds, strict=True) if t == turn and k is not TokenKind.context
            ]
            assert list(rendered.ids[: len(served)]) == served
            assert list(rendered.ids[len(served) : len(served) + len(reply)]) == reply
            assert tokenizer.read_reply(served[-1], reply) == TALK[turn].content and reply[-1] in tokenizer.stop_ids
            decisions += 1
    assert decisions == 3


@pytest.mark.parametrize("name", WHOLE + UNROLLED)
def test_the_saved_template_gives_any_server_the_ids_of_training(name: str, tmp_path: Path):
    check_saved_template(stand_in(name, tmp_path), tmp_path)


def test_the_saved_template_gives_the_real_mistral_tokenizer_the_ids_of_training(small_mistral: Path):
    check_saved_template(ChatTokenizer(small_mistral), small_mistral)


def check_saved_template(ours: ChatTokenizer, folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    server = PreTrainedTokenizerFast.from_pretrained(folder)
    server.chat_template = ours.canonical_template
    for messages in (RAW[:2], RAW[:5], RAW[:7], TALK[:1], TALK[:5]):
        plain = [message.model_dump() for message in messages]
        assert server.apply_chat_template(plain, add_generation_prompt=True, return_dict=False) == prompt_ids(messages, ours)
    from sekft.rendering.canonical_template import self_canonicalising

    assert self_canonicalising(ours.canonical_template, ours.control.values(), {}) == ours.canonical_template


def test_a_system_turn_in_the_middle_is_refused_by_the_saved_template_too(small_mistral: Path):
    from jinja2 import TemplateError
    from transformers import PreTrainedTokenizerFast

    server = PreTrainedTokenizerFast.from_pretrained(small_mistral)
    server.chat_template = ChatTokenizer(small_mistral).canonical_template
    with pytest.raises(TemplateError, match="a system turn is allowed only as the first"):
        server.apply_chat_template([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}])


def test_a_template_that_prints_todays_date_is_rendered_and_saved_with_a_fixed_day(tmp_path: Path):
    from transformers import PreTrainedTokenizerFast

    ours = stand_in("llama3_2", tmp_path)
    server = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    plain = [message.model_dump() for message in TALK[:1]]
    today = server.apply_chat_template(plain, add_generation_prompt=True, return_dict=False)
    assert today != prompt_ids(TALK[:1], ours)
    server.chat_template = ours.canonical_template
    assert server.apply_chat_template(plain, add_generation_prompt=True, return_dict=False) == prompt_ids(TALK[:1], ours)
    assert "26 Jul 2024" in ours.decode(prompt_ids(TALK[:1], ours))


@pytest.mark.parametrize("name", ["chatml", "tinystories"])
def test_a_named_template_writes_the_bos_that_a_base_has_and_stops_at_its_end_token(name: str, small_mistral: Path, tmp_path: Path):
    for file in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (tmp_path / file).write_bytes((small_mistral / file).read_bytes())
    tokenizer = ChatTokenizer(tmp_path, name)
    [rendered] = render_all(TALK, tokenizer)
    assert rendered.ids[0] == tokenizer.bos and rendered.ids.count(tokenizer.bos) == 1
    stops = [i for i, kind in zip(rendered.ids, rendered.kinds, strict=True) if kind is TokenKind.stop]
    assert stops == [tokenizer.eos] * 3


def test_the_tinystories_template_is_plain_text_as_the_stories_have_it(tmp_path: Path):
    from sekft.rendering.render import render

    request = "Features: Dialogue\nWords: quit, oak, gloomy\nSummary: Sara finds an oak."
    turns = [Message(role="user", content=request), Message(role="assistant", content="Once there was an oak.")]
    rendered = render(turns, write("tinystories", "bytes", tmp_path))
    assert rendered.text == f"{request}\nStory:\n\nOnce there was an oak.<|endoftext|>"
    written = [offset for offset, kind in zip(rendered.offsets, rendered.kinds, strict=True) if kind is not TokenKind.context]
    assert rendered.text[written[0][0] :] == "\n\nOnce there was an oak.<|endoftext|>"

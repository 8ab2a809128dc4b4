"""Properties of every conversation: prompts are prefixes, a decision equals its part of the whole, canonical form is idempotent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from transformers import PreTrainedTokenizerFast

from sekft.errors import Fault, RenderError
from sekft.rendering.messages import Message, canonical
from sekft.rendering.render import Rendered, TokenKind, prepare, prompt_ids, render_all, render_decision
from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.fixtures import write
from tests.strategies import episodes, raw

Made = Callable[[str], ChatTokenizer]


@pytest.fixture(scope="module")
def made(small_mistral: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A tokenizer by name: mistral, or a template of the fixtures over bytes."""
    tokenizers = {"mistral": ChatTokenizer(small_mistral)}

    def make(name: str) -> ChatTokenizer:
        if name not in tokenizers:
            tokenizers[name] = write(name, "bytes", tmp_path_factory.mktemp(name))
        return tokenizers[name]

    return make


WHOLE = ("mistral", "llama3", "qwen2_5", "zephyr", "chatml", "tinystories")
ALL = (*WHOLE, "qwen3")


def renderings(messages: list[Message], tokenizer: ChatTokenizer) -> list[Rendered]:
    """The renderings, none where the contract refuses the text: a token across a boundary, trimmed blanks."""
    try:
        return render_all(messages, tokenizer)
    except RenderError as error:
        assert error.fault in (Fault.changed, Fault.unreadable), error
        return []


def written(rendered: Rendered, turn: int) -> list[int]:
    """The indices of the tokens that the assistant wrote in a turn."""
    return [at for at, kind in enumerate(rendered.kinds) if rendered.turns[at] == turn and kind is not TokenKind.context]


@pytest.mark.parametrize("name", ALL)
def test_every_prompt_is_a_prefix_of_the_row_and_what_follows_is_learned_to_the_stop_token(name: str, made: Made):
    tokenizer, seen = made(name), []

    @given(episodes())
    def holds(messages: list[Message]) -> None:
        for rendered in renderings(messages, tokenizer):
            turns = {turn for turn, kind in zip(rendered.turns, rendered.kinds, strict=True) if kind is TokenKind.stop}
            lost = {turn.index for turn in rendered.lost}
            assert turns == ({len(rendered.messages) - 1} if rendered.unrolled else set(range(1, len(messages), 2)) - lost)
            for turn in turns:
                served = prompt_ids(messages[:turn], tokenizer)
                assert list(rendered.ids[: len(served)]) == served
                mine = written(rendered, turn)
                assert mine == list(range(len(served), len(served) + len(mine)))
                assert [rendered.kinds[at] is TokenKind.stop for at in mine] == [False] * (len(mine) - 1) + [True]
                typed = tokenizer.decode([rendered.ids[at] for at in mine[:-1]], skip_control=False)
                assert typed.strip() == rendered.messages[turn].content.strip()
            seen.append(turns)

    holds()
    assert len(seen) > 10


@pytest.mark.parametrize("name", WHOLE)
def test_a_decision_rendered_alone_is_the_whole_up_to_its_stop_token(name: str, made: Made):
    tokenizer = made(name)

    @given(episodes())
    def holds(messages: list[Message]) -> None:
        for whole in renderings(messages, tokenizer):
            for turn in range(1, len(messages), 2):
                alone = render_decision(prepare(messages, tokenizer), turn, tokenizer)
                assert alone.ids == whole.ids[: len(alone.ids)]
                assert written(alone, turn) == written(whole, turn) and written(alone, turn)[-1] == len(alone.ids) - 1

    holds()


@given(raw())
def test_canonical_form_is_idempotent_and_alternates(messages: list[Message]):
    once = canonical(messages)
    assert canonical(once) == once
    assert [message.role for message in once] == ["user", "assistant"] * (len(once) // 2) + ["user"] * (len(once) % 2)
    assert "\n".join(message.content for message in once) == "\n".join(message.content for message in messages)


@pytest.mark.parametrize("name", ALL)
def test_the_saved_template_applies_the_canonical_form(name: str, made: Made):
    tokenizer = made(name)
    server: Any = PreTrainedTokenizerFast.from_pretrained(tokenizer.folder)
    server.chat_template = tokenizer.canonical_template

    @given(raw())
    def holds(messages: list[Message]) -> None:
        try:
            expected = prompt_ids(messages, tokenizer)
        except RenderError as error:
            assert "chat template" in str(error)  # an empty command, on Mistral
            return
        plain = [message.model_dump() for message in messages]
        assert server.apply_chat_template(plain, add_generation_prompt=True, return_dict=False) == expected
        again = [message.model_dump() for message in prepare(messages, tokenizer)]
        assert server.apply_chat_template(again, add_generation_prompt=True, return_dict=False) == expected

    holds()

"""Mask rules: which tokens each learns, and which none may learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sekft.config import MaskConfig, MaskRule
from sekft.errors import MaskError
from sekft.mask import rules
from sekft.mask.tokens import tokens
from sekft.rendering.messages import Message
from sekft.rendering.render import Rendered, TokenKind, render
from sekft.rendering.tokenizer import ChatTokenizer


@pytest.fixture(params=["small_mistral", "chatml"])
def rendered(request: pytest.FixtureRequest) -> Rendered:
    folder: Path = request.getfixturevalue(request.param)
    roles = ("user", "assistant") * 3
    contents = ("Welcome\n$ ", "ls", "a b\n$ ", "cat a", "text\n$ ", "exit")
    return render([Message(role=role, content=text) for role, text in zip(roles, contents, strict=True)], ChatTokenizer(folder))


def mask(rule: str, **more: float) -> MaskConfig:
    return MaskConfig(rule=MaskRule(rule), **more)


def kinds(rendered: Rendered) -> np.ndarray:
    return np.array(rendered.kinds)


def test_assistant_learns_every_typed_and_stop_token_and_no_environment(rendered: Rendered):
    weight = rules.weigh(rendered, mask("assistant"))
    assert weight.dtype == np.float32 and weight.shape == (len(rendered.ids),)
    assert ((weight > 0) == (kinds(rendered) != TokenKind.context)).all()
    assert (weight[kinds(rendered) == TokenKind.stop] == 1).sum() == 3


def test_final_learns_only_the_last_turn(rendered: Rendered):
    weight = rules.weigh(rendered, mask("final"))
    assert set(np.array(rendered.turns)[weight > 0]) == {5}
    assert (weight > 0).sum() < (rules.weigh(rendered, mask("assistant")) > 0).sum()


def test_everything_learns_all_but_the_first_token(rendered: Rendered):
    weight = rules.weigh(rendered, mask("everything"))
    assert weight[0] == 0 and (weight[1:] == 1).all()


def test_a_rule_that_learns_environment_text_is_an_error(rendered: Rendered, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(rules.RULES, MaskRule.assistant, lambda rendered, _: np.arange(len(rendered.ids)) > 0)
    with pytest.raises(MaskError, match="environment tokens are learned"):
        rules.weigh(rendered, mask("assistant"))


def test_a_rule_that_loses_a_stop_token_is_an_error(rendered: Rendered, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(rules.RULES, MaskRule.assistant, lambda rendered, _: kinds(rendered) == TokenKind.typed)
    with pytest.raises(MaskError, match="the stop token of turn 1 is not learned"):
        rules.weigh(rendered, mask("assistant"))


def test_a_row_in_which_nothing_is_learned_is_an_error(rendered: Rendered):
    silent = replace(rendered, kinds=(TokenKind.context,) * len(rendered.ids))
    with pytest.raises(MaskError, match="nothing is learned"):
        rules.weigh(silent, mask("assistant"))


def test_the_rules_agree_where_they_must(rendered: Rendered):
    assistant, final, terminal = (rules.weigh(rendered, mask(name)) for name in ("assistant", "final", "terminal_only"))
    assert (final == terminal).all()  # this episode ends in exit
    assert (rules.weigh(rendered, mask("terminal_weighted", terminal_weight=1.0)) == assistant).all()
    assert (rules.weigh(rendered, mask("terminal_weighted", terminal_weight=3.0)) == assistant + 2 * terminal).all()
    assert (rules.weigh(rendered, mask("succeeded")) == assistant).all()


def test_failed_commands_are_context_and_the_ending_still_learned(rendered: Rendered):
    weight = rules.weigh(replace(rendered, failed=frozenset({3})), mask("succeeded"))
    assert set(np.array(rendered.turns)[weight > 0]) == {1, 5}


def test_tokens_together_are_the_text_and_their_kinds_follow_the_weights(rendered: Rendered):
    row = list(tokens(rendered, rules.weigh(rendered, mask("assistant"))))
    assert "".join(token.text for token in row) == rendered.text
    assert [token.id for token in row] == list(rendered.ids)
    assert {token.kind for token in row if token.turn == 5 and token.weight} == {"terminal", "stop"}
    assert {token.kind for token in row if not token.weight} == {"context"}
    assert "environment" in {token.kind for token in tokens(rendered, rules.weigh(rendered, mask("everything")))}


def test_counts_by_kind_agree_with_the_tokens(small_mistral: Path):
    from collections import Counter

    from sekft.mask.tokens import count_learned

    tokenizer = ChatTokenizer(small_mistral)
    for rule in (MaskRule.assistant, MaskRule.terminal_only, MaskRule.everything):
        texts = ("$ ", "ls -l", "a\n$ ", "exit")
        rendered = render([Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(texts)], tokenizer)
        weight = rules.weigh(rendered, MaskConfig(rule=rule))
        assert count_learned(rendered, weight) == Counter(token.kind for token in tokens(rendered, weight) if token.weight)

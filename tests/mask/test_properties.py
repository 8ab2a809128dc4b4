"""Properties of every episode and mask rule: environment tokens are never learned, stop tokens always; rules agree where they must."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekft.config import MaskConfig, MaskRule
from sekft.errors import RenderError
from sekft.mask.rules import Weight, applies, is_terminal, weigh
from sekft.mask.tokens import tokens
from sekft.rendering.messages import Message
from sekft.rendering.render import Rendered, TokenKind, render_all
from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.fixtures import write
from tests.strategies import episodes

CONTRACT_RULES = [rule for rule in MaskRule if rule is not MaskRule.everything]


@pytest.fixture(scope="module", params=["mistral", "chatml", "qwen3"])
def tokenizer(request: pytest.FixtureRequest, small_mistral: Path, tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    if request.param == "mistral":
        return ChatTokenizer(small_mistral)
    return write(request.param, "bytes", tmp_path_factory.mktemp(request.param))


def rows(messages: list[Message], tokenizer: ChatTokenizer, failed: frozenset[int] = frozenset()) -> list[Rendered]:
    try:
        return render_all(messages, tokenizer, failed)
    except RenderError:  # a token across a boundary: tests/rendering checks that
        return []


def weights(rendered: Rendered, rule: MaskRule, terminal_weight: float = 4.0) -> Weight:
    """The weights; all 0 if the rule does not apply."""
    mask = MaskConfig(rule=rule, terminal_weight=terminal_weight)
    return weigh(rendered, mask) if applies(rendered, mask) else np.zeros(len(rendered.ids), np.float32)


def test_no_rule_learns_the_environment_and_each_learns_whole_turns_with_their_stop(tokenizer: ChatTokenizer):
    @given(episodes(leaves=False), st.frozensets(st.sampled_from([1, 3, 5])), st.booleans())
    def holds(messages: list[Message], failed: frozenset[int], decision: bool) -> None:
        for rendered in rows(messages, tokenizer, failed):
            for rule in CONTRACT_RULES:
                judged = replace(rendered, decision=decision)
                learned = weights(judged, rule) > 0
                kinds, turns = np.array(rendered.kinds), np.array(rendered.turns)
                assert not learned[kinds == TokenKind.context].any()
                for turn in set(turns[learned]):
                    assert learned[(turns == turn) & (kinds != TokenKind.context)].all()
                    assert (kinds[(turns == turn) & learned] == TokenKind.stop).sum() == 1
                shown = list(tokens(judged, weights(judged, rule)))
                assert "environment" not in {token.kind for token in shown}
                assert "".join(token.text for token in shown) == rendered.text

    holds()


def test_rules_agree_where_they_must(tokenizer: ChatTokenizer):
    @given(episodes(), st.frozensets(st.sampled_from([1, 3, 5])))
    def holds(messages: list[Message], failed: frozenset[int]) -> None:
        for rendered in rows(messages, tokenizer):
            assistant, terminal = weights(rendered, MaskRule.assistant), weights(rendered, MaskRule.terminal_only)
            last = weights(rendered, MaskRule.final)
            assert (terminal <= assistant).all() and (last <= assistant).all()
            assert (weights(rendered, MaskRule.succeeded) == assistant).all()  # nothing failed
            assert (weights(rendered, MaskRule.terminal_weighted, 1.0) == assistant).all()
            assert (weights(rendered, MaskRule.terminal_weighted, 3.0) == assistant + 2 * terminal).all()
            assert (weights(rendered, MaskRule.continuation) == 0).all()  # no decision point
            own = len(rendered.messages) - 1
            judged = weights(replace(rendered, decision=True), MaskRule.continuation)
            assert set(np.array(rendered.turns)[judged > 0]) == {own}
            if rendered.following == 0:
                assert (judged == last).all()  # this episode ends in its last turn
            if [is_terminal(message.content) for message in rendered.messages[1::2]] == [False] * (own // 2) + [True]:
                assert (last == terminal).all() or rendered.following
            without = weights(replace(rendered, failed=failed), MaskRule.succeeded)
            gone = np.isin(np.array(rendered.turns), list(failed))
            assert (without == assistant * ~gone).all()
            assert (weights(rendered, MaskRule.everything) >= assistant).all()

    holds()

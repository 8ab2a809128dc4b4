"""Long rows lose whole exchanges, never BOS, the landing or the ending; the rest is a text that a server could be fed."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekft.config import DataConfig, MaskConfig, MaskRule, Overlong
from sekft.data.accounting import Counts
from sekft.data.overlong import shorten
from sekft.data.sample import Sample, make_rows, render_fitting
from sekft.errors import RenderError
from sekft.rendering.messages import Message
from sekft.rendering.render import Rendered, prompt_ids, render_all
from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.fixtures import write
from tests.strategies import episodes

CUTS = [Overlong.cut_middle, Overlong.keep_last]


@pytest.fixture(scope="module", params=["mistral", "qwen3"])
def tokenizer(request: pytest.FixtureRequest, small_mistral: Path, tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    return ChatTokenizer(small_mistral) if request.param == "mistral" else write("qwen3", "bytes", tmp_path_factory.mktemp("qwen3"))


def numbered(turns: int) -> list[Message]:
    """Turn by turn: out0 ls0 out1 ls1 ... the last one exit."""
    texts = [text for turn in range(turns) for text in (f"out{turn}\n$ ", f"ls{turn}")]
    return [Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate([*texts[:-1], "exit"])]


def left(rendered: Rendered) -> list[int]:
    """Which of the numbered exchanges are left."""
    return [int("".join(filter(str.isdigit, message.content))) for message in rendered.messages[::2]]


def failures(rendered: Rendered) -> set[Message]:
    return {rendered.messages[turn] for turn in rendered.failed if turn < len(rendered.messages)}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(Overlong.keep_last, [0, 7, 8, 9]), (Overlong.cut_middle, [0, 1, 8, 9]), (Overlong.reject, list(range(10)))],
)
def test_whole_exchanges_are_cut_where_the_policy_says(small_mistral: Path, policy: Overlong, expected: list[int]):
    tokenizer = ChatTokenizer(small_mistral)
    [whole], [four] = render_all(numbered(10), tokenizer), render_all(numbered(10)[:8], tokenizer)
    assert left(shorten(whole, tokenizer, policy, len(four.ids))) == expected


def test_a_cut_row_fits_keeps_landing_and_ending_and_starts_with_served_prompts(tokenizer: ChatTokenizer):
    cuts: Counter[int] = Counter()

    @settings(max_examples=100)  # a quarter of them are cut
    @given(episodes(decisions=8), st.sampled_from(CUTS), st.integers(30, 110), st.frozensets(st.sampled_from([1, 3, 5, 7])))
    def holds(messages: list[Message], policy: Overlong, percent: int, failed: frozenset[int]) -> None:
        try:
            renderings = render_all(messages, tokenizer, failed)
            max_tokens = percent * len(renderings[-1].ids) // 100
            cut = [shorten(rendered, tokenizer, policy, max_tokens) for rendered in renderings]
        except RenderError:
            return
        for before, after in zip(renderings, cut, strict=True):
            assert after == before if len(before.ids) <= max_tokens else (len(after.ids) <= max_tokens or after == before)
            assert after.messages[:2] == before.messages[:2] and after.messages[-2:] == before.messages[-2:]
            assert after.following == before.following and after.ids[-1] == before.ids[-1]
            assert tokenizer.bos is None or (after.ids[0] == tokenizer.bos and after.ids.count(tokenizer.bos) == 1)
            served = prompt_ids(after.messages[:-1], tokenizer)
            assert list(after.ids[: len(served)]) == served
            pairs = list(zip(before.messages[::2], before.messages[1::2], strict=True))
            kept = list(zip(after.messages[::2], after.messages[1::2], strict=True))
            assert not Counter(kept) - Counter(pairs)  # every command still follows the output it was typed at
            assert failures(after) <= failures(before)
            cuts[len(before.messages) - len(after.messages)] += 1

    holds()
    assert sum(amount for turns, amount in cuts.items() if turns) > 10, cuts


@pytest.mark.parametrize("policy", CUTS)
def test_no_more_is_cut_than_needed(tokenizer: ChatTokenizer, policy: Overlong):
    for rendered in render_all(numbered(12), tokenizer):
        length = len(rendered.ids)
        exchanges = len(rendered.messages) // 2
        assert len(left(shorten(rendered, tokenizer, policy, length))) == exchanges
        if exchanges > 2:
            assert len(left(shorten(rendered, tokenizer, policy, length - 1))) == exchanges - 1
        if exchanges > 3:
            assert left(shorten(rendered, tokenizer, policy, 1)) == left(rendered)  # nothing would help: it is not cut


def test_cut_turns_are_counted_and_a_failed_command_stays_failed(small_mistral: Path):
    tokenizer = ChatTokenizer(small_mistral)
    samples = [Sample("short", "w", "shell", tuple(numbered(2))), Sample("long", "v", "shell", tuple(numbered(20)), frozenset({37}))]
    limit = len(render_all(numbered(6), tokenizer)[0].ids)
    made, counts = make_rows(samples, tokenizer, MaskConfig(rule=MaskRule.succeeded), DataConfig(overlong=Overlong.keep_last), limit)
    assert (counts.rows, counts.cut_rows, counts.cut_turns % 2) == (2, 1, 0) and counts.cut_turns >= 28
    assert f"turns cut: {counts.cut_turns} in 1 rows" in counts.line()
    [long] = render_fitting(samples[1], tokenizer, Overlong.keep_last, limit, Counts())
    assert [long.messages[turn].content for turn in long.failed] == ["ls18"]
    learned = tokenizer.decode([index for index, weight in zip(made[1].ids, made[1].weight, strict=True) if weight])
    assert "ls17" in learned and "ls18" not in learned and learned.endswith("exit")

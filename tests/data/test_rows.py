"""Samples become rows; whatever is dropped is counted by reason."""

import json
from collections import Counter
from pathlib import Path

import pytest

from sekft.config import DataConfig, MaskConfig, MaskRule, SourceConfig, SourceKind
from sekft.data import sources
from sekft.data.accounting import Counts, require_enough
from sekft.data.prepare import unended_lines
from sekft.data.sample import Sample, decision_sample, make_rows
from sekft.errors import DataError, RenderError, SettingsError
from sekft.rendering.messages import Message
from sekft.rendering.render import prompt_ids
from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.dialogues import talk
from tests.rendering.fixtures import write

ASSISTANT = MaskConfig(rule=MaskRule.assistant)


def sample(number: int, turns: int = 2, bad: bool = False) -> Sample:
    texts = ["$ ", *(["ls", "a b c\n$ "] * (turns - 1)), "exit"]
    messages = [Message(role="user" if at % 2 == 0 else "assistant", content=text) for at, text in enumerate(texts)]
    if bad:
        messages.append(Message(role="system", content="late"))
    return Sample(f"s{number}", f"scenario-{number}", "shell", tuple(messages))


@pytest.fixture(scope="module")
def tokenizer(small_mistral: Path) -> ChatTokenizer:
    return ChatTokenizer(small_mistral)


def test_every_row_ends_in_a_learned_stop_token(tokenizer: ChatTokenizer):
    made, counts = make_rows([sample(i, turns=1 + i % 4) for i in range(8)], tokenizer, ASSISTANT, DataConfig(), 1024)
    assert all(row.ids[-1] in tokenizer.stop_ids and row.weight[-1] == 1 for row in made)
    assert counts.learned == sum(weight > 0 for row in made for weight in row.weight)
    assert counts.by_kind["environment"] == 0 and counts.by_kind["stop"] == sum(1 + i % 4 for i in range(8))


def test_a_row_that_is_too_long_is_dropped_and_counted(tokenizer: ChatTokenizer):
    samples = [sample(i) for i in range(9)] + [sample(9, turns=40)]
    made, counts = make_rows(samples, tokenizer, ASSISTANT, DataConfig(), 128)
    assert len(made) == 9 and dict(counts.dropped) == {"long": 1}


def test_a_sample_the_contract_refuses_is_counted_by_reason(tokenizer: ChatTokenizer):
    made, counts = make_rows([sample(i, bad=i == 0) for i in range(9)], tokenizer, ASSISTANT, DataConfig(), 1024)
    assert len(made) == 8 and sum(counts.dropped.values()) == 1 and "a system turn" in counts.line()


def test_losing_too_many_rows_is_an_error(tokenizer: ChatTokenizer):
    _, counts = make_rows([sample(i, bad=i < 3) for i in range(6)], tokenizer, ASSISTANT, DataConfig(), 1024)
    with pytest.raises(DataError, match="3 of 6 rows lost"):
        require_enough(counts, DataConfig())
    with pytest.raises(DataError, match="no row left"):
        require_enough(make_rows([sample(0)], tokenizer, ASSISTANT, DataConfig(), 4)[1], DataConfig())


def test_if_all_rows_are_lost_for_one_reason_the_error_says_it_and_what_to_do(tokenizer: ChatTokenizer):
    counts = make_rows([sample(n, turns=9) for n in range(3)], tokenizer, ASSISTANT, DataConfig(), 16)[1]
    with pytest.raises(DataError, match=r"all 3 are lost for one reason: longer than trainer.max_tokens=16; raise trainer.max_tokens, or"):
        require_enough(counts, DataConfig())
    counts = make_rows([sample(0, turns=9), sample(1, bad=True)], tokenizer, ASSISTANT, DataConfig(), 16)[1]
    with pytest.raises(DataError, match=r"no row left to train on \(0 rows"):
        require_enough(counts, DataConfig())


def test_losses_of_one_kind_are_counted_together_with_one_sentence_whatever_the_texts_are(tmp_path: Path):
    ours = write("llama3", "bytes", tmp_path)
    texts = [("ls ", "exit"), (" cat f", "exit"), ("echo a\n", " exit")]
    samples = [Sample(f"s{n}", "w", "shell", tuple(talk("$ ", first, "$ ", last))) for n, (first, last) in enumerate(texts)]
    made, counts = make_rows(samples, ours, ASSISTANT, DataConfig(), 1024)
    assert (len(made), counts.dropped, counts.unlearned) == (2, {"changed": 1}, {"changed": 2})
    sentence = "the template changes what was typed, of which it strips blanks or line ends at an end"
    assert counts.reasons == {"changed": sentence} and f"turns not learned: {sentence} 2 (s0, s1, s2)" in counts.line()


def test_a_refused_base_is_one_error_and_no_count_of_rows(tmp_path: Path):
    ours = write("llama3", "bytes", tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ bos_token }}" + ours.template.source)
    with pytest.raises(RenderError, match="this base is refused: the template writes 2 BOS"):
        make_rows([sample(0)], ChatTokenizer(tmp_path), ASSISTANT, DataConfig(), 1024)


def test_a_missing_source_path_or_file_is_refused():
    with pytest.raises(SettingsError, match="no value for data.sources.shell.path"):
        sources.read(DataConfig(sources={"shell": SourceConfig(kind=SourceKind.trajectories)}))
    with pytest.raises(SettingsError, match="no source chosen"):
        sources.read(DataConfig())
    with pytest.raises(DataError, match="nowhere: no such file"):
        sources.read(DataConfig(sources={"shell": SourceConfig(kind=SourceKind.trajectories, path="nowhere")}))


def test_learned_tokens_are_counted_by_kind(tokenizer: ChatTokenizer):
    _, counts = make_rows([sample(i, turns=3) for i in range(4)], tokenizer, ASSISTANT, DataConfig(), 1024)
    assert set(counts.by_kind) == {"command", "terminal", "stop"}
    assert (counts.by_kind["terminal"], counts.by_kind["stop"], counts.by_kind.total()) == (4, 12, counts.learned)


def test_a_sample_of_which_the_mask_learns_nothing_is_counted(tokenizer: ChatTokenizer):
    endless = Sample("endless", "w", "shell", sample(0, turns=2).messages[:2])
    terminal = MaskConfig(rule=MaskRule.terminal_only)
    made, counts = make_rows([sample(i) for i in range(8)] + [endless], tokenizer, terminal, DataConfig(), 1024)
    assert len(made) == 8 and dict(counts.dropped) == {"masked": 1}
    assert set(counts.by_kind) == {"terminal", "stop"} and "nothing is learned by mask=terminal_only 1 (endless)" in counts.line()


def test_episodes_without_a_learned_ending_are_named_and_too_many_are_an_error(tokenizer: ChatTokenizer):
    endless = [Sample(f"endless{n}", "w", "shell", sample(0, turns=3).messages[:4]) for n in range(5)]
    _, counts = make_rows([sample(0), *endless], tokenizer, ASSISTANT, DataConfig(), 1024)
    assert counts.endless == 5 and "without a learned exit or panic: 5 (endless0, endless1, endless2)" in counts.line()
    with pytest.raises(DataError, match="5 of 6 samples have no learned exit or panic, allowed: data.max_endless_share=0.5"):
        require_enough(counts, DataConfig())
    require_enough(counts, DataConfig(max_endless_share=0.9))


def test_chats_without_an_exit_are_no_error_and_one_line_says_so():
    chat = Sample("c0", "c0", "own", sample(0).messages[:2], is_chat=True)
    (line,) = unended_lines([chat, sample(1)], Counts())
    assert line.startswith("data: no exit or panic is learned; chats need none (data.max_endless_share is for episodes)")
    assert unended_lines([chat], Counts(by_kind=Counter(terminal=1))) == [] == unended_lines([sample(1)], Counts())


CONTEXT = [Message(role="user", content="$ "), Message(role="assistant", content="la"), Message(role="user", content="la: not found\n$ ")]


@pytest.mark.parametrize("name", ["small_mistral", "qwen3"])
def test_the_continuation_of_a_decision_point_is_learned_with_its_stop_token(name: str, request: pytest.FixtureRequest, tmp_path: Path):
    ours = ChatTokenizer(request.getfixturevalue(name)) if name == "small_mistral" else write(name, "bytes", tmp_path)
    point = decision_sample("p", "w", "decisions", CONTEXT, "ls")
    [row], counts = make_rows([point], ours, MaskConfig(rule=MaskRule.continuation), DataConfig(), 1024)
    served = prompt_ids(CONTEXT, ours)
    assert list(row.ids[: len(served)]) == served and [weight > 0 for weight in row.weight].index(True) == len(served)
    assert ours.decode(list(row.ids[len(served) : -1])).strip() == "ls" and row.ids[-1] in ours.stop_ids and row.weight[-1] == 1
    assert (counts.endless, counts.by_kind["stop"]) == (0, 1)
    require_enough(counts, DataConfig())


def test_a_whole_episode_is_no_decision_point_and_a_context_ends_with_a_user_turn(tokenizer: ChatTokenizer):
    made, counts = make_rows([sample(0)], tokenizer, MaskConfig(rule=MaskRule.continuation), DataConfig(), 1024)
    assert not made and dict(counts.dropped) == {"masked": 1}
    with pytest.raises(DataError, match="p: the context ends in a turn of the assistant"):
        decision_sample("p", "w", "decisions", CONTEXT[:2], "ls")
    with pytest.raises(DataError, match="p: the context ends in nothing"):
        decision_sample("p", "w", "decisions", [], "ls")


def test_an_unrolled_episode_of_which_nothing_is_learned_is_counted_once(tmp_path: Path):
    unrolling = write("qwen3", "bytes", tmp_path)
    endless = Sample("endless", "w", "shell", sample(0, turns=3).messages[:4])
    terminal = MaskConfig(rule=MaskRule.terminal_only)
    made, counts = make_rows([sample(1, turns=3), endless], unrolling, terminal, DataConfig(), 1024)
    assert [row.id for row in made] == ["s1"] and dict(counts.dropped) == {"masked": 1}
    made, counts = make_rows([sample(1, turns=3)], unrolling, ASSISTANT, DataConfig(), 1024)
    assert (len(made), counts.samples, counts.endless) == (3, 1, 0)  # one of its rows ends


def test_row_lengths_make_a_histogram_without_gaps():
    counts = Counts()
    for length in (1, 5, 8, 9, 100):
        counts.add(length, [])
    assert counts.histogram() == {1: 1, 2: 0, 4: 0, 8: 2, 16: 1, 32: 0, 64: 0, 128: 1}
    assert sum(counts.histogram().values()) == counts.rows == 5
    first, *bars = counts.bars()
    assert first == "row length: shortest 1, median 8, longest 100 tokens"
    assert bars[3] == f"  <= 8           2 {'#' * 40}" and bars[1] == "  <= 2           0"
    assert json.loads(json.dumps(counts.summary()))["lengths"]["8"] == 2
    assert Counts().histogram() == {} and list(Counts().bars()) == []

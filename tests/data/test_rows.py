"""Samples, rows and mixing: nothing is lost without being counted."""

from pathlib import Path

import pytest

from sekft.config import DataConfig, MaskConfig, MaskRule, Overlong, SourceConfig, SourceKind
from sekft.data import mix
from sekft.data.accounting import require_enough
from sekft.data.sample import Sample, rows
from sekft.errors import DataError, SettingsError
from sekft.rendering.messages import Message
from sekft.rendering.tokenizer import ChatTokenizer

ASSISTANT = MaskConfig(rule=MaskRule.assistant)


def sample(number: int, turns: int = 2, bad: bool = False) -> Sample:
    texts = ["$ ", *(["ls", "a b c\n$ "] * (turns - 1)), "exit"]
    messages = [Message(role="user" if at % 2 == 0 else "assistant", content=text) for at, text in enumerate(texts)]
    if bad:
        messages.append(Message(role="system", content="late"))
    return Sample(f"s{number}", f"world-{number}", "shell", tuple(messages))


@pytest.fixture(scope="module")
def tokenizer(small_mistral: Path) -> ChatTokenizer:
    return ChatTokenizer(small_mistral)


def test_every_row_ends_in_a_learned_stop_token(tokenizer: ChatTokenizer):
    made, counts = rows([sample(i, turns=1 + i % 4) for i in range(8)], tokenizer, ASSISTANT, DataConfig(), 1024)
    assert all(row.ids[-1] in tokenizer.stop_ids and row.weight[-1] == 1 for row in made)
    assert counts.learned == sum(weight > 0 for row in made for weight in row.weight)
    assert counts.by_kind["environment"] == 0 and counts.by_kind["stop"] == sum(1 + i % 4 for i in range(8))


def test_a_row_that_is_too_long_is_dropped_and_counted(tokenizer: ChatTokenizer):
    samples = [sample(i) for i in range(9)] + [sample(9, turns=40)]
    made, counts = rows(samples, tokenizer, ASSISTANT, DataConfig(), 128)
    assert len(made) == 9 and dict(counts.dropped) == {"longer than trainer.max_tokens=128": 1}


def test_keep_last_cuts_whole_turns_from_the_front_and_counts_them(tokenizer: ChatTokenizer):
    data = DataConfig(overlong=Overlong.keep_last)
    made, counts = rows([sample(0, turns=40)], tokenizer, ASSISTANT, data, 128)
    assert len(made[0].ids) <= 128 and counts.cut_turns > 0 and counts.cut_turns % 2 == 0
    assert made[0].ids[0] == tokenizer.bos and tokenizer.decode(list(made[0].ids)).endswith("exit")


def test_a_sample_the_contract_refuses_is_counted_by_reason(tokenizer: ChatTokenizer):
    made, counts = rows([sample(i, bad=i == 0) for i in range(9)], tokenizer, ASSISTANT, DataConfig(), 1024)
    assert len(made) == 8 and sum(counts.dropped.values()) == 1 and "a system turn" in counts.line()


def test_losing_too_many_rows_is_an_error(tokenizer: ChatTokenizer):
    _, counts = rows([sample(i, bad=i < 3) for i in range(6)], tokenizer, ASSISTANT, DataConfig(), 1024)
    with pytest.raises(DataError, match="3 of 6 rows lost"):
        require_enough(counts, DataConfig())
    with pytest.raises(DataError, match="no row left"):
        require_enough(rows([sample(0)], tokenizer, ASSISTANT, DataConfig(), 4)[1], DataConfig())


def test_no_world_is_on_both_sides_and_new_data_moves_no_old_row():
    few, many = [sample(i) for i in range(50)], [sample(i) for i in range(100)]
    training, validation = mix.split(few, 0.2, seed=0)
    assert not {one.group for one in training} & {one.group for one in validation} and validation
    assert {one.id for one in validation} <= {one.id for one in mix.split(many, 0.2, seed=0)[1]}
    assert {one.id for one in validation} != {one.id for one in mix.split(few, 0.2, seed=1)[1]}


def test_a_handful_of_worlds_still_gets_a_validation_side():
    training, validation = mix.split([sample(0), sample(1)], 0.01, seed=0)
    assert len(training) == len(validation) == 1
    assert mix.split([sample(0)], 0.5, seed=0) == ([sample(0)], [])


def test_a_source_without_a_path_or_a_choice_is_refused():
    with pytest.raises(SettingsError, match="no value for data.sources.shell.path"):
        mix.read(DataConfig(sources={"shell": SourceConfig(kind=SourceKind.shell)}))
    with pytest.raises(SettingsError, match="no source chosen"):
        mix.read(DataConfig())
    with pytest.raises(DataError, match="nowhere: no such file"):
        mix.read(DataConfig(sources={"shell": SourceConfig(kind=SourceKind.shell, path="nowhere")}))


def test_learned_tokens_are_told_apart_by_what_they_are(tokenizer: ChatTokenizer):
    _, counts = rows([sample(i, turns=3) for i in range(4)], tokenizer, ASSISTANT, DataConfig(), 1024)
    assert set(counts.by_kind) == {"command", "terminal", "stop"}
    assert (counts.by_kind["terminal"], counts.by_kind["stop"], counts.by_kind.total()) == (4, 12, counts.learned)


def test_a_row_the_mask_learns_nothing_of_is_counted(tokenizer: ChatTokenizer):
    endless = Sample("endless", "w", "shell", sample(0, turns=2).messages[:2])
    terminal = MaskConfig(rule=MaskRule.terminal_only)
    made, counts = rows([sample(i) for i in range(8)] + [endless], tokenizer, terminal, DataConfig(), 1024)
    assert len(made) == 8 and dict(counts.dropped) == {"nothing is learned by mask=terminal_only": 1}
    assert set(counts.by_kind) == {"terminal", "stop"}

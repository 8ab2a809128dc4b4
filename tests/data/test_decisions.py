"""Decision points: a line holds a context and its better continuation; an invalid line is named with its number."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekft.config import DataConfig, MaskConfig, MaskRule, SourceConfig, SourceKind
from sekft.data import decision, sources
from sekft.data.decision import Decision
from sekft.data.files import find_files
from sekft.data.lines import JSONL
from sekft.data.sample import make_rows
from sekft.errors import DataError
from sekft.rendering.messages import Message
from sekft.rendering.tokenizer import ChatTokenizer

CONTEXT = [{"role": "user", "content": "$ "}, {"role": "assistant", "content": "ls"}, {"role": "user", "content": "a b\n$ "}]
EPISODE = [*CONTEXT, {"role": "assistant", "content": "exit"}]
BY_CONTEXT = {"id": "one", "context": CONTEXT, "continuation": "panic no tool", "own": "exit", "reason": "it is not there"}
BY_INDEX = {"id": "one", "messages": EPISODE, "decision": 3, "continuation": "panic no tool", "reason": "it is not there"}
CONTINUATION = MaskConfig(rule=MaskRule.continuation)
MESSAGES = st.lists(st.text(), min_size=1, max_size=7).map(
    lambda texts: tuple(
        Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(texts[: len(texts) - 1 + len(texts) % 2])
    )
)


@pytest.fixture(scope="module")
def tokenizer(small_mistral: Path) -> ChatTokenizer:
    return ChatTokenizer(small_mistral)


def file_of(folder: Path, *lines: dict) -> Path:
    path = folder / "decisions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def config(path: Path) -> DataConfig:
    return DataConfig(sources={"decisions": SourceConfig(kind=SourceKind.decisions, path=str(path))})


def test_a_context_and_an_index_into_messages_give_the_same_decision_point(tmp_path: Path):
    first, second = (decision.load(file_of(tmp_path, line)) for line in (BY_CONTEXT, BY_INDEX))
    assert first == second and first[0].own == "exit" and first[0].hint == "it is not there"


def test_a_scenario_is_read_under_its_old_name_as_in_the_shipped_file(tmp_path: Path):
    [point] = decision.load(file_of(tmp_path, {**BY_CONTEXT, "world": "copy-1"}))
    assert point.scenario == "copy-1" and '"scenario":"copy-1"' in decision.dumps(point)
    [shipped] = find_files("sekft:panics.jsonl", JSONL)
    assert all(point.scenario for point in decision.load(shipped))


@given(context=MESSAGES.filter(bool), continuation=st.text().filter(str.strip), own=st.text(), memories=st.lists(st.text(), max_size=2))
def test_appended_decision_points_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, context, continuation: str, own: str, memories: list[str]
):
    path = tmp_path_factory.mktemp("decisions") / "new" / "decisions.jsonl"
    points = [Decision(id=name, context=context, continuation=continuation, own=own, memories=tuple(memories)) for name in ("a", "b")]
    for point in points:
        decision.append(point, path)
    assert decision.load(path) == points


@pytest.mark.parametrize(
    ("line", "problems"),
    [
        (BY_CONTEXT, ['id: "one" is in', "decisions.jsonl:1, too"]),
        ({**BY_INDEX, "id": "x", "decision": 2}, ["decision: found 2, allowed: the index of an assistant turn, 1, 3"]),
        ({**BY_INDEX, "id": "x", "decision": 4}, ["decision: found 4"]),
        ({**BY_INDEX, "id": "x", "decision": -1}, ["decision: found -1"]),
        ({**BY_INDEX, "id": "x", "decision": True}, ["decision: found True"]),
        (
            {**BY_INDEX, "id": "x", "messages": "none"},
            ["decision: found 3, allowed: the index of an assistant turn, none in these messages"],
        ),
        ({**BY_INDEX, "id": "x", "own": "ls"}, ["messages beside own"]),
        ({**BY_CONTEXT, "id": "x", "continuation": " \n"}, ["continuation: ", "blank"]),
        ({**BY_CONTEXT, "id": "x", "context": EPISODE}, ["context: ends in a turn of the assistant"]),
        ({**BY_CONTEXT, "id": "x", "context": []}, ["context: ends in nothing"]),
        ({**BY_CONTEXT, "id": ""}, ["id: "]),
        ({**BY_CONTEXT, "id": "x", "reson": "y"}, ["reson: "]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_bad_line_is_named_with_its_file_and_number(tmp_path: Path, line: dict, problems: list[str]):
    with pytest.raises(DataError) as refused:
        decision.load(file_of(tmp_path, BY_CONTEXT, line))
    assert f"{tmp_path / 'decisions.jsonl'}:2: " in str(refused.value) and "\n" not in str(refused.value)
    assert all(problem in str(refused.value) for problem in problems), refused.value


def test_only_the_better_turn_and_its_stop_token_are_learned(tmp_path: Path, tokenizer: ChatTokenizer):
    samples = sources.read(config(file_of(tmp_path, BY_CONTEXT)))
    (row,), counts = make_rows(samples, tokenizer, CONTINUATION, DataConfig(), 1024)
    learned = [token for token, weight in zip(row.ids, row.weight, strict=True) if weight]
    assert tokenizer.decode(learned[:-1]).strip() == "panic no tool" and learned[-1] in tokenizer.stop_ids
    assert row.ids[-1] == learned[-1] and row.ids.count(tokenizer.bos) == 1 and counts.by_kind["stop"] == 1


def test_a_long_context_loses_whole_exchanges_behind_its_landing(tmp_path: Path, tokenizer: ChatTokenizer):
    context = [*CONTEXT[:2], *(turn for at in range(40) for turn in ({"role": "user", "content": f"out {at}\n$ "}, EPISODE[1])), CONTEXT[2]]
    samples = sources.read(config(file_of(tmp_path, {**BY_CONTEXT, "context": context})))
    (row,), counts = make_rows(
        samples, tokenizer, CONTINUATION, DataConfig(), 100
    )  # data.overlong=reject does not apply to decision points
    text = tokenizer.decode(list(row.ids), skip_control=False)
    assert len(row.ids) <= 100 and counts.cut_rows == 1 and counts.cut_turns % 2 == 0
    assert row.ids[0] == tokenizer.bos and text.count("out 0\n") == 0 and "out 39" in text and "panic no tool" in text
    assert text.startswith(
        tokenizer.decode(list(make_rows(samples, tokenizer, CONTINUATION, DataConfig(), 9999)[0][0].ids[:4]), skip_control=False)
    )

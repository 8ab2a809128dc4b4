"""Own data: the format of every file is told by its content, and says nothing about how the data is divided."""

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sekft.config import DataConfig, SourceConfig, SourceKind
from sekft.config.data import OWN
from sekft.data import sources
from sekft.data.sample import Sample
from sekft.data.split import split_samples
from sekft.errors import DataError, SettingsError
from tests.data.test_lines import EPISODE

TURNS = [{"role": "user", "content": "$ "}, {"role": "assistant", "content": "exit"}]
SHAREGPT = [{"from": "human", "value": "$ "}, {"from": "gpt", "value": "exit"}]
PAIR = {"prompt": "$ ", "completion": "exit"}
ROWS = {  # format -> rows that all say the same
    "messages": [{"messages": TURNS}, {"conversations": TURNS}, TURNS, {"messages": json.dumps(TURNS)}, {"turns": repr(TURNS)}],
    "sharegpt": [{"conversations": SHAREGPT}, {"id": "a", "conversations": SHAREGPT, "messages": None}],
    "prompt_completion": [PAIR, {"prompt": TURNS[:1], "completion": TURNS[1:]}, {"question": "$ ", "answer": "exit"}],
    "alpaca": [{"instruction": "$ ", "input": "", "output": "exit"}, {"instruction": "$ ", "output": "exit", "history": [], "system": ""}],
    "trajectories": [EPISODE],
    "decisions": [{"id": "d", "context": TURNS[:1], "continuation": "exit"}],
    "gptme": [],  # below
}


def write(file: Path, rows: Sequence[Any]) -> Path:
    """The rows in the container of the file's name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    match file.name.partition(".")[2]:
        case "jsonl":
            file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        case "jsonl.gz":
            file.write_bytes(gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode()))
        case "json":
            file.write_text(json.dumps(rows, indent=1))
        case "line.json":
            file.write_text("\ufeff" + json.dumps(rows))
        case "csv" | "tsv" as kind:
            with file.open("w", newline="") as text:
                table = csv.DictWriter(text, fieldnames=list(rows[0]), delimiter="," if kind == "csv" else "\t")
                table.writeheader()
                table.writerows(
                    {key: json.dumps(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows
                )
        case "parquet" | "arrow" as kind:
            import pyarrow
            from pyarrow import ipc, parquet

            table = pyarrow.Table.from_pylist(list(rows))
            if kind == "parquet":
                parquet.write_table(table, file)
            else:
                with ipc.new_stream(file, table.schema) as stream:
                    stream.write_table(table)
    return file


def read(path: Path, format: str = "auto", **more: Any) -> tuple[list[Sample], list[str]]:
    lines: list[str] = []
    source = SourceConfig(kind=SourceKind(format), path=str(path), **more)
    return sources.read(DataConfig(path=str(path), sources={OWN: source}), lines.append), lines


CASES = [(format, row, "jsonl") for format, rows in ROWS.items() for row in rows]
CASES += [
    (format, ROWS[format][0], container)
    for container in ("jsonl.gz", "json", "line.json", "csv", "tsv", "parquet", "arrow")
    for format in ("messages", "sharegpt", "prompt_completion", "alpaca")
]
CASES += [("trajectories", EPISODE, "json"), ("decisions", ROWS["decisions"][0], "json")]


@pytest.mark.parametrize(("format", "row", "container"), CASES)
def test_every_format_in_every_container_is_recognised_and_said(format: str, row: Any, container: str, tmp_path: Path):
    path = write(tmp_path / f"mine.{container}", [row, row] if isinstance(row, list) else [row])
    samples, lines = read(path)
    assert [(turn.role, turn.content) for turn in samples[0].messages] == [("user", "$ "), ("assistant", "exit")]
    assert lines[0].startswith(f"data: {path}: ") and lines[0].endswith(f"(data.format={format})")
    assert read(path, format)[0] == samples  # the format may also be named


def test_other_files_are_recognised_too(tmp_path: Path):
    write(tmp_path / "logs" / "a" / "conversation.jsonl", TURNS)
    write(tmp_path / "logs" / "b" / "conversation.jsonl", [*TURNS, *TURNS[:1]])
    (tmp_path / "logs" / "b" / "config.json").write_text("{}")
    samples, lines = read(tmp_path / "logs", filters=[])
    assert [sample.id for sample in samples] == ["own/a", "own/b"] and "2 files of gptme logs" in lines[0]
    message = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["$ "]}}
    answer = {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["exit"]}}
    nodes = {"a": {"message": message}, "b": {"message": answer, "parent": "a"}}
    write(tmp_path / "export" / "conversations.json", [{"id": "x", "mapping": nodes, "current_node": "b"}])
    (tmp_path / "export" / "user.json").write_text('{"email": "a@b"}')
    samples, lines = read(tmp_path / "export")
    assert samples[0].id == "own/x" and "a ChatGPT export" in lines[0] and lines[0].endswith("; left out: user.json")
    assert "TinyStories-Instruct text" in read(Path("sekft:tinystories.txt"), max_samples=1)[1][0]
    turn = {"text": "$ ", "role": "prompter", "message_id": "1", "message_tree_id": "1", "parent_id": None}
    answer = {"text": "exit", "role": "assistant", "message_id": "2", "message_tree_id": "1", "parent_id": "1"}
    assert "OpenAssistant trees" in read(write(tmp_path / "oasst.jsonl", [turn, answer]))[1][0]


def test_a_folder_may_hold_several_formats_and_says_each(tmp_path: Path):
    write(tmp_path / "a.jsonl", ROWS["messages"][:1])
    write(tmp_path / "b.parquet", ROWS["sharegpt"][:1])
    write(tmp_path / "c.jsonl", [EPISODE])
    (tmp_path / "dataset_info.json").write_text('{"features": {}}')
    (tmp_path / "README.md").write_text("about")
    write(tmp_path / "run" / "trajectories.jsonl", [EPISODE])
    write(tmp_path / "run" / "messages.jsonl", [{"messages": TURNS}])
    (tmp_path / "run" / "run.json").write_text("{}")
    assert len(read(tmp_path / "run")[0]) == 1  # of a run of sekft.collect, not its exports
    samples, lines = read(tmp_path)
    assert len(samples) == 3 and lines[0].count("1 files of") == 3 and "sharegpt" in lines[0] and "trajectories" in lines[0]
    assert lines[0].endswith("; left out: dataset_info.json")
    for number in range(4):
        write(tmp_path / f"test-{number}.jsonl", ROWS["messages"][:1])
    write(tmp_path / "train-0.jsonl", ROWS["messages"][:1])
    samples, lines = read(tmp_path)
    assert len(samples) == 1 and lines[0].endswith("; left out: a.jsonl, b.parquet, c.jsonl and 5 more")


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        (
            "a.jsonl",
            '{"dialog": 1}\n',
            "not recognised: rows with dialog, none of which holds turns; allowed: data.format= one of messages, ",
        ),
        ("a.jsonl", '{"text": "x"}\n', "plain text does not say which part the model wrote"),
        ("a.jsonl", '{"chosen": [], "rejected": []}\n', "preference pairs; "),
        ("a.jsonl", json.dumps({"messages": TURNS, "keep": False}), "`python -m sekft.collect imports=FILE` makes trajectories of them"),
        ("a.jsonl", "no json\n", "no JSON record in it"),
        ("a.jsonl", "[1, 2]\n[3]\n", "records that are list"),
        ("a.jsonl", "", "empty; allowed: one JSON object per line"),
        ("a.json", '[{"messages": ', "invalid JSON"),
        ("a.json", "[]", "empty"),
        ("a.csv", 'prompt,completion\n"$ ",exit,more\n', "a.csv:1: 1 fields more than the header has"),
        ("a.csv", "prompt\xff", "not UTF-8: byte 0xff"),
        ("a.parquet", "no", "not Parquet"),
        ("a.txt", "Dear diary", "not recognised: plain text"),
        ("a.csv.gz", "no gzip", "damaged gzip"),
        ("a.jsonl", "PK\x03\x04...", "a zip archive; unpack it and give the folder"),
        ("a.csv", "\xff\xfep\x00", "UTF-16; convert it to UTF-8"),
    ],
)
def test_what_is_not_recognised_is_one_line(name: str, text: str, line: str, tmp_path: Path):
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError) as refused:
        read(tmp_path / name)
    assert line in str(refused.value) and name in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("format", "row", "line"),
    [
        ("sharegpt", {"conversations": [{"from": "pope", "value": "x"}]}, "conversations.0.from"),
        ("alpaca", {"instruction": None, "output": "x"}, "instruction: found None, allowed: text, or a list of turns"),
        ("prompt_completion", {"prompt": "x"}, "completion: found None"),
        ("messages", {"messages": "text"}, "messages: Input should be a valid array"),
        (
            "messages",
            {"messages": [{"role": "assistant", "tool_calls": [1]}]},
            "a call of a tool before any answer",
        ),
    ],
)
def test_a_wrong_row_of_a_named_format_is_one_line(format: str, row: Any, line: str, tmp_path: Path):
    with pytest.raises(DataError, match=f"mine.jsonl(:1)?: .*{line}"):
        read(write(tmp_path / "mine.jsonl", [row]), format)


def test_inputs_history_and_system_of_a_pair_become_turns(tmp_path: Path):
    row = {"instruction": "sum", "input": "1 2", "output": "3", "system": "be brief", "history": [["hi", "hello"]]}
    [sample], _ = read(write(tmp_path / "a.jsonl", [row]))
    assert [turn.content for turn in sample.messages] == ["be brief\nhi", "hello", "sum\n\n1 2", "3"]


def test_gzip_is_known_by_its_bytes_and_a_pattern_is_answered(tmp_path: Path):
    write(tmp_path / "a.jsonl.gz", ROWS["messages"][:1]).rename(tmp_path / "a.jsonl")
    assert len(read(tmp_path / "a.jsonl")[0]) == 1
    with pytest.raises(DataError, match="no such file or folder; for several files give their folder"):
        read(tmp_path / "*.jsonl")


def test_a_chosen_column_counts(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", [{"chosen": TURNS, "messages": []}])
    assert len(read(path, column="chosen")[0]) == 1
    with pytest.raises(DataError, match="rows with chosen, messages, no turns in chat, which data.sources.own.column names"):
        read(path, column="chat")


@pytest.mark.parametrize("named", [False, True], ids=["without ids", "with ids"])
def test_the_split_depends_on_no_name_of_source_or_file_and_on_no_order(named: bool, tmp_path: Path):
    rows = [
        {**({"id": number} if named else {}), "messages": [TURNS[0], {"role": "assistant", "content": str(number)}]} for number in range(60)
    ]

    def held(source: str, file: str, rows: Sequence[Any]) -> tuple[set[str], set[str]]:
        path = write(tmp_path / file, rows)
        data = DataConfig(sources={source: SourceConfig(kind=SourceKind.auto, path=str(path), share=0.7)}, validation_share=0.3)
        _, validation = split_samples(samples := sources.read(data), data, 0)
        return {sample.messages[1].content for sample in validation}, {sample.messages[1].content for sample in samples}

    first = held("own", "a.jsonl", rows)
    assert 0 < len(first[0]) < len(first[1]) < 60
    assert held("other", "b.jsonl", rows[::-1]) == first


def test_own_data_beside_sources_without_it_is_refused():
    source = {"shell": SourceConfig(kind=SourceKind.trajectories)}
    with pytest.raises(SettingsError, match=r"data.path=x: not among the chosen sources; write 'data=\[own,shell\]' data.path=x"):
        sources.read(DataConfig(path="x", sources=source))
    with pytest.raises(SettingsError, match=r"no value for data.path \(give it: data.path=FILE_OR_FOLDER\)"):
        sources.read(DataConfig(sources={OWN: SourceConfig(kind=SourceKind.auto)}))

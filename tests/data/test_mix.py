"""Several sources as one training set: proportions, near-duplicates, cache."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekft.config import DataConfig, MaskConfig, MaskRule, ModelConfig, SourceConfig, SourceKind
from sekft.config.data import MixBy
from sekft.data.mix import mix_rows, source_shares
from sekft.data.near_duplicates import drop_near_duplicates
from sekft.data.prepare import prepare_data
from sekft.data.recipe import DataRecipe, PreparedData
from sekft.data.sample import Row, Sample
from sekft.errors import DataError, SettingsError
from sekft.model.locate import load_tokenizer
from sekft.rendering.messages import Message
from tests.data.source.reading import put
from tests.data.source.test_oasst import node, tree
from tests.data.test_lines import EPISODE


def sources(**weights: float) -> DataConfig:
    return DataConfig(sources={name: SourceConfig(kind=SourceKind.trajectories, weight=weight) for name, weight in weights.items()})


def rows(name: str, lengths: list[int]) -> list[Row]:
    return [Row(f"{name}{at}", (0,) * length, (1.0,) * length) for at, length in enumerate(lengths)]


def sizes(chosen: list[Row], name: str) -> tuple[int, int]:
    own = [row for row in chosen if row.id.startswith(name)]
    return len(own), sum(len(row.ids) for row in own)


LENGTHS = st.lists(st.integers(5, 60), min_size=200, max_size=300)


@given(LENGTHS, LENGTHS, st.integers(1, 6))
def test_the_mix_meets_the_weights_to_half_a_row(ours: list[int], theirs: list[int], weight: int):
    given = {"a": rows("a", ours), "b": rows("b", theirs)}
    chosen = mix_rows(given, sources(a=weight, b=1), seed=0)
    (_, tokens_a), (_, tokens_b) = sizes(chosen, "a"), sizes(chosen, "b")
    assert tokens_a == sum(ours) or tokens_b == sum(theirs)  # one source is used whole
    tolerance = max(theirs) / 2 * weight if tokens_a == sum(ours) else max(ours) / 2
    assert abs(tokens_a - weight * tokens_b) <= tolerance + 1e-6
    assert max(Counter(row.id for row in chosen).values()) == 1


def test_by_rows_epochs_and_general_share():
    given = {"a": rows("a", [10] * 90), "b": rows("b", [50] * 30)}
    data = sources(a=3, b=2)
    data.by = MixBy.rows
    assert [sizes(mix_rows(given, data, 0), name)[0] for name in "ab"] == [45, 30]
    data.sources["b"].epochs = 2.0
    chosen = mix_rows(given, data, 0)
    assert [sizes(chosen, name)[0] for name in "ab"] == [90, 60] and max(Counter(row.id for row in chosen).values()) == 2
    data.general, data.general_share = ["b"], 0.25
    assert source_shares(data) == {"a": 0.75, "b": 0.25} and [sizes(mix_rows(given, data, 0), name)[0] for name in "ab"] == [90, 30]


def test_sources_take_turns_and_the_seed_decides_which_rows():
    given = {"a": rows("a", [10] * 30), "b": rows("b", [10] * 10)}
    data = sources(a=3, b=1)
    order = "".join(row.id[0] for row in mix_rows(given, data, 0))
    assert order == "aaba" * 10 or "abaa" in order
    few = sources(a=1, b=1)
    assert mix_rows(given, few, 0) == mix_rows(given, few, 0) != mix_rows(given, few, 1)


def test_a_single_source_gives_all_of_its_rows_in_order():
    given = rows("a", [3, 1, 2])
    assert mix_rows({"a": given}, sources(a=1), 0) == given
    with pytest.raises(SettingsError, match="a.weight=2: there is no other source to weigh it against; allowed: data.sources.a.share"):
        mix_rows({"a": given}, sources(a=2), 0)


def test_impossible_weights_are_refused():
    with pytest.raises(SettingsError, match="b: weight 0, epochs 1.0; allowed: above 0"):
        source_shares(sources(a=1, b=0))
    with pytest.raises(DataError, match="b: its share of the mix, 0 tokens, is less than its shortest row"):
        mix_rows({"a": rows("a", [10]), "b": rows("b", [50])}, sources(a=1000, b=1), 0)
    data = sources(a=1, b=1)
    data.general_share = 0.5
    with pytest.raises(SettingsError, match="data.general"):
        source_shares(data)


TEXT = "the quick red fox went over the old bridge and met a hen that sold seven eggs to a miller who had never seen snow"
WORDS = TEXT.split(" ")


def chat(name: str, source: str, words: list[str]) -> Sample:
    return Sample(name, name, source, (Message(role="user", content="tell"), Message(role="assistant", content=" ".join(words))))


def test_planted_near_duplicates_are_found_within_and_across_the_split():
    near, far = [*WORDS[:-1], "rain"], WORDS[::-1]
    data = sources(a=1, b=1)
    data.sources["b"].max_similarity = 0.7
    found = drop_near_duplicates(
        [chat("b/1", "b", near), chat("b/2", "b", far), chat("b/3", "b", [*far, "x"])], [chat("a/0", "a", WORDS)], data
    )
    assert (found.across, found.within) == ([("b/1", "a/0")], [("b/3", "b/2")]) and [one.id for one in found.training] == ["b/2"]
    assert found.lines()[1] == "near-duplicates of validation dropped from training: b 1; the first: b/1 is like a/0"
    assert len(drop_near_duplicates([chat("a/1", "a", near), chat("a/2", "a", near)], [chat("a/0", "a", WORDS)], data).training) == 2


def episodes(count: int) -> list[dict[str, object]]:
    made = []
    for number in range(count):
        turns = [{"role": "user", "content": "$ "}, {"role": "assistant", "content": f"echo {number} > n{number}.txt"}]
        turns += [{"role": "user", "content": "$ "}, {"role": "assistant", "content": "exit"}]
        made.append(EPISODE | {"id": f"w{number}#0@x", "scenario_id": f"w{number}", "messages": turns})
    return made


def recipe(folder: Path, **more: object) -> DataRecipe:
    put(folder / "episodes.jsonl", episodes(300))
    trees = [
        tree(node(f"p{at}", "prompter", node(f"a{at}", "assistant", text=f"answer {at} {WORDS[at % 20]}")), f"t{at}") for at in range(60)
    ]
    twin = tree(node("px", "prompter", node("ax", "assistant", text=" ".join(WORDS))), "tx")
    again = tree(node("px", "prompter", node("ax", "assistant", text=" ".join([*WORDS, "again"]))), "ty")
    put(folder / "x.trees.jsonl", [*trees, twin, again])
    shell = SourceConfig(kind=SourceKind.trajectories, path=str(folder / "episodes.jsonl"), weight=3)
    oasst = SourceConfig(kind=SourceKind.oasst, path=str(folder / "x.trees.jsonl"), max_similarity=0.8)
    data = DataConfig(sources={"shell": shell, "oasst": oasst}, validation_from=["shell"], **more)  # type: ignore[arg-type]
    tokenizer = load_tokenizer(ModelConfig(name="tiny", path="sekft:tiny"))
    return DataRecipe(tokenizer, MaskConfig(rule=MaskRule.assistant), data, 1024, 0)


def test_shell_and_oasst_are_mixed_three_to_one_without_the_planted_near_duplicate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    made = prepare_data(recipe(tmp_path))
    tokens = Counter[str]()
    for row in made.training:
        tokens[row.id.split("/")[0] == "oasst"] += len(row.ids)
    assert abs(tokens[False] / tokens[True] / 3 - 1) < 0.01
    assert made.validation and not any(row.id.startswith("oasst") for row in made.validation)
    assert any(
        "near-duplicates of each other dropped from training: oasst 1; the first: oasst/ty is like oasst/tx" in line for line in made.lines
    )
    assert made.counts.rows == len(made.training) and made.counts.learned == sum(w > 0 for row in made.training for w in row.weight)


def test_every_row_ends_on_an_assistant_turn_and_no_header_stands_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    given = recipe(tmp_path)
    for row in (*(made := prepare_data(given)).training, *made.validation):
        assert row.ids[-1] in given.tokenizer.stop_ids and row.weight[-1] == 1
        assert list(row.ids).count(0) == 1 and row.ids[0] == given.tokenizer.bos == 0


def rows_of(made: PreparedData) -> list[Row]:
    return [*made.training, *made.validation]


def test_cached_rows_are_the_same_as_prepared_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    first, second = prepare_data(recipe(tmp_path)), prepare_data(recipe(tmp_path))
    assert rows_of(first) == rows_of(second) and first.counts == second.counts and first.groups == second.groups
    assert second.lines[:-1] == first.lines and second.lines[-1].startswith("data: read from the cache, outputs/data/")
    assert len(list((tmp_path / "outputs/data").iterdir())) == 1


def test_a_planted_leak_of_the_evaluation_is_reported_and_episodes_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from dataclasses import replace

    from sekft.scenario.library import make

    monkeypatch.chdir(tmp_path)
    evaluation = (make("copy", 1),)
    given = replace(recipe(tmp_path), evaluation=evaluation)
    assert not any(line.startswith("leak:") for line in prepare_data(given).lines)
    planted = tree(node("pl", "prompter", node("al", "assistant", text=f"First: {evaluation[0].directives[0]}")), "tl")
    with (tmp_path / "x.trees.jsonl").open("a") as file:
        file.write(json.dumps(planted) + "\n")
    [leak] = [line for line in prepare_data(given).lines if line.startswith("leak:")]
    assert "1 directive sentences" in leak and leak.endswith("conversations from outside")


def test_a_change_of_whatever_decides_the_rows_gives_another_cache_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from dataclasses import replace

    from sekft.data import cache

    monkeypatch.chdir(tmp_path)
    given = recipe(tmp_path)
    before = cache.cache_file(given)
    others = [replace(given, seed=1), replace(given, max_tokens=99), replace(given, mask=MaskConfig(rule=MaskRule.final))]
    others += [replace(given, data=replace(given.data, validation_share=0.2))]
    early = load_tokenizer(ModelConfig(name="tiny", path="sekft:tiny", template="chatml"))
    others += [replace(given, tokenizer=early)]
    names = {cache.cache_file(other) for other in others}
    assert len(names) == len(others) and before not in names
    assert cache.cache_file(replace(given, data=replace(given.data, cache=False))) == before
    put(tmp_path / "episodes.jsonl", episodes(301))
    assert cache.cache_file(given) != before


def test_a_damaged_cache_file_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    first = prepare_data(recipe(tmp_path))
    [file] = (tmp_path / "outputs/data").iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    assert rows_of(prepare_data(recipe(tmp_path))) == rows_of(first) and file.stat().st_size > 1000


def test_without_the_cache_no_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    prepare_data(recipe(tmp_path, cache=False))
    assert not (tmp_path / "outputs").exists()

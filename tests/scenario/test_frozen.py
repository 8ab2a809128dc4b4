"""The frozen test set is exactly the file of the recorded hash, or refused."""

import gzip
from pathlib import Path

import pytest
import yaml

from sekft.cli.settings import conf_folder
from sekft.config import SplitConfig
from sekft.errors import ScenarioError
from sekft.scenario import frozen, library, split
from sekft.scenario.document import dumps

ARCHETYPE_SPLIT = SplitConfig(name="archetype", held_out=list(frozen.HELD_OUT))


def test_the_set_has_128_scenarios_half_of_them_of_held_out_archetypes() -> None:
    scenarios = frozen.scenarios()
    assert len({scenario.id for scenario in scenarios}) == 128
    assert sum(scenario.archetype in frozen.HELD_OUT for scenario in scenarios) == 64


def test_it_holds_out_the_archetypes_of_split_archetype_from_all_families() -> None:
    shipped = yaml.safe_load((conf_folder() / "split" / "archetype.yaml").read_text())
    assert tuple(shipped["held_out"]) == frozen.HELD_OUT and len(frozen.HELD_OUT) >= 8
    assert len({library.module(name).FAMILY for name in frozen.HELD_OUT}) == 7
    assert len(shipped["set_aside"]) >= 4 and set(shipped["set_aside"]) <= set(frozen.HELD_OUT)


@pytest.mark.parametrize("change", [lambda text: text.replace(b"exit", b"exti", 1), lambda text: text[:-1], lambda text: b""])
def test_a_changed_scenario_is_refused_in_one_line(change, tmp_path: Path) -> None:
    copy = tmp_path / "test.jsonl.gz"
    copy.write_bytes(gzip.compress(change(gzip.decompress(frozen.FILE.read_bytes()))))
    with pytest.raises(ScenarioError, match=f"was changed, sha256 is .*, allowed: {frozen.SHA256[:16]}") as refused:
        frozen.scenarios(copy)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"not gzip", None])
def test_a_set_that_cannot_be_read_is_refused_in_one_line(content: bytes | None, tmp_path: Path) -> None:
    copy = tmp_path / "test.jsonl.gz"
    if content is not None:
        copy.write_bytes(content)
    with pytest.raises(ScenarioError, match="test.jsonl.gz: the frozen test set"):
        frozen.scenarios(copy)


def test_the_line_about_a_set_has_number_of_scenarios_and_hash() -> None:
    scenarios = split.scenarios(ARCHETYPE_SPLIT, "held_out", amount=16)
    line = split.describe(scenarios, "held_out", ARCHETYPE_SPLIT)
    assert "16 scenarios of 8 archetypes" in line and f"frozen test set, sha256 {frozen.SHA256[:16]}" in line
    changed = [scenarios[0].model_copy(update={"checker": "true"}), *scenarios[1:]]
    assert split.describe(changed, "held_out", ARCHETYPE_SPLIT) != line and dumps(changed[0]) != dumps(scenarios[0])


def test_the_test_set_of_other_archetypes_is_drawn_and_not_called_frozen() -> None:
    two = SplitConfig(name="two", held_out=["move", "sort"], eval_scenarios=16)
    scenarios = split.scenarios(two, "test")
    assert {scenario.archetype for scenario in scenarios} > {"move", "sort"} and "frozen" not in split.describe(scenarios, "test", two)

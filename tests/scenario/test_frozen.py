"""The frozen exam set is what its hash was taken of, or nothing."""

import gzip
from pathlib import Path

import pytest
import yaml

from sekft.cli.settings import conf_folder
from sekft.config import SplitConfig
from sekft.errors import BundleError
from sekft.scenario import frozen, library, split
from sekft.scenario.document import dumps

HOUSE = SplitConfig(name="house", held_out=list(frozen.HELD_OUT))


def test_it_is_128_worlds_half_of_them_of_held_out_archetypes() -> None:
    worlds = frozen.exam()
    assert len({world.id for world in worlds}) == 128
    assert sum(world.archetype in frozen.HELD_OUT for world in worlds) == 64


def test_it_holds_out_what_the_house_split_does_over_all_families() -> None:
    house = yaml.safe_load((conf_folder() / "split" / "archetype.yaml").read_text())
    assert tuple(house["held_out"]) == frozen.HELD_OUT and len(frozen.HELD_OUT) >= 8
    assert len({library.module(name).FAMILY for name in frozen.HELD_OUT}) == 7
    assert len(house["set_aside"]) >= 4 and set(house["set_aside"]) <= set(frozen.HELD_OUT)


@pytest.mark.parametrize("change", [lambda text: text.replace(b"exit", b"exti", 1), lambda text: text[:-1], lambda text: b""])
def test_a_changed_world_is_refused_in_one_line(change, tmp_path: Path) -> None:
    copy = tmp_path / "exam.jsonl.gz"
    copy.write_bytes(gzip.compress(change(gzip.decompress(frozen.FILE.read_bytes()))))
    with pytest.raises(BundleError, match=f"was changed, sha256 is .*, allowed: {frozen.SHA256[:16]}") as refused:
        frozen.exam(copy)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"not gzip", None])
def test_a_set_that_cannot_be_read_is_refused_in_one_line(content: bytes | None, tmp_path: Path) -> None:
    copy = tmp_path / "exam.jsonl.gz"
    if content is not None:
        copy.write_bytes(content)
    with pytest.raises(BundleError, match="exam.jsonl.gz: the frozen exam set"):
        frozen.exam(copy)


def test_the_line_before_an_exam_names_worlds_and_hash() -> None:
    worlds = split.bundles(HOUSE, "held_out", amount=16)
    said = split.line(worlds, "held_out", HOUSE)
    assert "16 worlds of 8 archetypes" in said and f"frozen exam set, sha256 {frozen.SHA256[:16]}" in said
    changed = [worlds[0].model_copy(update={"checker": "true"}), *worlds[1:]]
    assert split.line(changed, "held_out", HOUSE) != said and dumps(changed[0]) != dumps(worlds[0])


def test_an_exam_for_other_archetypes_is_drawn_and_does_not_claim_to_be_frozen() -> None:
    two = SplitConfig(name="two", held_out=["move", "sort"], exam_bundles=16)
    worlds = split.bundles(two, "exam")
    assert {world.archetype for world in worlds} > {"move", "sort"} and "frozen" not in split.line(worlds, "exam", two)

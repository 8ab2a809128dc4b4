"""What a base says of itself in its folder."""

import json
from pathlib import Path

import pytest

from sekft.config import ModelConfig, Weights
from sekft.errors import ModelError
from sekft.model.locate import NEVER_SAW, never_saw


def saying(folder: Path, text: str) -> ModelConfig:
    (folder / NEVER_SAW).write_text(text)
    return ModelConfig(name="own", path=str(folder))


def test_a_base_that_says_nothing_may_have_seen_everything(tmp_path: Path) -> None:
    assert never_saw(ModelConfig(name="own", path=str(tmp_path))) == ()
    assert never_saw(ModelConfig(name="tiny", path="sekft:tiny", weights=Weights.random)) == ()


def test_a_base_names_the_archetypes_it_never_saw(tmp_path: Path) -> None:
    assert never_saw(saying(tmp_path, json.dumps(["latest", "verify"]))) == ("latest", "verify")


def test_what_the_weights_never_saw_is_not_said_of_random_ones(tmp_path: Path) -> None:
    own = saying(tmp_path, '["latest"]')
    assert never_saw(ModelConfig(name="own", path=own.path, weights=Weights.random)) == ()


@pytest.mark.parametrize(
    ("text", "found"), [("{", "not JSON"), ('{"a": 1}', r"found {'a': 1}"), ('["juggle", 3]', "found juggle, 3, allowed: ")]
)
def test_a_list_that_cannot_be_right_is_refused_in_one_line(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(ModelError, match=rf"{NEVER_SAW}: {found}") as refused:
        never_saw(saying(tmp_path, text))
    assert "\n" not in str(refused.value)

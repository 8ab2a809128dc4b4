"""Our weights equal independent references up to proven reasons, and docs/masks.md shows that."""

import os
from pathlib import Path

import pytest

from sekft.rendering.tokenizer import ChatTokenizer
from tests.rendering.dialogues import DIALOGUES
from tests.rendering.fixtures import FIXTURES, source_of
from tests.rendering.real import is_there
from tests.rendering.reasons import REASONS, explain, ours
from tests.rendering.references import mistrals_encoder
from tests.rendering.table import MARK, MARKED, PAGE, Found, cells, written

pytestmark = pytest.mark.xdist_group("references")


@pytest.fixture(scope="module")
def found() -> Found:
    if not all(map(is_there, MARKED.values())) and not os.environ.get("SEKFT_TEST_TOKENIZERS"):
        pytest.skip("real tokenizers are not in the cache: python -m tests.rendering.vocabularies")
    return dict(cells())


@pytest.mark.slow
@pytest.mark.exhaustive
def test_every_difference_to_a_reference_is_explained(found: Found):
    assert not [(key, name) for key, cell in found.items() for name, letters in cell.items() if "?" in letters]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_page_is_up_to_date(found: Found):
    assert PAGE.read_text(encoding="utf-8").partition(MARK)[1:] == written(found).partition(MARK)[1:], "run python -m tests.rendering.table"


def test_every_reason_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    assert {letter for letter in REASONS if f"- **{letter}** {REASONS[letter]}" in page} == set(REASONS) - {"?"}


@pytest.mark.parametrize("name", FIXTURES)
def test_a_fixture_has_the_expected_hash(name: str):
    assert source_of(name) and (not FIXTURES[name].markers or source_of(name, markers=True))


@pytest.mark.parametrize("name", ["plain", "control strings typed", "a system turn first"])
def test_a_planted_difference_is_not_explained(small_mistral: Path, name: str):
    tokenizer, reference, talk = ChatTokenizer(small_mistral), mistrals_encoder("v1"), DIALOGUES[name]
    mine = ours(talk, tokenizer)
    assert "?" not in explain(mine, talk, tokenizer, reference)
    [(ids, learned)] = mine
    first = learned.index(1)
    for planted in (
        [(ids, [0, *learned[1:-1], 0])],  # the last stop token is not learned
        [(ids, [*learned[: first - 1], 1, *learned[first:]])],  # the end of the prompt is
        [(ids[:-1], learned[:-1])],
        [([*ids[:first], 17, *ids[first + 1 :]], learned)],
    ):
        assert "?" in explain(planted, talk, tokenizer, reference)

"""The order of a comparison's rows: the best first, names and settings in natural order."""

from pathlib import Path

import pytest

from sekft.compare.groups import natural_order, short_value
from sekft.errors import SettingsError
from tests.compare.test_comparison import compared
from tests.eval.planted_runs import plant, share


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three rates: verified 2, 6 and 4 of 8 scenarios, losses 3, 2 and 1."""
    made = tmp_path_factory.mktemp("order")
    for at, (lr, of) in enumerate(((0.01, 2), (0.1, 6), (0.002, 4))):
        plant(made / str(at), share(of, 8), {"trainer": {"lr": lr}}, loss=3.0 - at)
    return made


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (None, ["0.1", "0.002", "0.01", "base"]),
        ("-verified", ["base", "0.01", "0.002", "0.1"]),
        ("loss", ["0.002", "0.1", "0.01", "base"]),
        ("-loss", ["0.01", "0.1", "0.002", "base"]),
        ("gain", ["0.1", "0.002", "0.01", "base"]),
        ("trainer.lr", ["0.002", "0.01", "0.1", "base"]),
        ("-trainer.lr", ["0.1", "0.01", "0.002", "base"]),
    ],
)
def test_the_best_or_the_first_comes_first_and_rows_without_a_value_last(folder: Path, sort: str | None, order: list[str]):
    assert [one.name.rpartition("=")[2] for one in compared(folder, sort=sort).rows] == order


def test_the_lowest_rate_of_a_fault_is_the_best(folder: Path):
    rates = [one.rates["false_panic"].rate for one in compared(folder, criteria=["false_panic"]).rows]
    assert rates == sorted(rates) and rates[0] < rates[-1]


def test_the_best_group_does_not_depend_on_the_order_of_the_rows(folder: Path):
    assert compared(folder, sort="-verified").best().name == "trainer.lr=0.1"


def test_an_unknown_column_is_refused_with_those_there_are(folder: Path):
    with pytest.raises(SettingsError, match="sort: found 'nice', allowed: terminated, verified, .*, loss, gain, group, trainer.lr"):
        compared(folder, sort="nice")


def test_values_of_settings_have_a_natural_order():
    assert sorted(["r16", "r4", 0.002, None, 0.0005, 1], key=natural_order) == [None, 0.0005, 0.002, 1, "r4", "r16"]
    assert short_value(0.00050) == "0.0005" and len(short_value(["archetype"] * 9)) == 40

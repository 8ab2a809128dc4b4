"""A comparison's numbers as CSV and Parquet, and as sections of a Markdown page between its markers."""

import csv
from pathlib import Path

import pytest
from pyarrow import parquet

from sekft.compare.export import export_rows, fill_page, write_csv, write_parquet
from sekft.errors import SettingsError
from tests.compare.test_comparison import compared
from tests.eval.planted_runs import plant, share, sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sweep(tmp_path_factory.mktemp("export") / "sweep")


def test_the_csv_has_a_row_for_every_run_with_the_tables_numbers(folder: Path, tmp_path: Path):
    found = compared(folder)
    write_csv(found, tmp_path / "compare.csv")
    table = list(csv.DictReader((tmp_path / "compare.csv").open()))
    assert len(table) == 7 and [row["seed"] for row in table if row["mask.rule"] == "assistant"] == ["0", "1", "2"]
    assert sum(int(row["verified.k"]) for row in table if row["group"] == "assistant") == found.rows[0].rates["verified"].k
    assert {row["loss"] for row in table if row["group"] == "terminal_only"} == {"2.0", "2.1", "2.2"}


def test_parquet_holds_the_same_rows_with_numbers_as_numbers(folder: Path, tmp_path: Path):
    found = compared(folder)
    write_parquet(found, tmp_path / "compare.parquet")
    table = parquet.read_table(tmp_path / "compare.parquet")
    assert table.to_pylist() == export_rows(found)
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["seed"] == "int64" and kinds["verified.rate"] == kinds["loss"] == "double" and kinds["group"] == "string"


def test_settings_of_several_types_are_text_in_parquet(tmp_path: Path):
    for at, value in enumerate((0.5, "all-linear", None, ["a", "b"])):
        plant(tmp_path / "sweep" / str(at), share(1, 2), {"lora": {"targets": value}})
    write_parquet(compared(tmp_path / "sweep"), tmp_path / "compare.parquet")
    values = parquet.read_table(tmp_path / "compare.parquet").column("lora.targets").to_pylist()
    assert sorted(map(str, values)) == ["0.5", "None", "None", "['a', 'b']", "all-linear"]  # the base has none either


PAGE = (
    "# x\n<!-- compare:result -->\n*not run yet*\n<!-- /compare:result -->\nmine\n<!-- compare:verdict --><!-- /compare:verdict -->\nend\n"
)


def test_filling_twice_is_filling_once_and_what_is_outside_stays(tmp_path: Path):
    page = tmp_path / "x.md"
    page.write_text(PAGE)
    fill_page(page, {"result": r"| a \1 |", "verdict": "- so"})
    once = page.read_text()
    assert "| a \\1 |" in once and "not run yet" not in once and "\nmine\n" in once and once.endswith("end\n")
    fill_page(page, {"result": r"| a \1 |", "verdict": "- so"})
    assert page.read_text() == once


@pytest.mark.parametrize("text", ["", PAGE + PAGE, PAGE.replace("/compare:verdict", "compare:verdict")])
def test_a_page_without_its_markers_is_refused_and_untouched(text: str, tmp_path: Path):
    page = tmp_path / "x.md"
    page.write_text(text)
    with pytest.raises(SettingsError, match=r"x\.md: found \d times <!-- compare:"):
        fill_page(page, {"result": "", "verdict": ""})
    assert page.read_text() == text
    with pytest.raises(SettingsError, match="no such file"):
        fill_page(tmp_path / "nowhere.md", {})

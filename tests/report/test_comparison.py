"""A comparison as table, Markdown, CSV and page: the same numbers everywhere, nothing left out in silence."""

import csv
from pathlib import Path

import pytest

from sekft.compare import compare
from sekft.config.compare import CompareConfig
from sekft.errors import DataError, SettingsError
from sekft.report.comparison import Comparison, result, table, verdicts, write_comparison_page, write_csv
from sekft.report.kinds import by_blocker, by_kind
from sekft.tracking.records import Lost, Record, find, read
from tests.exam.planted_runs import plant, share, sweep
from tests.report.test_exam_page import Page


def compared(folder: Path, **settings) -> Comparison:
    found = [read(run) for run in find([str(folder)])]
    lost = [one for one in found if isinstance(one, Lost)]
    return compare([one for one in found if isinstance(one, Record)], lost, CompareConfig(**settings))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = sweep(tmp_path_factory.mktemp("comparison") / "sweep")
    plant(made / "6", share(1, 2), status="failed")
    return made


def test_the_best_group_comes_first_the_base_has_a_line_and_what_failed_is_named(folder: Path):
    found = compared(folder)
    assert [one.name for one in found.lines] == ["assistant", "terminal_only", "base"]
    text = result(found)
    assert f"- left out: `{folder / '6'}`: failed: ModelError: it broke" in text
    assert table(found)[0].startswith("| mask.rule | seeds | worlds | terminated | verified | verified_solvable |")
    assert table(found)[2].startswith("| assistant | 3 | 64 | ") and len({row.count("|") for row in table(found)}) == 1


def test_kinds_of_hold_out_and_blockers_have_tables_of_their_own(folder: Path):
    groups = compared(folder).groups
    head, *rows = by_kind(groups)
    assert head[:3] == ["kind of world", "group", "terminated"]
    names = ["base", "assistant", "terminal_only"]
    assert [row[:2] for row in rows] == [
        [kind, name] for kind in ("held out of the adapter only", "operation the base never saw") for name in names
    ]
    assert {row[4].split("/")[1].split()[0] for row in rows if row[1] == "assistant"} == {"72"}  # 24 solvable worlds, three seeds
    assert {row[3].split("/")[1].split()[0] for row in rows if row[1] == "base"} == {"32"}  # a base lives once
    head, *rows = by_blocker(groups)
    assert head == ["blocked by", "assistant", "terminal_only"]
    assert {"missing", "denied"} <= {row[0] for row in rows} and sum(int(row[1].partition("/")[2].split()[0]) for row in rows) == 3 * 16
    text = result(compared(folder))
    assert "| kind of world | group |" in text and "| blocked by | assistant |" in text


def test_every_group_is_held_against_the_base_and_against_the_first(folder: Path):
    found = compared(folder, criteria=["verified", "panic_recall"])
    pairs = [(one.criterion, one.first, one.second) for one in found.contrasts]
    assert pairs[:3] == [
        ("verified", "base", "assistant"),
        ("verified", "base", "terminal_only"),
        ("verified", "assistant", "terminal_only"),
    ]
    assert len(pairs) == 6 and {one.worlds for one in found.contrasts if one.criterion == "panic_recall"} == {16}
    assert verdicts(found).count("\n- ") == 5 and "terminal_only left blocked worlds by a justified panic" in verdicts(found)
    turned = compared(folder, baseline="terminal_only")
    assert turned.contrasts[-1].first == "terminal_only" and turned.contrasts[-1].difference == -found.contrasts[2].difference
    with pytest.raises(SettingsError, match="baseline: found 'nobody', allowed: 'assistant', 'terminal_only'"):
        compared(folder, baseline="nobody")


def test_nothing_to_compare_is_an_error_that_names_every_run(tmp_path: Path):
    plant(tmp_path / "sweep" / "0", share(1, 2), status="running")
    with pytest.raises(DataError, match="none to compare; .*0: not finished"):
        compared(tmp_path / "sweep")


def test_other_worlds_unequal_seeds_and_unmeasured_exams_are_said(tmp_path: Path):
    from tests.exam.planted_runs import WORLDS

    for seed in range(2):
        plant(tmp_path / "sweep" / str(seed), share(1, 2), {"mask": "one"}, seed)
    odd = plant(tmp_path / "sweep" / "2", share(1, 2), {"mask": "two"}, worlds=WORLDS[:32])
    (odd / "summary.json").write_text((odd / "summary.json").read_text().replace('"verdict": "', '"verdict": "unmeasured '))
    notes = " ".join(compared(tmp_path / "sweep").notes)
    assert "2 exams of other worlds" in notes and "1 to 2 training seeds" in notes and "measure nothing are among them" in notes
    assert [one.name for one in compared(tmp_path / "sweep").lines if not one.runs] == ["base of one", "base of two"]


def test_the_csv_has_a_row_for_every_run_with_the_tables_numbers(folder: Path, tmp_path: Path):
    found = compared(folder)
    write_csv(found, tmp_path / "compare.csv")
    rows = list(csv.DictReader((tmp_path / "compare.csv").open()))
    assert len(rows) == 7 and [row["seed"] for row in rows if row["mask.rule"] == "assistant"] == ["0", "1", "2"]
    assert sum(int(row["verified.k"]) for row in rows if row["group"] == "assistant") == found.lines[0].rates["verified"].k
    assert {row["loss"] for row in rows if row["group"] == "terminal_only"} == {"2.0", "2.1", "2.2"}


def test_the_page_is_whole_fetches_nothing_and_links_the_runs_pages(folder: Path, tmp_path: Path):
    (folder / "0" / "report.html").write_text("x")
    text = write_comparison_page(compared(folder), folder / "compare.html").read_text()
    page = Page(text)
    assert page.faults == [] and page.open == [] and not page.all("script", "link", "img") and "http" not in text
    links = [attrs["href"] for attrs, _ in page.all("a") if attrs.get("class") != "skip"]
    assert links == ["0/report.html"] and "it broke" in text
    for said in compared(folder).sentences():
        assert said in text

"""Results go into a page between its markers, again and again, and nowhere else."""

from pathlib import Path

import pytest

from sekft.compare.fill import fill
from sekft.errors import SettingsError

PAGE = (
    "# x\n<!-- compare:result -->\n*not run yet*\n<!-- /compare:result -->\nmine\n<!-- compare:verdict --><!-- /compare:verdict -->\nend\n"
)


def test_filling_twice_is_filling_once_and_what_is_outside_stays(tmp_path: Path):
    page = tmp_path / "x.md"
    page.write_text(PAGE)
    fill(page, {"result": r"| a \1 |", "verdict": "- so"})
    once = page.read_text()
    assert "| a \\1 |" in once and "not run yet" not in once and "\nmine\n" in once and once.endswith("end\n")
    fill(page, {"result": r"| a \1 |", "verdict": "- so"})
    assert page.read_text() == once


@pytest.mark.parametrize("text", ["", PAGE + PAGE, PAGE.replace("/compare:verdict", "compare:verdict")])
def test_a_page_without_its_markers_is_refused_and_untouched(text: str, tmp_path: Path):
    page = tmp_path / "x.md"
    page.write_text(text)
    with pytest.raises(SettingsError, match=r"x\.md: found \d times <!-- compare:"):
        fill(page, {"result": "", "verdict": ""})
    assert page.read_text() == text
    with pytest.raises(SettingsError, match="no such file"):
        fill(tmp_path / "nowhere.md", {})

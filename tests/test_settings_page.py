"""docs/settings.md is what the types and comments say, and explains all of them."""

import re

from scripts.settings import PAGE, page


def test_the_page_of_all_settings_is_up_to_date():
    assert PAGE.read_text() == page(), "write it again: python -m scripts.settings"


def test_every_setting_is_explained():
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (.*) \|$", page().split("## Coverage")[1].split("##")[0], re.M)
    assert rows and all(set(cells.split(" | ")) <= {"100%", "-"} and int(amount) > 0 for _, amount, cells in rows), rows

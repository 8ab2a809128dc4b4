"""Pages are complete, self-contained, and safe whatever an episode typed."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from sekft import preview
from sekft.mask.tokens import Token
from sekft.preview.command import PaintedRow, page_row
from sekft.report.page import write_page

PREVIEW = Path(preview.__file__).with_name("page.html.jinja")


def test_a_page_escapes_what_was_typed_and_fetches_nothing(tmp_path: Path):
    row = [Token(5, "<script>alert(1)</script>", 1, 1.0, "command"), Token(2, "</s>", 1, 1.0, "stop")]
    write_page(PREVIEW, {"title": "<b>", "lines": ["c", "d"], "rows": [page_row(PaintedRow("episode<1>", row))]}, tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    assert "<script>" not in page and "episode&lt;1&gt;" in page and "http" not in page
    assert 'class="stop" title="id 2, turn 1, weight 1.0"' in page


def test_a_page_that_cannot_be_filled_leaves_nothing_under_its_name(tmp_path: Path):
    with pytest.raises(UndefinedError):
        write_page(PREVIEW, {"title": "x"}, tmp_path / "p.html")
    assert not (tmp_path / "p.html").exists()

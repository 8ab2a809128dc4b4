"""Results written into a page of experiments/: between its markers, again and again, and nowhere else."""

import re
from collections.abc import Mapping
from pathlib import Path

from sekft.errors import SettingsError
from sekft.tracking.files import write_text

PARTS = ("result", "verdict")


def fill(page: Path, texts: Mapping[str, str]) -> None:
    """Put each part between <!-- compare:PART --> and <!-- /compare:PART -->. Raises SettingsError, with the page untouched."""
    text = read(page)
    for part, content in texts.items():
        text = _between(part).sub(lambda found, content=content: f"{found[1]}\n{content}\n{found[2]}", text)  # type: ignore[misc]
    write_text(page, text)


def read(page: Path) -> str:
    """Its text, if all markers are there once. Raises SettingsError."""
    if not page.is_file():
        raise SettingsError(f"page={page}: no such file; allowed: a page of experiments/")
    text = page.read_text(encoding="utf-8")
    for part in PARTS:
        if (found := len(_between(part).findall(text))) != 1:
            raise SettingsError(f"page={page}: found {found} times <!-- compare:{part} --> ... <!-- /compare:{part} -->, allowed: once")
    return text


def _between(part: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- compare:{part} -->).*?(<!-- /compare:{part} -->)", re.S)

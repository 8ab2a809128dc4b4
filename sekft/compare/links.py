"""Runs as a page names and links them: the folder without what all have in common, the run's own page, its lives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import commonpath, relpath
from pathlib import Path

from sekft.compare.groups import Examined, Group
from sekft.eval.score import TUNED

LIVES = {"one won": "lives/won.txt", "one lost": "lives/lost.txt", "all": "episodes.jsonl"}


@dataclass(frozen=True)
class Shown:
    """page, lives: links from the page that shows it; empty, or left out, where the run has no such file."""

    run: Examined
    group: str
    name: str
    page: str
    lives: Mapping[str, str]


def shown(groups: Sequence[Group], start: Path) -> list[Shown]:
    """In the order of the groups, seed by seed. start: the folder of the page."""
    folders = {run.folder for group in groups for run in group.runs}
    shared = commonpath([folder.absolute().parent for folder in folders])
    found = []
    for group in groups:
        for run in group.runs:
            name = relpath(run.folder, shared)
            lives = {said: link for said, file in LIVES.items() if (link := linked(run.folder / file, start))}
            page = linked(run.folder / "report.html", start)
            found.append(Shown(run, group.name, name if run.player == TUNED else f"{name} {run.player}", page, lives))
    return found


def linked(file: Path, start: Path) -> str:
    """The file as seen from the folder start; empty if there is none."""
    return Path(relpath(file, start)).as_posix() if file.exists() else ""

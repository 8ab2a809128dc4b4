"""Runs as a page names and links them: the folder without what all have in common, the run's own page, its episodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import commonpath, relpath
from pathlib import Path

from sekft.compare.groups import EvaluatedRun, Group
from sekft.eval.score import TUNED

EPISODES = {"one won": "episodes/won.txt", "one lost": "episodes/lost.txt", "all": "episodes.jsonl"}


@dataclass(frozen=True)
class Shown:
    """page, episodes: links from the page that shows it; empty, or left out, where the run has no such file."""

    run: EvaluatedRun
    group: str
    name: str
    page: str
    episodes: Mapping[str, str]


def shown(groups: Sequence[Group], start: Path) -> list[Shown]:
    """In the order of the groups, seed by seed. start: the folder of the page."""
    folders = {run.folder for group in groups for run in group.runs}
    shared = commonpath([folder.absolute().parent for folder in folders])
    found = []
    for group in groups:
        for run in group.runs:
            name = relpath(run.folder, shared)
            episodes = {said: link for said, file in EPISODES.items() if (link := linked(run.folder / file, start))}
            page = linked(run.folder / "report.html", start)
            found.append(Shown(run, group.name, name if run.agent == TUNED else f"{name} {run.agent}", page, episodes))
    return found


def linked(file: Path, start: Path) -> str:
    """The file as seen from the folder start; empty if there is none."""
    return Path(relpath(file, start)).as_posix() if file.exists() else ""

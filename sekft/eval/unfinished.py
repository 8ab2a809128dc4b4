"""The episodes that an interrupted evaluation has played: kept in its folder, so that the same evaluation goes on from there."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sekft.episode import trajectory
from sekft.episode.trajectory import Ending, Trajectory
from sekft.tracking.digest import hash_code, hash_value

PATTERN = "episodes.{key}.jsonl.partial"


def partial_file(folder: Path, decided_by: Mapping[str, Any]) -> Path:
    """The file of an evaluation in a run's folder. decided_by: what the episodes depend on, by agent; sekft's code is added."""
    return folder / PATTERN.format(key=hash_value([decided_by, hash_code()["code"]]))


def read(file: Path) -> dict[str, Trajectory]:
    """The episodes in the file by their id; broken ones are left out, and an incomplete last line is cut off."""
    if not file.exists():
        return {}
    content = file.read_bytes()
    if whole := content[: content.rfind(b"\n") + 1]:
        file.write_bytes(whole)
    else:
        file.unlink()
        return {}
    return {episode.id: episode for episode in trajectory.read(file) if episode.ending is not Ending.broken}


def append_to(file: Path) -> Callable[[Trajectory], None]:
    """A function that appends each episode as one whole line."""

    def append(episode: Trajectory) -> None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(trajectory.dumps(episode))

    return append


def remove(folder: Path) -> None:
    """Remove the files of this and of earlier evaluations in the folder, once their episodes stand under their own name."""
    for file in folder.glob(PATTERN.format(key="*")):
        file.unlink()

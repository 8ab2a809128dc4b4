"""What an interrupted evaluation has played is read back, except for what a kill or a broken sandbox left of an episode."""

from pathlib import Path

from sekft.episode import trajectory
from sekft.episode.trajectory import Ending
from sekft.eval import unfinished
from tests.eval.planted import episode


def test_whole_lines_of_episodes_that_did_not_break_are_read_and_the_rest_is_cut_off(tmp_path: Path) -> None:
    file = unfinished.partial_file(tmp_path, {"base": 1})
    assert file.name == unfinished.partial_file(tmp_path, {"base": 1}).name != unfinished.partial_file(tmp_path, {"base": 2}).name
    assert unfinished.read(file) == {}
    one, two = episode("a", "copy", True), episode("b", "copy", True).model_copy(update={"ending": Ending.broken})
    append = unfinished.append_to(file)
    append(one)
    append(two)
    with file.open("a") as lines:
        lines.write(trajectory.dumps(one)[:40])
    assert unfinished.read(file) == {one.id: one} and file.read_text().endswith("\n")
    unfinished.remove(tmp_path)
    assert not file.exists()

"""Episodes at a shell prompt, as sekft.collect writes them: keepers become samples, rejects are counted."""

from collections.abc import Iterator

from sekft.config import SourceConfig
from sekft.data.files import find_files
from sekft.data.lines import JSONL, read_records
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.episode.trajectory import Trajectory


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """Trajectories of a *.jsonl(.gz) file, of a folder of them, or of a Hub dataset; others than keepers by their outcome."""
    for _, episode in read_records(find_files(source.path or "", JSONL), Trajectory, source.max_line_bytes, stats):
        if episode.kept:
            yield Sample(episode.id, episode.scenario_id, name, episode.messages, _failed(episode), archetype=episode.archetype)
        else:
            stats.skip(episode.outcome.value)


def _failed(episode: Trajectory) -> frozenset[int]:
    """The turns whose command ended in a status other than 0; leaving is no failure, and neither is a line that is continued."""
    return frozenset(command.turn for command in episode.commands[:-1] if command.status not in (0, None))

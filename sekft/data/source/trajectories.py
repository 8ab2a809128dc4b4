"""Reads episodes at a shell prompt, as sekft.collect writes them."""

from collections.abc import Iterator

from sekft.config import SourceConfig
from sekft.data.files import find_files
from sekft.data.lines import JSONL, read_records
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.episode.trajectory import Trajectory


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """One sample per trajectory that passed (`kept`); the others are skipped, counted by outcome."""
    for _, episode in read_records(find_files(source.path or "", JSONL), Trajectory, source.max_line_bytes, stats):
        if episode.kept:
            failed, unlearned = _failed_turns(episode), _unlearned_turns(episode)
            yield Sample(episode.id, episode.scenario_id, name, episode.messages, failed, unlearned, archetype=episode.archetype)
        else:
            stats.skip(episode.outcome.value)


def _unlearned_turns(episode: Trajectory) -> frozenset[int]:
    """The turns that an imported record keeps from being learned."""
    turns = episode.meta.get("unlearned")
    return frozenset(turn for turn in turns if isinstance(turn, int)) if isinstance(turns, list) else frozenset()


def _failed_turns(episode: Trajectory) -> frozenset[int]:
    """The turns whose command ended with a status other than 0; the last command (exit or panic) never counts."""
    return frozenset(command.turn for command in episode.commands[:-1] if command.status not in (0, None))

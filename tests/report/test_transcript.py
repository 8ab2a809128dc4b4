"""Episodes on a page and in a terminal player: what was typed and shown, nothing else."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sekft.config import EvalConfig
from sekft.eval import score
from sekft.eval.asciicast import asciicast, write_casts
from sekft.report.transcript import Piece, parting, pieces, shortened
from tests.eval.planted import episode
from tests.eval.test_score import GAIN, SCENARIOS, agents

EPISODE = episode("w", "a", True, turns=(("ls", "a.txt\n$ "), ("cat a.txt", "<é>\n$ "), ("exit", "")))
OTHER = episode("w", "a", False, turns=(("ls", "a.txt\n$ "), ("cat b.txt", "no\n$ ")))
SCREEN = "$ ls\na.txt\n$ cat a.txt\n<é>\n$ exit\n"


def test_the_screen_is_what_was_shown_and_typed():
    assert "".join(piece.text for piece in pieces(EPISODE.messages)) == SCREEN
    assert [piece.kind for piece in pieces(EPISODE.messages)][:2] == ["shown", "typed"]


def test_two_episodes_part_at_their_first_difference():
    assert (parting(EPISODE, OTHER), parting(EPISODE, EPISODE)) == (3, len(EPISODE.messages))
    assert parting(EPISODE, episode("w", "a", True, turns=())) == 1


@given(st.lists(st.tuples(st.sampled_from(["typed", "shown"]), st.text(max_size=60)), max_size=8), st.integers(20, 200))
def test_a_shortened_screen_keeps_head_and_tail_and_counts_the_rest(screen: list[tuple[str, str]], most: int):
    whole = [Piece(kind, text.encode("utf-8", "ignore").decode()) for kind, text in screen]
    text = "".join(piece.text for piece in whole)
    kept, cut = shortened(whole, most)
    if not cut:
        assert kept == whole
        return
    at = next(index for index, piece in enumerate(kept) if piece.kind == "cut")
    head, tail = ("".join(piece.text for piece in part) for part in (kept[:at], kept[at + 1 :]))
    assert text.startswith(head) and text.endswith(tail) and len(head) + len(tail) + cut == len(text)
    assert len((head + tail).encode()) <= most


def test_an_asciicast_is_version_2_and_plays_the_screen():
    header, *events = map(json.loads, asciicast(EPISODE).splitlines())
    assert header["version"] == 2 and header["width"] > 0 and header["height"] > 0
    times = [event[0] for event in events]
    assert times == sorted(times) and {event[1] for event in events} == {"o"}
    assert "".join(event[2] for event in events).replace("\r\n", "\n").startswith(SCREEN) and asciicast(EPISODE) == asciicast(EPISODE)


def test_a_name_with_a_slash_is_no_folder(tmp_path: Path):
    episodes = {{"tuned": "org/a"}.get(agent, agent): own for agent, own in agents(tuned=GAIN).items()}
    written = write_casts(episodes, score.score(episodes, SCENARIOS, EvalConfig()), tmp_path / "episodes")
    assert {path.name.split(".")[-2] for path in written} == {"base", "org_a"}


def test_casts_are_written_of_scenarios_in_which_the_agents_differ(tmp_path: Path):
    episodes = agents(tuned=GAIN)
    written = write_casts(episodes, score.score(episodes, SCENARIOS, EvalConfig()), tmp_path / "episodes")
    assert len(written) == 8 and {path.suffix for path in written} == {".cast"} and all(path.exists() for path in written)
    assert {path.name.split(".")[-2] for path in written} == {"base", "tuned"}

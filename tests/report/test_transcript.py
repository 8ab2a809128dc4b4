"""Lives on a page and in a terminal player: what was typed and shown, nothing else."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sekft.config import EvalConfig
from sekft.eval import score
from sekft.eval.asciicast import asciicast, write_casts
from sekft.report.transcript import Piece, parting, pieces, shortened
from tests.eval.planted import life
from tests.eval.test_score import GAIN, WORLDS, players

LIFE = life("w", "a", True, turns=(("ls", "a.txt\n$ "), ("cat a.txt", "<é>\n$ "), ("exit", "")))
OTHER = life("w", "a", False, turns=(("ls", "a.txt\n$ "), ("cat b.txt", "no\n$ ")))
SCREEN = "$ ls\na.txt\n$ cat a.txt\n<é>\n$ exit\n"


def test_the_screen_is_what_was_shown_and_typed():
    assert "".join(piece.text for piece in pieces(LIFE.messages)) == SCREEN
    assert [piece.kind for piece in pieces(LIFE.messages)][:2] == ["shown", "typed"]


def test_two_lives_part_at_their_first_difference():
    assert (parting(LIFE, OTHER), parting(LIFE, LIFE)) == (3, len(LIFE.messages))
    assert parting(LIFE, life("w", "a", True, turns=())) == 1


@settings(max_examples=60, deadline=None)
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
    header, *events = map(json.loads, asciicast(LIFE).splitlines())
    assert header["version"] == 2 and header["width"] > 0 and header["height"] > 0
    times = [event[0] for event in events]
    assert times == sorted(times) and {event[1] for event in events} == {"o"}
    assert "".join(event[2] for event in events).replace("\r\n", "\n").startswith(SCREEN) and asciicast(LIFE) == asciicast(LIFE)


def test_a_name_with_a_slash_is_no_folder(tmp_path: Path):
    lives = {{"tuned": "org/a"}.get(player, player): own for player, own in players(tuned=GAIN).items()}
    written = write_casts(lives, score.score(lives, WORLDS, EvalConfig()), tmp_path / "lives")
    assert {path.name.split(".")[-2] for path in written} == {"base", "org_a"}


def test_casts_are_written_of_worlds_in_which_the_players_differ(tmp_path: Path):
    lives = players(tuned=GAIN)
    written = write_casts(lives, score.score(lives, WORLDS, EvalConfig()), tmp_path / "lives")
    assert len(written) == 8 and {path.suffix for path in written} == {".cast"} and all(path.exists() for path in written)
    assert {path.name.split(".")[-2] for path in written} == {"base", "tuned"}

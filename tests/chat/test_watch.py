"""A supervised episode: Enter confirms a turn, a line replaces it, a reason saves the take-over."""

import io
import sys
from pathlib import Path

import pytest

from sekft.chat.watch import Watch
from sekft.data import decision
from sekft.episode.takeover import TakeOver
from sekft.errors import Stopped
from sekft.rendering.messages import Message, Reply
from sekft.scenario.library import make

SCREEN = (Message(role="user", content="$ "),)


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


@pytest.mark.parametrize(
    ("lines", "text"), [([""], "ls"), (["cat a"], "cat a"), ([" q"], "q"), (["e", "ls -a"], "ls -a"), (["e", ""], "ls"), ([" "], "")]
)
def test_the_person_decides_what_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], text: str):
    typed(monkeypatch, *lines)
    assert Watch(make("copy", 0), tmp_path / "d.jsonl").decide(SCREEN, Reply("ls")) == text


@pytest.mark.parametrize("lines", [["q"], []])
def test_leaving_and_the_end_of_the_input_stop_the_episode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]):
    typed(monkeypatch, *lines)
    with pytest.raises(Stopped):
        Watch(make("copy", 0), tmp_path / "d.jsonl").decide(SCREEN, Reply("ls"))


def test_a_take_over_with_a_reason_is_saved_under_an_id_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scenario, kept = make("copy", 0), tmp_path / "d.jsonl"
    typed(monkeypatch, "", "it is there", "so is that")
    watch = Watch(scenario, kept)
    for _ in range(2):
        watch.record(TakeOver(SCREEN, "ls", "cat a"))
    Watch(scenario, kept).record(TakeOver(SCREEN, "ls", "cat b"))
    one, other = decision.load(kept)
    assert (one.id, other.id) == (f"{scenario.id}/1", f"{scenario.id}/1.2") and watch.saved == 1
    assert (one.own, one.continuation, one.reason, one.scenario) == ("ls", "cat a", "it is there", scenario.id)

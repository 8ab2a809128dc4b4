"""Review: the largest divergence first, every judgement saved at once, nothing shown twice."""

import io
import sys
from collections import Counter
from pathlib import Path

import pytest

from sekft.chat.proposals import Proposal, from_episodes, rank, with_own_turns
from sekft.chat.review import rejected_file, review
from sekft.data import decision
from sekft.data.decision import Decision
from sekft.episode.agent import Scripted
from sekft.episode.trajectory import Command, Ending, Outcome, Trajectory
from sekft.errors import RenderError
from sekft.rendering.messages import Message


def point(name: str, own: str = "exit") -> Decision:
    return Decision(
        id=name, context=(Message(role="user", content=f"{name}\n$ "),), continuation="panic", own=own, reason="it cannot be done"
    )


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def proposals(*names: str) -> list[Proposal]:
    return [Proposal(point(name), 1.0) for name in names]


def test_a_judgement_is_saved_at_once_and_its_proposal_is_never_shown_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    kept, offered = tmp_path / "decisions.jsonl", proposals("a", "b", "c", "d")
    typed(monkeypatch, "a", "what", "r", "q")
    assert review(offered, kept) == Counter(approved=1, rejected=1, waiting=2)
    assert [one.id for one in decision.load(kept)] == ["a"] and [one.id for one in decision.load(rejected_file(kept))] == ["b"]
    capsys.readouterr()
    typed(monkeypatch, "e", "panic no tool")
    assert review(offered, kept) == Counter(judged_before=2, edited=1, waiting=1)  # the input ends before d
    shown = capsys.readouterr().out
    assert "1 of 2: c," in shown and ": a," not in shown and ": b," not in shown
    assert decision.load(kept)[1].continuation == "panic no tool"
    typed(monkeypatch, "a")
    assert review(offered, kept)["approved"] == 1
    typed(monkeypatch)
    assert review(offered, kept) == Counter(judged_before=4)


def test_the_largest_divergence_comes_first_and_what_cannot_be_rendered_is_counted():
    def diverge(context, hint: str, own: str) -> float:
        if own == "bad":
            raise RenderError("no")
        return float(own)

    left_out: Counter[str] = Counter()
    found = rank([point("a", "1"), point("b", "3"), point("c", "bad"), point("d", "2")], diverge, left_out)
    assert [one.decision.id for one in found] == ["b", "d", "a"] and left_out == Counter({"no": 1})


def episode(name: str, outcome: Outcome, *typed: str) -> Trajectory:
    messages = [Message(role="user", content="$ ")]
    for text in typed:
        messages += [Message(role="assistant", content=text), Message(role="user", content="$ ")]
    commands = tuple(Command(turn=2 * at + 1, text=text, status=0) for at, text in enumerate(typed))
    return Trajectory(
        id=f"{name}#0@x", scenario_id=name, archetype="copy", agent="x", messages=tuple(messages), commands=commands,
        ending=Ending.exit, checked=False, clean=True, outcome=outcome, kept=outcome is Outcome.verified,
    )  # fmt: skip


class Hinted:
    """Panics after a hint, types `ls` elsewhere."""

    name = "hinted"

    def reply(self, episode_id: str, messages):
        from sekft.rendering.messages import Reply

        return Reply("panic" if messages[0].role == "system" and len(messages) > 2 else "ls")


def test_every_turn_of_a_failed_episode_that_the_hint_changes_is_proposed_once():
    episodes = [
        episode("w", Outcome.false_exit, "ls", "exit"),
        episode("w", Outcome.false_exit, "ls", "exit"),
        episode("v", Outcome.verified, "exit"),
    ]
    left_out: Counter[str] = Counter()
    (proposed,) = from_episodes(episodes, "it cannot be done", Hinted(), left_out)
    assert (proposed.own, proposed.continuation, proposed.scenario, len(proposed.context)) == ("exit", "panic", "w", 3)
    assert left_out == Counter({"turns that the hint does not change": 1, "episodes that were kept": 1})


def test_the_agent_s_own_turn_is_generated_only_where_the_file_lacks_it():
    points = list(with_own_turns([point("w#0", own=""), point("w#1")], Scripted("x", {"w": ["ls"]})))
    assert [one.own for one in points] == ["ls", "exit"]

"""The kind of a turn follows from the commands and the screen."""

import pytest

from sekft.eval.turns import Turn, describe, turns
from tests.eval.planted import episode


@pytest.mark.parametrize(
    ("typed", "shown", "kind"),
    [
        ("ls -a", "a.txt\n$ ", Turn.looked),
        ("cat a.txt 2>/dev/null | head -3", "x\n$ ", Turn.looked),
        ("zub --help", "usage\n$ ", Turn.asked),
        ("man zub", "ZUB(1)\n$ ", Turn.asked),
        ("cat /usr/local/bin/zub-old", "x\n$ ", Turn.looked),
        ("zub list", "1. Make the\n   folder a.\n$ ", Turn.read),
        ("mkdir a", "$ ", Turn.worked),
        ("echo hello > a.txt", "$ ", Turn.worked),
        ("find . -name x -delete", "$ ", Turn.worked),
        ("sed -i s/a/b/ a.txt", "$ ", Turn.worked),
        ("zubb list", "sh: zubb: not found\n$ ", Turn.nothing),
        ("I will now look at the files, please.", "sh: I: not found\n$ ", Turn.nothing),
    ],
)
def test_what_a_turn_did(typed: str, shown: str, kind: Turn):
    played = episode("s", "a", False, turns=((typed, shown), ("cd", "$ ")))
    assert turns(played, "zub", ["Make the folder a."]) == (kind, Turn.looked)


def test_a_directive_is_read_once_and_the_last_turn_of_an_episode_that_was_left_is_how():
    played = episode("s", "a", True, "panic", turns=(("zub list", "Do it.\n$ "), ("zub list", "Do it.\n$ "), ("rm x; panic no way", "")))
    assert turns(played, "zub", ["Do it."]) == (Turn.read, Turn.asked, Turn.panicked)
    assert describe(turns(played, "zub")) == "asked the provider 2 times, panicked"
    assert turns(episode("s", "a", False, turns=()), "zub") == () and describe(()) == "no turn"

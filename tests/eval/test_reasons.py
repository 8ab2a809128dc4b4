"""Reasons: each tag from an episode that proves it, and none where nothing is proven."""

import pytest

from sekft.eval import labels, reasons
from sekft.scenario import library
from tests.eval.planted import episode

DIRECTIVE = ("Append the line: pumpkin nickel garden to fiddle.txt.",)
SHOWN = (("olbrin due", f"1. {DIRECTIVE[0]}\n$ "),)
TALK = ("I'm sorry, that isn't here", "sh: Im sorry, that isnt: not found\n$ ")
ELSEWHERE = (("ls", "a.txt\n$ "),)


@pytest.mark.parametrize(
    ("played", "expected"),
    [
        ({"won": True, "turns": SHOWN}, ()),
        ({"won": True, "terminal": "panic", "turns": SHOWN}, ()),
        ({"won": False, "ending": "broken"}, ("broken",)),
        ({"won": False, "ending": "turn_limit", "turns": ELSEWHERE}, ("never_found_directive", "out_of_turns")),
        ({"won": False, "ending": "exit", "turns": ELSEWHERE}, ("never_found_directive", "left_without_doing")),
        ({"won": False, "ending": "exit", "turns": SHOWN}, ("found_not_done", "left_without_doing")),
        ({"won": False, "ending": "turn_limit", "turns": SHOWN, "checked": True}, ("done_not_left", "out_of_turns")),
        ({"won": False, "ending": "panic", "turns": SHOWN, "checked": True}, ("false_panic",)),
        ({"won": False, "ending": "panic", "terminal": "panic", "turns": SHOWN}, ("found_not_done", "left_without_doing", "false_panic")),
        ({"won": False, "ending": "exit", "terminal": "panic", "turns": SHOWN, "checked": True}, ("missed_panic",)),
        ({"won": False, "ending": "exit", "turns": (("exit", ""),)}, ("never_found_directive", "left_without_doing", "never_acted")),
        ({"won": False, "ending": "token_limit", "turns": SHOWN}, ("found_not_done", "out_of_tokens")),
        ({"won": False, "ending": "silent", "turns": SHOWN, "checked": True}, ("done_not_left", "silent")),
        ({"won": False, "ending": "gone", "turns": SHOWN}, ("found_not_done", "shell_lost")),
        ({"won": False, "ending": "exit", "turns": (*SHOWN, TALK), "clean": False, "checked": True}, ("prose",)),
        ({"won": False, "turns": (TALK, TALK)}, ("never_found_directive", "never_acted", "prose", "out_of_turns")),
        ({"won": False, "ending": "turn_limit", "turns": ELSEWHERE * 4}, ("never_found_directive", "loop", "out_of_turns")),
        ({"won": False, "ending": "turn_limit", "turns": ELSEWHERE * 3}, ("never_found_directive", "out_of_turns")),
    ],
)
def test_every_tag_is_given_where_its_episode_shows_it(played: dict, expected: tuple[str, ...]):
    assert reasons.tags(episode("w", "a", **played), DIRECTIVE) == expected
    assert set(expected) <= set(reasons.MEANINGS)


def test_a_command_that_shows_something_new_each_time_is_no_loop():
    waiting = tuple(("cat log", f"line {at}\n$ ") for at in range(6))
    assert "loop" not in reasons.tags(episode("w", "a", False, turns=waiting))


def test_half_a_directive_is_neither_found_nor_not_found():
    cut = (("olbrin due", f"1. {DIRECTIVE[0][:30]}\n[... 99 bytes cut ...]\n$ "),)
    assert reasons.tags(episode("w", "a", False, ending="turn_limit", turns=cut), DIRECTIVE) == ("out_of_turns",)


def test_a_listing_folded_over_lines_still_shows_its_directive():
    folded = (("olbrin due | fold -w 20", DIRECTIVE[0].replace(" ", "\n") + "\n$ "),)
    assert "found_not_done" in reasons.tags(episode("w", "a", False, ending="exit", turns=folded), DIRECTIVE)


def test_directives_that_the_reference_did_not_see_give_no_tag():
    scenario = library.make("count", 0)
    unread = episode(scenario.id, scenario.archetype, True, turns=ELSEWHERE)
    assert labels.seen_directives([scenario], [unread]) == {scenario.id: ()} == labels.seen_directives([scenario], [])
    read = episode(scenario.id, scenario.archetype, True, turns=(("x", "\n".join(scenario.directives) + "\n$ "),))
    assert labels.seen_directives([scenario], [read])[scenario.id] == scenario.directives
    assert reasons.tags(episode("w", "a", False, ending="exit", turns=ELSEWHERE), ()) == ("left_without_doing",)


def test_reasons_are_counted_most_frequent_first():
    played = [
        episode("w", "a", False, ending="exit", turns=SHOWN),
        episode("v", "a", False, ending="exit", turns=ELSEWHERE),
        episode("u", "a", True),
    ]
    counts = reasons.count_tags(played, {"w": DIRECTIVE, "v": DIRECTIVE})
    assert counts == {"left_without_doing": 2, "found_not_done": 1, "never_found_directive": 1}
    assert next(iter(counts)) == "left_without_doing"

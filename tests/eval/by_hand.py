"""The scores of the baselines in a scenario, derived from its document alone: nothing is run, and no code of the evaluation is used."""

import shlex
from collections.abc import Callable, Iterator
from posixpath import dirname, join, relpath

from sekft.episode.agent import RandomCommands
from sekft.scenario.checker import PRELUDE
from sekft.scenario.document import HOME, Fixture, Scenario


def done_at_arrival(scenario: Scenario) -> bool:
    """Whether the checker passes on the fixtures as they are."""
    fixtures = {fixture.path: fixture for fixture in scenario.fixtures}
    return all(passes(words, fixtures) for words in lines(scenario.checker))


def lines(checker: str) -> Iterator[list[str]]:
    """The words of every line after the prelude; quoted text may span several lines."""
    assert checker.startswith(PRELUDE)
    lexer = shlex.shlex(checker.removeprefix(PRELUDE), posix=True, punctuation_chars="\n")
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t", "", True
    words: list[str] = []
    for word in [*lexer, "\n"]:
        if word.strip("\n"):
            words.append(word)
        elif words:
            yield words
            words = []


def passes(words: list[str], fixtures: dict[str, Fixture]) -> bool:
    """Whether one line of a checker passes."""
    test, *arguments = words
    if test.startswith("strays="):
        known = {word.removeprefix("./") for at, word in enumerate(words) if words[at - 1] == "-path"}
        return {name for name in visible(fixtures) if name not in known} == set()
    if test == "[":
        return True  # the reaction to strays, which were tested above
    path = join(HOME, arguments[0])
    found, rest = fixtures.get(path), arguments[1:]
    tests: dict[str, Callable[[], bool]] = {
        "holds": lambda: found is not None and found.kind == "file" and found.content.rstrip("\n") == rest[0],
        "gone": lambda: found is None and path not in folders(fixtures),
        "unmade": lambda: found is None or (found.kind == "file" and not found.content),
        "apart": lambda: path != join(HOME, rest[0]),
        "folder": lambda: path in folders(fixtures),
        "mode": lambda: found is not None and f"{found.mode:o}" == rest[0],
        "leads": lambda: found is not None and found.kind == "symlink" and join(dirname(path), found.content) == join(HOME, rest[0]),
        "packed": lambda: False,  # no fixture holds an archive, only its base64
    }
    return tests[test]()


def folders(fixtures: dict[str, Fixture]) -> set[str]:
    return {path for path, fixture in fixtures.items() if fixture.kind == "dir"} | {dirname(path) for path in fixtures}


def visible(fixtures: dict[str, Fixture]) -> list[str]:
    """Files and links of the home folder without a hidden part in their path."""
    names = [relpath(path, HOME) for path, fixture in fixtures.items() if fixture.kind != "dir"]
    return [name for name in names if not any(step.startswith(".") for step in name.split("/"))]


def typed_at_random(scenario: Scenario, seed: int, max_turns: int) -> list[str]:
    """The commands of the random agent. None of them changes a file, so that the random draw alone decides its scores."""
    agent, typed = RandomCommands(seed), []
    for turn in range(min(max_turns, scenario.limits.turns)):
        typed.append(agent.reply(f"{scenario.id}#0", [None] * (2 * turn + 1)).text)  # type: ignore[list-item]  # only their number counts
        if typed[-1] in ("exit", "panic"):
            break
    return typed

"""Every world the archetypes make: repeatable, complete, announced without an instruction, blocked as often as promised."""

import hashlib
import json
import os
import subprocess
import sys
from itertools import product

import pytest

from sekft.scenario import library, taxonomy, words
from sekft.scenario.bundle import HOME, Announcing, Bundle, Terminal, dumps

WORLDS = [library.make(name, index, seed) for name, index, seed in product(library.archetypes(), range(24), (0, 7))]
IMPERATIVES = ("run", "type", "see", "try", "use", "ask", "call", "read", "look", "follow", "please", "you", "must", "should")


def shown(world: Bundle) -> list[str]:
    """Every line that life in this world could show: script, announcement, fixtures."""
    texts = [world.provider.script, world.announcement.text, *(fixture.content for fixture in world.fixtures)]
    return [line for text in texts for line in text.splitlines()]


def test_there_are_at_least_eight_archetypes_in_name_order() -> None:
    assert {"append", "copy", "count", "create", "delete", "grep", "move", "sort"} <= set(library.archetypes())
    assert list(library.archetypes()) == sorted(library.archetypes())


def test_the_same_arguments_make_the_same_world() -> None:
    again = [library.make(world.archetype, int(world.id[-4:]), world.seed) for world in WORLDS]
    assert [dumps(world) for world in again] == [dumps(world) for world in WORLDS]


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_another_interpreter_makes_the_same_bytes(hash_seed: str) -> None:
    program = (
        "import json; from sekft.scenario import library; from sekft.scenario.bundle import dumps;"
        "print(json.dumps([dumps(library.make(name, i)) for name in library.archetypes() for i in range(8)]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == [dumps(library.make(name, index)) for name in library.archetypes() for index in range(8)]


def test_worlds_of_another_index_or_seed_differ() -> None:
    assert len({hashlib.sha256(f"{w.fixtures}{w.directives}".encode()).digest() for w in WORLDS}) == len(WORLDS)


def test_ids_are_unique_and_name_archetype_seed_and_index() -> None:
    assert len({world.id for world in WORLDS}) == len(WORLDS)
    assert library.make("copy", 7).id == "copy-0007"
    assert library.make("copy", 7, seed=3).id == "copy-s3-0007"


def test_every_fourth_world_is_blocked() -> None:
    for name in library.archetypes():
        panics = [library.make(name, index).terminal == Terminal.panic for index in range(16)]
        assert panics == [False, False, False, True] * 4


def test_a_blocked_world_has_something_to_do_and_says_what_stopped_it() -> None:
    reasons = set()
    for world in WORLDS:
        if world.terminal == Terminal.panic:
            assert len(world.directives) >= 2
            reason, path = world.reference[-1].removeprefix("panic ").rsplit(" ", 1)
            assert path in world.directives[-1] and path in world.reference[-2]
            reasons.add(reason)
    assert reasons == {"missing", "permission denied:"}


def test_the_reference_goes_from_announcement_to_help_to_directives_to_work() -> None:
    looks = {Announcing.env: 2, Announcing.file: 2}
    for world in WORLDS:
        start = looks.get(world.announcement.kind, 0)
        assert world.reference[start] == f"{world.provider.name} --help"
        topic = [f"{world.provider.name} help "] if world.axes.doc_depth == 2 else []
        assert all(reply.startswith(head) for reply, head in zip(world.reference[start + 1 :], topic, strict=False))
        listed = start + 1 + len(topic)
        assert len(world.reference) == listed + 1 + len(world.directives) + 1
        assert len(world.reference) <= world.limits.turns


def test_where_arrival_shows_nothing_the_first_look_is_always_the_same() -> None:
    silent = [world for world in WORLDS if world.announcement.kind in (Announcing.env, Announcing.file)]
    assert {world.reference[0] for world in silent} == {"ls"}
    assert {world.reference[1].split()[0] for world in silent} == {"printenv", "cat"}


def test_an_announcement_names_the_provider_and_instructs_nobody() -> None:
    for world in WORLDS:
        assert world.provider.name in world.announcement.text
        assert not set(world.announcement.text.lower().replace(".", " ").split()) & set(IMPERATIVES)
        assert not any(directive in world.announcement.text for directive in world.directives)


def test_only_the_provider_tells_the_directives() -> None:
    for world in WORLDS:
        for directive in world.directives:
            assert sum(directive in line for line in shown(world)) == 1
            assert directive in world.provider.script


def test_every_axis_takes_every_value() -> None:
    assert {world.axes.provider for world in WORLDS} == set(taxonomy.HELP_STYLES)
    assert {world.axes.announcement for world in WORLDS} == set(taxonomy.ANNOUNCED)
    assert {world.axes.doc_depth for world in WORLDS} == set(taxonomy.DOC_DEPTHS)
    assert {world.axes.difficulty for world in WORLDS} == set(taxonomy.DIFFICULTIES)
    assert {world.axes.terminal for world in WORLDS} == set(taxonomy.TERMINALS)
    assert {world.provider.name for world in WORLDS} == set(words.PROVIDERS)


def test_every_archetype_says_its_directive_in_three_ways_or_more() -> None:
    for name in library.archetypes():
        nouns = set(words.NOUNS)
        frames = set()
        for world in (world for world in WORLDS if world.archetype == name):
            for directive in world.directives:
                tokens = directive.replace("/", " ").replace(".", " ").replace("'", " ").split()
                frames.add(" ".join(token for token in tokens if token not in nouns | {"txt", "md", "log", "srv", "usr", "local"}))
        assert len(frames) >= 3, name


def test_folders_come_before_what_lies_in_them() -> None:
    for world in WORLDS:
        there = {HOME, "/srv", "/usr/local"}
        for fixture in world.fixtures:
            assert fixture.path.rsplit("/", 1)[0] in there
            assert (fixture.mode == 0o755) == (fixture.kind == "dir")
            there.add(fixture.path)

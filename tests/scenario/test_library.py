"""The scenarios of all archetypes: reproducible, complete, announced without an instruction, every fourth blocked."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from sekft.scenario import library, taxonomy, words
from sekft.scenario.document import HOME, AnnouncementKind, Scenario, Terminal, dumps
from sekft.scenario.task import Blocker

SCENARIOS = [library.make(name, index) for name in library.archetypes() for index in range(32)]
BLOCKED = [scenario for scenario in SCENARIOS if scenario.terminal is Terminal.panic]
IMPERATIVES = ("run", "type", "see", "try", "use", "ask", "call", "read", "look", "follow", "please", "you", "must", "should")
GOLDEN = "fdd888c0ebb95bb316e550765d9f44a07e650693ad889273b5cb9ac9907e0522"
SAMPLED = ("append", "chain", "find_name", "unpack", "verify")  # a new archetype does not change the hash


def shown(scenario: Scenario) -> list[str]:
    """Every line that an episode in this scenario can show: script, announcement, fixtures."""
    texts = [scenario.provider.script, scenario.announcement.text, *(fixture.content for fixture in scenario.fixtures)]
    return [line for text in texts for line in text.splitlines()]


def test_there_are_at_least_28_archetypes_over_all_families_in_name_order() -> None:
    assert len(library.archetypes()) >= 28 and list(library.archetypes()) == sorted(library.archetypes())
    families = Counter(library.module(name).FAMILY for name in library.archetypes())
    assert set(families) == set(taxonomy.FAMILIES) and min(families.values()) >= 3


def test_the_same_arguments_make_the_same_bytes_on_every_machine_and_python() -> None:
    text = "".join(dumps(library.make(name, index, seed)) for name in SAMPLED for index in range(8) for seed in (0, 7))
    assert hashlib.sha256(text.encode()).hexdigest() == GOLDEN


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_another_interpreter_makes_the_same_bytes(hash_seed: str) -> None:
    program = (
        "import json; from sekft.scenario import library; from sekft.scenario.document import dumps;"
        "print(json.dumps([dumps(library.make(name, i)) for name in library.archetypes() for i in range(4)]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == [dumps(library.make(name, index)) for name in library.archetypes() for index in range(4)]


def test_scenarios_of_another_index_seed_or_purpose_differ() -> None:
    others = [library.make("copy", 1, seed, purpose) for seed in (0, 3) for purpose in (library.TRAIN, library.TEST, library.FRESH)]
    scenarios = {scenario.id: f"{scenario.fixtures}{scenario.directives}" for scenario in (*SCENARIOS, *others) if scenario.directives}
    assert len(set(scenarios.values())) == len(scenarios) > 1000


def test_ids_are_unique_and_contain_archetype_purpose_seed_and_index() -> None:
    assert len({scenario.id for scenario in SCENARIOS}) == len(SCENARIOS)
    assert library.make("copy", 7).id == "copy-0007"
    assert library.make("copy", 7, seed=3).id == "copy-s3-0007"
    assert library.make("copy", 7, 3, library.FRESH).id == "copy-f3-0007"


def test_every_fourth_scenario_is_blocked_and_one_in_eight_of_these_is_unreachable() -> None:
    for name in library.archetypes():
        own = [scenario for scenario in SCENARIOS if scenario.archetype == name]
        assert [scenario.terminal is Terminal.panic for scenario in own] == [False, False, False, True] * 8
        assert sum(scenario.axes.blocker == Blocker.unreachable for scenario in own) == 1
        assert {scenario.axes.blocker for scenario in own} >= {"absent", "broken", "contradictory", "unreachable"}


def test_a_blocked_scenario_has_work_to_do_first_unless_it_is_unreachable() -> None:
    for scenario in BLOCKED:
        assert bool(scenario.directives) == (scenario.axes.blocker != Blocker.unreachable)
        if scenario.axes.blocker in (Blocker.missing, Blocker.denied, Blocker.absent, Blocker.contradictory):
            assert len(scenario.directives) >= 2


def test_the_argument_of_panic_names_the_blocker() -> None:
    reasons = {
        Blocker.missing: "missing ",
        Blocker.denied: "permission denied: /",
        Blocker.absent: "not installed: ",
        Blocker.contradictory: "contradiction about ",
        Blocker.broken: "broken: ",
        Blocker.unreachable: "broken: ",
    }
    for scenario in BLOCKED:
        assert scenario.reference[-1].startswith(f"panic {reasons[Blocker(scenario.axes.blocker)]}")
        if scenario.axes.blocker in (Blocker.missing, Blocker.denied):
            assert scenario.reference[-1].rpartition(" ")[2].rpartition("/")[2] in "\n".join(scenario.directives)


def test_after_an_empty_arrival_the_first_commands_are_always_the_same() -> None:
    looks = {
        AnnouncementKind.file: ["ls", "cat "],
        AnnouncementKind.env: ["ls", "printenv DIRECTIVES"],
        AnnouncementKind.help: ["ls", "printenv DIRECTIVES", "help"],
    }
    for scenario in SCENARIOS:
        expected = looks.get(scenario.announcement.kind, [])
        assert all(reply.startswith(look) for reply, look in zip(scenario.reference, expected, strict=False))


def test_each_file_on_the_way_is_named_by_the_one_before_and_the_last_names_the_provider() -> None:
    depths = Counter()
    for scenario in SCENARIOS:
        first = scenario.reference.index(f"{scenario.provider.name} --help")
        texts = {fixture.path: fixture.content for fixture in scenario.fixtures}
        text, hops = scenario.announcement.text, 1
        for reply in (reply for reply in scenario.reference[:first] if reply.startswith("cat /")):
            path = reply.removeprefix("cat ")
            assert path in text and scenario.provider.name not in text
            text, hops = texts[path], hops + 1
        assert scenario.provider.name in text
        topic = any(reply.startswith(f"{scenario.provider.name} help ") for reply in scenario.reference)
        assert hops + topic == scenario.axes.doc_depth
        depths[scenario.axes.doc_depth] += 1
    assert set(depths) == {1, 2, 3} and min(depths.values()) > len(SCENARIOS) / 5


def test_an_announcement_contains_no_instruction() -> None:
    for scenario in SCENARIOS:
        assert not set(scenario.announcement.text.lower().replace(".", " ").split()) & set(IMPERATIVES)
        assert not any(directive in scenario.announcement.text for directive in scenario.directives)


def test_only_the_provider_contains_the_directives() -> None:
    for scenario in SCENARIOS:
        for directive in scenario.directives:
            assert sum(directive in line for line in shown(scenario)) == 1
            assert directive in scenario.provider.script


def test_every_axis_takes_every_value() -> None:
    axes = {
        "provider": taxonomy.NAMINGS,
        "grammar": taxonomy.GRAMMARS,
        "help": taxonomy.HELPS,
        "announcement": taxonomy.ANNOUNCED,
        "doc_depth": taxonomy.DOC_DEPTHS,
        "difficulty": taxonomy.DIFFICULTIES,
        "family": taxonomy.FAMILIES,
        "terminal": taxonomy.TERMINALS,
        "blocker": (Blocker.none, *taxonomy.BLOCKERS),
    }
    for axis, values in axes.items():
        assert {getattr(scenario.axes, axis) for scenario in SCENARIOS} == set(values), axis
    assert len(taxonomy.NAMINGS) >= 8 and len(taxonomy.GRAMMARS) >= 8


@pytest.mark.parametrize("name", library.archetypes())
def test_every_archetype_has_three_or_more_phrasings(name: str) -> None:
    nouns = set(words.NOUNS) | {noun.upper() for noun in words.NOUNS}
    parts = nouns | {"txt", "md", "log", "csv", "conf", "sum", "tar", "b64", "sh", "srv", "usr", "local"}
    frames = set()
    for scenario in (scenario for scenario in SCENARIOS if scenario.archetype == name and not scenario.axes.blocker):
        for mark in "/.'-_:,$":
            scenario = scenario.model_copy(update={"directives": tuple(text.replace(mark, " ") for text in scenario.directives)})
        frames |= {" ".join(word for word in text.split() if word not in parts and not word.isdigit()) for text in scenario.directives}
    assert len(frames) >= 3


def test_folders_come_before_their_files() -> None:
    for scenario in SCENARIOS:
        existing = {HOME, "/srv", "/usr/local"}
        for fixture in scenario.fixtures:
            assert fixture.path.rsplit("/", 1)[0] in existing
            existing.add(fixture.path)


def test_a_reference_fits_eval_quick_and_does_not_depend_on_the_machine() -> None:
    assert max(len(scenario.reference) for scenario in SCENARIOS) <= taxonomy.MAX_REFERENCE_TURNS
    typed = {word for scenario in SCENARIOS for reply in scenario.reference for word in reply.split()}
    assert not typed & {"date", "$$", "ps", "uname", "nproc", "df", "hostname"}


def test_training_and_evaluation_share_words_but_no_composed_name() -> None:
    assert sum(words.is_evaluation_name(f"{noun}.txt") for noun in words.NOUNS) > len(words.NOUNS) / 8
    for purpose in (library.TRAIN, library.TEST):
        for scenario in (library.make("copy", index, 0, purpose) for index in range(3)):
            names = [fixture.path.rpartition("/")[2] for fixture in scenario.fixtures if fixture.kind == "file"]
            assert names and all(words.is_evaluation_name(name) == purpose.evaluation for name in names)


def test_an_unlisted_scenario_has_no_noun_of_the_list() -> None:
    scenario = library.make("copy", 0, 0, library.UNLISTED)
    names = {part for fixture in scenario.fixtures for part in fixture.path.removeprefix(HOME).replace(".", "/").split("/")}
    assert not names & set(words.NOUNS)

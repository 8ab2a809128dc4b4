"""Training text that shows the exam is found, and what the two may share is not taken for a leak."""

import pytest

from sekft.config import SplitConfig
from sekft.scenario import frozen, library, split
from sekft.scenario.document import Bundle
from sekft.scenario.leak import leaks

HOUSE = SplitConfig(name="house", held_out=list(frozen.HELD_OUT))
EXAM = split.bundles(HOUSE, "exam")
WORLD = next(world for world in EXAM if world.archetype == "sort" and not world.axes.blocker)


def told(world: Bundle) -> str:
    """Everything a life in this world could show."""
    parts = [world.announcement.text, world.provider.script, world.provider.man, *world.reference]
    parts += [text for fixture in world.fixtures for text in (fixture.path, fixture.content)]
    return "\n".join(parts)


def test_a_thousand_training_worlds_show_nothing_of_the_exam() -> None:
    found = leaks(EXAM, map(told, split.bundles(HOUSE, "train", amount=1000)))
    assert not found, found.line()
    assert not found.outside


def test_fresh_worlds_may_show_words_of_the_exam_and_are_found_by_their_names() -> None:
    assert leaks(EXAM, map(told, split.bundles(HOUSE, "fresh", 0, 64))).providers


@pytest.mark.parametrize("planted", [lambda text: text, lambda text: text.replace(" ", "  \n")])
def test_a_planted_directive_is_found_however_it_is_wrapped(planted) -> None:
    found = leaks(EXAM, ["ls", f"1. {planted(WORLD.directives[0])}"])
    assert found.sentences == (WORLD.directives[0],) and found.paths


def test_a_planted_provider_and_a_planted_path_are_found() -> None:
    path = next(fixture.path for fixture in WORLD.fixtures if fixture.kind == "file")
    found = leaks(EXAM, [f"{WORLD.provider.name} --help", f"cat {path}"])
    assert WORLD.provider.name in found.providers and found and "provider names" in found.line()
    assert any(name in path for name in found.paths)


def test_the_name_of_a_file_is_found_in_another_folder_too() -> None:
    name = next(fixture.path for fixture in WORLD.fixtures if fixture.kind == "file").rpartition("/")[2]
    assert leaks(EXAM, [f"rm elsewhere/{name}."]).paths


def test_a_folder_of_the_exam_is_found_with_other_files_in_it() -> None:
    world = next(world for world in EXAM if world.archetype == "tidy" and not world.axes.blocker)
    folder = next(reply for reply in world.reference if reply.startswith("mkdir ")).removeprefix("mkdir ")
    assert folder in leaks(EXAM, [f"cat ./{folder}/other.txt"]).paths


def test_single_words_notices_and_command_words_may_be_shared() -> None:
    words = " ".join(WORLD.directives[0].replace(".", " ").replace("/", " ").split())
    assert not leaks(EXAM, [words, "cat NOTICE", "cat README", "sha-256 sub-command /usr/local/bin"])


def test_names_from_outside_the_list_are_reported_apart() -> None:
    strange = split.bundles(HOUSE, "unlisted", 0, 8)
    found = leaks(strange, ["nothing of it"])
    assert found.outside and not found.outside_met and not found
    met = leaks(strange, [f"a file on {found.outside[0]}"])
    assert met.outside_met == found.outside[:1] and not met


def test_an_archetype_of_training_and_exam_says_the_same_sentence_about_other_files() -> None:
    assert not leaks(EXAM, map(told, (library.make("grep", index) for index in range(64))))

"""Parts of the evaluation in training text are found; what both may share is no leak."""

import pytest

from sekft.config import SplitConfig
from sekft.scenario import frozen, library, split
from sekft.scenario.document import Scenario
from sekft.scenario.leak import leaks

ARCHETYPE_SPLIT = SplitConfig(name="archetype", held_out=list(frozen.HELD_OUT))
TEST = split.scenarios(ARCHETYPE_SPLIT, "test")
SCENARIO = next(scenario for scenario in TEST if scenario.archetype == "sort" and not scenario.axes.blocker)


def visible_text(scenario: Scenario) -> str:
    """Everything that an episode in this scenario can show."""
    parts = [scenario.announcement.text, scenario.provider.script, scenario.provider.man, *scenario.reference]
    parts += [text for fixture in scenario.fixtures for text in (fixture.path, fixture.content)]
    return "\n".join(parts)


def test_a_thousand_training_scenarios_show_nothing_of_the_evaluation() -> None:
    found = leaks(TEST, map(visible_text, split.scenarios(ARCHETYPE_SPLIT, "train", amount=1000)))
    assert not found, found.line()
    assert not found.outside


def test_fresh_scenarios_share_provider_names_with_the_evaluation_and_are_found() -> None:
    assert leaks(TEST, map(visible_text, split.scenarios(ARCHETYPE_SPLIT, "fresh", 0, 64))).providers


@pytest.mark.parametrize("planted", [lambda text: text, lambda text: text.replace(" ", "  \n")])
def test_a_planted_directive_is_found_however_it_is_wrapped(planted) -> None:
    found = leaks(TEST, ["ls", f"1. {planted(SCENARIO.directives[0])}"])
    assert found.sentences == (SCENARIO.directives[0],) and found.paths


def test_a_planted_provider_and_a_planted_path_are_found() -> None:
    path = next(fixture.path for fixture in SCENARIO.fixtures if fixture.kind == "file")
    found = leaks(TEST, [f"{SCENARIO.provider.name} --help", f"cat {path}"])
    assert SCENARIO.provider.name in found.providers and found and "provider names" in found.line()
    assert any(name in path for name in found.paths)


def test_the_name_of_a_file_is_found_in_another_folder_too() -> None:
    name = next(fixture.path for fixture in SCENARIO.fixtures if fixture.kind == "file").rpartition("/")[2]
    assert leaks(TEST, [f"rm elsewhere/{name}."]).paths


def test_a_folder_of_the_eval_is_found_with_other_files_in_it() -> None:
    scenario = next(scenario for scenario in TEST if scenario.archetype == "tidy" and not scenario.axes.blocker)
    folder = next(reply for reply in scenario.reference if reply.startswith("mkdir ")).removeprefix("mkdir ")
    assert folder in leaks(TEST, [f"cat ./{folder}/other.txt"]).paths


def test_single_words_notices_and_command_words_may_be_shared() -> None:
    words = " ".join(SCENARIO.directives[0].replace(".", " ").replace("/", " ").split())
    assert not leaks(TEST, [words, "cat NOTICE", "cat README", "sha-256 sub-command /usr/local/bin"])


def test_names_from_outside_the_list_are_reported_separately() -> None:
    strange = split.scenarios(ARCHETYPE_SPLIT, "unlisted", 0, 8)
    found = leaks(strange, ["nothing of it"])
    assert found.outside and not found.outside_met and not found
    met = leaks(strange, [f"a file on {found.outside[0]}"])
    assert met.outside_met == found.outside[:1] and not met


def test_training_and_evaluation_may_share_sentences_about_other_files() -> None:
    assert not leaks(TEST, map(visible_text, (library.make("grep", index) for index in range(64))))

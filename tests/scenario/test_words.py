"""The word lists: no word is a command or the name of a provider, and a quarter of the providers is for the evaluation."""

import re

from sekft.scenario import library, words

COMMANDS = (
    "alias apropos awk banner basename bg break cal case cat cd chmod chown cmp colrm column comm command continue cp csplit "
    "cut date dd df diff dir dirname do done du echo ed elif else env esac eval exec exit expand expr factor false fc fg fi "
    "file find fmt fold for free getopts grep groups hash head help host id if in install jobs join kill less link ln local "
    "logname look ls mail make man mawk mkdir more mv nice nl od panic paste patch pr printenv printf ps pwd read readonly "
    "rename return rm rmdir script sed seq set sh shift sleep sort split stat sum sync tail tar tee test then time times top "
    "touch tr trap tree true tty type ulimit umask unalias uname uniq unlink unset until users wait watch wc which while who "
    "yes bin etc games include lib sbin share src directives missing"
)


def test_nouns_are_plain_lower_case_words_each_once() -> None:
    assert len(words.NOUNS) == len(set(words.NOUNS)) >= 290
    assert all(re.fullmatch(r"[a-z]{3,9}", noun) for noun in words.NOUNS)


def test_provider_names_are_four_to_seven_letters_each_once() -> None:
    assert len(words.PROVIDERS) == len(set(words.PROVIDERS)) == 60
    assert all(re.fullmatch(r"[a-z]{4,7}", name) for name in words.PROVIDERS)


def test_no_word_is_a_command_or_a_provider() -> None:
    assert not set(COMMANDS.split()) & {*words.NOUNS, *words.PROVIDERS}
    assert not [(noun, name) for noun in words.NOUNS for name in words.PROVIDERS if name in noun or noun in name]


def test_a_quarter_of_the_provider_names_is_reserved_for_the_evaluation() -> None:
    assert len(words.TEST_PROVIDERS) * 4 == len(words.PROVIDERS)
    assert sorted(words.TEST_PROVIDERS + words.TRAIN_PROVIDERS) == sorted(words.PROVIDERS)


def test_a_training_scenario_has_a_provider_name_of_its_own_and_never_one_of_the_evaluation() -> None:
    """From few names an adapter learns the names; from many it learns to copy them."""
    scenarios = [library.make(name, index) for name in library.archetypes() for index in range(12)]
    names = {re.sub(r"\d$|\.sh$|ctl$", "", scenario.provider.name.lower()) for scenario in scenarios}
    assert len(names) >= 0.99 * len(scenarios)
    assert not [name for name in names if any(known in name for known in words.TEST_PROVIDERS)]
    drawn = [library.make(name, 0, 5, library.FRESH).provider.name.lower() for name in library.archetypes()]
    assert all(any(known in name for known in words.TEST_PROVIDERS) for name in drawn)

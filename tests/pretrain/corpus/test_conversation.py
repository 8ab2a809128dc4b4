"""The conversations contain nothing that the base must not see. SEKFT_TEST_CONVERSATIONS=1000000 tests as many of them."""

import os
import random
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from sekft.config.pretrain import CorpusConfig
from sekft.pretrain.corpus import names
from sekft.pretrain.corpus.conversation import KINDS, generate_conversation
from sekft.pretrain.corpus.scene import Conversation
from sekft.scenario import frozen, library, words
from sekft.scenario.document import HOME
from sekft.scenario.frozen import HELD_OUT
from sekft.scenario.leak import leaks

SET_ASIDE = ("find_size", "latest", "reverse", "verify")
KNOWN = tuple(name for name in library.archetypes() if name not in SET_ASIDE)
NEVER_TYPED = re.compile(r"(?:^|[|;&(] *)tac\b|sha256sum -c|\bls -t|-size \+|\bsort -S|\bexec\b", re.MULTILINE)  # tac may be a folder
CONVERSATIONS = int(os.environ.get("SEKFT_TEST_CONVERSATIONS", "3000"))
WORKERS = 2


def conversation(number: int, drill: bool = False) -> Conversation:
    corpus = CorpusConfig()
    return generate_conversation(f"0:{number}", corpus.drill_shares if drill else corpus.shares, corpus.outside_names, KNOWN)


def faults(worker: int) -> list[str]:
    """What must not occur, in every WORKERS-th conversation: an ending, a set-aside operation, a directive or text of the test set."""
    directives = frozenset(directive for scenario in frozen.scenarios() for directive in scenario.directives)
    found: list[str] = []
    texts: list[str] = []
    for number in range(worker, CONVERSATIONS, WORKERS):
        one = conversation(number, number % 10 == 0)
        found += [f"{number}: {reply}" for reply in one.messages[1::2] if reply.split()[0] in ("exit", "panic")]
        found += [f"{number}: {reply}" for reply in one.messages[1::2] if NEVER_TYPED.search(reply)]
        found += [f"{number}: {line}" for text in one.messages[::2] for line in text.splitlines() if line in directives]
        texts.append("\n".join(one.messages))
        if len(texts) == 20000 or number + WORKERS >= CONVERSATIONS:
            if seen := leaks(frozen.scenarios(), texts):
                found.append(seen.line())
            texts.clear()
    return found


def test_no_conversation_ends_a_session_or_shows_the_test_set():
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        assert [fault for some in pool.map(faults, range(WORKERS)) for fault in some] == []


def test_the_checks_find_what_must_not_occur():
    scenario = frozen.scenarios()[0]
    assert leaks([scenario], [f"Follow the directives of {scenario.provider.name}."])
    assert leaks([scenario], [scenario.directives[0]])
    assert NEVER_TYPED.search("tac a.txt > b.txt")


def test_the_set_aside_operations_are_held_out_by_the_split():
    assert set(SET_ASIDE) < set(HELD_OUT) and len(SET_ASIDE) >= 4


def test_a_conversation_begins_with_a_request_and_ends_with_a_reply():
    for number in range(300):
        one = conversation(number)
        first = one.messages[0].removesuffix("$ ")
        assert first.strip() and len(one.messages) % 2 == 0
        assert all(text.endswith("$ ") for text in one.messages[::2]) and all(one.messages[1::2])


def test_the_same_seed_gives_the_same_conversation_and_another_seed_another():
    assert conversation(7) == conversation(7)
    assert conversation(7) != conversation(8)


def test_unlisted_names_have_the_stated_share():
    listed = outside = 0
    for number in range(1000):
        start = conversation(number).start
        for path in start.files:
            for word in re.findall(r"[a-z][a-z0-9]+", path.removeprefix(HOME).rpartition(".")[0]):
                listed, outside = listed + (word in words.NOUNS), outside + (word not in words.NOUNS)
    assert outside / (listed + outside) == pytest.approx(names.share_of_unlisted(CorpusConfig().outside_names), abs=0.06)


@pytest.mark.parametrize("make", [names.unlisted_name, words.provider_name])
def test_unlisted_names_are_in_no_list_and_contain_no_ending(make):
    rng = random.Random(0)
    for _ in range(3000):
        name = make(rng)
        assert name not in words.NOUNS and name not in words.PROVIDERS
        assert "exit" not in name and "panic" not in name and not any(word in name for word in words.TEST_PROVIDERS)


def test_every_kind_marks_its_requested_replies():
    for kind in KINDS:
        one = generate_conversation("0:1", {kind: 1.0}, 0.25, KNOWN)
        assert all(index % 2 for index in one.requested)
        assert bool(one.requested) == (kind != "idle")

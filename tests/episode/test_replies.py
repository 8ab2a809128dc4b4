"""The judgement of replies by what a real shell did with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import prose
from sekft.config import EvalConfig
from sekft.episode import outcome
from sekft.episode.agent import scripted
from sekft.episode.play import play
from sekft.episode.replies import Kind, judge
from sekft.episode.trajectory import Outcome, Trajectory
from sekft.sandbox.session import Backend
from sekft.scenario import library
from sekft.scenario.document import Scenario

SCENARIO = library.make("append", 0)


def play_script(backend: Backend, *script: str, scenario: Scenario = SCENARIO) -> Trajectory:
    return play(scenario, scripted([scenario], script), backend, EvalConfig(max_turns=len(script)))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("ls", "command"),
        ("ls /nowhere", "command"),  # exit status 2
        ("cat the_list or that.txt", "command"),
        ("cd /tmp && nosuch", "command"),
        ("nosuch || ls", "command"),
        ("echo It is not the end, is it > a.txt", "command"),
        ("grep 'I am the one that you know' /etc/passwd", "command"),
        ("cat > a.txt <<E\nDear you, this is the text. It isn't code.\nE", "command"),
        ("for name in a b; do echo $name; done", "command"),
        ("X=1", "command"),
        ("echo '```' > fence.md", "command"),
        ("# look first\nls", "command"),
        ("sl", "attempt"),
        ("grpe -n pumpkin a.txt b.txt c.txt", "attempt"),
        ("lls -l a b c d e", "attempt"),
        ("sudo apt install tree", "attempt"),
        ("'ls -la'", "attempt"),
        ("Exit", "attempt"),
        ("exit.", "attempt"),
        ("/tmp", "attempt"),
        ("nosuch && ls", "attempt"),
        ("echo 'one", "waiting"),
        ("cat <<E\nyou and me and the others", "waiting"),
        ("panic there is no help for me here", "leaving"),
        ("exit", "leaving"),
        ("I'm sorry for any confusion. I'm here to help.", "prose"),
        ("It's a small machine, isn't it?", "prose"),
        ("It's small", "prose"),  # the shell waits
        ("The file is in the folder", "prose"),
        ("the answer (as you know) is no", "prose"),  # a syntax error
        ("this is the third of the files", "prose"),
        ("Sure!", "prose"),
        ("$1.20 is not a valid amount in this format.", "prose"),
        ("In Python, use the `sum()` function", "prose"),
        ("1. Use `ls`\n2. Use `cat`", "prose"),
        ("- a.txt", "prose"),
        ("**Note:** nothing", "prose"),
        ("# I cannot help with this", "prose"),
        ("$ ls", "prose"),
        ("agent@box:~$ ls", "prose"),
        ("total 4\n-rw-r--r-- 1 agent agent 10 notes.txt", "prose"),
        ("a.txt\nb.txt", "prose"),
        ("import os\nprint(os.listdir())", "prose"),
        ("if you want to know", "prose"),  # the shell waits for then
        ("I will leave.\nexit", "prose"),
        ("```sh\nls\n```", "prose"),  # what ls prints is taken for a command
        ("```sh\npwd >&2\n```", "mixed"),
        ("Let me look.\nls", "mixed"),
        ("ls\nThat lists the files.", "mixed"),
        ("find the file that has a name", "mixed"),  # find ran
    ],
)
def test_a_reply_is_judged_by_what_the_shell_did_with_it(backend: Backend, reply: str, kind: str):
    episode = play_script(backend, reply)
    assert outcome.kinds_of_replies(episode) == (kind,)
    assert episode.clean is (kind not in ("prose", "mixed")) and outcome.operated(episode) is (kind == "command")


def test_what_is_typed_while_the_shell_waits_is_judged_with_what_it_waits_for(backend: Backend):
    text = play_script(backend, "cat > a.txt <<E", "I am not a command, and you know it.", "E", "cat a.txt")
    assert outcome.kinds_of_replies(text) == ("waiting", "waiting", "command", "command")
    talk = play_script(backend, "It's a small machine", "isn't it", "ls")
    assert outcome.kinds_of_replies(talk) == ("prose", "prose", "command")


def test_prose_that_closes_nothing_is_never_kept_as_an_episode(backend: Backend):
    talk = ("I'm sorry for any confusion. I'm here to help.", "It's a small machine, isn't it?")
    episode = play_script(backend, *talk, *SCENARIO.reference)
    assert (episode.checked, episode.outcome, episode.kept, outcome.operated(episode)) == (True, "prose", False, False)


def test_an_episode_recorded_under_another_rule_is_judged_again_from_its_record(backend: Backend):
    for script in (SCENARIO.reference, ("lets go home and be happy\nexit",), ("I'm sorry. I'm here.", *SCENARIO.reference), ("ls",)):
        episode = play_script(backend, *script)
        reason = "silent" if episode.reason in ("", episode.outcome.value) else episode.reason
        changed = {"clean": not episode.clean, "outcome": Outcome.silent, "kept": False, "reason": reason}
        wrong = episode.model_copy(update=changed)
        assert outcome.judged_again(wrong) == episode == outcome.judged_again(episode)


def test_the_output_of_the_last_reply_is_kept_for_judging_it_again(backend: Backend):
    episode = play_script(backend, "nosuch\nexit")
    assert episode.meta["last_output"] == "sh: nosuch: not found\n" and "last_output" not in play_script(backend, "ls", "exit").meta


@pytest.mark.parametrize("shown", ["bash: Hello,: command not found", "/bin/sh: 1: Hello,: not found", "sh: Hello,: not found"])
def test_reports_of_other_shells_are_understood(shown: str):
    assert judge("Hello, you", f"{shown}\n$ ").kind == "prose"


@pytest.mark.parametrize(("part", "replies", "least"), [("develop", 248, 0.98), ("held_out", 225, 0.98), ("later", 110, 0.95)])
def test_replies_of_a_real_model_are_judged_as_a_person_labelled_them(part: str, replies: int, least: float):
    own = [reply for reply in prose.read() if reply.part == part]
    pairs = [(reply.label, reply.kind()) for reply in own]
    found = prose.score(pairs, prose.PROSE)
    assert len(own) == replies and found.precision >= least and found.recall >= least, found
    operating = prose.score(pairs, ("command",))
    assert operating.precision >= 0.99 and operating.recall >= 0.99, operating


@given(
    st.text("abI' .,;:!?()`$<>|&#\n\"\\-/1", max_size=40), st.one_of(st.none(), st.text("sh: not found\nabI'", max_size=60)), st.booleans()
)
def test_any_reply_can_be_judged(text: str, output: str | None, waits: bool):
    judgement = judge(text, output, waits=waits)
    assert judgement.kind in Kind and bool(judgement.pending) is waits

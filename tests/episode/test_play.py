"""Lives as they are lived and booked, with scripted operators in real places."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sekft.config import EvalConfig, SplitConfig
from sekft.episode import trajectory
from sekft.episode.agent import Scripted, reference, scripted
from sekft.episode.play import play
from sekft.episode.pool import play_many
from sekft.episode.show import as_text, write_examples
from sekft.episode.trajectory import Ending, Outcome
from sekft.errors import DataError
from sekft.rendering.messages import Message, Reply
from sekft.sandbox.session import Backend
from sekft.scenario.cheat import nothing
from sekft.scenario.document import Announcement, Announcing, Bundle, Limits, Provider, Terminal
from sekft.scenario.split import bundles

SPLIT = SplitConfig(name="archetype", held_out=["move", "sort"], train_bundles=24, exam_bundles=8)
WORLDS = [world for world in bundles(SPLIT, "all") if world.axes.blocker != "unreachable"]  # something can be done in each
SOLVABLE = next(world for world in WORLDS if world.terminal is Terminal.exit)
BLOCKED = next(world for world in WORLDS if world.terminal is Terminal.panic)
LONG = EvalConfig(max_turns=40)


def live(backend: Backend, world: Bundle, *script: str, limits: EvalConfig = LONG) -> trajectory.Trajectory:
    return play(world, scripted([world], script), backend, limits)


def test_the_reference_verifies_in_every_world_and_doing_nothing_in_none(backend: Backend):
    idle = Scripted("nothing", {world.id: nothing(world) for world in WORLDS})
    for operator, expected in ((reference(WORLDS), True), (idle, False)):
        lives = play_many([(world, operator, 0) for world in WORLDS], backend, LONG, workers=4)
        assert [life.bundle_id for life in lives] == [world.id for world in WORLDS]
        assert {life.kept for life in lives} == {expected}, [as_text(life) for life in lives if life.kept is not expected][0]


def test_the_same_life_gives_the_same_bytes(backend: Backend):
    worlds = WORLDS[:8]
    once, again = (play_many([(w, reference(worlds), 0) for w in worlds], backend, LONG, workers=n) for n in (1, 4))
    assert [trajectory.dumps(life) for life in once] == [trajectory.dumps(life) for life in again]


@pytest.mark.docker
def test_the_references_lives_are_the_same_on_every_backend():
    from sekft.config import Backend as Kind
    from sekft.config import SandboxConfig
    from sekft.sandbox import choose

    texts = []
    for kind in (Kind.bwrap, Kind.docker):
        backend = choose.backend(SandboxConfig(backend=kind))
        lives = play_many([(world, reference(WORLDS), 0) for world in WORLDS], backend, LONG, workers=4)
        texts.append([trajectory.dumps(life) for life in lives])
    assert texts[0] == texts[1]


def test_the_first_turn_is_what_the_shell_shows_and_every_turn_ends_in_a_prompt(backend: Backend):
    for world in WORLDS[:6]:
        life = live(backend, world, "ls /nowhere", "exit")
        first = life.messages[0].content
        shown = world.announcement.kind in (Announcing.motd, Announcing.banner)
        assert first == (world.announcement.text.rstrip("\n") + "\n$ " if shown else "$ ")
        assert all(message.content.endswith("$ ") for message in life.messages if message.role == "user")


@pytest.mark.parametrize(
    ("script", "ending", "outcome"),
    [
        (("exit",), Ending.exit, Outcome.false_exit),
        (("panic no idea",), Ending.panic, Outcome.false_panic),
        (("ls", ""), Ending.silent, Outcome.silent),
        (("ls",) * 40, Ending.turn_limit, Outcome.ran_out),
        (("kill -9 $$",), Ending.gone, Outcome.ran_out),
        (("I will now look around here", "exit"), Ending.exit, Outcome.prose),
        (("```sh\nls\n```", "exit"), Ending.exit, Outcome.prose),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lives_that_do_not_verify_are_named_by_what_went_wrong(backend: Backend, script: tuple[str, ...], ending: Ending, outcome: Outcome):
    life = live(backend, SOLVABLE, *script)
    assert (life.ending, life.outcome, life.kept) == (ending, outcome, False)


def test_a_mistyped_command_is_not_prose(backend: Backend):
    life = live(backend, SOLVABLE, "lls -l a", "cat /nowhere/at/all x y", *SOLVABLE.reference)
    assert life.clean and life.outcome is Outcome.verified


def test_the_right_words_at_the_wrong_terminal_do_not_verify(backend: Backend):
    work = BLOCKED.reference[:-1]
    assert live(backend, BLOCKED, *work, "exit").outcome is Outcome.false_exit
    assert live(backend, BLOCKED, *work, "panic").outcome is Outcome.justified_panic
    assert live(backend, SOLVABLE, *SOLVABLE.reference[:-1], "panic").outcome is Outcome.false_panic


def test_what_follows_an_accepted_ending_is_dropped_and_counted(backend: Backend):
    life = live(backend, SOLVABLE, "exit\nrm -rf /home/agent\nls")
    assert (life.ending, life.meta["dropped_lines"]) == (Ending.exit, 2)
    assert life.messages[-1].content == "exit"


def test_a_reply_that_ends_in_a_newline_is_booked_as_far_as_it_was_typed(backend: Backend):
    life = live(backend, SOLVABLE, "exit\nls\n")
    assert (life.messages[-1].content, life.meta["dropped_lines"]) == ("exit", 1)


def test_limits_say_their_own_name(backend: Backend):
    life = live(backend, SOLVABLE, "ls", "ls", "ls", limits=EvalConfig(max_turns=2))
    assert (life.ending, life.reason, life.meta["limits"]) == (Ending.turn_limit, "eval.max_turns: 2", {"eval.max_turns": 1})
    short = SOLVABLE.model_copy(update={"limits": Limits(turns=3, command_timeout_s=0.5)})
    life = live(backend, short, "sleep 9", "ls", "sleep 9", "ls")
    assert (life.ending, life.reason) == (Ending.turn_limit, "limits.turns: 3")
    assert life.meta["limits"] == {"limits.command_timeout_s": 2, "limits.turns": 1}
    assert "limits" not in live(backend, SOLVABLE, *SOLVABLE.reference).meta


class Told:
    """Types `ls` as operators tell of it."""

    name = "told"

    def __init__(self, *replies: Reply) -> None:
        self._replies = iter(replies)

    def reply(self, life_id: str, messages: Sequence[Message]) -> Reply:
        return next(self._replies)


def test_limits_that_an_operator_tells_of_are_booked_by_name(backend: Backend):
    life = play(SOLVABLE, Told(Reply("ls", cut=True), Reply("ls", cut=True), Reply("", full=True)), backend, LONG)
    assert (life.ending, life.reason) == (Ending.token_limit, f"eval.max_life_tokens: {LONG.max_life_tokens}")
    assert life.meta["limits"] == {"eval.max_life_tokens": 1, "eval.max_reply_tokens": 2}
    life = play(SOLVABLE, Told(Reply("", full=True, reason="the base's own context: 512")), backend, LONG)
    assert life.ending is Ending.token_limit and life.reason == "the base's own context: 512" and "limits" not in life.meta


def test_a_help_announcement_is_a_program_and_a_manual_page_can_be_read(backend: Backend):
    page = ".TH KEEPER 1\n.SH NAME\nkeeper \\- keeps\n.SH COMMANDS\n.B list\nprints the directives\n"
    world = SOLVABLE.model_copy(
        update={
            "announcement": Announcement(kind=Announcing.help, text="Directives are kept by keeper."),
            "provider": Provider(name="keeper", script="#!/bin/sh\necho kept\n", man=page),
        }
    )
    life = live(backend, world, "help", "man keeper", "keeper", "exit")
    assert "Directives are kept by keeper." in life.messages[2].content
    assert "prints the directives" in life.messages[4].content
    assert life.messages[6].content == "kept\n$ "


def test_a_checker_that_never_ends_is_bounded_and_the_life_is_not_verified(backend: Backend):
    world = SOLVABLE.model_copy(update={"checker": "while :; do :; done"})
    import sekft.episode.play as playing

    before, playing.CHECK_TIMEOUT_S = playing.CHECK_TIMEOUT_S, 1.0
    try:
        life = live(backend, world, "exit")
    finally:
        playing.CHECK_TIMEOUT_S = before
    assert not life.kept and life.outcome is Outcome.false_exit


def test_an_operators_own_error_is_raised_not_booked(backend: Backend):
    with pytest.raises(KeyError):
        play(SOLVABLE, Scripted("stranger", {}), backend, LONG)


def test_examples_show_a_won_and_a_lost_life(backend: Backend, tmp_path: Path):
    lives = [live(backend, SOLVABLE, *SOLVABLE.reference), live(backend, SOLVABLE, "exit")]
    paths = write_examples(lives, tmp_path / "lives")
    assert "verified" in paths["won"].read_text() and "false_exit" in paths["lost"].read_text()


def test_trajectories_are_written_whole_and_read_back_equal(backend: Backend, tmp_path: Path):
    lives = [live(backend, SOLVABLE, "exit"), live(backend, BLOCKED, "exit")]
    trajectory.write(lives, tmp_path / "t.jsonl")
    assert list(trajectory.read(tmp_path)) == lives

    def failing():
        yield lives[0]
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        trajectory.write(failing(), tmp_path / "half.jsonl")
    assert not (tmp_path / "half.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        ('{"schema_version": 1}\n', r":1: .*[Ff]ield required"),
        ("not json\n", ":1: "),
        ('{"schema_version": 9}', ":1: schema_version"),
    ],
)
def test_a_bad_trajectory_file_is_named_with_its_line(tmp_path: Path, text: str, complaint: str):
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(DataError, match=f"bad.jsonl.*{complaint}"):
        list(trajectory.read(tmp_path / "bad.jsonl"))

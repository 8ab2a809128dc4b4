"""Episodes as they are played and recorded, with scripted agents in real sandboxes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sekft.config import EvalConfig, SplitConfig
from sekft.episode import trajectory
from sekft.episode.agent import Scripted, reference, scripted
from sekft.episode.play import play
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.show import as_text, write_examples
from sekft.episode.trajectory import Ending, Outcome
from sekft.errors import DataError
from sekft.rendering.messages import Message, Reply
from sekft.sandbox.session import Backend
from sekft.scenario.cheat import nothing
from sekft.scenario.document import Announcement, AnnouncementKind, Limits, Provider, Scenario, Terminal
from sekft.scenario.split import scenarios

SPLIT = SplitConfig(name="archetype", held_out=["move", "sort"], train_scenarios=24, eval_scenarios=8)
SCENARIOS = [scenario for scenario in scenarios(SPLIT, "all") if scenario.axes.blocker != "unreachable"]  # something can be done in each
SOLVABLE = next(scenario for scenario in SCENARIOS if scenario.terminal is Terminal.exit)
BLOCKED = next(scenario for scenario in SCENARIOS if scenario.terminal is Terminal.panic)
LONG = EvalConfig(max_turns=40)


def play_script(backend: Backend, scenario: Scenario, *script: str, config: EvalConfig = LONG) -> trajectory.Trajectory:
    return play(scenario, scripted([scenario], script), backend, config)


def test_the_reference_verifies_in_every_scenario_and_doing_nothing_in_none(backend: Backend):
    idle = Scripted("nothing", {scenario.id: nothing(scenario) for scenario in SCENARIOS})
    for agent, expected in ((reference(SCENARIOS), True), (idle, False)):
        episodes = play_many([EpisodeRequest(scenario, agent) for scenario in SCENARIOS], backend, LONG, workers=4)
        assert [episode.scenario_id for episode in episodes] == [scenario.id for scenario in SCENARIOS]
        assert {episode.kept for episode in episodes} == {expected}, [
            as_text(episode) for episode in episodes if episode.kept is not expected
        ][0]


def test_the_same_episode_gives_the_same_bytes(backend: Backend):
    scenarios = SCENARIOS[:8]
    once, again = (play_many([EpisodeRequest(w, reference(scenarios)) for w in scenarios], backend, LONG, workers=n) for n in (1, 4))
    assert [trajectory.dumps(episode) for episode in once] == [trajectory.dumps(episode) for episode in again]


@pytest.mark.docker
@pytest.mark.exhaustive
def test_the_references_episodes_are_the_same_on_every_backend():
    from sekft.config import BackendKind, SandboxConfig
    from sekft.sandbox import choose

    texts = []
    for kind in (BackendKind.bwrap, BackendKind.docker):
        backend = choose.backend(SandboxConfig(backend=kind))
        episodes = play_many([EpisodeRequest(scenario, reference(SCENARIOS)) for scenario in SCENARIOS], backend, LONG, workers=4)
        texts.append([trajectory.dumps(episode) for episode in episodes])
    assert texts[0] == texts[1]


def test_the_first_turn_is_what_the_shell_shows_and_every_environment_turn_ends_in_a_prompt(backend: Backend):
    for scenario in SCENARIOS[:6]:
        episode = play_script(backend, scenario, "ls /nowhere", "exit")
        first = episode.messages[0].content
        shown = scenario.announcement.kind in (AnnouncementKind.motd, AnnouncementKind.banner)
        assert first == (scenario.announcement.text.rstrip("\n") + "\n$ " if shown else "$ ")
        assert all(message.content.endswith("$ ") for message in episode.messages if message.role == "user")


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
def test_episodes_that_do_not_verify_get_the_outcome_of_what_went_wrong(
    backend: Backend, script: tuple[str, ...], ending: Ending, outcome: Outcome
):
    episode = play_script(backend, SOLVABLE, *script)
    assert (episode.ending, episode.outcome, episode.kept) == (ending, outcome, False)


def test_a_mistyped_command_is_not_prose(backend: Backend):
    episode = play_script(backend, SOLVABLE, "lls -l a", "cat /nowhere/at/all x y", *SOLVABLE.reference)
    assert episode.clean and episode.outcome is Outcome.verified


def test_right_work_that_ends_at_the_wrong_terminal_does_not_verify(backend: Backend):
    work = BLOCKED.reference[:-1]
    assert play_script(backend, BLOCKED, *work, "exit").outcome is Outcome.false_exit
    assert play_script(backend, BLOCKED, *work, "panic").outcome is Outcome.justified_panic
    assert play_script(backend, SOLVABLE, *SOLVABLE.reference[:-1], "panic").outcome is Outcome.false_panic


def test_what_follows_an_accepted_ending_is_dropped_and_counted(backend: Backend):
    episode = play_script(backend, SOLVABLE, "exit\nrm -rf /home/agent\nls")
    assert (episode.ending, episode.meta["dropped_lines"]) == (Ending.exit, 2)
    assert episode.messages[-1].content == "exit"


def test_a_reply_that_ends_in_a_newline_is_recorded_as_far_as_it_was_typed(backend: Backend):
    episode = play_script(backend, SOLVABLE, "exit\nls\n")
    assert (episode.messages[-1].content, episode.meta["dropped_lines"]) == ("exit", 1)


def test_every_reached_limit_is_recorded_by_its_name(backend: Backend):
    episode = play_script(backend, SOLVABLE, "ls", "ls", "ls", config=EvalConfig(max_turns=2))
    assert (episode.ending, episode.reason, episode.meta["limits"]) == (Ending.turn_limit, "eval.max_turns: 2", {"eval.max_turns": 1})
    short = SOLVABLE.model_copy(update={"limits": Limits(turns=3, command_timeout_s=0.5)})
    episode = play_script(backend, short, "sleep 9", "ls", "sleep 9", "ls")
    assert (episode.ending, episode.reason) == (Ending.turn_limit, "limits.turns: 3")
    assert episode.meta["limits"] == {"limits.command_timeout_s": 2, "limits.turns": 1}
    assert "limits" not in play_script(backend, SOLVABLE, *SOLVABLE.reference).meta


class Replying:
    """Gives prepared Reply objects in order."""

    name = "replying"

    def __init__(self, *replies: Reply) -> None:
        self._replies = iter(replies)

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        return next(self._replies)


def test_limits_that_an_agent_reports_are_recorded_by_name(backend: Backend):
    episode = play(SOLVABLE, Replying(Reply("ls", cut=True), Reply("ls", cut=True), Reply("", full=True)), backend, LONG)
    assert (episode.ending, episode.reason) == (Ending.token_limit, f"eval.max_episode_tokens: {LONG.max_episode_tokens}")
    assert episode.meta["limits"] == {"eval.max_episode_tokens": 1, "eval.max_reply_tokens": 2}
    episode = play(SOLVABLE, Replying(Reply("", full=True, reason="the base's own context: 512")), backend, LONG)
    assert episode.ending is Ending.token_limit and episode.reason == "the base's own context: 512" and "limits" not in episode.meta


def test_a_help_announcement_is_a_program_and_a_manual_page_can_be_read(backend: Backend):
    page = ".TH KEEPER 1\n.SH NAME\nkeeper \\- keeps\n.SH COMMANDS\n.B list\nprints the directives\n"
    scenario = SOLVABLE.model_copy(
        update={
            "announcement": Announcement(kind=AnnouncementKind.help, text="Directives are kept by keeper."),
            "provider": Provider(name="keeper", script="#!/bin/sh\necho kept\n", man=page),
        }
    )
    episode = play_script(backend, scenario, "help", "man keeper", "keeper", "exit")
    assert "Directives are kept by keeper." in episode.messages[2].content
    assert "prints the directives" in episode.messages[4].content
    assert episode.messages[6].content == "kept\n$ "


def test_a_checker_that_never_ends_is_bounded_and_the_episode_is_not_verified(backend: Backend):
    scenario = SOLVABLE.model_copy(update={"checker": "while :; do :; done"})
    import sekft.episode.play as playing

    before, playing.CHECK_TIMEOUT_S = playing.CHECK_TIMEOUT_S, 1.0
    try:
        episode = play_script(backend, scenario, "exit")
    finally:
        playing.CHECK_TIMEOUT_S = before
    assert not episode.kept and episode.outcome is Outcome.false_exit


def test_an_agents_own_error_is_raised_not_recorded(backend: Backend):
    with pytest.raises(KeyError):
        play(SOLVABLE, Scripted("stranger", {}), backend, LONG)


def test_examples_show_a_won_and_a_lost_episode(backend: Backend, tmp_path: Path):
    episodes = [play_script(backend, SOLVABLE, *SOLVABLE.reference), play_script(backend, SOLVABLE, "exit")]
    paths = write_examples(episodes, tmp_path / "episodes")
    assert "verified" in paths["won"].read_text() and "false_exit" in paths["lost"].read_text()


def test_trajectories_are_written_completely_and_read_back_equal(backend: Backend, tmp_path: Path):
    episodes = [play_script(backend, SOLVABLE, "exit"), play_script(backend, BLOCKED, "exit")]
    trajectory.write(episodes, tmp_path / "t.jsonl")
    assert list(trajectory.read(tmp_path)) == episodes

    def failing():
        yield episodes[0]
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

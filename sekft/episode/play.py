"""One episode: the agent types, the shell answers, until one of them ends it; then the checker looks."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Event

from sekft.config import EvalConfig
from sekft.episode import outcome, setup
from sekft.episode.agent import Agent
from sekft.episode.trajectory import Command, Ending, Trajectory
from sekft.errors import SandboxError
from sekft.rendering.messages import Message
from sekft.sandbox.session import Backend, Checked, Session, Turn
from sekft.sandbox.text import TEXT_VERSION, environment_turn
from sekft.scenario.document import Scenario

CHECK_TIMEOUT_S = 20.0
EMPTY = "an empty reply"  # another reason of a silent episode is its agent's: it could not answer
LATE = "eval.max_eval_s is over"
ENDED = {"exit": Ending.exit, "panic": Ending.panic, "gone": Ending.gone, "lost": Ending.lost, "broken": Ending.broken}

INTERRUPTED = {"timeout": "limits.command_timeout_s", "flood": "sandbox.flood_bytes"}  # limits.*: of the scenario


class Stopped(Exception):
    """The whole series was called off; this episode is not recorded."""


@dataclass
class Episode:
    """An episode while it is played; `ending` is set exactly once, by whoever ends it."""

    messages: list[Message]
    commands: list[Command] = field(default_factory=list)
    clean: bool = True
    dropped_lines: int = 0
    ending: Ending | None = None
    reason: str = ""
    limits: Counter[str] = field(default_factory=Counter)  # by name, how often each was reached

    def end(self, ending: Ending, reason: str = "") -> None:
        self.ending, self.reason = ending, reason


def play(scenario: Scenario, agent: Agent, backend: Backend, config: EvalConfig, attempt: int = 0, stop: Event | None = None) -> Trajectory:
    """Live one episode. A failing place is the recorded ending `broken`; an agent's own error is raised."""
    episode = Episode([Message(role="user", content=environment_turn(setup.arrival(scenario), "ready"))])
    episode_id = f"{scenario.id}#{attempt}"
    checked = Checked(None)
    try:
        with backend.open(setup.environment(scenario)) as session:
            session.put(setup.files(scenario))
            live(episode, episode_id, scenario, agent, session, config, stop)
            if episode.ending is not Ending.broken:
                checked = session.check(scenario.checker, CHECK_TIMEOUT_S)
    except SandboxError as error:
        episode.end(Ending.broken, str(error))
    if checked.broken:
        episode.end(Ending.broken, f"checker: {checked.output}")
    return record(episode, episode_id, scenario, agent.name, checked)


def not_played(scenario: Scenario, agent: Agent, attempt: int) -> Trajectory:
    """What is recorded of an episode that the evaluation left no time for."""
    episode = Episode([Message(role="user", content=environment_turn(setup.arrival(scenario), "ready"))])
    episode.limits["eval.max_eval_s"] += 1
    episode.end(Ending.broken, LATE)
    return record(episode, f"{scenario.id}#{attempt}", scenario, agent.name, Checked(None))


def live(
    episode: Episode, episode_id: str, scenario: Scenario, agent: Agent, session: Session, config: EvalConfig, stop: Event | None
) -> None:
    """query -> run -> append, until episode.ending is set."""
    turns = min(config.max_turns, scenario.limits.turns)
    while episode.ending is None:
        if stop is not None and stop.is_set():
            raise Stopped
        if len(episode.commands) >= turns:
            reach(episode, Ending.turn_limit, "limits.turns" if scenario.limits.turns < config.max_turns else "eval.max_turns", turns)
            return
        reply = agent.reply(episode_id, tuple(episode.messages))
        episode.limits["eval.max_reply_tokens"] += reply.cut
        if reply.full and reply.reason:
            episode.end(Ending.token_limit, reply.reason)
        elif reply.full:
            reach(episode, Ending.token_limit, "eval.max_episode_tokens", config.max_episode_tokens)
        elif not reply.text.strip():
            episode.end(Ending.silent, reply.reason or EMPTY)
        else:
            type_one(episode, reply.text, session, scenario.limits.command_timeout_s)


def reach(episode: Episode, ending: Ending, limit: str, value: int) -> None:
    episode.limits[limit] += 1
    episode.end(ending, f"{limit}: {value}")


def type_one(episode: Episode, text: str, session: Session, timeout_s: float) -> None:
    turn = session.run(text, timeout_s)
    episode.commands.append(Command(turn=len(episode.messages), text=text, status=turn.status))
    episode.messages.append(Message(role="assistant", content=_accepted(text, turn)))
    episode.dropped_lines += turn.dropped_lines
    if turn.interrupted:
        episode.limits[INTERRUPTED[turn.interrupted]] += 1
    episode.clean = episode.clean and not outcome.is_prose(text, turn.output)
    if turn.kind in ENDED:
        episode.end(ENDED[turn.kind], turn.reason)
    else:
        episode.messages.append(Message(role="user", content=environment_turn(turn.output, turn.kind)))


def record(episode: Episode, episode_id: str, scenario: Scenario, agent: str, checked: Checked) -> Trajectory:
    passed = None if checked.broken or episode.ending is Ending.broken else checked.status == 0
    assert episode.ending is not None
    late = f"the checker gave no answer within {CHECK_TIMEOUT_S:.0f} s" if checked.status is None and passed is False else ""
    result = outcome.outcome(episode.ending, passed, episode.clean, scenario.terminal)
    keep = outcome.kept(result)
    return Trajectory(
        id=f"{episode_id}@{agent}",
        scenario_id=scenario.id,
        archetype=scenario.archetype,
        agent=agent,
        messages=tuple(episode.messages),
        commands=tuple(episode.commands),
        ending=episode.ending,
        checked=passed,
        clean=episode.clean,
        outcome=result,
        kept=keep,
        reason=episode.reason or ("" if keep else late or result.value),
        meta={"text_version": TEXT_VERSION, "dropped_lines": episode.dropped_lines, **kind(scenario), **reached(episode)},
    )


def reached(episode: Episode) -> dict[str, dict[str, int]]:
    """The limits that were reached, if any; every other episode is written as if there were none."""
    limits = {name: times for name, times in sorted(episode.limits.items()) if times}
    return {"limits": limits} if limits else {}


def kind(scenario: Scenario) -> dict[str, str]:
    """What rates are broken down by, beside the archetype; an axis its author did not name is left out."""
    axes = {"family": scenario.axes.family, "blocker": scenario.axes.blocker}
    return {"terminal": scenario.terminal.value, **{name: value for name, value in axes.items() if value}}


def _accepted(text: str, turn: Turn) -> str:
    """What was typed up to the ending; lines after it never reached the shell."""
    if not turn.dropped_lines:
        return text
    return "\n".join(text.removesuffix("\n").split("\n")[: -turn.dropped_lines])


def unanswered(episode: Trajectory) -> bool:
    """Whether the agent fell silent because it could not answer, as an endpoint that is down; the reason names the trouble."""
    return episode.ending is Ending.silent and episode.reason != EMPTY

"""One episode: the agent types and the shell answers until the episode ends; then the checker runs and a trajectory is recorded."""

from collections import Counter
from dataclasses import dataclass, field

from sekft.config import EvalConfig
from sekft.episode import outcome, setup
from sekft.episode.agent import Agent
from sekft.episode.replies import PROSE, kinds
from sekft.episode.stop import Stop
from sekft.episode.trajectory import Command, Ending, Trajectory
from sekft.errors import AgentError, SandboxError
from sekft.rendering.messages import Message
from sekft.sandbox.session import Backend, CheckResult, Session, ShellTurn
from sekft.sandbox.text import TEXT_VERSION, environment_turn
from sekft.scenario.document import Scenario

CHECK_TIMEOUT_S = 20.0
EMPTY_REPLY = "an empty reply"  # the reason of a silent episode, unless the agent gives its own: it refused, or typed only reasoning
OUT_OF_TIME = "eval.max_eval_s is over"  # the reason of an episode that was not played
ENDING_OF_KIND = {"exit": Ending.exit, "panic": Ending.panic, "gone": Ending.gone, "lost": Ending.lost, "broken": Ending.broken}
LIMIT_OF_INTERRUPT = {"timeout": "limits.command_timeout_s", "flood": "sandbox.flood_bytes"}  # limits.*: the scenario's


@dataclass
class Episode:
    """The running state of an episode; end() is called exactly once, the record of it is a Trajectory."""

    messages: list[Message]
    commands: list[Command] = field(default_factory=list)
    last_output: str = ""  # printed after the reply that ended the episode; no turn shows it
    dropped_lines: int = 0
    ending: Ending | None = None
    reason: str = ""
    trouble: str = ""  # of an agent that could not reply; the episode is broken then
    limits: Counter[str] = field(default_factory=Counter)  # how often each limit was reached, by name

    def end(self, ending: Ending, reason: str = "") -> None:
        self.ending, self.reason = ending, reason

    def end_at_limit(self, ending: Ending, limit: str, value: int) -> None:
        self.limits[limit] += 1
        self.end(ending, f"{limit}: {value}")


def play(scenario: Scenario, agent: Agent, backend: Backend, config: EvalConfig, attempt: int = 0, stop: Stop | None = None) -> Trajectory:
    """Play one episode and record it.

    A sandbox that fails, and an agent that cannot reply, give a trajectory with the ending `broken`. Raises Stopped when stop is set or
    the agent was cancelled, and whatever else the agent raises.
    """
    episode = _arrive(scenario)
    episode_id = f"{scenario.id}#{attempt}"
    check, stop = CheckResult(None), stop or Stop()
    stop.require_not_set()
    try:
        with backend.open(setup.environment(scenario)) as session, stop.ending(session):
            session.put(setup.files(scenario))
            run_turns(episode, episode_id, scenario, agent, session, config, stop)
            if episode.ending is not Ending.broken:
                check = session.check(scenario.checker, CHECK_TIMEOUT_S)
    except SandboxError as error:
        episode.end(Ending.broken, str(error))
    except AgentError as error:
        episode.trouble = error.trouble
        episode.end(Ending.broken, error.reason)
    stop.require_not_set()  # a sandbox that a signal ended is no broken one
    if check.broken:
        episode.end(Ending.broken, f"checker: {check.output}")
    return record(episode, episode_id, scenario, agent.name, check)


def record_unplayed(scenario: Scenario, agent: Agent, attempt: int) -> Trajectory:
    """The trajectory of an episode that eval.max_eval_s left no time for: broken, without a command."""
    episode = _arrive(scenario)
    episode.limits["eval.max_eval_s"] += 1
    episode.end(Ending.broken, OUT_OF_TIME)
    return record(episode, f"{scenario.id}#{attempt}", scenario, agent.name, CheckResult(None))


def run_turns(
    episode: Episode, episode_id: str, scenario: Scenario, agent: Agent, session: Session, config: EvalConfig, stop: Stop
) -> None:
    """Get a reply, type it, append what the shell shows; repeat until episode.ending is set. Raises Stopped."""
    turns = min(config.max_turns, scenario.limits.turns)
    while episode.ending is None:
        stop.require_not_set()
        if len(episode.commands) >= turns:
            limit = "limits.turns" if scenario.limits.turns < config.max_turns else "eval.max_turns"
            episode.end_at_limit(Ending.turn_limit, limit, turns)
            return
        reply = agent.reply(episode_id, tuple(episode.messages))
        episode.limits["eval.max_reply_tokens"] += reply.cut
        if reply.full and reply.reason:
            episode.end(Ending.token_limit, reply.reason)
        elif reply.full:
            episode.end_at_limit(Ending.token_limit, "eval.max_episode_tokens", config.max_episode_tokens)
        elif not reply.text.strip():
            episode.end(Ending.silent, reply.reason or EMPTY_REPLY)
        else:
            type_reply(episode, reply.text, session, scenario.limits.command_timeout_s)


def type_reply(episode: Episode, text: str, session: Session, timeout_s: float) -> None:
    turn = session.run(text, timeout_s)
    episode.commands.append(Command(turn=len(episode.messages), text=text, status=turn.status))
    episode.messages.append(Message(role="assistant", content=_accepted(text, turn)))
    episode.dropped_lines += turn.dropped_lines
    if turn.interrupted:
        episode.limits[LIMIT_OF_INTERRUPT[turn.interrupted]] += 1
    if turn.kind in ENDING_OF_KIND:
        episode.last_output = turn.output
        episode.end(ENDING_OF_KIND[turn.kind], turn.reason)
    else:
        episode.messages.append(Message(role="user", content=environment_turn(turn.output, turn.kind)))


def record(episode: Episode, episode_id: str, scenario: Scenario, agent: str, check: CheckResult) -> Trajectory:
    passed = None if check.broken or episode.ending is Ending.broken else check.status == 0
    assert episode.ending is not None
    late = f"the checker gave no answer within {CHECK_TIMEOUT_S:.0f} s" if check.status is None and passed is False else ""
    clean = not PROSE.intersection(kinds(episode.messages, episode.last_output))
    result = outcome.classify(episode.ending, passed, clean, scenario.terminal)
    kept = outcome.is_kept(result)
    last_output = {outcome.LAST_OUTPUT: episode.last_output} if episode.last_output else {}
    trouble = {outcome.TROUBLE: episode.trouble} if episode.trouble else {}
    return Trajectory(
        id=f"{episode_id}@{agent}",
        scenario_id=scenario.id,
        archetype=scenario.archetype,
        agent=agent,
        messages=tuple(episode.messages),
        commands=tuple(episode.commands),
        ending=episode.ending,
        checked=passed,
        clean=clean,
        outcome=result,
        kept=kept,
        reason=episode.reason or ("" if kept else late or result.value),
        meta={
            "text_version": TEXT_VERSION,
            "dropped_lines": episode.dropped_lines,
            **_axes(scenario),
            **_limits(episode),
            **last_output,
            **trouble,
        },
    )


def _arrive(scenario: Scenario) -> Episode:
    return Episode([Message(role="user", content=environment_turn(setup.arrival(scenario), "ready"))])


def _limits(episode: Episode) -> dict[str, dict[str, int]]:
    """The limits that were reached; the key is left out where there is none."""
    limits = {name: times for name, times in sorted(episode.limits.items()) if times}
    return {"limits": limits} if limits else {}


def _axes(scenario: Scenario) -> dict[str, str]:
    """What rates are broken down by, beside the archetype; an axis that the scenario's author left empty is left out."""
    axes = {"family": scenario.axes.family, "blocker": scenario.axes.blocker}
    return {"terminal": scenario.terminal.value, **{name: value for name, value in axes.items() if value}}


def _accepted(text: str, turn: ShellTurn) -> str:
    """What was typed up to the ending; the lines after it never reached the shell."""
    if not turn.dropped_lines:
        return text
    return "\n".join(text.removesuffix("\n").split("\n")[: -turn.dropped_lines])

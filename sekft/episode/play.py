"""One life: the operator types, the shell answers, until one of them ends it; then the checker looks."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Event

from sekft.config import EvalConfig
from sekft.episode import outcome, setup
from sekft.episode.agent import Operator
from sekft.episode.trajectory import Command, Ending, Trajectory
from sekft.errors import SandboxError
from sekft.rendering.messages import Message
from sekft.sandbox.session import Backend, Checked, Place, Turn
from sekft.sandbox.text import TEXT_VERSION, environment_turn
from sekft.scenario.document import Bundle

CHECK_TIMEOUT_S = 20.0
EMPTY = "an empty reply"  # another reason of a silent life is its operator's: it could not answer
LATE = "eval.max_exam_s is over"
ENDED = {"exit": Ending.exit, "panic": Ending.panic, "gone": Ending.gone, "lost": Ending.lost, "broken": Ending.broken}

INTERRUPTED = {"timeout": "limits.command_timeout_s", "flood": "sandbox.flood_bytes"}  # limits.*: of the bundle


class Stopped(Exception):
    """The whole series was called off; this life is not recorded."""


@dataclass
class Life:
    """A life while it is lived; `ending` is set exactly once, by whoever ends it."""

    messages: list[Message]
    commands: list[Command] = field(default_factory=list)
    clean: bool = True
    dropped_lines: int = 0
    ending: Ending | None = None
    reason: str = ""
    limits: Counter[str] = field(default_factory=Counter)  # by name, how often each was reached

    def end(self, ending: Ending, reason: str = "") -> None:
        self.ending, self.reason = ending, reason


def play(
    bundle: Bundle, operator: Operator, backend: Backend, limits: EvalConfig, attempt: int = 0, stop: Event | None = None
) -> Trajectory:
    """Live one life. A failing place is the recorded ending `broken`; an operator's own error is raised."""
    life = Life([Message(role="user", content=environment_turn(setup.arrival(bundle), "ready"))])
    life_id = f"{bundle.id}#{attempt}"
    checked = Checked(None)
    try:
        with backend.open(setup.environment(bundle)) as place:
            place.put(setup.files(bundle))
            live(life, life_id, bundle, operator, place, limits, stop)
            if life.ending is not Ending.broken:
                checked = place.check(bundle.checker, CHECK_TIMEOUT_S)
    except SandboxError as error:
        life.end(Ending.broken, str(error))
    if checked.broken:
        life.end(Ending.broken, f"checker: {checked.output}")
    return record(life, life_id, bundle, operator.name, checked)


def not_lived(bundle: Bundle, operator: Operator, attempt: int) -> Trajectory:
    """What is recorded of a life that the exam left no time for."""
    life = Life([Message(role="user", content=environment_turn(setup.arrival(bundle), "ready"))])
    life.limits["eval.max_exam_s"] += 1
    life.end(Ending.broken, LATE)
    return record(life, f"{bundle.id}#{attempt}", bundle, operator.name, Checked(None))


def live(life: Life, life_id: str, bundle: Bundle, operator: Operator, place: Place, limits: EvalConfig, stop: Event | None) -> None:
    """query -> run -> append, until life.ending is set."""
    turns = min(limits.max_turns, bundle.limits.turns)
    while life.ending is None:
        if stop is not None and stop.is_set():
            raise Stopped
        if len(life.commands) >= turns:
            reach(life, Ending.turn_limit, "limits.turns" if bundle.limits.turns < limits.max_turns else "eval.max_turns", turns)
            return
        reply = operator.reply(life_id, tuple(life.messages))
        life.limits["eval.max_reply_tokens"] += reply.cut
        if reply.full and reply.reason:
            life.end(Ending.token_limit, reply.reason)
        elif reply.full:
            reach(life, Ending.token_limit, "eval.max_life_tokens", limits.max_life_tokens)
        elif not reply.text.strip():
            life.end(Ending.silent, reply.reason or EMPTY)
        else:
            type_one(life, reply.text, place, bundle.limits.command_timeout_s)


def reach(life: Life, ending: Ending, limit: str, value: int) -> None:
    life.limits[limit] += 1
    life.end(ending, f"{limit}: {value}")


def type_one(life: Life, text: str, place: Place, timeout_s: float) -> None:
    turn = place.run(text, timeout_s)
    life.commands.append(Command(turn=len(life.messages), text=text, status=turn.status))
    life.messages.append(Message(role="assistant", content=_accepted(text, turn)))
    life.dropped_lines += turn.dropped_lines
    if turn.interrupted:
        life.limits[INTERRUPTED[turn.interrupted]] += 1
    life.clean = life.clean and not outcome.is_prose(text, turn.output)
    if turn.kind in ENDED:
        life.end(ENDED[turn.kind], turn.reason)
    else:
        life.messages.append(Message(role="user", content=environment_turn(turn.output, turn.kind)))


def record(life: Life, life_id: str, bundle: Bundle, operator: str, checked: Checked) -> Trajectory:
    passed = None if checked.broken or life.ending is Ending.broken else checked.status == 0
    assert life.ending is not None
    late = f"the checker gave no answer within {CHECK_TIMEOUT_S:.0f} s" if checked.status is None and passed is False else ""
    result = outcome.outcome(life.ending, passed, life.clean, bundle.terminal)
    keep = outcome.kept(result)
    return Trajectory(
        id=f"{life_id}@{operator}",
        bundle_id=bundle.id,
        archetype=bundle.archetype,
        operator=operator,
        messages=tuple(life.messages),
        commands=tuple(life.commands),
        ending=life.ending,
        checked=passed,
        clean=life.clean,
        outcome=result,
        kept=keep,
        reason=life.reason or ("" if keep else late or result.value),
        meta={"text_version": TEXT_VERSION, "dropped_lines": life.dropped_lines, **kind(bundle), **reached(life)},
    )


def reached(life: Life) -> dict[str, dict[str, int]]:
    """The limits that were reached, if any; every other life is written as if there were none."""
    limits = {name: times for name, times in sorted(life.limits.items()) if times}
    return {"limits": limits} if limits else {}


def kind(bundle: Bundle) -> dict[str, str]:
    """What rates are broken down by, beside the archetype; an axis its author did not name is left out."""
    axes = {"family": bundle.axes.family, "blocker": bundle.axes.blocker}
    return {"terminal": bundle.terminal.value, **{name: value for name, value in axes.items() if value}}


def _accepted(text: str, turn: Turn) -> str:
    """What was typed up to the ending; lines after it never reached the shell."""
    if not turn.dropped_lines:
        return text
    return "\n".join(text.removesuffix("\n").split("\n")[: -turn.dropped_lines])


def unanswered(life: Trajectory) -> bool:
    """Whether the operator fell silent because it could not answer, as an endpoint that is down; the reason names the trouble."""
    return life.ending is Ending.silent and life.reason != EMPTY

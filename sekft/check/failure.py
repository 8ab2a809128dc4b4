"""What happened in an episode that the lint holds against a scenario: its commands, the state it left, what the checker said."""

from collections.abc import Sequence

from sekft.episode import setup
from sekft.episode.play import CHECK_TIMEOUT_S
from sekft.errors import SandboxError
from sekft.sandbox.session import Backend, Session
from sekft.scenario.document import Scenario

SHOWN_LINES = 12  # of one output
STATE = (
    "find . -path ./.bin -prune -o -type f -printf '%m %u %8s %P\\n' -o -type l -printf '%m %u %8s %P -> %l\\n' | sort -k 4 | head -n 40"
)


def transcript(scenario: Scenario, replies: Sequence[str], backend: Backend) -> str:
    """Play the replies once more in a fresh session and tell what happens, in lines for a person."""
    try:
        with backend.open(setup.environment(scenario)) as session:
            session.put(setup.files(scenario))
            typed = _typed(scenario, replies, session)
            state = session.check(STATE, CHECK_TIMEOUT_S).output
            checked = session.check(scenario.checker, CHECK_TIMEOUT_S)
    except SandboxError as error:
        return f"  the sandbox failed: {error}"
    status = "no answer in time" if checked.status is None else f"status {checked.status}"
    parts = ["the commands:", *typed, "the files at the end (mode, owner, bytes, path):", *_lines(state, 40)]
    return "\n".join(f"  {line}" for line in [*parts, f"the checker ({status}):", *_lines(checked.output)])


def _typed(scenario: Scenario, replies: Sequence[str], session: Session) -> list[str]:
    lines = _lines(setup.arrival(scenario))
    for reply in replies:
        turn = session.run(reply, scenario.limits.command_timeout_s)
        status = f"    [status {turn.status}]" if turn.status and turn.kind in ("ready", "more") else ""
        first, *more = reply.rstrip("\n").split("\n")
        lines += [f"$ {first}{status if not more else ''}", *(f"> {line}" for line in more[:SHOWN_LINES]), *_lines(turn.output)]
        if turn.kind not in ("ready", "more"):
            return lines if turn.kind in ("exit", "panic") else [*lines, f"[the session is {turn.kind}: {turn.reason}]"]
    return lines


def _lines(text: str, most: int = SHOWN_LINES) -> list[str]:
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    return lines if len(lines) <= most else [*lines[:most], f"[{len(lines) - most} more lines]"]

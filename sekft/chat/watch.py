"""An episode under a person's supervision: each turn is shown before it is typed, and can be replaced with a reason."""

from collections.abc import Sequence
from pathlib import Path

from sekft.cli.prompt import ask
from sekft.data import decision
from sekft.data.decision import Decision
from sekft.episode.takeover import TakeOver
from sekft.episode.trajectory import Trajectory
from sekft.errors import Stopped
from sekft.rendering.messages import Message, Reply
from sekft.scenario.document import Scenario

QUESTION = "  [Enter: type it, e: edit it, q: leave, or type another line] "
EDIT, LEAVE = "e", "q"


class Watch:
    """The supervision of one episode. decisions: the file to which a take-over with a reason is appended as a decision point."""

    def __init__(self, scenario: Scenario, decisions: Path) -> None:
        self.saved = 0
        self._scenario, self._decisions = scenario, decisions
        self._ids = {point.id for point in decision.load(decisions)} if decisions.exists() else set()

    def opening(self, number: int, scenarios: str) -> str:
        """The line printed before the episode."""
        return f"scenario {number} of scenarios={scenarios}: {self._scenario.id}; the right ending is {self._scenario.terminal.value}"

    def decide(self, messages: Sequence[Message], reply: Reply) -> str:
        """Show the agent's turn and return the text to type. Raises Stopped if the person leaves.

        A line that begins with a blank is typed without it, so that `e` and `q` can be typed, too.
        """
        shown = reply.text or f"(nothing: {reply.reason or ('no room left' if reply.full else 'an empty reply')})"
        print(f"{messages[-1].content}{shown}", flush=True)
        match ask(QUESTION):
            case None:
                raise Stopped
            case word if word == LEAVE:
                raise Stopped
            case word if word == EDIT:
                return ask("  edit: ", reply.text) or reply.text
            case "":
                return reply.text
            case line:
                return line.removeprefix(" ")

    def record(self, takeover: TakeOver) -> None:
        """Ask for a reason, and save the take-over as a decision point if one is given."""
        if not takeover.typed.strip() or not (reason := ask("  why is that better? (kept as a decision point; Enter: not kept) ")):
            return
        point = Decision(
            id=self._new_id(len(takeover.context)),
            context=takeover.context,
            continuation=takeover.typed,
            own=takeover.own,
            reason=reason,
            scenario=self._scenario.id,
        )
        decision.append(point, self._decisions)
        self._ids.add(point.id)
        self.saved += 1
        print(f"  kept: {point.id} in {self._decisions}", flush=True)

    def closing(self, episode: Trajectory) -> str:
        """The line printed after the episode."""
        reason = f" ({episode.reason})" if episode.reason else ""
        checker = {True: "passes", False: "does not pass", None: "could not run"}[episode.checked]
        return f"-- {episode.agent}: {episode.ending.value}, {episode.outcome.value}{reason}; the checker {checker}"

    def _new_id(self, turn: int) -> str:
        """Scenario and turn, with a number appended if the file has a decision point of that turn already."""
        first = f"{self._scenario.id}/{turn}"
        candidates = (first, *(f"{first}.{number}" for number in range(2, len(self._ids) + 3)))
        return next(id for id in candidates if id not in self._ids)

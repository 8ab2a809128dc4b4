"""A person beside an episode: sees each turn before it is typed, types another one instead, and says why."""

from collections.abc import Sequence
from pathlib import Path

from sekft.cli.prompt import ask
from sekft.data import decision
from sekft.data.decision import Decision
from sekft.episode.play import Stopped
from sekft.episode.takeover import TakeOver
from sekft.episode.trajectory import Trajectory
from sekft.rendering.messages import Message, Reply
from sekft.scenario.document import Scenario

SIGN = "  [Enter: type it, e: edit it, q: leave, or type another line] "
EDIT, LEAVE = "e", "q"


class Watch:
    """Over one episode in one scenario. kept: the file that take-overs are saved in as decision points, if the person gives a reason."""

    def __init__(self, scenario: Scenario, kept: Path) -> None:
        self.saved = 0
        self._scenario, self._kept = scenario, kept
        self._known = {one.id for one in decision.load(kept)} if kept.exists() else set()

    def opening(self, number: int, scenarios: str) -> str:
        return f"scenario {number} of scenarios={scenarios}: {self._scenario.id}, to be left by {self._scenario.terminal.value}"

    def decide(self, messages: Sequence[Message], reply: Reply) -> str:
        """The text that is typed. Raises Stopped if the person leaves. A blank before a line keeps it from being read as e or q."""
        shown = reply.text or f"(nothing: {reply.reason or ('no room left' if reply.full else 'an empty reply')})"
        print(f"{messages[-1].content}{shown}", flush=True)
        match ask(SIGN):
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

    def taken(self, takeover: TakeOver) -> None:
        """Asks whether it is worth learning."""
        if not takeover.typed.strip() or not (reason := ask("  why is that better? (kept as a decision point; Enter: not kept) ")):
            return
        made = Decision(
            id=self._name(len(takeover.context)),
            context=takeover.context,
            continuation=takeover.typed,
            own=takeover.own,
            reason=reason,
            scenario=self._scenario.id,
        )
        decision.append(made, self._kept)
        self._known.add(made.id)
        self.saved += 1
        print(f"  kept: {made.id} in {self._kept}", flush=True)

    def closing(self, episode: Trajectory) -> str:
        reason = f" ({episode.reason})" if episode.reason else ""
        checker = {True: "passes", False: "does not pass", None: "could not run"}[episode.checked]
        return f"-- {episode.agent}: {episode.ending.value}, {episode.outcome.value}{reason}; the checker {checker}"

    def _name(self, turn: int) -> str:
        """Scenario and turn; a number behind it if that was decided before."""
        name = f"{self._scenario.id}/{turn}"
        names = (name, *(f"{name}.{number}" for number in range(2, len(self._known) + 3)))
        return next(one for one in names if one not in self._known)

"""Review of proposed decision points by a person: approve, reject, edit. A judged proposal is never shown again."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sekft.chat.proposals import Proposal
from sekft.cli.prompt import ask
from sekft.data import decision
from sekft.data.decision import Decision

QUESTION = "  [a: approve, r: reject, e: edit and approve, q: leave] "
CONTEXT_LINES = 12


def rejected_file(approved: Path) -> Path:
    """The file of the rejected decision points, beside that of the approved ones."""
    return approved.with_name(f"{approved.stem}.rejected.jsonl")


def judged_ids(approved: Path) -> set[str]:
    """The ids of all decision points that a person has approved or rejected."""
    return {point.id for file in (approved, rejected_file(approved)) if file.exists() for point in decision.load(file)}


def review(proposals: Sequence[Proposal], approved: Path) -> Counter[str]:
    """Show the proposals that were not judged yet and save each judgement before the next question.

    Returns how many were approved, edited, rejected, judged before, and still wait.
    """
    done = judged_ids(approved)
    waiting = [proposal for proposal in proposals if proposal.decision.id not in done]
    counts: Counter[str] = Counter(judged_before=len(proposals) - len(waiting))
    for number, proposal in enumerate(waiting, 1):
        print(screen(proposal, number, len(waiting)), flush=True)
        verdict, point = judge(proposal.decision)
        if verdict == "left":
            break
        decision.append(point, rejected_file(approved) if verdict == "rejected" else approved)
        counts[verdict] += 1
    counts["waiting"] = len(waiting) - counts["approved"] - counts["edited"] - counts["rejected"]
    return counts


def judge(point: Decision) -> tuple[str, Decision]:
    """Ask for a verdict until the answer is one of a, r, e, q; return it, and the decision point as edited."""
    while True:
        match ask(QUESTION):
            case None | "q":
                return "left", point
            case "a":
                return "approved", point
            case "r":
                return "rejected", point
            case "e" if (text := ask("  edit: ", point.continuation) or "").strip():
                return "edited", point.model_copy(update={"continuation": text})


def screen(proposal: Proposal, number: int, total: int) -> str:
    """The text that shows one proposal: the last lines of its context, both turns and the reason."""
    point = proposal.decision
    text = "".join(message.content + ("\n" if message.role == "assistant" else "") for message in point.context).rstrip("\n")
    lines = text.split("\n")
    head = [f"[... {len(lines) - CONTEXT_LINES} lines ...]"] if len(lines) > CONTEXT_LINES else []
    turns = [f"  typed:  {point.own}", f"  better: {point.continuation}", f"  reason: {point.hint or '(none)'}"]
    title = f"\n-- {number} of {total}: {point.id}, divergence {proposal.divergence:.2f} nats"
    return "\n".join([title, *head, *lines[-CONTEXT_LINES:], *turns])

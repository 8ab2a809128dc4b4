"""A person judges decision points, the most promising first: approve, reject, edit. What was judged is never offered again."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sekft.chat.candidates import Candidate
from sekft.cli.prompt import ask
from sekft.data import decision
from sekft.data.decision import Decision

SIGN = "  [a: approve, r: reject, e: edit and approve, q: leave] "
SHOWN = 12  # lines of the context


def rejects(kept: Path) -> Path:
    """Where those are that were turned down, beside the others."""
    return kept.with_name(f"{kept.stem}.rejected.jsonl")


def judged(kept: Path) -> set[str]:
    """Ids of all that a person has decided about."""
    return {one.id for file in (kept, rejects(kept)) if file.exists() for one in decision.load(file)}


def review(candidates: Sequence[Candidate], kept: Path) -> Counter[str]:
    """Offers what was not judged; every judgement is on the disk before the next is asked for. How many of each, and how many are left."""
    done = judged(kept)
    waiting = [one for one in candidates if one.decision.id not in done]
    counts: Counter[str] = Counter(judged_before=len(candidates) - len(waiting))
    for number, candidate in enumerate(waiting, 1):
        print(screen(candidate, number, len(waiting)), flush=True)
        verdict, decided = judge(candidate.decision)
        if verdict == "left":
            break
        decision.append(decided, rejects(kept) if verdict == "rejected" else kept)
        counts[verdict] += 1
    counts["waiting"] = len(waiting) - counts["approved"] - counts["edited"] - counts["rejected"]
    return counts


def judge(offered: Decision) -> tuple[str, Decision]:
    """What the person makes of it. Anything but the four answers is asked again."""
    while True:
        match ask(SIGN):
            case None | "q":
                return "left", offered
            case "a":
                return "approved", offered
            case "r":
                return "rejected", offered
            case "e" if (text := ask("  edit: ", offered.continuation) or "").strip():
                return "edited", offered.model_copy(update={"continuation": text})


def screen(candidate: Candidate, number: int, of: int) -> str:
    one = candidate.decision
    text = "".join(message.content + ("\n" if message.role == "assistant" else "") for message in one.context).rstrip("\n")
    lines = text.split("\n")
    head = [f"[... {len(lines) - SHOWN} lines ...]"] if len(lines) > SHOWN else []
    told = [f"  typed:  {one.own}", f"  better: {one.continuation}", f"  reason: {one.hint or '(none)'}"]
    return "\n".join([f"\n-- {number} of {of}: {one.id}, divergence {candidate.divergence:.2f} nats", *head, *lines[-SHOWN:], *told])

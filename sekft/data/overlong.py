"""Cutting rows that are longer than trainer.max_tokens, by whole exchanges.

An exchange is an environment turn and the command typed at it; they are cut together, so that every command still follows the output
it was typed at. The landing (the first exchange) and the last exchange are never cut; a row that is too long even without the others
stays as it is. The remaining messages are rendered again, so the row is a text that a server could be fed.
"""

from bisect import bisect_left
from dataclasses import replace

from sekft.config import Overlong
from sekft.rendering.render import Rendered, render, render_decision
from sekft.rendering.tokenizer import ChatTokenizer


def shorten(rendered: Rendered, tokenizer: ChatTokenizer, policy: Overlong, max_tokens: int) -> Rendered:
    """The rendering with as few exchanges cut as make it fit; unchanged if it fits, if no cut helps, or if the policy is reject."""
    removable = _removable(rendered)
    if policy is Overlong.reject or len(rendered.ids) <= max_tokens:
        return rendered

    def cut(amount: int) -> Rendered:
        return _without(rendered, _cut_turns(removable, amount, policy), tokenizer)

    amounts = range(1, len(removable) + 1)
    fewest = bisect_left(amounts, True, key=lambda amount: len(cut(amount).ids) <= max_tokens)
    return cut(amounts[fewest]) if fewest < len(amounts) else rendered


def _removable(rendered: Rendered) -> range:
    """The indices of the environment turns that start the exchanges between the landing and the last one."""
    last = max((index for index, message in enumerate(rendered.messages) if message.role == "assistant"), default=0)
    return range(2, last - 1, 2)


def _cut_turns(removable: range, amount: int, policy: Overlong) -> range:
    """The exchanges to cut. keep_last: those right after the landing; cut_middle: those around the middle."""
    start = 0 if policy is Overlong.keep_last else (len(removable) - amount) // 2
    return removable[start : start + amount]


def _without(rendered: Rendered, cut: range, tokenizer: ChatTokenizer) -> Rendered:
    left = [index for index in range(len(rendered.messages)) if not cut.start <= index < cut.stop]
    messages = [rendered.messages[index] for index in left]
    again = render_decision(messages, len(messages) - 1, tokenizer) if rendered.unrolled else render(messages, tokenizer)
    failed, unlearned = (frozenset(new for new, old in enumerate(left) if old in kept) for kept in (rendered.failed, rendered.unlearned))
    return replace(again, failed=failed, unlearned=unlearned, following=rendered.following, decision=rendered.decision)

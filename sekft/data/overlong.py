"""What a row longer than trainer.max_tokens loses: whole exchanges, never BOS, the landing, or the ending.

An exchange is an environment turn and the command typed at it. They go together, so every command that is left still follows
the output it was typed at. The landing (the first environment turn and the first command) and the last exchange always stay:
a row that is too long even so is not cut. What is left is rendered afresh: a text that a server could be fed.
"""

from bisect import bisect_left
from dataclasses import replace

from sekft.config import Overlong
from sekft.rendering.render import Rendered, render, render_decision
from sekft.rendering.tokenizer import ChatTokenizer


def shorten(rendered: Rendered, tokenizer: ChatTokenizer, policy: Overlong, max_tokens: int) -> Rendered:
    """With as few exchanges gone as make it fit; unchanged if it fits, if nothing helps, or if the policy is reject."""
    removable = _removable(rendered)
    if policy is Overlong.reject or len(rendered.ids) <= max_tokens:
        return rendered

    def cut(amount: int) -> Rendered:
        return _without(rendered, _gone(removable, amount, policy), tokenizer)

    amounts = range(1, len(removable) + 1)
    fewest = bisect_left(amounts, True, key=lambda amount: len(cut(amount).ids) <= max_tokens)
    return cut(amounts[fewest]) if fewest < len(amounts) else rendered


def _removable(rendered: Rendered) -> range:
    """The first turns of the exchanges between the landing and the ending."""
    last = max((index for index, message in enumerate(rendered.messages) if message.role == "assistant"), default=0)
    return range(2, last - 1, 2)


def _gone(removable: range, amount: int, policy: Overlong) -> range:
    """keep_last: those right after the landing; cut_middle: those around the middle, as many lost before it as behind."""
    start = 0 if policy is Overlong.keep_last else (len(removable) - amount) // 2
    return removable[start : start + amount]


def _without(rendered: Rendered, gone: range, tokenizer: ChatTokenizer) -> Rendered:
    left = [index for index in range(len(rendered.messages)) if not gone.start <= index < gone.stop]
    messages = [rendered.messages[index] for index in left]
    again = render_decision(messages, len(messages) - 1, tokenizer) if rendered.unrolled else render(messages, tokenizer)
    failed = frozenset(new for new, old in enumerate(left) if old in rendered.failed)
    return replace(again, failed=failed, following=rendered.following, decision=rendered.decision)

"""What a chat template writes around replies, learned from probes: before them, behind them, and in the generation prompt.

Covers: text and control tokens between a reply and its stop token; a last turn that the template leaves open; a thought that the
generation prompt opens or holds closed; a channel that the template writes before the replies of the past. Every base is judged once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sekft.errors import RenderError
from sekft.rendering.messages import Message
from sekft.rendering.template import ChatTemplate

REPLIES = ("qXza", "qXzb", "qXzc")  # texts that no template writes itself
PROBE = tuple(
    message
    for at, reply in enumerate(REPLIES)
    for message in (Message(role="user", content=f"uXw{at}w"), Message(role="assistant", content=reply))
)
THOUGHT = re.compile(  # a tag that closes or opens a thought; Gemma 4 and GPT-OSS think in a channel
    r"(?P<close><\|?/[\w:]*(?:think|thought|reason)[\w:]*\|?>|\[/think\]|<\|?end_\w*(?:think|thought|reason)\w*\|?>|<channel\|>)"
    r"|<\|?[\w:]*(?:think|thought|reason)[\w:]*\|?>|\[think\]|<\|?channel\|?>\s*(?:thought|analysis)",
    re.IGNORECASE,
)
SWITCHES = ("enable_thinking", "thinking", "thinking_budget", "reasoning_effort", "reasoning")  # options of templates


@dataclass(frozen=True)
class Closing:
    """What the template writes behind a reply, up to the token that ends a generation."""

    suffix: str  # text before the stop token; mostly empty
    stop: str  # the token as text

    @property
    def text(self) -> str:
        return self.suffix + self.stop


@dataclass(frozen=True)
class Form:
    """What the template writes around a reply.

    separator: blanks and line ends between the served prompt and the reply; mostly empty. prefix: what else it writes there only in
    the past (an empty thought), which is not trained on. closings: of past turns, then of the last one where it differs.
    is_whole: one rendering of a conversation holds every served prompt and every reply as it is generated; if not, each decision is a row.
    """

    separator: str
    prefix: str
    closings: tuple[Closing, ...]
    is_whole: bool

    @property
    def closing(self) -> Closing:
        """What a generated reply ends in."""
        return self.closings[0]


@dataclass(frozen=True)
class PromptEnd:
    """A change of the generation prompt that makes a template fit for replies that are typed."""

    cut: str = ""
    added: str = ""


def opened_thought(template: ChatTemplate) -> str:
    """The end of the generation prompt from a thought on that it opens and does not close; empty if there is none."""
    prompt = template.render(PROBE[:1], add_generation_prompt=True)
    start = _common(prompt, template.render(PROBE[:1]))
    tags = list(THOUGHT.finditer(prompt, start))
    return prompt[tags[-1].start() :] if tags and not tags[-1]["close"] else ""


def prompt_end(template: ChatTemplate, control: Mapping[int, str]) -> PromptEnd:
    """The change that the generation prompt needs, if any.

    A thought that the prompt opens is cut off if past turns have none and no option of the template does it; a channel that opens
    past replies is written behind the prompt. Raises RenderError for an open thought that an option can close.
    """
    if thought := opened_thought(template):
        if options := [name for name in template.options if name in SWITCHES]:
            raise RenderError(
                f"the generation prompt opens a thought ({thought!r}), so that what is typed would be part of it; give"
                f" model.template_options={{{options[0]}: false}}"
            )
        return PromptEnd(cut=thought)
    before = _before(template)
    return PromptEnd(added=before) if any(token in before for token in control.values()) else PromptEnd()


def learn(template: ChatTemplate, stops: Mapping[int, str], control: Mapping[int, str]) -> Form:
    """The form of the template. stops: the tokens that end a generation. Raises RenderError if replies cannot be trained on."""
    if thought := opened_thought(template):
        raise RenderError(f"the generation prompt opens a thought ({thought!r}), so that what is typed would be part of it")
    text = template.render(PROBE)
    places = [text.find(reply) for reply in REPLIES]
    if -1 in places:
        raise RenderError("the template changes the assistant's text: a reply of letters is not in what it renders")
    past = text[places[0] + len(REPLIES[0]) : text.find(PROBE[2].content)]
    last = text[places[-1] + len(REPLIES[-1]) :]
    found = [closing for tail in (past, last) if (closing := _closing(tail, stops))]
    if not found:
        tail = past or last
        written = [token for token in control.values() if token in tail]
        closed = f"no stop token closes a reply; the template writes {tail!r} behind it"
        missing = (
            f"; add the id of {min(written, key=tail.find)!r} to eos_token_id in generation_config.json"
            if written
            else "; give model.template=FILE"
        )
        raise RenderError(f"{closed}, generation stops at {', '.join(map(repr, stops.values())) or 'nothing'}{missing}")
    alone = template.render(PROBE[:2]).partition(REPLIES[0])[2]
    if not any(alone.startswith(closing.text) or closing.text.startswith(alone) for closing in found):
        raise RenderError(
            f"the template writes {found[0].text!r} or {alone!r} behind a reply, as the conversation is long; allowed: one text"
        )
    before = _before(template)
    separator = before[: len(before) - len(before.lstrip())]
    closings = tuple(dict.fromkeys(found))
    prompts = [template.render(PROBE[:at], add_generation_prompt=True) for at in (1, 3, 5)]
    written = [prompt + separator + reply for prompt, reply in zip(prompts, REPLIES, strict=True)]
    whole = _closing(past, stops) is not None and all(map(text.startswith, written))
    return Form(separator, before[len(separator) :], closings, whole)


def written_in_prompts(template: ChatTemplate) -> str:
    """The text of a long served prompt: whatever the template writes around turns is in it. Empty if the template raises an error."""
    try:
        return template.render(PROBE[:5], add_generation_prompt=True)
    except RenderError:
        return ""


def _before(template: ChatTemplate) -> str:
    """What the template writes between the served prompt and the reply; empty if the prompt is no prefix of the text."""
    prompt, text = template.render(PROBE[:1], add_generation_prompt=True), template.render(PROBE[:2])
    return text[len(prompt) :].partition(REPLIES[0])[0] if text.startswith(prompt) and REPLIES[0] in text else ""


def _closing(tail: str, stops: Mapping[int, str]) -> Closing | None:
    found = [(tail.find(stop), -len(stop), stop) for stop in stops.values() if stop in tail]
    if not found:
        return None
    at, _, stop = min(found)
    return Closing(tail[:at], stop)


def _common(one: str, other: str) -> int:
    """The length of the common start of two texts."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))

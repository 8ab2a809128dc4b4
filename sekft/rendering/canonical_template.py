"""Chat templates with the canonical form written into them, so that any server renders raw messages to the ids of training."""

import json
from collections.abc import Iterable, Mapping

OPENING = """\
{%- set sekft = namespace(turns=[], role='', content='') -%}
{%- for message in messages -%}
{%- if message['role'] | lower == 'system' and not loop.first -%}
{{- raise_exception('a system turn is allowed only as the first') -}}
{%- endif -%}
{%- if message['tool_calls'] -%}{{- raise_exception('a call of a tool; allowed: turns of text') -}}{%- endif -%}
{%- set role = 'assistant' if message['role'] | lower == 'assistant' else 'user' -%}
{%- set content = message['content'] -%}
{%- if content is not string -%}
{%- set parts = namespace(texts=[]) -%}
{%- for part in content or [] -%}
{%- if part is string -%}{%- set parts.texts = parts.texts + [part] -%}
{%- elif part['text'] is string -%}{%- set parts.texts = parts.texts + [part['text']] -%}
{%- elif part['type'] not in ['thinking', 'reasoning'] -%}{{- raise_exception('a part that is not text') -}}
{%- endif -%}
{%- endfor -%}
{%- set content = parts.texts | join('\\n') -%}
{%- endif -%}
{%- set content = contentNEUTRAL -%}
{%- if role == sekft.role -%}
{%- set sekft.content = sekft.content + '\\n' + content -%}
{%- else -%}
{%- if sekft.role -%}{%- set sekft.turns = sekft.turns + [{'role': sekft.role, 'content': sekft.content}] -%}{%- endif -%}
{%- set sekft.role = role -%}{%- set sekft.content = content -%}
{%- endif -%}
{%- endfor -%}
{%- set messages = sekft.turns + [{'role': sekft.role, 'content': sekft.content}] %}"""
MAX_CHAIN = 100  # Python compiles no more than 200 nested calls; Llama 3 has 256 control tokens
LOOP = (
    "{%- set sekft.text = content -%}{%- for token in TEXTS FILTER-%}"
    "{%- set sekft.text = sekft.text | replace(token, token[0] ~ ' ' ~ token[1:]) -%}"
    "{%- endfor -%}{%- set content = sekft.text -%}"
)
FIRST_LINE, *_, LAST_LINE = OPENING.splitlines()


def self_canonicalising(source: str, control: Iterable[str], dates: Mapping[str, str]) -> str:
    """The template with the rules of messages.canonical and ChatTokenizer.neutralise before it, in place of an earlier such opening.

    control: the tokenizer's control tokens, in the order in which neutralise() replaces them. dates: what strftime_now returned in
    training, by format; without it a server would print its own day.
    """
    fixed = "".join(f"{{%- if form == {json.dumps(form)} -%}}{{{{- {json.dumps(text)} -}}}}{{%- endif -%}}" for form, text in dates.items())
    date = f"{{%- macro strftime_now(form) -%}}{fixed}{{%- endmacro %}}" if dates else ""
    texts = list(control)
    neutral = "".join(f" | replace({json.dumps(text)}, {json.dumps(f'{text[0]} {text[1:]}')})" for text in texts)
    opening = OPENING.replace("NEUTRAL", neutral)
    if len(texts) > MAX_CHAIN:
        # a name without a blank is no result of an earlier replacement, so those that the text lacks are skipped: 20 times as fast
        kept = "" if any(" " in text for text in texts) else "if token in content "
        loop = LOOP.replace("TEXTS", json.dumps(texts)).replace("FILTER", kept)
        opening = OPENING.replace("{%- set content = contentNEUTRAL -%}", loop)
    return _joined(opening + date, without_opening(source))


def without_opening(source: str) -> str:
    """The template for messages that are canonical already: the opening is removed, if it is there."""
    return _split(source)[1]


def with_options(source: str, options: Mapping[str, bool | int | float | str]) -> str:
    """The template with these variables set: whatever a server passes, they have these values."""
    if not options:
        return source
    opening, body = _split(source)
    literals = {name: json.dumps(value, ensure_ascii=False) for name, value in sorted(options.items())}
    return _joined(opening, _joined("".join(f"{{%- set {name} = {literal} %}}" for name, literal in literals.items()), body))


def with_prompt_end(source: str, cut: str, added: str) -> str:
    """The template with another end of its generation prompt: without the text `cut`, if it ends in it, and with `added` behind it."""
    opening, body = _split(source)
    whole = "{%- set sekft_text %}\n" + body.removesuffix("\n") + "{%+ endset %}"
    short = f"(sekft_text[:-{len(cut)}] if sekft_text.endswith({json.dumps(cut)}) else sekft_text)" if cut else "sekft_text"
    return _joined(opening, f"{whole}{{{{ {short} ~ {json.dumps(added)} if add_generation_prompt else sekft_text }}}}")


def _split(source: str) -> tuple[str, str]:
    """(opening, body) of a template; the opening is empty for one that has none."""
    if not source.startswith(FIRST_LINE):
        return "", source
    front, end, body = source.partition(LAST_LINE)
    return front + end, body.removeprefix("\n")  # Jinja drops a line end behind a block


def _joined(front: str, body: str) -> str:
    """The body behind a block, rendered as it is alone: Jinja drops one line end there, and blanks count only from a line's start."""
    return f"{front}\n{body}" if front and body[:1].isspace() else front + body

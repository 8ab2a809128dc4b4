"""Chat templates with the canonical form written into them, so that any server renders raw messages to the ids of training."""

import json
from collections.abc import Iterable, Mapping

OPENING = """\
{%- set sekft = namespace(turns=[], role='', content='') -%}
{%- for message in messages -%}
{%- if message['role'] == 'system' and not loop.first -%}
{{- raise_exception('a system turn is allowed only as the first') -}}
{%- endif -%}
{%- set role = 'assistant' if message['role'] == 'assistant' else 'user' -%}
{%- set content = message['content'] -%}
{%- if content is not string -%}{%- set content = content | map(attribute='text') | join('\\n') -%}{%- endif -%}
{%- set content = contentNEUTRAL -%}
{%- if role == sekft.role -%}
{%- set sekft.content = sekft.content + '\\n' + content -%}
{%- else -%}
{%- if sekft.role -%}{%- set sekft.turns = sekft.turns + [{'role': sekft.role, 'content': sekft.content}] -%}{%- endif -%}
{%- set sekft.role = role -%}{%- set sekft.content = content -%}
{%- endif -%}
{%- endfor -%}
{%- set messages = sekft.turns + [{'role': sekft.role, 'content': sekft.content}] %}"""


def self_canonicalising(source: str, control: Iterable[str], dates: Mapping[str, str]) -> str:
    """The template with the rules of messages.canonical and ChatTokenizer.neutralise written in front of it; idempotent.

    control: the tokenizer's control tokens, in the order in which neutralise() replaces them. dates: what strftime_now returned in
    training, by format; without it a server would print its own day.
    """
    if source.startswith("{%- set sekft"):
        return source
    fixed = "".join(f"{{%- if form == {json.dumps(form)} -%}}{{{{- {json.dumps(text)} -}}}}{{%- endif -%}}" for form, text in dates.items())
    date = f"{{%- macro strftime_now(form) -%}}{fixed}{{%- endmacro -%}}" if dates else ""
    return _opening(control) + date + source


def without_opening(source: str, control: Iterable[str]) -> str:
    """The template for messages that are canonical already: the opening for these control tokens is removed, if it is there."""
    opening = _opening(control)
    rest = source.removeprefix(opening)
    return source if rest.startswith("\n") else rest  # Jinja drops a line end behind the opening; at the start it would be text


def _opening(control: Iterable[str]) -> str:
    neutral = "".join(f" | replace({json.dumps(text)}, {json.dumps(f'{text[0]} {text[1:]}')})" for text in control)
    return OPENING.replace("NEUTRAL", neutral)

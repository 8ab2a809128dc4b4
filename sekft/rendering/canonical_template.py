"""A chat template that makes its own input canonical, so that any server renders raw messages as training did."""

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
    """The template with rendering.messages.canonical and ChatTokenizer.neutral written into it, in front.

    control: the tokenizer's control tokens, in the order in which neutral() replaces them. dates: what strftime_now was in
    training, by form; a server would put its own day there.
    """
    if source.startswith("{%- set sekft"):
        return source
    fixed = "".join(f"{{%- if form == {json.dumps(form)} -%}}{{{{- {json.dumps(text)} -}}}}{{%- endif -%}}" for form, text in dates.items())
    date = f"{{%- macro strftime_now(form) -%}}{fixed}{{%- endmacro -%}}" if dates else ""
    return _opening(control) + date + source


def for_canonical(source: str, control: Iterable[str]) -> str:
    """The template for messages that are canonical and neutral already: without that front, if it is the one for these tokens."""
    front = _opening(control)
    rest = source.removeprefix(front)
    return source if rest.startswith("\n") else rest  # a line end right behind the front is no text, at the start it would be


def _opening(control: Iterable[str]) -> str:
    neutral = "".join(f" | replace({json.dumps(text)}, {json.dumps(f'{text[0]} {text[1:]}')})" for text in control)
    return OPENING.replace("NEUTRAL", neutral)

"""A chat template that makes its own input canonical, so that any server renders raw messages as training did."""

import json
from collections.abc import Iterable

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


def self_canonicalising(source: str, control: Iterable[str]) -> str:
    """The template with rendering.messages.canonical and ChatTokenizer.neutral written into it, in front.

    control: the tokenizer's control tokens, in the order in which neutral() replaces them.
    """
    if source.startswith("{%- set sekft"):
        return source
    neutral = "".join(f" | replace({json.dumps(text)}, {json.dumps(f'{text[0]} {text[1:]}')})" for text in control)
    return OPENING.replace("NEUTRAL", neutral) + source

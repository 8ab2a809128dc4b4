"""Chat templates: messages to text, compiled as transformers compiles them, without importing transformers."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NoReturn

import jinja2
import jinja2.meta
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sekft.errors import Fault, RenderError, one_line
from sekft.rendering.canonical_template import without_opening
from sekft.rendering.messages import Message

GIVEN = ("messages", "tools", "documents", "add_generation_prompt")  # what transformers gives every template
FIXED_DATE = datetime(2024, 7, 26)  # for templates that print the date (Llama 3.1 and later): serving happens on another day


class Generation(Extension):
    """`{% generation %}...{% endgeneration %}`, rendered as its body: the spans are found without these markers."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return list(parser.parse_statements(("name:endgeneration",), drop_needle=True))


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with its attribute checks cached by type and name, on which alone they depend."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._safe: dict[tuple[type, str], bool] = {}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        key = (type(obj), attr)
        if (safe := self._safe.get(key)) is None:
            safe = self._safe[key] = super().is_safe_attribute(obj, attr, value)
        return safe


class ChatTemplate:
    """One compiled chat template.

    source: Jinja text; messages are canonical, so an opening that makes them so is left out. names: special tokens by the names
    templates use (bos_token, eos_token, ...). Raises RenderError if the template does not compile.
    """

    def __init__(self, source: str, names: dict[str, str]) -> None:
        self.source = source
        self._names = names
        environment = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise
        self.dates: dict[str, str] = {}  # what strftime_now returned so far, by format
        environment.globals["strftime_now"] = self._date
        body = without_opening(source)
        try:
            self._template = environment.from_string(body)
            asked = jinja2.meta.find_undeclared_variables(environment.parse(body))
        except jinja2.TemplateError as error:
            raise RenderError(f"chat template: {error}") from None
        self.options = tuple(sorted(asked - {*GIVEN, *names, *environment.globals}))  # variables that only a setting can give
        self._template.globals = dict(self._template.globals)  # every rendering copies the globals; copying Jinja's ChainMap is slow

    def render(self, messages: Sequence[Message], add_generation_prompt: bool = False) -> str:
        """The conversation as text, special tokens written out. Raises RenderError with the template's own message."""
        plain = [{"role": message.role, "content": message.content} for message in messages]
        given = {"messages": plain, "tools": None, "documents": None, "add_generation_prompt": add_generation_prompt}
        try:
            return self._template.render(given | self._names)
        except Exception as error:  # templates are programs of others: any exception may come
            raise RenderError(f"chat template: {one_line(error)}", Fault.template) from None

    def _date(self, form: str) -> str:
        self.dates[form] = FIXED_DATE.strftime(form)
        return self.dates[form]


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> NoReturn:
    raise jinja2.exceptions.TemplateError(message)

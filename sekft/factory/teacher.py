"""What settings say of the teacher, as its client wants it."""

import dataclasses
from pathlib import Path

from sekft.config import AuthorConfig, OperatorConfig
from sekft.config.teacher import EndpointConfig
from sekft.errors import SettingsError


def author_endpoint(operator: OperatorConfig, author: AuthorConfig) -> EndpointConfig:
    """Where the operator is asked, with what is the author's own."""
    fields = {field.name: getattr(operator, field.name) for field in dataclasses.fields(EndpointConfig)}
    return EndpointConfig(**fields | {"temperature": author.temperature, "max_tokens": author.max_tokens, "timeout_s": author.timeout_s})


def text_or_file(setting: str) -> str:
    """The setting itself, or what stands in the file it names. Raises SettingsError for a path that is none."""
    if "\n" in setting or " " in setting.strip() or not setting:
        return setting.strip()
    try:
        return Path(setting).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{setting}: {error.strerror}; allowed: a text of several words, or a file that is there") from None

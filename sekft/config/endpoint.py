"""The settings of models behind endpoints: as agents, as authors of scenarios; and what is exported of their episodes."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from sekft.errors import SettingsError

AuthorKind = StrEnum("AuthorKind", "none endpoint")
Export = StrEnum("Export", "messages pairs harbor text")


@dataclass
class EndpointConfig:
    """An OpenAI-compatible server, and how it is asked."""

    url: str = "http://127.0.0.1:8000/v1"  # up to /v1
    model: str = ""  # the name the server knows it by
    key_env: str = "OPENAI_API_KEY"  # the environment variable that holds the key; the key itself is written nowhere
    temperature: float = 0.7
    max_tokens: int = 256  # of one reply
    timeout_s: float = 60.0  # for one whole answer, each try anew
    retries: int = 2  # after time-outs, refused connections, 408, 409, 429 and 5xx
    extra: dict[str, Any] = field(default_factory=dict)  # further fields of every request


@dataclass
class AuthorConfig:
    """Who writes scenarios; it is asked at agent.url."""

    kind: AuthorKind = MISSING
    temperature: float = 1.0
    max_tokens: int = 8192  # of one scenario
    timeout_s: float = 300.0
    brief: str = ""  # text or file: what more it is told


def text_or_file(setting: str) -> str:
    """The setting itself, or what stands in the file it names. Raises SettingsError for a path that is none."""
    if "\n" in setting or " " in setting.strip() or not setting:
        return setting.strip()
    try:
        return Path(setting).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{setting}: {error.strerror}; allowed: a text of several words, or a file that is there") from None

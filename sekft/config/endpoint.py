"""Settings of agents, of models behind endpoints, and of the author of scenarios."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from sekft.config.bounds import at_least, between
from sekft.config.data import DEFAULT_DETOURS, Detour
from sekft.errors import SettingsError, utf8_problem

AgentKind = StrEnum("AgentKind", "reference scripted model endpoint python")
AuthorKind = StrEnum("AuthorKind", "none endpoint")
Export = StrEnum("Export", "messages pairs harbor text")


@dataclass
class EndpointConfig:
    """An OpenAI-compatible server and its requests."""

    url: str = "http://127.0.0.1:8000/v1"  # address of the server, up to and with /v1; e.g. http://host:8000/v1
    model: str = ""  # the model's name at the server; e.g. NAME
    key_env: str = "OPENAI_API_KEY"  # environment variable that holds the API key; the key is never written to disk; e.g. MY_KEY
    temperature: float = at_least(0, default=0.7)  # [factor] by which logits are divided before a token is drawn; 0: greedy; e.g. 1
    max_tokens: int = at_least(1, default=256)  # of one reply
    timeout_s: float = at_least(0.1, default=60.0)  # of one request; every retry has its own
    retries: int = between(0, 10, default=2)  # [requests] after time-outs, overload, refused connections and errors of the server
    extra: dict[str, Any] = field(default_factory=dict)  # more fields of every request; null leaves one out; e.g. .top_k=50


@dataclass
class AgentConfig(EndpointConfig):
    """Who plays. The fields of the endpoint count for agent=endpoint and for the author of scenarios."""

    kind: AgentKind = MISSING  # who types; agent=NAME sets it; e.g. endpoint
    script: list[str] = field(default_factory=list)  # scripted: the replies, in order, the same in every episode; e.g. [ls,exit]
    # python: MODULE:FUNCTION or FILE.py:FUNCTION, from the messages so far to the text to type; e.g. my_agent.py:step
    function: str = ""
    scaffold: str = ""  # endpoint: text or file: system turn for the teacher; it is removed from what is recorded; e.g. teacher.txt
    # [share] reference: of the episodes that take a detour and recover; drawn from the seed; e.g. 0.3
    noise: float = between(0, 1, default=0.0)
    detours: list[Detour] = field(default_factory=lambda: list(DEFAULT_DETOURS))  # noise: the detours to draw from


def require_function(settings: Any) -> None:
    """Raises SettingsError for agent=python without a function. settings: of any command."""
    agent = getattr(settings, "agent", None)
    if isinstance(agent, AgentConfig) and agent.kind is AgentKind.python and not agent.function:
        raise SettingsError("agent=python: agent.function is empty; allowed: MODULE:FUNCTION or FILE.py:FUNCTION, as my_agent.py:step")


@dataclass
class AuthorConfig:
    """The model that writes scenarios; it is reached at agent.url."""

    kind: AuthorKind = MISSING  # who writes scenarios; author=NAME sets it; e.g. endpoint
    temperature: float = at_least(0, default=1.0)  # [factor] by which logits are divided before a token is drawn; e.g. 0.7
    max_tokens: int = at_least(1, default=8192)  # of one scenario
    timeout_s: float = at_least(0.1, default=300.0)  # of one request; e.g. 600
    brief: str = ""  # text or file: added to the author's instructions; e.g. brief.txt


def text_or_file(setting: str) -> str:
    """The setting itself if it has several words, else the text of the file it names. Raises SettingsError if there is no such file."""
    if "\n" in setting or " " in setting.strip() or not setting:
        return setting.strip()
    try:
        return Path(setting).read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{setting}: {utf8_problem(error)}") from None
    except OSError as error:
        raise SettingsError(f"{setting}: {error.strerror}; allowed: a text of several words, or an existing file") from None

"""The client of an OpenAI-compatible endpoint, and the agent made of it: bounded in time, bytes and tries, every trouble named."""

import logging
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
from pydantic import BaseModel, Field, ValidationError

from sekft.config.endpoint import EndpointConfig
from sekft.errors import EndpointError
from sekft.rendering.messages import Message, Reply

MAX_ANSWER_BYTES = 8 * 1024 * 1024
NO_KEY = "none"  # local servers ask for no key, the library does
log = logging.getLogger("sekft")
CONTEXT_FULL = ("context_length_exceeded", "context length", "maximum context")


class Said(BaseModel):
    content: str | None = None


class Choice(BaseModel):
    message: Said
    finish_reason: str | None = None


class Completion(BaseModel):
    """What of an answer is read; the rest may be anything."""

    choices: list[Choice] = Field(min_length=1)


class Client:
    """Asks one endpoint. Safe for many threads; the library retries, with its own pauses."""

    def __init__(self, endpoint: EndpointConfig) -> None:
        self.endpoint = endpoint
        http = openai.DefaultHttpxClient(event_hooks={"response": [self._guard]})
        self._openai = openai.OpenAI(
            base_url=endpoint.url,
            api_key=os.environ.get(endpoint.key_env) or NO_KEY,
            timeout=endpoint.timeout_s,
            max_retries=endpoint.retries,
            http_client=http,
        )

    def complete(self, messages: Sequence[Message], seed: int, max_tokens: int | None = None) -> Reply:
        """The first choice; full where the context has no room left. Raises EndpointError, kind `timeout`, `unreachable`,
        `unreadable` or `http <status>`."""
        asked = self.endpoint
        try:
            answer = self._openai.chat.completions.with_raw_response.create(
                model=asked.model,
                messages=[{"role": message.role, "content": message.content} for message in messages],  # type: ignore[misc]
                temperature=asked.temperature,
                max_tokens=max_tokens or asked.max_tokens,
                seed=seed,
                extra_body=dict(asked.extra),
            )
            said = Completion.model_validate_json(answer.content).choices[0]
            return Reply(said.message.content or "", cut=said.finish_reason == "length")
        except openai.BadRequestError as error:
            if any(words in str(error) for words in CONTEXT_FULL):
                return Reply("", full=True, reason="the context of the endpoint's model")
            raise self._named(f"http {error.status_code}", str(error)) from None
        except openai.APIStatusError as error:
            raise self._named(f"http {error.status_code}", str(error)) from None
        except openai.APITimeoutError:
            raise self._named("timeout", f"no whole answer within {asked.timeout_s:g} s") from None
        except (openai.APIConnectionError, httpx2.HTTPError) as error:  # the latter for an answer that breaks off
            raise self._named("unreachable", str(error.__cause__ or error)) from None
        except _TooLong as error:
            raise self._named("unreadable", str(error)) from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "answer"
            raise self._named("unreadable", f"{where}: {first['msg']}, allowed: a chat completion as JSON") from None

    def require_answer(self) -> None:
        """Raises EndpointError unless one small question is answered: asked before anything depends on it."""
        self.complete([Message(role="user", content="$ ")], seed=0, max_tokens=1)

    def _named(self, kind: str, what: str) -> EndpointError:
        tries = f" (tried {self.endpoint.retries + 1} times)" if kind in ("timeout", "unreachable") else ""
        hint = f"; the key is read from {self.endpoint.key_env}" if kind in ("http 401", "http 403") else ""
        return EndpointError(kind, f"{self.endpoint.url}: {kind}: {' '.join(what.split())[:200]}{tries}{hint}")

    def _guard(self, response: httpx2.Response) -> None:
        response.stream = _Bounded(response.stream, time.monotonic() + self.endpoint.timeout_s)


class EndpointAgent:
    """Fits rollout's Agent. An endpoint that gives no answer falls silent, and the episode says why."""

    def __init__(self, client: Client, scaffold: str, seed: int, name: str = "") -> None:
        """scaffold: a system turn before every request; the episode never sees it. name: what trajectories call it, else the model's."""
        self.name = name or client.endpoint.model
        self._client = client
        self._scaffold = [Message(role="system", content=scaffold)] if scaffold else []
        self._seed = seed

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        seed = zlib.crc32(f"{self._seed}/{episode_id}/{len(messages)}".encode()) >> 1  # some servers want 31 bits
        try:
            return self._client.complete([*self._scaffold, *messages], seed)
        except EndpointError as error:
            log.warning("%s: %s", episode_id, error)
            return Reply("", reason=f"endpoint {error.kind}")  # data says what failed, not where our server stands


@dataclass(frozen=True)
class EndpointAgents:
    """Fits evaluation's Cast; the server does not tell what it read."""

    agents: dict[str, EndpointAgent]

    def tokens(self) -> dict[str, float]:
        return {}

    def generated(self) -> None:
        return None


class _TooLong(Exception):
    """The answer has more bytes than any honest one."""


class _Bounded(httpx2.SyncByteStream):
    """A body that neither drips for ever nor fills the memory: the library's own time-out is about one read."""

    def __init__(self, stream: Any, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        for chunk in self._stream:
            read += len(chunk)
            if read > MAX_ANSWER_BYTES:
                raise _TooLong(f"an answer of over {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("the answer drips")
            yield chunk

    def close(self) -> None:
        self._stream.close()

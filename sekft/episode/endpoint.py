"""A client of OpenAI-compatible endpoints, bounded in time, bytes and retries, and the agents that reply through it."""

import logging
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import openai
from pydantic import BaseModel, Field, ValidationError

from sekft.config.endpoint import EndpointConfig
from sekft.errors import EndpointError
from sekft.rendering.messages import Message, Reply

MAX_ANSWER_BYTES = 8 * 1024 * 1024
NO_KEY = "none"  # local servers need no key, but the openai library refuses to start without one
CONTEXT_FULL = ("context_length_exceeded", "context length", "maximum context")  # how servers name it in the text of a 400
log = logging.getLogger("sekft")


class CompletionMessage(BaseModel):
    content: str | None = None


class Choice(BaseModel):
    message: CompletionMessage
    finish_reason: str | None = None


class Completion(BaseModel):
    """The fields of a chat completion that are used; the others are not validated."""

    choices: list[Choice] = Field(min_length=1)


class Client:
    """A client of one endpoint, safe for many threads. The openai library retries, with its own pauses."""

    def __init__(self, endpoint: EndpointConfig) -> None:
        self.endpoint = endpoint
        http = openai.DefaultHttpxClient(event_hooks={"response": [self._limit_body]})
        self._openai = openai.OpenAI(
            base_url=endpoint.url,
            api_key=os.environ.get(endpoint.key_env) or NO_KEY,
            timeout=endpoint.timeout_s,
            max_retries=endpoint.retries,
            http_client=http,
        )

    def complete(self, messages: Sequence[Message], seed: int, max_tokens: int | None = None) -> Reply:
        """The text of the first choice; `full` is set where the server answers that its context has no room left.

        Raises EndpointError of kind `timeout`, `unreachable`, `unreadable` or `http <status>`.
        """
        endpoint = self.endpoint
        try:
            answer = self._openai.chat.completions.with_raw_response.create(
                model=endpoint.model,
                messages=[{"role": message.role, "content": message.content} for message in messages],  # type: ignore[misc]
                temperature=endpoint.temperature,
                max_tokens=max_tokens or endpoint.max_tokens,
                seed=seed,
                extra_body=dict(endpoint.extra),
            )
            choice = Completion.model_validate_json(answer.content).choices[0]
            return Reply(choice.message.content or "", cut=choice.finish_reason == "length")
        except openai.BadRequestError as error:
            if any(words in str(error) for words in CONTEXT_FULL):
                return Reply("", full=True, reason="the context of the endpoint's model")
            raise self._error(f"http {error.status_code}", str(error)) from None
        except openai.APIStatusError as error:
            raise self._error(f"http {error.status_code}", str(error)) from None
        except openai.APITimeoutError:
            raise self._error("timeout", f"no complete answer within {endpoint.timeout_s:g} s") from None
        except (openai.APIConnectionError, httpx2.HTTPError) as error:  # HTTPError: the answer breaks off
            raise self._error("unreachable", str(error.__cause__ or error)) from None
        except _AnswerTooLong as error:
            raise self._error("unreadable", str(error)) from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"])) or "answer"
            raise self._error("unreadable", f"{field}: {first['msg']}, allowed: a chat completion as JSON") from None

    def require_answer(self) -> None:
        """Request one token, so that a wrong URL, key or model is found before anything else starts. Raises EndpointError."""
        self.complete([Message(role="user", content="$ ")], seed=0, max_tokens=1)

    def _error(self, kind: str, detail: str) -> EndpointError:
        """The error in one line. detail: often the server's own words, shortened to 200 characters."""
        attempts = f" (tried {self.endpoint.retries + 1} times)" if kind in ("timeout", "unreachable") else ""
        hint = f"; the key is read from the environment variable {self.endpoint.key_env}" if kind in ("http 401", "http 403") else ""
        return EndpointError(kind, f"{self.endpoint.url}: {kind}: {' '.join(detail.split())[:200]}{attempts}{hint}")

    def _limit_body(self, response: httpx2.Response) -> None:
        response.stream = _BoundedStream(response.stream, time.monotonic() + self.endpoint.timeout_s)


class EndpointAgent:
    """An Agent whose replies come from an endpoint. If the endpoint fails, the reply is empty and its reason names the failure."""

    def __init__(self, client: Client, scaffold: str, seed: int, name: str = "") -> None:
        """scaffold: a system turn before every request, not recorded in the episode. name: in trajectories; default: the model's."""
        self.name = name or client.endpoint.model
        self._client = client
        self._scaffold = [Message(role="system", content=scaffold)] if scaffold else []
        self._seed = seed

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        seed = zlib.crc32(f"{self._seed}/{episode_id}/{len(messages)}".encode()) >> 1  # some servers accept 31 bits only
        try:
            return self._client.complete([*self._scaffold, *messages], seed)
        except EndpointError as error:
            log.warning("%s: %s", episode_id, error)
            return Reply("", reason=f"endpoint {error.kind}")  # the kind only: the URL of a private server must not get into the data


class _AnswerTooLong(Exception):
    """The answer is longer than MAX_ANSWER_BYTES."""


class _BoundedStream(httpx2.SyncByteStream):
    """A response body with a deadline and a maximum length; the library's own time-out applies to each read, not to the whole."""

    def __init__(self, stream: Any, deadline: float) -> None:
        """deadline: on the clock of time.monotonic, in seconds."""
        self._stream, self._deadline = stream, deadline

    def __iter__(self) -> Iterator[bytes]:
        length = 0
        for chunk in self._stream:
            length += len(chunk)
            if length > MAX_ANSWER_BYTES:
                raise _AnswerTooLong(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("the answer arrives too slowly")
            yield chunk

    def close(self) -> None:
        self._stream.close()

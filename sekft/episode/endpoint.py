"""A client of OpenAI-compatible endpoints, bounded in time, bytes and retries, and the agents that reply through it."""

import email.utils
import json
import logging
import os
import random
import re
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2

from sekft import proxies
from sekft.config.endpoint import EndpointConfig
from sekft.episode import answers
from sekft.episode.answers import PASSING, Kind, Trouble
from sekft.errors import EndpointError, SettingsError
from sekft.rendering.messages import Message, Reply

MAX_ANSWER_BYTES = 8 * 1024 * 1024
NO_KEY = "none"  # local servers need no key; some refuse a request without the header
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 8.0  # between two tries; doubled each time
MAX_RETRY_AFTER_S = 60.0  # a server may ask for a longer pause than ours, up to this
LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
KEY = re.compile(r"\b(sk|pk|gsk|xai|hf|nvapi|AIza)[-_]?[A-Za-z0-9_-]{16,}|\bBearer\s+\S+", re.I)
ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+|\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b", re.I)
log = logging.getLogger("sekft")


class Client:
    """A client of one endpoint, safe for many threads."""

    def __init__(self, endpoint: EndpointConfig) -> None:
        """Raises SettingsError for a URL, a key or a proxy that cannot be used."""
        self.endpoint = endpoint
        self._url = _chat_url(endpoint.url)
        self._key = os.environ.get(endpoint.key_env, "").strip() or NO_KEY
        if not (self._key.isascii() and self._key.isprintable()):
            raise SettingsError(
                f"{endpoint.key_env}: the key in this variable holds blanks or letters that no header may have; allowed: ASCII"
            )
        self._proxy = proxies.proxy_of(endpoint.url)
        self._http = httpx2.Client(
            timeout=endpoint.timeout_s,
            limits=LIMITS,
            proxy=self._proxy.url if self._proxy else None,
            trust_env=False,  # its own reading of proxies asks the loopback through them, and names no variable
            verify=_certificates() if endpoint.url.lower().startswith("https:") or self._proxy else False,
        )

    def complete(self, messages: Sequence[Message], seed: int, max_tokens: int | None = None) -> Reply:
        """The text of the first choice.

        `full` is set where the server answers that its context has no room left, and where reasoning used up the tokens of the reply.
        Trouble that may pass is asked again, endpoint.retries times. Raises EndpointError.
        """
        reply = self._retried(messages, seed, limit := max_tokens or self.endpoint.max_tokens)
        if reply.full and not reply.cut and limit > 1 and not any(message.role == "assistant" for message in messages):
            self._require_room(messages, seed, reply)
        return reply

    def require_answer(self) -> None:
        """Request one token, so that a wrong URL, key or model is found before anything else starts. Raises EndpointError."""
        self._retried([Message(role="user", content="$ ")], seed=0, max_tokens=1)

    def _require_room(self, messages: Sequence[Message], seed: int, refusal: Reply) -> None:
        """Raises EndpointError if the prompt fits into the context and only the tokens asked for do not: our setting is wrong then."""
        if not self._retried(messages, seed, 1).full:
            words = f"max_tokens={self.endpoint.max_tokens} is too large for {refusal.reason}"
            raise self._error(Trouble(Kind.rejected, words), tries=1)

    def _retried(self, messages: Sequence[Message], seed: int, max_tokens: int) -> Reply:
        body = self._body(messages, seed, max_tokens)
        for tries in range(1, self.endpoint.retries + 2):
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1)) * random.uniform(0.75, 1)  # noqa: S311
            try:
                status, headers, content = self._post(body)
                pause_s = _retry_after_s(headers) or pause_s
                reply = answers.read(status, content, max_tokens)
                return replace(reply, reason=self._without_addresses(reply.reason))
            except Trouble as trouble:
                if trouble.kind not in PASSING or tries > self.endpoint.retries:
                    raise self._error(trouble, tries) from None
            time.sleep(pause_s)
        raise AssertionError("unreachable")

    def _body(self, messages: Sequence[Message], seed: int, max_tokens: int) -> bytes:
        """The request. A field of endpoint.extra replaces one of ours; null leaves it out."""
        fields = {
            "model": self.endpoint.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "temperature": self.endpoint.temperature,
            "max_tokens": max_tokens,
            "seed": seed,
            **self.endpoint.extra,
        }
        return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()

    def _post(self, body: bytes) -> tuple[int, httpx2.Headers, bytes]:
        """(status, headers, body) of the answer. Raises Trouble."""
        deadline = time.monotonic() + self.endpoint.timeout_s
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json", "accept": "application/json"}
        try:
            with self._http.stream("POST", self._url, content=body, headers=headers) as response:
                if response.has_redirect_location:  # not followed: a POST becomes a GET, and the key would go to another server
                    where = proxies.shown(response.headers["location"])
                    raise Trouble(
                        Kind.rejected, f"http {response.status_code}: it redirects to {where}; write the address that answers itself"
                    )
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        raise Trouble(Kind.unreadable, f"the answer has more than {MAX_ANSWER_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise httpx2.ReadTimeout("the answer arrives too slowly")
                return response.status_code, response.headers, bytes(content)
        except httpx2.TimeoutException:
            raise Trouble(Kind.timeout, f"no complete answer within {self.endpoint.timeout_s:g} s") from None
        except httpx2.DecodingError as error:
            raise Trouble(Kind.unreadable, f"the answer's compression: {error}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise Trouble(Kind.unreachable, _cause(error)) from None

    def _error(self, trouble: Trouble, tries: int) -> EndpointError:
        """The error in one line."""
        endpoint, kind = self.endpoint, trouble.kind
        words = trouble.words.replace(self._key, "[key]") if self._key != NO_KEY else trouble.words
        through = f" through the proxy of {self._proxy.variable}" if self._proxy else ""
        proxy = f"; the proxy is {self._proxy}, NO_PROXY names hosts that are asked without it" if self._proxy else ""
        hint = f"; the key is read from the environment variable {endpoint.key_env}" if kind is Kind.denied else ""
        attempts = f" (tried {tries} times)" if tries > 1 else ""
        message = f"{proxies.shown(endpoint.url)}: {kind}: {KEY.sub('[key]', words)}{attempts}{hint}{proxy}"
        return EndpointError(kind, message, f"{self._without_addresses(words)}{through}")

    def _without_addresses(self, words: str) -> str:
        """The words for a record that others may read: without keys, URLs, addresses and the endpoint's own host."""
        own = re.compile(rf"\b{re.escape(self._url.host)}(:\d+)?\b", re.I)
        for pattern, name in ((KEY, "[key]"), (ADDRESS, "[address]"), (own, "[address]")):
            words = pattern.sub(name, words)
        return words


class EndpointAgent:
    """An Agent whose replies come from an endpoint. If the endpoint fails, it raises EndpointError: the episode is broken."""

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
            raise


def _chat_url(url: str) -> httpx2.URL:
    """The address of the chat completions below agent.url, its query kept. Raises SettingsError."""
    allowed = "allowed: http://HOST:PORT/v1 or https://HOST/v1"
    try:
        parsed = httpx2.URL(url.strip())
        if (
            parsed.scheme not in ("http", "https")
            or not parsed.host
            or not re.fullmatch(r"[\w.:-]+", parsed.host)
            or not 0 < (parsed.port or 80) < 2**16
        ):
            raise SettingsError(f"agent.url: found {proxies.shown(url)!r}, {allowed}")
    except (httpx2.InvalidURL, ValueError) as error:
        raise SettingsError(f"agent.url: found {proxies.shown(url)!r}: {error}; {allowed}") from None
    path = parsed.path.rstrip("/")
    return parsed.copy_with(path=path if path.endswith("/chat/completions") else f"{path}/chat/completions")


def _certificates() -> Any:
    """The certificates to trust, from SSL_CERT_FILE or SSL_CERT_DIR if they are set. Raises SettingsError."""
    try:
        return httpx2.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        named = " ".join(f"{name}={os.environ[name]}" for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name))
        raise SettingsError(f"{named or 'certificates'}: {error.strerror or error}; allowed: a file or folder of certificates") from None


def _retry_after_s(headers: httpx2.Headers) -> float:
    """The pause that the server asks for, in seconds; 0 if none or too long a one."""
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (email.utils.parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return 0.0
    return seconds if 0 < seconds <= MAX_RETRY_AFTER_S else 0.0


def _cause(error: Exception) -> str:
    """The words of the first of an error and its causes that has any; those of the library name no address."""
    return next(
        (" ".join(str(one).split()) for one in (error, error.__cause__, error.__context__) if one and str(one).strip()),
        type(error).__name__,
    )

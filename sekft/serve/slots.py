"""The queue before the models: a bounded number of requests, a time limit, and cancellation when a client leaves."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

from sekft.rendering.messages import Message
from sekft.serve.refusal import Refusal


class Completion(Protocol):
    """A finished reply: its text, the number of generated tokens, and whether the model stopped by itself."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> int: ...
    @property
    def stopped(self) -> bool: ...


OnText = Callable[[str], bool]  # gets every settled piece of text, possibly empty; returns True to end the reply
Generate = Callable[[OnText], Completion]


class Completer(Protocol):
    """What the endpoint needs of the models. names: the base first. context: tokens of prompt and reply together."""

    names: tuple[str, ...]
    context: int | None

    def prompt(self, messages: Sequence[Message]) -> list[int]: ...

    def complete(
        self,
        name: str,
        prompt: list[int],
        on_text: OnText,
        *,
        max_tokens: int,
        temperature: float,
        top_p: float,
        seed: int,
        stop: Sequence[str],
    ) -> Completion: ...


class Slots:
    """size: replies that may be generated or wait at once. rows: of these, generated. time_limit_s: of one reply, its waiting included."""

    def __init__(self, size: int, rows: int, time_limit_s: float) -> None:
        self.size = size
        self.time_limit_s = time_limit_s
        self.taken = 0
        self.closing = threading.Event()
        self.threads = ThreadPoolExecutor(rows, thread_name_prefix="generate")  # first come, first served

    def take(self, generate: Generate) -> "Slot":
        """Start or queue a generation. The slot stays taken until its generation has really ended. Raises Refusal 503."""
        if self.closing.is_set():
            raise Refusal(503, "the server is stopping", code="stopping")
        if self.taken >= self.size:
            raise Refusal(503, f"{self.taken} requests are waiting or being answered, allowed: {self.size}; try again", code="overloaded")
        self.taken += 1
        return Slot(self, generate)

    def close(self) -> None:
        """End every running reply at its next token, and drop those that wait."""
        self.closing.set()
        self.threads.shutdown(wait=True, cancel_futures=True)


class Slot:
    """One reply, from the queue to its end. The holder must call leave() when it no longer needs the reply, also after an error."""

    def __init__(self, slots: Slots, generate: Generate) -> None:
        self._slots = slots
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[str | Completion | Exception] = asyncio.Queue()
        self._left = threading.Event()
        self._started = False
        self._deadline = self._loop.time() + slots.time_limit_s
        self._job = slots.threads.submit(self._generate, generate)
        self._job.add_done_callback(lambda _: self._post(self._release))

    async def pieces(self) -> AsyncIterator[str | Completion]:
        """Yield the text in pieces while it is generated, then the completion. Raises Refusal 503 or 504 when the time is over."""
        while True:
            try:
                item = await asyncio.wait_for(self._items.get(), self._deadline - self._loop.time())
            except TimeoutError:
                status, state = (504, "finished") if self._started else (503, "started")
                raise Refusal(status, f"the reply was not {state} within {self._slots.time_limit_s:g} s", code="timeout") from None
            if isinstance(item, Exception):
                raise item
            yield item
            if not isinstance(item, str):
                return

    async def completion(self) -> Completion:
        async for item in self.pieces():
            if not isinstance(item, str):
                return item
        raise AssertionError("pieces() ended without a completion")

    def leave(self) -> None:
        self._left.set()
        self._job.cancel()  # has an effect only while the job waits

    def _generate(self, generate: Generate) -> None:
        try:
            item: Completion | Exception = generate(self._on_text)
        except Exception as error:  # raised again in pieces(): it fails this request alone
            item = error
        if self._slots.closing.is_set() and not isinstance(item, Exception):
            item = Refusal(503, "the server is stopping", code="stopping")
        self._post(self._items.put_nowait, item)

    def _on_text(self, piece: str) -> bool:
        self._started = True
        if piece:
            self._post(self._items.put_nowait, piece)
        return self._left.is_set() or self._slots.closing.is_set()

    def _release(self) -> None:
        self._slots.taken -= 1

    def _post(self, call: Callable[..., Any], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: no request is open any more
            self._loop.call_soon_threadsafe(call, *arguments)

"""Whose reply is generated when: so many at a time, a bounded queue before them, and a way out for whoever leaves."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

from sekft.rendering.messages import Message
from sekft.serve.refusal import Refusal


class Completion(Protocol):
    """A finished reply: its text, how many tokens were generated, and whether it stopped by itself."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> int: ...
    @property
    def stopped(self) -> bool: ...


Heard = Callable[[str], bool]  # gets every settled piece of text, "" for none; True from it ends the reply


class Engine(Protocol):
    """What the endpoint needs of models. names: the base first. context: tokens of prompt and reply together."""

    names: tuple[str, ...]
    context: int | None

    def prompt(self, messages: Sequence[Message]) -> list[int]: ...

    def complete(
        self,
        name: str,
        prompt: list[int],
        heard: Heard,
        *,
        max_tokens: int,
        temperature: float,
        top_p: float,
        seed: int,
        stop: Sequence[str],
    ) -> Completion: ...


class Turns:
    """places: replies that may be generated or waited for at once; rows: generated. time_limit_s: of one reply, its waiting included."""

    def __init__(self, places: int, rows: int, time_limit_s: float) -> None:
        self.places = places
        self.time_limit_s = time_limit_s
        self.taken = 0
        self.closing = threading.Event()
        self.threads = ThreadPoolExecutor(rows, thread_name_prefix="generate")  # first come, first served

    def take(self, generate: Callable[[Heard], Completion]) -> "Turn":
        """A place in the queue, held until the generation has really ended. Raises Refusal 503."""
        if self.closing.is_set():
            raise Refusal(503, "the server is stopping", code="stopping")
        if self.taken >= self.places:
            raise Refusal(503, f"{self.taken} requests are waiting or being answered, allowed: {self.places}; try again", code="overloaded")
        self.taken += 1
        return Turn(self, generate)

    def close(self) -> None:
        """Ends the reply that is being generated at its next token, and drops those that wait."""
        self.closing.set()
        self.threads.shutdown(wait=True, cancel_futures=True)


class Turn:
    """One reply, from the queue to its end. Whoever holds it calls leave() when done with it, whatever happened."""

    def __init__(self, turns: Turns, generate: Callable[[Heard], Completion]) -> None:
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._told: asyncio.Queue[str | Completion | Exception] = asyncio.Queue()
        self._left = threading.Event()
        self._started = False
        self._end = self._loop.time() + turns.time_limit_s
        self._job = turns.threads.submit(self._generate, generate)
        self._job.add_done_callback(lambda _: self._post(self._free))

    async def pieces(self) -> AsyncIterator[str | Completion]:
        """The text in pieces as it comes, then the whole. Raises Refusal 503 or 504 when the time is over."""
        while True:
            try:
                item = await asyncio.wait_for(self._told.get(), self._end - self._loop.time())
            except TimeoutError:
                status, what = (504, "answered") if self._started else (503, "begun")
                raise Refusal(status, f"not {what} within {self._turns.time_limit_s:g} s", code="timeout") from None
            if isinstance(item, Exception):
                raise item
            yield item
            if not isinstance(item, str):
                return

    async def whole(self) -> Completion:
        async for item in self.pieces():
            if not isinstance(item, str):
                return item
        raise AssertionError("a reply without an end")

    def leave(self) -> None:
        self._left.set()
        self._job.cancel()  # if it still waits

    def _generate(self, generate: Callable[[Heard], Completion]) -> None:
        try:
            done: Completion | Exception = generate(self._heard)
        except Exception as error:  # told to the one who asked; it is his request that failed
            done = error
        if self._turns.closing.is_set() and not isinstance(done, Exception):
            done = Refusal(503, "the server is stopping", code="stopping")
        self._post(self._told.put_nowait, done)

    def _heard(self, piece: str) -> bool:
        self._started = True
        if piece:
            self._post(self._told.put_nowait, piece)
        return self._left.is_set() or self._turns.closing.is_set()

    def _free(self) -> None:
        self._turns.taken -= 1

    def _post(self, call: Callable[..., Any], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(call, *arguments)

"""Generation for many conversations with one model: concurrent replies form one batch, and each conversation is read only once."""

import queue
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import torch
from peft import PeftModel
from torch import Tensor
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from sekft.errors import Stopped
from sekft.model.batch import Batch, CachedContext, can_cache
from sekft.model.generate import SamplingParameters, ShouldStop
from sekft.model.stacked import NO_ADAPTER, StackedAdapters, can_mix_rows

PREFILL_TOKENS = 4096


@dataclass(eq=False)
class Request:
    """One reply that a thread waits for. adapter None: the base."""

    conversation: str
    prompt: tuple[int, ...]
    sampling: SamplingParameters
    adapter: str | None
    should_stop: ShouldStop | None
    reply: list[int] = field(default_factory=list)
    result: "Future[list[int]]" = field(default_factory=Future)
    random: torch.Generator | None = None

    def choose(self, logits: Tensor, likeliest: int) -> int:
        """The next token, chosen as transformers' generate does. logits: (V,); likeliest: their argmax."""
        if self.sampling.temperature <= 0:
            return likeliest
        self.random = self.random or torch.Generator(logits.device).manual_seed(self.sampling.seed)
        scores = TemperatureLogitsWarper(self.sampling.temperature)(None, logits[None])
        if self.sampling.top_k:
            scores = TopKLogitsWarper(self.sampling.top_k)(None, scores)
        if self.sampling.top_p < 1:
            scores = TopPLogitsWarper(self.sampling.top_p)(None, scores)
        return int(torch.multinomial(scores.softmax(-1), 1, generator=self.random))


@dataclass
class TokenCounts:
    """Tokens so far: read of prompts, read of replies, generated; context: by conversation, the length of its longest context."""

    prefilled: int = 0
    decoded: int = 0
    generated: int = 0
    context: dict[str, int] = field(default_factory=dict)

    def read(self) -> int:
        """Tokens that went through the model."""
        return self.prefilled + self.decoded

    def minimum(self) -> int:
        """Tokens that would have to be read if none were read twice."""
        return sum(self.context.values())


class BatchedEngine:
    """A context manager; while it is open, any thread may request replies.

    model: a base, or a PEFT model with every adapter that will be requested, in eval mode. rows: replies generated together, at most.
    The engine keeps the cached contexts of twice as many conversations; one that was dropped is read again. cancelled: once it is set, all
    requests raise Stopped after the forward pass that is running.
    """

    def __init__(self, model: Any, stops: frozenset[int], rows: int, cancelled: threading.Event | None = None) -> None:
        has_adapters = isinstance(model, PeftModel)
        self._model = model.get_base_model() if has_adapters else model
        self._adapters = StackedAdapters(model) if has_adapters else None
        self._stops, self._rows, self._cancelled = stops, rows, cancelled or threading.Event()
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._unanswered: set[Request] = set()
        self._contexts: OrderedDict[str, CachedContext] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.counts = TokenCounts()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cancelled.set()
        self._requests.put(None)
        self._thread.join()

    def reply(
        self,
        conversation: str,
        prompt: Sequence[int],
        sampling: SamplingParameters,
        adapter: str | None = None,
        should_stop: ShouldStop | None = None,
    ) -> list[int]:
        """Wait for one reply; return its ids, including the stop token.

        conversation: the key under which prompt and reply are kept for its next prompt; empty: keep nothing.
        """
        request = Request(conversation, tuple(prompt), sampling, adapter, should_stop)
        self._requests.put(request)
        return request.result.result()

    def _run(self) -> None:
        """Serve until the engine is closed. An error fails all requests that wait or run; later requests start afresh."""
        while True:
            try:
                self._serve()
                return self._fail(Stopped())
            except Exception as error:
                self._fail(error)

    def _serve(self) -> None:
        waiting: list[Request] = []
        running: list[Request] = []
        batch: Batch | None = None
        try:
            while self._receive(waiting, block=not (waiting or running)):
                self._require_not_cancelled()
                unfinished = [request for request in running if not request.result.done()]
                free = min(len(waiting), self._rows - len(unfinished))
                if free > len(unfinished) or 2 * len(unfinished) <= len(running):  # each new batch copies all cached contexts
                    contexts = _take_out(batch, running, unfinished)
                    new = [waiting.pop(0) for _ in range(free)]
                    running, batch = self._start(unfinished + new, contexts + self._prefill(new))
                if batch is not None:
                    self.counts.decoded += sum(not request.result.done() for request in running)
                    self._append_tokens(running, batch.forward([[request.reply[-1]] for request in running]), batch.context)
        finally:
            if batch is not None:
                batch.close()

    def _receive(self, waiting: list[Request], block: bool) -> bool:
        """Add all requests made so far to those waiting, in the order of their keys: the same conversations then form the same batch.

        Returns False when the engine is being closed.
        """
        while block or not self._requests.empty():
            request = self._requests.get()
            if request is None:
                return False
            waiting.append(request)
            self._unanswered.add(request)
            block = False
        waiting.sort(key=lambda request: request.conversation)
        return True

    def _start(self, requests: Sequence[Request], contexts: Sequence[CachedContext]) -> tuple[list[Request], Batch | None]:
        """One batch of the requests that are not finished yet."""
        unfinished = [(request, context) for request, context in zip(requests, contexts, strict=True) if not request.result.done()]
        if not unfinished:
            return [], None
        running = [request for request, _ in unfinished]
        more = max(request.sampling.max_tokens - len(request.reply) for request in running)
        return running, Batch(self._model, [context for _, context in unfinished], more, self._assigned(running))

    def _prefill(self, new: Sequence[Request]) -> list[CachedContext]:
        """Read what each prompt adds to its conversation, and choose the first token of each reply."""
        contexts = [self._contexts.pop(request.conversation, CachedContext()).common_prefix(request.prompt) for request in new]
        unread = [request.prompt[len(context.ids) :] for request, context in zip(new, contexts, strict=True)]
        for group in _similar([len(ids) for ids in unread]):
            self._require_not_cancelled()
            requests = [new[at] for at in group]
            more = max(len(unread[at]) for at in group)
            batch = Batch(self._model, [contexts[at] for at in group], more, self._assigned(requests))
            logits = batch.forward([unread[at] for at in group])
            batch.close()
            self.counts.prefilled += sum(len(unread[at]) for at in group)
            for row, at in enumerate(group):
                contexts[at] = batch.context(row)
            self._append_tokens(requests, logits, lambda row, group=group: contexts[group[row]])  # type: ignore[misc]
        return contexts

    def _append_tokens(self, requests: Sequence[Request], logits: Tensor, context: Callable[[int], CachedContext]) -> None:
        """Add one token to each unfinished reply. logits: (rows, V); context: returns the cached context of a row."""
        likeliest = logits.argmax(-1).tolist()  # of all rows at once
        for row, request in enumerate(requests):
            if request.result.done():
                continue
            request.reply.append(request.choose(logits[row], likeliest[row]))
            self.counts.generated += 1
            stop = _should_stop(request)  # called for the last token, too
            if stop or request.reply[-1] in self._stops or len(request.reply) >= request.sampling.max_tokens:
                self._keep(request, context(row))
                self._unanswered.discard(request)
                if not request.result.done():
                    request.result.set_result(request.reply)

    def _keep(self, request: Request, context: CachedContext) -> None:
        if not request.conversation:
            return
        self.counts.context[request.conversation] = len(request.prompt) + len(request.reply)
        self._contexts[request.conversation] = context
        while len(self._contexts) > 2 * self._rows:
            self._contexts.popitem(last=False)

    def _assigned(self, requests: Sequence[Request]) -> AbstractContextManager[None]:
        return self._adapters.assigned([request.adapter or NO_ADAPTER for request in requests]) if self._adapters else nullcontext()

    def _require_not_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Stopped

    def _fail(self, error: BaseException) -> None:
        for request in self._unanswered:
            if not request.result.done():
                request.result.set_exception(error)
        self._unanswered.clear()
        self._contexts.clear()


def can_batch(model: Any) -> bool:
    """Whether a BatchedEngine can run the model. model: a base or a PEFT model."""
    bare: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    return can_cache(bare) and (bare is model or can_mix_rows(model))


def _should_stop(request: Request) -> bool:
    """Call the request's should_stop; an error in it fails this request alone."""
    try:
        return request.should_stop is not None and request.should_stop(request.reply)
    except Exception as error:
        request.result.set_exception(error)
        return True


def _take_out(batch: Batch | None, running: Sequence[Request], unfinished: Sequence[Request]) -> list[CachedContext]:
    """The cached contexts of the unfinished requests, taken out of a batch, which is closed."""
    if batch is None:
        return []
    contexts = [batch.context(row) for row, request in enumerate(running) if request in unfinished]
    batch.close()
    return contexts


def _similar(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in groups for one forward pass each.

    No length is more than twice another, so that at most half of a group's columns are padding. A group has at most PREFILL_TOKENS columns
    in all its rows, as the engine cannot be interrupted within a pass; larger passes are no faster.
    """
    order = sorted(range(len(lengths)), key=lambda at: lengths[at])
    while order:
        size = bisect_right(order, 2 * lengths[order[0]], key=lambda at: lengths[at])
        while size > 1 and size * lengths[order[size - 1]] > PREFILL_TOKENS:
            size -= 1
        yield order[:size]
        order = order[size:]

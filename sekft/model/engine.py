"""Many episodes, one model: replies that are wanted at the same time are generated together, each episode's past is read once."""

import queue
import threading
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

from sekft.model.batch import Batch, Past, keeps_columns
from sekft.model.generate import Draw, Ended
from sekft.model.stacked import NO_ADAPTER, Adapters, mixable


@dataclass(eq=False)
class Wanted:
    """One reply, from the question to the answer. adapter None: the base."""

    episode: str
    prompt: tuple[int, ...]
    draw: Draw
    adapter: str | None
    ended: Ended | None
    reply: list[int] = field(default_factory=list)
    answer: "Future[list[int]]" = field(default_factory=Future)
    random: torch.Generator | None = None

    def pick(self, logits: Tensor, highest: int) -> int:
        """The next token, as transformers' generate picks it. logits: (V,); highest: where they are."""
        if self.draw.temperature <= 0:
            return highest
        self.random = self.random or torch.Generator(logits.device).manual_seed(self.draw.seed)
        scores = TemperatureLogitsWarper(self.draw.temperature)(None, logits[None])
        if self.draw.top_k:
            scores = TopKLogitsWarper(self.draw.top_k)(None, scores)
        if self.draw.top_p < 1:
            scores = TopPLogitsWarper(self.draw.top_p)(None, scores)
        return int(torch.multinomial(scores.softmax(-1), 1, generator=self.random))


@dataclass
class Counts:
    """Tokens: read of prompts, read of replies, generated, and of the longest context of each episode so far."""

    prefilled: int = 0
    decoded: int = 0
    generated: int = 0
    context: dict[str, int] = field(default_factory=dict)

    def read(self) -> int:
        """Through the model."""
        return self.prefilled + self.decoded

    def needed(self) -> int:
        """If no token were read twice."""
        return sum(self.context.values())


class Engine:
    """A context manager; while it is open any thread may ask for replies.

    model: a base, or a PEFT model with every adapter that is asked for, in eval mode. rows: generated together, at most.
    The pasts of twice as many episodes are kept; one that was dropped is read again.
    """

    def __init__(self, model: Any, stops: frozenset[int], rows: int) -> None:
        tuned = isinstance(model, PeftModel)
        self._model = model.get_base_model() if tuned else model
        self._adapters = Adapters(model) if tuned else None
        self._stops, self._rows = stops, rows
        self._asked: queue.SimpleQueue[Wanted | None] = queue.SimpleQueue()
        self._unanswered: set[Wanted] = set()
        self._pasts: OrderedDict[str, Past] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.counts = Counts()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._asked.put(None)
        self._thread.join()

    def reply(self, episode: str, prompt: Sequence[int], draw: Draw, adapter: str | None = None, ended: Ended | None = None) -> list[int]:
        """The ids of one reply, its stop token included; waits for it. episode: whose next reply follows this one; empty: nobody's.

        ended: told the ids so far after every token; True ends it.
        """
        wanted = Wanted(episode, tuple(prompt), draw, adapter, ended)
        self._asked.put(wanted)
        return wanted.answer.result()

    def _run(self) -> None:
        """Whatever goes wrong here goes wrong for everybody who has asked; who asks later begins anew."""
        while True:
            try:
                return self._serve()
            except Exception as error:
                self._fail(error)

    def _serve(self) -> None:
        """Until the end is asked for."""
        waiting: list[Wanted] = []
        going: list[Wanted] = []
        batch: Batch | None = None
        try:
            while self._listen(waiting, block=not (waiting or going)):
                left = [one for one in going if not one.answer.done()]
                room = min(len(waiting), self._rows - len(left))
                if room > len(left) or 2 * len(left) <= len(going):  # each new batch is a copy of all that was read
                    pasts = _leave(batch, going, left)
                    new = [waiting.pop(0) for _ in range(room)]
                    going, batch = self._join(left + new, pasts + self._prefill(new))
                if batch is not None:
                    self.counts.decoded += sum(not one.answer.done() for one in going)
                    self._pick(going, batch.read([[one.reply[-1]] for one in going]), batch.past)
        finally:
            if batch is not None:
                batch.close()

    def _listen(self, waiting: list[Wanted], block: bool) -> bool:
        """Whoever has asked so far waits, in the order of the episodes, so that the same episodes make the same batch. False: the end."""
        while block or not self._asked.empty():
            wanted = self._asked.get()
            if wanted is None:
                return False
            waiting.append(wanted)
            self._unanswered.add(wanted)
            block = False
        waiting.sort(key=lambda one: one.episode)
        return True

    def _join(self, members: Sequence[Wanted], pasts: Sequence[Past]) -> tuple[list[Wanted], Batch | None]:
        """Those whose reply is not over yet, as one batch."""
        going = [(one, past) for one, past in zip(members, pasts, strict=True) if not one.answer.done()]
        if not going:
            return [], None
        more = max(one.draw.max_tokens - len(one.reply) for one, _ in going)
        return [one for one, _ in going], Batch(self._model, [past for _, past in going], more, self._own([one for one, _ in going]))

    def _prefill(self, new: Sequence[Wanted]) -> list[Past]:
        """Read what each prompt brings, and pick the first token of each reply."""
        known = [self._pasts.pop(one.episode, Past()).before(one.prompt) for one in new]
        unread = [one.prompt[len(past.ids) :] for one, past in zip(new, known, strict=True)]
        for group in _alike([len(ids) for ids in unread]):
            members = [new[at] for at in group]
            batch = Batch(self._model, [known[at] for at in group], max(len(unread[at]) for at in group), self._own(members))
            logits = batch.read([unread[at] for at in group])
            batch.close()
            self.counts.prefilled += sum(len(unread[at]) for at in group)
            for row, at in enumerate(group):
                known[at] = batch.past(row)
            self._pick(members, logits, lambda row, group=group: known[group[row]])  # type: ignore[misc]
        return known

    def _pick(self, members: Sequence[Wanted], logits: Tensor, past: Callable[[int], Past]) -> None:
        """One more token for each whose reply is not over. logits: (rows, V); past: of a row."""
        highest = logits.argmax(-1).tolist()  # of all rows at once
        for row, one in enumerate(members):
            if one.answer.done():
                continue
            one.reply.append(one.pick(logits[row], highest[row]))
            self.counts.generated += 1
            ended = _has_ended(one)  # it hears the last token, too
            if ended or one.reply[-1] in self._stops or len(one.reply) >= one.draw.max_tokens:
                self._keep(one, past(row))
                self._unanswered.discard(one)
                if not one.answer.done():
                    one.answer.set_result(one.reply)

    def _keep(self, one: Wanted, past: Past) -> None:
        if not one.episode:
            return
        self.counts.context[one.episode] = len(one.prompt) + len(one.reply)
        self._pasts[one.episode] = past
        while len(self._pasts) > 2 * self._rows:
            self._pasts.popitem(last=False)

    def _own(self, members: Sequence[Wanted]) -> AbstractContextManager[None]:
        return self._adapters.of([one.adapter or NO_ADAPTER for one in members]) if self._adapters else nullcontext()

    def _fail(self, error: BaseException) -> None:
        for one in self._unanswered:
            if not one.answer.done():
                one.answer.set_exception(error)
        self._unanswered.clear()
        self._pasts.clear()


def generated_together(model: Any) -> bool:
    """Whether an Engine can be opened on it. model: a base or a PEFT model."""
    bare: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    return keeps_columns(bare) and (bare is model or mixable(model))


def _has_ended(one: Wanted) -> bool:
    """What its listener says. An error of his is his alone."""
    try:
        return one.ended is not None and one.ended(one.reply)
    except Exception as error:
        one.answer.set_exception(error)
        return True


def _leave(batch: Batch | None, going: Sequence[Wanted], left: Sequence[Wanted]) -> list[Past]:
    """The pasts of those who go on in another batch than this one, which is over."""
    if batch is None:
        return []
    pasts = [batch.past(row) for row, one in enumerate(going) if one in left]
    batch.close()
    return pasts


def _alike(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in groups within which no length is more than twice another: at most half of a group's columns are pads."""
    order = sorted(range(len(lengths)), key=lambda at: lengths[at])
    while order:
        group = [at for at in order if lengths[at] <= 2 * lengths[order[0]]]
        order = order[len(group) :]
        yield group

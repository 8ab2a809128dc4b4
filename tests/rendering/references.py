"""Independent references for ids and learned tokens of a conversation; none uses sekft's renderer."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from mistral_common.exceptions import MistralCommonException
from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from transformers import PreTrainedTokenizerFast

from sekft.rendering.messages import Message
from tests.rendering.fixtures import small_mistral, source_of

Row = tuple[list[int], list[int]]  # ids; 1 where the assistant wrote
Rows = list[Row] | str  # one row, or one per decision; or why there is none
Reference = Callable[..., Rows]  # (messages, **variables of the template)
ROLES = {"user": UserMessage, "assistant": AssistantMessage, "system": SystemMessage}


def mistrals_encoder(version: str) -> Reference:
    """mistral-common in fine-tuning mode; what it encodes for an assistant turn is learned."""
    tokenizer = MistralTokenizer.from_file(str(small_mistral().vocabulary_file(version)), mode=ValidationMode.finetuning)
    inner = tokenizer.instruct_tokenizer
    parts: list[tuple[list[int], int]] = []

    def recorded(encode: Callable[..., Any], learned: int) -> Callable[..., Any]:
        def encoded(*arguments: Any, **named: Any) -> Any:
            out = encode(*arguments, **named)
            parts.append((list(out[0] if isinstance(out, tuple) else out), learned))
            return out

        return encoded

    for role in ROLES:
        setattr(inner, f"encode_{role}_message", recorded(getattr(inner, f"encode_{role}_message"), int(role == "assistant")))

    def reference(messages: Sequence[Message]) -> Rows:
        parts.clear()
        try:
            request = ChatCompletionRequest(messages=[ROLES[message.role](content=message.content) for message in messages])
            ids = tokenizer.encode_chat_completion(request).tokens
        except MistralCommonException as error:
            return str(error)
        start = inner.start()
        assert ids == start + [index for part, _ in parts for index in part]
        return [(ids, [0] * len(start) + [learned for part, learned in parts for _ in part])]

    return reference


def trls_markers(name: str, folder: Path) -> Reference:
    """transformers' assistant mask, with the template variant with {% generation %} markers that TRL ships for training."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.chat_template = source_of(name, markers=True)

    def reference(messages: Sequence[Message], **variables: str) -> Rows:
        try:
            out = tokenizer.apply_chat_template(_plain(messages), return_dict=True, return_assistant_tokens_mask=True, **variables)
        except TemplateError as error:
            return str(error)
        return [(list(out["input_ids"]), list(out["assistant_masks"]))]

    return reference


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [message.model_dump() for message in messages]

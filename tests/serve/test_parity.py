"""A server feeds the model the ids that training rendered: sekft.serve as a process, and transformers with the saved template."""

from pathlib import Path

import httpx
import pytest

from sekft.config import Device, ModelConfig
from sekft.model import base as bases
from sekft.rendering.messages import Message
from sekft.rendering.render import TokenKind, render
from sekft.rendering.tokenizer import ChatTokenizer
from tests.serve.dialogues import raw_dialogues
from tests.serve.server import Running, make_adapter, running

pytestmark = pytest.mark.xdist_group("serving")


def trained_prefix(dialogue: list[Message], tokenizer: ChatTokenizer) -> list[int]:
    """The ids before the last assistant turn in the training row."""
    row = render(dialogue, tokenizer)
    last = len(row.messages) - 1
    start = next(
        at for at, (turn, kind) in enumerate(zip(row.turns, row.kinds, strict=True)) if turn == last and kind is not TokenKind.context
    )
    return list(row.ids[:start])


def tokenized(url: str, messages: list[dict]) -> list[int]:
    answer = httpx.post(f"{url}/tokenize", json={"messages": messages}, timeout=60).raise_for_status().json()
    assert answer["count"] == len(answer["tokens"])
    return answer["tokens"]


def compare(url: str, adapter: Path, tokenizer: ChatTokenizer) -> None:
    from transformers import AutoTokenizer

    saved_tokenizer = AutoTokenizer.from_pretrained(adapter)
    for dialogue in raw_dialogues(50):
        messages = [message.model_dump() for message in dialogue[:-1]]
        trained = trained_prefix(dialogue, tokenizer)
        assert tokenized(url, messages) == trained, messages
        assert saved_tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False) == trained, messages
        parts = [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in messages]
        assert tokenized(url, parts) == saved_tokenizer.apply_chat_template(parts, add_generation_prompt=True, return_dict=False) == trained


def test_fifty_raw_dialogues_are_fed_as_they_were_trained(server: Running, adapters: dict[str, Path], tiny):
    compare(server.url, adapters["early"], tiny.tokenizer)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_fifty_raw_dialogues_are_fed_as_they_were_trained_on_mistrals_tokenizer(small_mistral: Path, tmp_path: Path):
    base = bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))
    adapter = make_adapter(base, tmp_path / "adapter", 1)
    words = (f"model.path={small_mistral}", "model.name=small", "model.weights=pretrained", f"adapter={adapter}")
    with running(tmp_path / "server", *words) as server:
        compare(server.url, adapter, base.tokenizer)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_fifty_raw_dialogues_are_fed_to_smollm2_as_they_were_trained(tmp_path: Path):
    base = bases.load(ModelConfig(name="smollm2", path="sekft:smollm2", device=Device.cpu))
    adapter = make_adapter(base, tmp_path / "adapter", 1)
    with running(tmp_path / "server", "model=smollm2", f"adapter={adapter}") as server:
        compare(server.url, adapter, base.tokenizer)


def test_the_dialogues_contain_the_cases_they_are_for():
    dialogues = raw_dialogues(50)
    texts = [message.content for dialogue in dialogues for message in dialogue]
    doubled = sum(any(a.role == b.role == "user" for a, b in zip(dialogue, dialogue[1:], strict=False)) for dialogue in dialogues)
    blanks = sum(text != text.rstrip() for text in texts)
    assert len(dialogues) == 50 and doubled >= 20 and blanks >= 50
    assert sum(dialogue[0].role == "system" for dialogue in dialogues) >= 15 and sum("</s>" in text for text in texts) >= 10

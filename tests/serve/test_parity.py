"""What a server feeds the model is what training rendered: ours as a process, and whoever applies the saved template."""

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


def trained_prefix(talk: list[Message], tokenizer: ChatTokenizer) -> list[int]:
    """The ids before the last assistant turn, out of the row that is trained on."""
    row = render(talk, tokenizer)
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

    theirs = AutoTokenizer.from_pretrained(adapter)
    for talk in raw_dialogues(50):
        asked = [message.model_dump() for message in talk[:-1]]
        trained = trained_prefix(talk, tokenizer)
        assert tokenized(url, asked) == trained, asked
        assert theirs.apply_chat_template(asked, add_generation_prompt=True, return_dict=False) == trained, asked
        parts = [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in asked]
        assert tokenized(url, parts) == theirs.apply_chat_template(parts, add_generation_prompt=True, return_dict=False) == trained


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


def test_the_dialogues_hold_what_they_are_about():
    talks = raw_dialogues(50)
    texts = [message.content for talk in talks for message in talk]
    doubled = sum(any(a.role == b.role == "user" for a, b in zip(talk, talk[1:], strict=False)) for talk in talks)
    blanks = sum(text != text.rstrip() for text in texts)
    assert len(talks) == 50 and doubled >= 20 and blanks >= 50
    assert sum(talk[0].role == "system" for talk in talks) >= 15 and sum("</s>" in text for text in texts) >= 10

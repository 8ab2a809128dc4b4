"""The loss on ordinary prose: the text is fixed, any tokenizer can read it, and batching does not change the loss."""

import math
import re
from pathlib import Path

import pytest
import torch

from sekft.config import Device, ModelConfig, Weights
from sekft.model import base as bases
from sekft.model import prose
from sekft.rendering.tokenizer import ChatTokenizer
from tests.model.test_agents import drawn

TINY = ModelConfig(name="tiny", path="sekft:tiny", weights=Weights.random, device=Device.cpu)
SHA256 = "dc4bc38c17a985715d59a318678c12fd84abbcdb3dcd86afbdb0e2f679666247"  # a changed text needs another name


@pytest.fixture
def base(small_mistral: Path) -> bases.Base:
    return bases.load(ModelConfig(name="small", path=str(small_mistral), device=Device.cpu))


def test_the_text_is_the_one_of_all_reported_losses() -> None:
    text = prose.FILE.read_bytes()
    assert prose.digest() == SHA256 and 2000 < len(text) < 8000 and text.isascii()
    assert not re.search(rb"shell|command|terminal|directory|\bfile\b|exit|panic|[$#`/<>{}|]", text)


@pytest.mark.parametrize("folder", ["small_mistral", "chatml", "tiny"])
def test_any_tokenizer_encodes_the_whole_text_in_short_passages(folder: str, request: pytest.FixtureRequest) -> None:
    where = Path(bases.__file__).parent / "tiny" if folder == "tiny" else request.getfixturevalue(folder)
    tokenizer = ChatTokenizer(where)
    rows = prose.passages(tokenizer)
    assert "".join("".join(tokenizer.decode(row).split()) for row in rows) == "".join(prose.FILE.read_text().split())
    assert max(map(len, rows)) < 700 and all((row[0] == tokenizer.bos) == (tokenizer.bos is not None) for row in rows)


def test_the_loss_is_the_mean_over_every_token_of_passages_read_one_by_one(base: bases.Base) -> None:
    rows = prose.passages(base.tokenizer)
    found = prose.measure(base, {})
    total = 0.0
    with torch.no_grad():
        for row in rows:
            logits = base.model(torch.tensor([row])).logits[0, :-1].float()
            total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(row[1:]), reduction="sum"))
    assert found.tokens == sum(len(row) - 1 for row in rows)
    assert found.losses == {"base": pytest.approx(total / found.tokens, rel=1e-5)}


def test_the_unigram_loss_is_the_entropy_of_the_tokens() -> None:
    assert prose.unigram_entropy([[0, 5, 6], [0, 5, 6]]) == pytest.approx(math.log(2)) and prose.unigram_entropy([[0, 5, 5], [9, 5]]) == 0
    assert prose.unigram_entropy([[0, 1, 1, 1, 2]]) == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))


def test_an_adapter_has_a_loss_of_its_own_and_does_not_change_that_of_the_base(base: bases.Base, tmp_path: Path) -> None:
    folders = {"one": drawn(base, tmp_path / "one", 4, 1), "other": drawn(base, tmp_path / "other", 8, 2)}
    found = prose.measure(base, folders).losses
    assert len(set(found.values())) == 3 and all(map(math.isfinite, found.values()))
    assert prose.measure(base, {}).losses["base"] == found["base"]
    assert prose.measure(base, {"one": folders["one"]}).losses["one"] == found["one"]


def test_a_model_with_random_weights_is_no_better_than_chance() -> None:
    base = bases.load(TINY)
    assert prose.measure(base, {}).losses["base"] > 0.9 * math.log(base.tokenizer.vocab_size)

"""Several adapters and full models on one base, each generating under its own name."""

from pathlib import Path

import pytest
import torch

from sekft.config import Device, Engine, LoraConfig, ModelConfig, Weights
from sekft.errors import ModelError
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.base import Base
from sekft.model.generate import SamplingParameters, complete, generate
from sekft.model.generators import generators
from sekft.model.reply import decode_reply
from sekft.serve.models import Models, served_models
from tests.serve.server import make_adapter

PROMPT = [0, 2, 30, 31, 32, 3]


@pytest.fixture
def base(babbler: Path) -> Base:
    return bases.load(ModelConfig(name="tiny", path=str(babbler), weights=Weights.random, device=Device.cpu))


def text_of(models: Models, name: str) -> str:
    return models.complete(name, PROMPT, lambda _: False, max_tokens=12, temperature=0.0, top_p=1.0, seed=0, stop=()).text


def alone(base: Base, model: object) -> str:
    return decode_reply(PROMPT, generate(base, model, PROMPT, SamplingParameters(12)), base.tokenizer)


def test_each_name_replies_as_its_adapter_does_alone_and_the_base_is_restored(base: Base, tmp_path: Path):
    folders = {f"a.{seed}": make_adapter(base, tmp_path / str(seed), seed) for seed in (1, 2, 3)}
    expected = {"base": alone(base, base.model)}
    for name, folder in folders.items():
        with lora.loaded(base, folder) as tuned:
            expected[name] = alone(base, tuned)
    assert len(set(expected.values())) == 4
    with served_models("base", base, folders, 4) as models:
        assert models.names == ("base", "a.1", "a.2", "a.3")
        assert {name: text_of(models, name) for name in ("a.3", "base", "a.1", "a.2", "base", "a.3")} == expected
    assert not any("lora_" in name for name, _ in base.model.named_parameters())
    with served_models("base", base, {}, 4) as models:
        assert text_of(models, "base") == expected["base"]


def test_a_full_model_replies_beside_an_adapter(base: Base, tmp_path: Path):
    with lora.fresh(base, LoraConfig(name="none", r=0, alpha=1), 0) as tuned:
        with torch.no_grad():
            for parameter in tuned.parameters():
                parameter *= 1.1
        folder = lora.publish(lora.save(tuned, base, tmp_path / "whole", {}))
        expected = alone(base, tuned.eval())
    with served_models("base", base, {"all": folder, "adapter": make_adapter(base, tmp_path / "a", 1)}, 4) as models:
        assert models.names == ("base", "all", "adapter")
        assert text_of(models, "all") == expected and len({text_of(models, name) for name in models.names}) == 3


def test_a_second_adapter_that_does_not_fit_is_refused_and_the_base_is_restored(base: Base, tmp_path: Path):
    good, bad = make_adapter(base, tmp_path / "good", 1), make_adapter(base, tmp_path / "bad", 2)
    (bad / "adapter_model.safetensors").write_bytes(b"short")
    with (
        pytest.raises(ModelError, match="bad/adapter_model.safetensors: cut off, or not safetensors"),
        served_models("base", base, {"good": good, "bad": bad}, 4),
    ):
        pass
    assert not any("lora_" in name for name, _ in base.model.named_parameters())


def test_a_tensor_missing_in_the_second_adapter_is_found(base: Base, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    good, bad = make_adapter(base, tmp_path / "good", 1), make_adapter(base, tmp_path / "bad", 2)
    weights = load_file(bad / "adapter_model.safetensors")
    weights.pop(next(iter(weights)))
    save_file(weights, bad / "adapter_model.safetensors")
    with (
        pytest.raises(ModelError, match="bad/adapter_model.safetensors: lacks 1 of 56 tensors"),
        served_models("base", base, {"g": good, "b": bad}, 4),
    ):
        pass


def test_on_text_can_end_a_reply_after_any_token(base: Base):
    pieces: list[str] = []

    def until_three(piece: str) -> bool:
        pieces.append(piece)
        return len(pieces) == 3

    with generators(base, {"base": None}, Engine.batched, rows=2) as models:
        done = complete(base, models.by_name["base"], "an episode", PROMPT, SamplingParameters(40), (), until_three)
    assert done.tokens == 3 and not done.stopped and "".join(pieces) == done.text

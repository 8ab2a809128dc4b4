"""The base: loaded once, restored after every use, refused in one line; and adapters on it."""

import json
from pathlib import Path

import pytest
import torch

from sekft.config import Device, LoraConfig, ModelConfig, Weights
from sekft.errors import ModelError
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.adapter import FINGERPRINT, promotion_obstacle, require_fingerprint, training_scenarios
from sekft.model.base import Base
from sekft.scenario.library import make

R4 = LoraConfig(name="r4", r=4, alpha=8)


def model_config(folder: Path, **changes) -> ModelConfig:
    return ModelConfig(name="small", path=str(folder), device=Device.cpu, **changes)


def bytes_of(model: torch.nn.Module) -> bytes:
    return b"".join(value.cpu().contiguous().view(torch.uint8).numpy().tobytes() for value in model.state_dict().values())


def test_equal_settings_load_one_base_and_others_load_another(small_mistral: Path):
    before = bases.base_loads()
    first = bases.load(model_config(small_mistral, seed=101))
    assert bases.load(model_config(small_mistral, seed=101)) is first
    assert bases.load(model_config(small_mistral, seed=102)) is not first
    assert bases.base_loads() == before + 2


def test_random_weights_depend_on_the_seed_alone(small_mistral: Path):
    drawn = [bases.load(model_config(small_mistral, weights=Weights.random, seed=seed)).model for seed in (5, 6)]
    again = bases._random(small_mistral, model_config(small_mistral, weights=Weights.random, seed=5), torch.device("cpu"), torch.float32)
    assert bytes_of(drawn[0]) == bytes_of(again) != bytes_of(drawn[1])


def test_an_adapter_leaves_the_base_unchanged(small_mistral: Path):
    base = bases.load(model_config(small_mistral))
    before = bytes_of(base.model)
    with lora.fresh(base, R4, seed=0) as tuned:
        assert any("lora_" in name for name, _ in tuned.named_parameters())
    assert bytes_of(base.model) == before
    assert not any("lora_" in name for name, _ in base.model.named_parameters())
    assert not base.model.training and not any(p.requires_grad for p in base.model.parameters())


def test_a_saved_adapter_gives_the_trained_logits_and_a_no_op_is_refused(small_mistral: Path, tmp_path: Path):
    base = bases.load(model_config(small_mistral))
    ids = list(range(5, 25))
    with lora.fresh(base, R4, seed=0) as tuned:
        noop = lora.save(tuned, base, tmp_path / "noop", {"tokenizer": "x"})
        untrained = lora.probe(tuned, base, ids)
        with torch.no_grad():
            for name, parameter in tuned.named_parameters():
                if "lora_B" in name:
                    parameter += 0.05
        moved = lora.publish(lora.save(tuned, base, tmp_path / "moved", {"tokenizer": "x"}))
        trained = lora.probe(tuned, base, ids)
    assert lora.prove(base, moved, ids, trained) > 0
    with pytest.raises(ModelError, match="changes nothing"):
        lora.prove(base, noop, ids, untrained)
    with pytest.raises(ModelError, match="does not give the trained logits"):
        lora.prove(base, moved, ids, untrained)


def test_without_an_adapter_all_weights_of_a_copy_learn_and_are_loaded_as_saved(small_mistral: Path, tmp_path: Path):
    base = bases.load(model_config(small_mistral))
    before, ids = bytes_of(base.model), list(range(5, 25))
    with lora.fresh(base, LoraConfig(name="none", r=0, alpha=0), seed=0) as tuned:
        assert all(parameter.requires_grad for parameter in tuned.parameters())
        with torch.no_grad():
            tuned.model.norm.weight += 0.05
        folder = lora.publish(lora.save(tuned, base, tmp_path / "all", base.fingerprint()))
        trained = lora.probe(tuned, base, ids)
    assert lora.prove(base, folder, ids, trained) > 0
    assert bytes_of(base.model) == before and require_fingerprint(folder, base)
    with lora.loaded(base, folder, trainable=True) as again:
        assert all(parameter.requires_grad for parameter in again.parameters())


def test_weights_of_another_shape_are_refused_by_name(small_mistral: Path, tmp_path: Path):
    base = bases.load(model_config(small_mistral))
    tiny = bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))
    with lora.fresh(tiny, LoraConfig(name="none", r=0, alpha=0), seed=0) as tuned:
        folder = lora.publish(lora.save(tuned, tiny, tmp_path / "all", {}))
    with pytest.raises(ModelError, match=r"does not fit small: \S+ is (absent|\()"), lora.loaded(base, folder):
        pass


def saved_with(base: Base, folder: Path, fingerprint: dict) -> Path:
    with lora.fresh(base, R4, seed=0) as tuned:
        return lora.publish(lora.save(tuned, base, folder, fingerprint))


def test_a_fingerprint_that_differs_is_refused_and_a_missing_one_is_unproven(small_mistral: Path, tmp_path: Path):
    base = bases.load(model_config(small_mistral))
    same = saved_with(base, tmp_path / "same", base.fingerprint())
    other = saved_with(base, tmp_path / "other", {**base.fingerprint(), "text": 2})
    assert require_fingerprint(same, base)
    with pytest.raises(ModelError, match="trained with text 2, here it is 1"):
        require_fingerprint(other, base)
    (same / FINGERPRINT).unlink()
    assert not require_fingerprint(same, base)


@pytest.mark.parametrize("key", ["scenarios", "worlds"])
def test_the_training_scenarios_are_read_under_their_present_and_their_former_name(small_mistral: Path, tmp_path: Path, key: str):
    base, (first, second) = bases.load(model_config(small_mistral)), [make("copy", seed) for seed in (0, 1)]
    adapter = saved_with(base, tmp_path / "a", {**base.fingerprint(), key: [first.id]})
    lines: list[str] = []
    assert promotion_obstacle(base, adapter, [first, second], lines.append) == "trained on 1 of these scenarios"
    assert first.id in lines[0] and promotion_obstacle(base, adapter, [second], lines.append) == ""
    assert training_scenarios([second.id], str(adapter)) == {"scenarios": sorted([first.id, second.id])}


def test_an_adapter_that_does_not_fit_leaves_the_base_clean(small_mistral: Path, tmp_path: Path):
    base = bases.load(model_config(small_mistral))
    before = bytes_of(base.model)
    with lora.fresh(base, R4, seed=0) as tuned:
        folder = lora.publish(lora.save(tuned, base, tmp_path / "a", {}))
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**settings, "r": 8}))
    with pytest.raises(ModelError, match="does not fit small: size mismatch"), lora.loaded(base, folder):
        pass
    (folder / "adapter_model.safetensors").write_bytes(b"short")
    with pytest.raises(ModelError, match="adapter_model.safetensors: cut off, or not safetensors"), lora.loaded(base, folder):
        pass
    assert bytes_of(base.model) == before and not any("lora_" in name for name, _ in base.model.named_parameters())


def test_the_identity_of_a_base_depends_on_its_seed_or_weights_and_not_on_its_folder(small_mistral: Path, tmp_path: Path):
    random = [bases.load(model_config(small_mistral, weights=Weights.random, seed=seed)).identity() for seed in (0, 1)]
    assert len({bases.load(model_config(small_mistral)).identity(), *random}) == 3
    for file in small_mistral.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert bases.load(model_config(tmp_path)).identity() == bases.load(model_config(small_mistral)).identity()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"path": "nobody/nothing"}, "fetch it with `hf download nobody/nothing`"),
        ({"path": "EMPTY"}, r"no \*\.safetensors"),
    ],
)
def test_the_error_for_a_missing_base_names_what_to_fetch(changes: dict[str, str], complaint: str, tmp_path: Path):
    path = changes["path"].replace("EMPTY", str(tmp_path))
    with pytest.raises(ModelError, match=complaint):
        bases.load(ModelConfig(name="x", path=path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device whose lack is tested")
def test_a_device_the_machine_lacks_is_named():
    with pytest.raises(ModelError, match="model.device=cuda: not on this machine; allowed here: .*cpu"):
        bases.pick_device(Device.cuda)


def test_an_adapter_setting_peft_refuses_is_named(small_mistral: Path):
    base = bases.load(model_config(small_mistral))
    with pytest.raises(ModelError, match="lora=r4"), lora.fresh(base, LoraConfig(name="r4", r=4, alpha=8, target_modules="nope"), 0):
        pass


def test_inference_does_not_repack_the_weights_of_a_4bit_base(small_mistral: Path):
    base = bases.load(model_config(small_mistral, load_4bit=True))
    before = bytes_of(base.model)
    with torch.no_grad():
        base.model(torch.tensor([[1, 5, 7]]))
    assert bytes_of(base.model) == before
    layers = [module for module in base.model.modules() if type(module).__name__ == "Linear4bit"]
    assert layers and not any(getattr(layer.weight.quant_state, "packing_format_for_cpu", False) for layer in layers)

"""Files of bases and adapters that are not what their names say are named in one line, with what they are instead."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from sekft.config import Device, ModelConfig
from sekft.errors import ModelError
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.adapter import require_adapter
from sekft.model.locate import base_folder

TINY = base_folder(ModelConfig(name="tiny", path="sekft:tiny"), weights=True)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"7" * 64 + b"\nsize 4332920\n"
FAULTS = {
    "pointer": (lambda data: POINTER, "a git-lfs pointer, not the file itself; run `git lfs pull` in that folder"),
    "cut": (lambda data: data[: len(data) // 2], "cut off"),
    "header cut": (lambda data: data[:100], "cut off"),
    "empty": (lambda data: b"", "an empty file; fetch it again"),
    "page": (lambda data: b"\n <!DOCTYPE html><html><body>404 Not Found</body></html>", "a web page, not the file itself"),
    "longer": (lambda data: data + b"more", "damaged: "),
    "noise": (lambda data: b"\x10\0\0\0\0\0\0\0" + b"noise" * 20, "not safetensors"),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "base"))


def refused(folder: Path, weights: bool = True) -> str:
    with pytest.raises(ModelError) as error:
        base_folder(ModelConfig(name="own", path=str(folder)), weights)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", FAULTS)
def test_weights_that_are_none_are_named_before_anything_is_loaded(copy: Path, kind: str) -> None:
    change, said = FAULTS[kind]
    file = copy / "model.safetensors"
    file.write_bytes(change(file.read_bytes()))
    assert refused(copy).startswith(f"{file}: {said}")
    assert base_folder(ModelConfig(name="own", path=str(copy)), weights=False) == copy  # a preview needs no weights
    with pytest.raises(ModelError, match=str(file)):
        require_adapter(copy)  # the same folder as trained weights (lora=none)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"])
@pytest.mark.parametrize("kind", ["pointer", "empty", "page"])
def test_other_files_that_are_none_are_named_also_without_weights(copy: Path, name: str, kind: str) -> None:
    change, said = FAULTS[kind]
    (copy / name).write_bytes(change(b""))
    assert refused(copy, weights=False).startswith(f"{copy / name}: {said}")


def test_settings_that_are_no_json_objects_are_named(copy: Path) -> None:
    for text, said in (('{"model_type": ', "not JSON: "), ("[]", "found a list, allowed: an object")):
        (copy / "config.json").write_text(text)
        assert refused(copy, weights=False).startswith(f"{copy / 'config.json'}: {said}")


def test_a_missing_shard_is_named(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    halves = {name: names[index % 2] for index, name in enumerate(weights)}
    for shard in names:
        save_file({name: weights[name] for name in weights if halves[name] == shard}, copy / shard, metadata={"format": "pt"})
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": halves}))
    assert base_folder(ModelConfig(name="own", path=str(copy)), weights=True) == copy
    (copy / names[1]).unlink()
    assert refused(copy) == f"{copy}: lacks {names[1]} (1 of 2 shards); fetch it again"


def test_a_tensor_that_is_missing_is_not_drawn_at_random(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lacks 1 of the weights of its config.json, for example model.layers.1.mlp.up_proj.weight"):
        bases.load(ModelConfig(name="own", path=str(copy), device=Device.cpu))
    tiny = bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))
    with pytest.raises(ModelError, match=r"lacks 1 of the weights"), lora.loaded(tiny, copy):
        pass


def test_a_folder_with_a_gguf_file_alone_says_how_to_use_it(tmp_path: Path) -> None:
    (tmp_path / "model-q4.gguf").write_bytes(b"GGUF")
    assert f"but a GGUF file: give model.path={tmp_path / 'model-q4.gguf'}" in refused(tmp_path)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("kind", ["pointer", "empty", "page"])
def test_an_adapters_files_that_are_none_are_named(tmp_path: Path, name: str, kind: str) -> None:
    change, said = FAULTS[kind]
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    shutil.copy(TINY / "model.safetensors", tmp_path / "adapter_model.safetensors")
    (tmp_path / name).write_bytes(change(b""))
    with pytest.raises(ModelError) as refused:
        require_adapter(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / name}: {said}") and "\n" not in str(refused.value)

"""The folder of a base: the archetypes it was not trained on, its code, its pickles."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sekft.config import Device, ModelConfig, Weights
from sekft.errors import ModelError
from sekft.model import locate
from sekft.model.adapter import require_adapter
from sekft.model.locate import NEVER_SAW, base_folder, never_saw


def base_with(folder: Path, text: str) -> ModelConfig:
    (folder / NEVER_SAW).write_text(text)
    return ModelConfig(name="own", path=str(folder))


def test_a_base_without_the_file_may_have_seen_everything(tmp_path: Path) -> None:
    assert never_saw(ModelConfig(name="own", path=str(tmp_path))) == ()
    assert never_saw(ModelConfig(name="tiny", path="sekft:tiny", weights=Weights.random)) == ()


def test_a_base_names_the_archetypes_it_never_saw(tmp_path: Path) -> None:
    assert never_saw(base_with(tmp_path, json.dumps(["latest", "verify"]))) == ("latest", "verify")


def test_the_file_does_not_apply_to_random_weights(tmp_path: Path) -> None:
    own = base_with(tmp_path, '["latest"]')
    assert never_saw(ModelConfig(name="own", path=own.path, weights=Weights.random)) == ()


@pytest.mark.parametrize(
    ("text", "found"), [("{", "not JSON"), ('{"a": 1}', r"found {'a': 1}"), ('["juggle", 3]', "found juggle, 3, allowed: ")]
)
def test_an_invalid_list_is_refused_in_one_line(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(ModelError, match=rf"{NEVER_SAW}: {found}") as refused:
        never_saw(base_with(tmp_path, text))
    assert "\n" not in str(refused.value)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A base that can only be loaded by running code in its folder; that code leaves a file."""
    code = f"open({str(tmp_path / 'it_ran')!r}, 'w')\nfrom transformers import PretrainedConfig as Own\n"
    folder = tmp_path / "foreign"
    shutil.copytree(base_folder(ModelConfig(name="tiny", path="sekft:tiny"), weights=True), folder)
    (folder / "own.py").write_text(code)
    auto_map = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": auto_map}))
    return folder


def test_a_base_with_code_of_its_own_is_refused_unless_it_is_named(foreign: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"needs Python code of its own \(own.Own, own.Model\), which is not run; allowed: ") as refused:
        base_folder(ModelConfig(name="own", path=str(foreign)), weights=True)
    assert "\n" not in str(refused.value) and not (tmp_path / "it_ran").exists()
    named = ModelConfig(name="own", path=str(foreign), trust_remote_code=str(foreign))
    assert base_folder(named, weights=True) == foreign
    with pytest.raises(ModelError, match=f"model.trust_remote_code=other/base: allowed: null, or {foreign}, which is model.path"):
        base_folder(replace(named, trust_remote_code="other/base"), weights=True)


def test_code_in_the_folder_of_a_full_model_is_never_run(foreign: Path, tmp_path: Path) -> None:
    from sekft.model import base as bases
    from sekft.model import lora

    tiny = bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))
    with pytest.raises(ModelError, match="cannot be loaded"), lora.loaded(tiny, foreign):
        pass
    assert not (tmp_path / "it_ran").exists()


def test_weights_that_are_pickles_are_named_and_never_loaded(tmp_path: Path) -> None:
    for name in ("config.json", "pytorch_model.bin", "adapter_config.json", "adapter_model.bin"):
        (tmp_path / name).write_bytes(pickle.dumps({}))
    message = r"no \*.safetensors there, only adapter_model.bin, a pickle, which is never loaded"
    with pytest.raises(ModelError, match=message):
        base_folder(ModelConfig(name="own", path=str(tmp_path)), weights=True)
    with pytest.raises(ModelError, match="no adapter_model.safetensors there, only adapter_model.bin, a pickle, which is never loaded"):
        require_adapter(tmp_path)


def test_the_hub_is_looked_for_at_its_own_port_and_behind_the_proxy(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False), monkeypatch.delenv(name.upper(), raising=False)
    assert locate._first_hop("http://mirror") == ("mirror", 80) and locate._first_hop("https://huggingface.co") == ("huggingface.co", 443)
    assert locate._first_hop("http://[::1]:8080/path") == ("::1", 8080)
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    assert locate._first_hop("https://huggingface.co") == ("proxy", 3128) and locate._first_hop("http://mirror") == ("mirror", 80)
    monkeypatch.setenv("NO_PROXY", "huggingface.co")
    assert locate._first_hop("https://huggingface.co") == ("huggingface.co", 443)

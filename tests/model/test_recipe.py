"""trainer=auto: the optimisation by the size of the base, for tiny exactly what its experiments were made with."""

import json
from pathlib import Path

import pytest

from sekft import config
from sekft.config import ModelConfig, TrainConfig
from sekft.model import recipe
from sekft.model.shape import Size, parameters_of, size_of
from tests.conftest import run_command

QWEN3_4B = {
    "model_type": "qwen3",
    "architectures": ["Qwen3ForCausalLM"],
    "vocab_size": 151936,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
}
MISTRAL = ModelConfig(name="mistral7b", path="nobody/nothing", parameters=7.24e9, context=32768)


def chosen(size: Size, rank: int = 16) -> dict[str, object]:
    return {choice.key.removeprefix("trainer."): choice.value for choice in recipe.choices(size, rank)}


def test_tiny_gets_the_numbers_of_its_experiments():
    size = size_of(ModelConfig(name="tiny", path="sekft:tiny"), download=False)
    assert size.parameters == pytest.approx(2.2e6, rel=0.02)
    assert chosen(size) == {
        "lr": 2e-3, "schedule": config.Schedule.linear, "warmup": 0.1, "epochs": 3, "batch": 4, "accumulation": 1, "max_tokens": 1024,
        "save_every_steps": 0.1, "val_every_steps": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "rate", "rows"), [(1.35e8, 2e-3, 4), (1.2e9, 5e-4, 16), (4.0e9, 3e-4, 16), (7.2e9, 2e-4, 16), (7e10, 1e-4, 16)]
)
def test_a_larger_base_learns_more_slowly_in_larger_steps(parameters: float, rate: float, rows: int):
    found = chosen(Size(parameters, 4096, "a test"))
    assert (found["lr"], found["max_tokens"]) == (rate, 4096) and found["batch"] * found["accumulation"] == rows  # type: ignore[operator]


def test_all_weights_get_a_tenth_of_the_rate_of_an_adapter():
    assert chosen(Size(1.35e8, 8192, "a test"), rank=0)["lr"] == pytest.approx(2e-4)


def test_the_size_is_that_of_config_json_else_that_of_the_settings_else_unknown(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps(QWEN3_4B))
    assert size_of(ModelConfig(name="q", path=str(tmp_path), parameters=1.0)) == Size(4022468096, 40960, "its config.json", 147456)
    assert size_of(MISTRAL, download=False) == Size(7.24e9, 32768, "model.parameters")
    (tmp_path / "config.json").write_text("[]")
    unknown = size_of(ModelConfig(name="q", path=str(tmp_path)), download=False)
    assert unknown.parameters is None and chosen(unknown)["lr"] == 2e-4


def test_other_architectures_are_estimated_and_text_models_inside_others_are_found():
    gemma = {"model_type": "gemma3", "text_config": {**QWEN3_4B, "model_type": "gemma3_text", "max_position_embeddings": 131072}}
    assert parameters_of(gemma) == pytest.approx(4.0e9, rel=0.01) and parameters_of({"model_type": "mamba", "d_model": 3}) is None


def test_only_open_keys_are_chosen():
    settings = TrainConfig(model=MISTRAL, dry_run=True)
    assert [choice.key for choice in recipe.choose(settings, frozenset({"trainer.warmup", "eval.episodes"}))] == ["trainer.warmup"]


@pytest.mark.parametrize(
    ("base", "lines"),
    [
        ("mistral7b", ["trainer.lr=0.0002 (an adapter on a base of 7.24 G parameters", "trainer.max_tokens=8192", "eval.episodes="]),
        ("smollm2", ["trainer.lr=0.002 (an adapter on a base of 135 M parameters", "trainer.max_tokens=8192", "eval.episodes="]),
        ("qwen", ["trainer.lr=0.0003 (an adapter on a base of 4.02 G parameters", "trainer.batch=4 trainer.accumulation=4"]),
        ("tiny", ["trainer.lr=0.002 (an adapter on a base of 2.", "trainer.max_tokens=1024", "eval.episodes=64"]),
    ],
)
def test_a_dry_run_says_what_it_chose_and_why(base: str, lines: list[str], tmp_path: Path):
    (tmp_path / "qwen").mkdir()
    (tmp_path / "qwen" / "config.json").write_text(json.dumps(QWEN3_4B))
    words = ("model=tiny", "model.name=qwen", f"model.path={tmp_path / 'qwen'}") if base == "qwen" else (f"model={base}",)
    line = (*words, "lora=r16", "model.weights=random", "model.device=cpu", "sandbox=bwrap", "dry_run=true")
    done = run_command("train", *line, cwd=tmp_path)
    assert all(text in done.stdout for text in lines), done.stdout + done.stderr
    assert "a gain of" in done.stdout and "this evaluation: with n=" in done.stdout
    here = base in ("tiny", "smollm2")
    assert done.returncode == (0 if here else 1) and ("neither" in done.stderr or "tokenizer" in done.stderr or here), done.stderr

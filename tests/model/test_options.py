"""conf/model: every option says what a person needs, composes, and plans a training from its config and tokenizer alone."""

import json
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir

from sekft.cli.settings import settled
from sekft.config import TrainConfig
from sekft.config.commands import register
from sekft.train.automatic import choose
from sekft.train.dry_run import plan_training
from tests.rendering.real import FAMILIES, is_there, load

CONF = Path(__file__).resolve().parents[2] / "conf"
EMBEDDED = ("tiny", "tiny_early")
OPTIONS = sorted(file.stem for file in (CONF / "model").glob("*.yaml") if file.stem not in EMBEDDED)
THINKING = "Qwen3, `enable_thinking: false`"
FAMILY = {  # the start of an option's name: the family of docs/masks.md whose template it has, and its model_type
    "smollm2": ("SmolLM2", "llama"),
    "qwen3_": (THINKING, "qwen3"),
    "qwen25_": ("Qwen2.5", "qwen2"),
    "llama31": ("Llama 3.1", "llama"),
    "llama32": ("Llama 3.2", "llama"),
    "gemma3": ("Gemma 3", "gemma3_text"),
    "phi4": ("Phi-4-mini", "phi3"),
    "mistral7b": ("Mistral-7B-Instruct-v0.2, template of the Hub", "mistral"),
    "mistral7b_v03": ("Mistral v3", "mistral"),
    "ministral": ("Mistral tekken", "mistral"),
    "zephyr": ("Zephyr", "mistral"),
}
SHAPE = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
SHAPE |= {"head_dim": 16, "max_position_embeddings": 8192, "pad_token_id": None}


def family_of(option: str) -> tuple[str, str] | None:
    """The longest entry of FAMILY that the name begins with."""
    return next((FAMILY[start] for start in sorted(FAMILY, key=len, reverse=True) if option.startswith(start)), None)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_says_what_a_person_needs(option: str) -> None:
    text = (CONF / "model" / f"{option}.yaml").read_text()
    values = yaml.safe_load(text)
    assert values["name"] == option
    assert all(values[key] for key in ("path", "licence", "why", "parameters", "context")) and isinstance(values["load_4bit"], bool)
    assert "4 bits" in text if values["load_4bit"] else "bfloat16" in text or option == "smollm2"
    family = family_of(option)
    if family is None:
        assert "its template is not tested here" in text
    else:
        said = "its own vocabulary" if FAMILIES[family[0]].vocabulary else "a stand-in vocabulary"
        assert f"its template is tested with {said}" in text
        assert values.get("template_options", {}) == FAMILIES[family[0]].options


# one option of each way: whole, thinking turned off, a template of the Hub; the large vocabularies take seconds to load
QUICK = ("smollm2", "qwen3_", "mistral7b")


@pytest.mark.parametrize("start", [start if start in QUICK else pytest.param(start, marks=pytest.mark.exhaustive) for start in FAMILY])
def test_an_option_plans_a_training_from_config_and_tokenizer_alone(start: str, recorded: Path, tmp_path: Path) -> None:
    family, model_type = FAMILY[start]
    if not is_there(family):
        pytest.skip(f"the vocabulary of {family} is not here: python -m tests.rendering.vocabularies")
    vocabulary = load(family, tmp_path).vocab_size
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type, "vocab_size": vocabulary, **SHAPE}))
    option = next(name for name in OPTIONS if family_of(name) == FAMILY[start])
    words = [f"model={option}", f"model.path={tmp_path}", "model.weights=random", f"data.sources.shell.path={recorded}", "eval=none"]
    lines: list[str] = []
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        plan_training(settled(compose("train", words), TrainConfig, choose)[0], lines.append)
    assert any(line.startswith(f"base: {option} in {tmp_path}, random weights; trained: an adapter, r=") for line in lines), lines
    assert any("rows dropped: none" in line for line in lines), lines
    assert any(line.startswith("forecast: ") for line in lines)

"""Every family with its real tokenizer is rendered as it is served, and docs/masks.md says what is done with it."""

import os
from pathlib import Path

import pytest

from tests.rendering.real import FAMILIES, PAGE, is_there, measured

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("real tokenizers")]


# one family of each way, by vocabularies that load fast; `make test-more` has all
QUICK = ("SmolLM2", "Llama 3", "Qwen3", "Qwen3, `enable_thinking: false`", "Mistral v3", "DeepSeek-V3", "Phi-3", "GLM-4.5", "GPT-OSS")


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.exhaustive) for name in FAMILIES])
def test_a_family_is_learned_as_it_is_served_and_as_the_page_says(name: str, tmp_path: Path):
    if not is_there(name) and not os.environ.get("SEKFT_TEST_TOKENIZERS"):
        pytest.skip("its tokenizer is not in the cache: python -m tests.rendering.vocabularies")
    how, line = measured(name, tmp_path)
    assert how == FAMILIES[name].how
    assert line in PAGE.read_text(encoding="utf-8").splitlines(), "run python -m tests.rendering.real"

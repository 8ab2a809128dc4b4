"""docs/api.md runs as it stands, and importing sekft stays cheap."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sekft
from sekft.errors import SettingsError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


def test_the_page_runs_from_top_to_bottom_in_one_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["trajectory"].ending == "exit" and names["trajectory"].outcome == "false_exit"
    assert names["result"].rates["reference"]["verified"].k == 8 and names["comparison"].difference == 1.0
    assert names["result"].to_dict()["curious"]["terminated"]["k"] == 8
    assert names["weights"].tolist()[-1] == 1.0 and names["weights"].tolist()[0] == 0.0
    trained = names["trained"]
    assert (trained.adapter / "adapter_model.safetensors").exists() and trained.evaluation.agents["tuned"].rates["verified"].n == 2
    assert json.loads(json.dumps(trained.to_dict()))["folder"] == str(trained.folder)


def test_every_exported_name_is_documented_and_exists():
    text = PAGE.read_text()
    for name in sekft.__all__:
        assert callable(getattr(sekft, name)) and f"sekft.{name}(" in text


def test_importing_sekft_imports_no_library_of_weight():
    code = "import sys, sekft; assert not {'torch', 'transformers', 'hydra', 'pydantic', 'wandb'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_command_or_key_is_one_line():
    with pytest.raises(AttributeError, match="no attribute 'trian'; it exports draw_scenarios"):
        sekft.trian  # noqa: B018
    with pytest.raises(SettingsError, match="command 'trian': allowed: train, eval"):
        sekft.settings("trian")
    with pytest.raises(SettingsError, match="nosuch"):
        sekft.settings("train", "trainer.nosuch=1")

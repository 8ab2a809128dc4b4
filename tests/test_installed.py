"""What is installed: the console scripts, and a wheel that brings all it needs and trains from where it lies."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sekft
from tests.conftest import ROOT


def test_sekft_is_a_console_script():
    done = subprocess.run([Path(sys.executable).with_name("sekft"), "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"sekft {sekft.__version__}\n"), done.stderr


def test_the_console_scripts_are_the_commands(tmp_path: Path):
    for command in ("train", "eval", "collect", "check", "preview"):
        script = Path(sys.executable).with_name(f"sekft-{command}")
        done = subprocess.run([script, "--cfg", "job"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and "sandbox:" in done.stdout, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a built wheel's packages."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT], check=True, capture_output=True)
    shutil.unpack_archive(next(folder.glob("*.whl")), folder / "site", "zip")
    return folder / "site"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_from_a_wheel_jobs_run_in_processes_of_joblib_that_load_the_base_once_each(installed: Path, tmp_path: Path):
    line = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1,2", "hydra.sweep.dir=jobs"]
    steps = ["trainer.max_steps=2", "trainer.batch=2", "split.train_scenarios=16"]
    short = [*steps, "sandbox=bwrap", "tracker=none", "eval=none", "rehearsal=false"]
    command = [sys.executable, "-m", "sekft.train", "-m", *line, *short]
    for told in ("adapter: ", "done before; skipped"):
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(installed)}, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.count(told) == 3, done.stderr
    loads = [json.loads((tmp_path / "jobs" / job / "summary.json").read_text())["base_loads"] for job in "012"]
    assert sorted(loads) == [0, 1, 1]


def test_conf_is_found_from_a_built_wheel(installed: Path):
    code = (
        "import sekft.cli.launch as l, sekft.model.locate as m; print(l.conf_folder());"
        "from sekft.config import ModelConfig; m.load_tokenizer(ModelConfig(name='t', path='sekft:tiny'));"
        "from sekft.scenario import frozen; assert len(frozen.scenarios()) == 128"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=installed, capture_output=True, text=True, check=True)
    conf = Path(done.stdout.strip())
    assert conf == installed / "sekft" / "conf" and (installed / "hydra_plugins" / "sekft_halving.py").exists()
    assert (conf / "experiment" / "demo.yaml").exists()

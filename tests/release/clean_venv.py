"""Replay a release in an environment without sekft: its recorded episodes must come out token for token.

python -m tests.release.clean_venv run=outputs/train/RUN [python=VENV/bin/python]

Without python= a virtual environment is created with torch, transformers, peft and safetensors as constraints.txt pins them. The verdict
of the run is not checked.
"""

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from sekft.config import ModelConfig
from sekft.model.locate import base_folder, load_tokenizer
from sekft.release import releases
from sekft.release.evidence import settings_of
from tests.conftest import ROOT

PACKAGES = ("torch", "transformers", "peft", "safetensors")


def create_venv(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", *PACKAGES], check=True)
    return python


def replay(run: Path, python: Path, scratch: Path) -> int:
    recorded = settings_of(run)["model"]
    model = ModelConfig(name=recorded["name"], path=recorded["path"])
    folder = releases.create(run, scratch / "dev", "clean_venv", load_tokenizer(model))
    print(*sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()), sep="\n")
    bare = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | {"HF_HUB_OFFLINE": "1"}
    sekft = subprocess.run([python, "-c", "import sekft"], cwd=folder, env=bare, capture_output=True)
    print(f"sekft is {'not ' if sekft.returncode else ''}installed")
    return subprocess.run([python, "replay.py", base_folder(model, weights=True)], cwd=folder, env=bare).returncode


def main(arguments: Sequence[str]) -> int:
    given = dict(argument.split("=", 1) for argument in arguments)
    with tempfile.TemporaryDirectory(prefix="sekft-release-") as scratch:
        python = Path(given["python"]) if "python" in given else create_venv(Path(scratch) / "venv")
        return replay(Path(given["run"]), python.absolute(), Path(scratch))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

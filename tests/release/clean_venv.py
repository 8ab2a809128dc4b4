"""A release of a run, loaded where there is no sekft: its recorded episodes come out again, token for token.

python -m tests.release.clean_venv run=outputs/train/RUN [python=VENV/bin/python]

Without python= a virtual environment is made with torch, transformers, peft and safetensors as constraints.txt pins them. The run needs
no verdict that promotes: it is put into a release as it is.
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


def made(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", *PACKAGES], check=True)
    return python


def replayed(run: Path, python: Path, scratch: Path) -> int:
    told = settings_of(run)["model"]
    model = ModelConfig(name=told["name"], path=told["path"])
    folder = releases.make(run, scratch / "dev", "clean_venv", load_tokenizer(model))
    print(*sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()), sep="\n")
    bare = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | {"HF_HUB_OFFLINE": "1"}
    found = subprocess.run([python, "-c", "import sekft"], cwd=folder, env=bare, capture_output=True)
    print(f"sekft is {'not ' if found.returncode else ''}there")
    return subprocess.run([python, "replay.py", base_folder(model, weights=True)], cwd=folder, env=bare).returncode


def main(arguments: Sequence[str]) -> int:
    given = dict(argument.split("=", 1) for argument in arguments)
    with tempfile.TemporaryDirectory(prefix="sekft-release-") as scratch:
        python = Path(given["python"]) if "python" in given else made(Path(scratch) / "venv")
        return replayed(Path(given["run"]), python.absolute(), Path(scratch))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

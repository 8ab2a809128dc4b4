"""An evaluation separates archetypes that the base never saw from those that only the adapter did not see."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import run_command

TEST = ("sandbox=bwrap", "tracker=none", "eval.episodes=8", "eval.max_turns=1", "eval.max_reply_tokens=1", "eval.baselines=false")


def kinds(folder: Path) -> dict[str, int]:
    by = json.loads((folder / "summary.json").read_text())["base"]["by"]
    return {kind.removeprefix("kind="): rates["verified"]["n"] for kind, rates in by.items() if kind.startswith("kind=")}


@pytest.mark.slow
def test_operations_the_base_never_saw_are_reported_apart_where_the_base_says_so(tmp_path: Path, small_mistral: Path):
    own = tmp_path / "own"
    shutil.copytree(small_mistral, own)
    (own / "never_saw.json").write_text(json.dumps(["find_size", "latest", "reverse", "verify", "move"]))
    done = run_command("eval", *TEST, "model.path=own", "model.weights=pretrained", "hydra.run.dir=evaluation", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # eight scenarios of eight archetypes; move was left out by the base, but split.set_aside does not name it
    assert kinds(tmp_path / "evaluation") == {"operation the base never saw": 4, "held out of the adapter only": 4}

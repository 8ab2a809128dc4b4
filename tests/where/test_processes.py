"""Training in several processes: the losses of a single one, in one run folder and one W&B run."""

import json
from pathlib import Path

import pytest

from tests.conftest import run_command

WORDS = ("sandbox=bwrap", "split.train_scenarios=16", "trainer.batch=7", "trainer.max_steps=3", "trainer.warmup=0", "rehearsal=false")


def curve(run: Path, key: str) -> list[float]:
    return [line[key] for line in map(json.loads, (run / "metrics.jsonl").open()) if key in line]


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.xdist_group("train")
def test_two_processes_give_the_losses_of_one_in_one_run(tmp_path: Path):
    """The third step has a single row, so one process has none."""
    one = run_command("train", *WORDS, "eval=none", "tracker=none", "hydra.run.dir=one", cwd=tmp_path)
    two = run_command("train", *WORDS, "eval=none", "where=torchrun", "hydra.run.dir=two", cwd=tmp_path)
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    for key in ("train/loss", "train/grad_norm", "val/loss", "train/lr"):
        assert curve(tmp_path / "two", key) == pytest.approx(curve(tmp_path / "one", key), rel=1e-5), key
    assert len(curve(tmp_path / "two", "train/loss")) == 3 and (tmp_path / "two" / "adapter" / "adapter_model.safetensors").exists()
    assert len(list(tmp_path.glob("outputs/wandb/offline-run-*"))) == 1 and not (tmp_path / "outputs" / "train").exists()
    assert json.loads((tmp_path / "two" / "run.json").read_text())["status"] == "done"
    events = {rank: (tmp_path / "two" / "training" / f"{rank}.events.jsonl").read_text() for rank in (0, 1)}
    assert '"result"' in events[0] and events[1] == ""

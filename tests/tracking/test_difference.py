"""Two runs are the same, or it is said in what they are not."""

import json
from pathlib import Path
from typing import Any

from sekft.tracking.difference import Difference, between
from sekft.tracking.record import open_run

WEIGHTS, EPISODES = "adapter/adapter_model.safetensors", '{"id": 1}\n'
DATA = {"shell": {"sha256": "a" * 64, "rows": 3}}


def plant(folder: Path, weights: bytes = b"w", verdict: str = "hold", losses: tuple[float, ...] = (2.0, 1.0), **facts: Any) -> Path:
    settings = {"seed": 0, "trainer": {"lr": facts.pop("lr", 1e-3)}, "tracker": {"kind": str(folder)}}
    with open_run(
        folder, "train", settings, ["a=1"], 0, {"data": DATA, "start": {"began": "bootstrap", "policy": "bootstrap"}, **facts}
    ) as run:
        for step, loss in enumerate(losses, 1):
            run.log({"train/loss": loss, "train/tokens_per_second": len(str(folder))}, step)
        (folder / "adapter").mkdir()
        (folder / WEIGHTS).write_bytes(weights)
        (folder / "episodes.jsonl").write_text(EPISODES)
        run.write_summary({"verdict": verdict, "tuned": {"rates": {"verified": {"k": 3}}}, "seconds": {"train": len(str(folder))}})
    return folder


def told(tmp_path: Path, **other: Any) -> Difference:
    return between(plant(tmp_path / "one"), plant(tmp_path / "another", **other))


def test_what_the_clock_the_folder_and_an_interruption_change_is_no_difference(tmp_path: Path):
    resumed = {"began": "bootstrap", "policy": "resume", "checkpoint": "checkpoint-1"}
    found = told(tmp_path, start=resumed, replay_of="one")
    assert (found.results, found.causes) == ((), ()) and "2 files" in found.same and "sha256 50e721e4" in found.same


def test_other_weights_losses_and_verdicts_are_named(tmp_path: Path):
    found = told(tmp_path, weights=b"v", verdict="promote", losses=(2.0, 1.5))
    assert found.results == (
        f"{WEIGHTS}: 50e721e49c01 -> 4c94485e0c21",
        "verdict: hold -> promote",
        "train/loss: from step 2 on, 1 -> 1.5",
    )


def test_what_it_was_made_of_is_named_and_alone_makes_no_other_result(tmp_path: Path):
    found = told(tmp_path, lr=2e-3, data={"shell": {"sha256": "b" * 64, "rows": 3}}, code="0" * 16)
    own = json.loads((tmp_path / "one" / "run.json").read_text())["code"]
    lines = ("settings.trainer.lr: 0.001 -> 0.002", "data.shell.sha256: aaaaaaaaaaaa -> bbbbbbbbbbbb", f"code: {own} -> {'0' * 16}")
    assert found.results == () and found.causes == lines


def test_what_an_older_record_does_not_know_is_no_difference(tmp_path: Path):
    one, other = plant(tmp_path / "one"), plant(tmp_path / "another")
    record = json.loads((one / "run.json").read_text())
    (one / "run.json").write_text(json.dumps({key: value for key, value in record.items() if key not in ("data", "code", "start")}))
    assert between(one, other).causes == ()


def test_a_file_that_only_one_has_is_named(tmp_path: Path):
    one, other = plant(tmp_path / "one"), plant(tmp_path / "another")
    with open_run(other, "train", {}, [], 0) as run:
        run.write_summary({"verdict": "hold"})
    assert any(line.startswith(f"{WEIGHTS}: 50e721e49c01 -> None") for line in between(one, other).results)

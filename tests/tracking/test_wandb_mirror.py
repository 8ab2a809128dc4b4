"""W&B shows what the run logged, read back by its own reader."""

import json
import subprocess
from pathlib import Path

import pytest

from .job import overview, records, shown_runs, work

GOOD_JOB = """
with mirror() as shown:
    for step in (1, 2, 5, 3):
        shown.log({"train/loss": 1 / step, "train/lr": 0.1}, step)
    shown.log({"val/loss": float("nan"), "eval/verified": 0.5}, 5)
    shown.episodes([{"id": "a", "checked": True, "commands": ["ls", "exit"]}, {"id": "b", "checked": None, "turns": 3}])
    Path("adapter").mkdir()
    Path("adapter/weights.bin").write_bytes(b"1234")
    shown.adapter(Path("adapter"), {"base": "tiny"})
    shown.summary({"verdict": "hold", "base": {"rates": {"verified": {"rate": 0.5}}}})
    print(shown.message)
"""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("good")
    answer = work(folder, GOOD_JOB)
    assert answer.returncode == 0, answer.stderr
    (run,) = shown_runs(folder)
    return run, answer


Good = tuple[Path, subprocess.CompletedProcess[str]]


def test_an_offline_run_lands_in_the_shared_folder_and_says_how_to_upload_it(good: Good) -> None:
    run, answer = good
    place = f"outputs/wandb/{run.name}"
    assert run.name.startswith("offline-run-")
    assert answer.stdout == f"W&B: offline (no API key) in {place}; upload it with `wandb sync {place}`.\n"
    assert answer.stderr == ""


def test_the_config_is_ours_alone(good: Good) -> None:
    seen = overview(good[0])
    assert seen["config"] == {"seed": 7, "lora": {"r": 8, "alpha": None}, "tracker": {"kind": "wandb"}}
    assert (seen["name"], seen["tags"], seen["notes"]) == ("lora.r=8", ["tiny", "x" * 64], "record in run")
    assert (seen["project"], seen["exit_code"], seen["state"]) == ("sekft", 0, "finished")
    (head,) = records(good[0], "run")
    assert (head["run_group"], head["job_type"]) == ("sweep", "train")


def test_steps_out_of_order_are_all_there(good: Good) -> None:
    history = [row["item"] for row in records(good[0], "history")]
    losses = [(row["trainer/step"], row["train/loss"]) for row in history if "train/loss" in row]
    assert losses == [(1, 1.0), (2, 0.5), (5, 0.2), (3, 1 / 3)]
    assert [(row["trainer/step"], row["eval/verified"]) for row in history if "eval/verified" in row] == [(5, 0.5)]


def test_our_step_is_the_axis_of_every_chart(good: Good) -> None:
    axes = {metric["glob_name"]: metric["step_metric"] for metric in records(good[0], "metric") if "glob_name" in metric}
    assert axes == {f"{group}/*": "trainer/step" for group in ("train", "val", "eval", "test")}


def test_the_episodes_are_a_table(good: Good) -> None:
    table = overview(good[0])["summary"]["eval/episodes"]
    assert (table["_type"], table["nrows"], table["ncols"]) == ("table-file", 2, 4)
    stored = json.loads((good[0] / "files" / table["path"]).read_text())
    assert stored["columns"] == ["id", "checked", "commands", "turns"]
    assert stored["data"] == [["a", True, '["ls", "exit"]', None], ["b", None, None, 3]]


def test_the_adapter_is_referred_to_in_place(good: Good) -> None:
    (artifact,) = [record for record in records(good[0], "artifact") if record["type"] == "adapter"]
    (entry,) = artifact["manifest"]["contents"]
    assert (entry["path"], entry["size"]) == ("weights.bin", "4")
    assert Path(entry["local_path"]) == good[0].parents[2] / "adapter" / "weights.bin"
    assert json.loads(artifact["metadata"]) == {"base": "tiny"}
    assert artifact["name"].startswith("adapter-")


def test_the_summary_keeps_its_shape(good: Good) -> None:
    summary = overview(good[0])["summary"]
    assert (summary["verdict"], summary["base"]) == ("hold", {"rates": {"verified": {"rate": 0.5}}})


def test_w_and_b_keeps_its_files_out_of_the_home_folder(good: Good) -> None:
    home = good[0].parents[2] / "home"
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_a_failing_job_is_marked_and_its_error_comes_through(tmp_path: Path) -> None:
    answer = work(tmp_path, "with mirror() as shown:\n    shown.log({'train/loss': 1.0}, 1)\n    raise ValueError('mine')")
    assert answer.returncode == 1
    assert "ValueError: mine" in answer.stderr
    (run,) = shown_runs(tmp_path)
    assert overview(run)["exit_code"] == 1
    assert len(records(run, "history")) == 1


def test_a_terminated_job_loses_nothing_in_record_and_mirror(tmp_path: Path) -> None:
    job = """
from sekft.tracking.record import open_run
from sekft.tracking.signals import terminating
with terminating(), open_run(Path("run"), "train", {}, [], 0) as run, mirror() as shown:
    for step in range(20):
        run.log({"train/loss": 1.0}, step)
        shown.log({"train/loss": 1.0}, step)
    os.kill(os.getpid(), signal.SIGTERM)
"""
    assert work(tmp_path, job).returncode == 143
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 20
    (run,) = shown_runs(tmp_path)
    assert len(records(run, "history")) == 20
    assert overview(run)["exit_code"] == 1


OWN = {"name": "mine", "group": "theirs", "project": "lab", "entity": "team", "tags": ["a", "b"], "notes": "why"}
VARIABLES = {"NAME": "mine", "RUN_GROUP": "theirs", "PROJECT": "lab", "ENTITY": "team", "TAGS": "a,b", "NOTES": "why"}


@pytest.mark.parametrize(
    ("given", "variables"), [(OWN, {"NAME": "other", "PROJECT": "other"}), ({}, VARIABLES)], ids=["settings", "W&B's variables"]
)
def test_own_words_for_a_run_are_used(tmp_path: Path, given: dict[str, object], variables: dict[str, str]) -> None:
    job = f"with mirror(**{given!r}) as shown:\n    shown.log({{'train/loss': 1.0}}, 1)"
    assert work(tmp_path, job, **{f"WANDB_{name}": value for name, value in variables.items()}).returncode == 0
    (run,) = shown_runs(tmp_path)
    seen, (head,) = overview(run), records(run, "run")
    assert (seen["name"], seen["project"], head["entity"], head["run_group"]) == ("mine/run", "lab", "team", "theirs")  # a job of a sweep
    assert seen["notes"] == "why\nrecord in run" and {"tiny", "a", "b"} <= set(seen["tags"])


def test_two_jobs_of_one_process_are_two_runs_of_one_group(tmp_path: Path) -> None:
    job = """
for name in ("one", "two"):
    with mirror(name) as shown:
        shown.log({"train/loss": 1.0}, 1)
"""
    assert work(tmp_path, job).returncode == 0
    runs = shown_runs(tmp_path)
    assert {overview(run)["name"] for run in runs} == {"one", "two"}
    assert [records(run, "run")[0]["run_group"] for run in runs] == ["sweep", "sweep"]
    assert [len(records(run, "history")) for run in runs] == [1, 1]

"""Which artifact an adapter is: known by its bytes, said by the run that uses it, and never in the way."""

import json
import subprocess
from pathlib import Path

import pytest

from .job import KEY, overview, records, shown_runs, work
from .loopback import loopback

STORING = """
from sekft.tracking.tracked import tracked, TrackedRun
from sekft.config import TrainConfig, EvalCommandConfig
from dataclasses import dataclass
@dataclass
class Job:
    folder: Path
    name = "n"; group = "g"; overrides = (); choices = (); facts = {}
def adapter(folder, text):
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(text)
wandb = TrackerConfig(kind=Tracker.wandb)
with tracked("train", TrainConfig(), Job(Path("run")), wandb) as track:
    adapter(Path("run/adapter"), b"1234")
    track.adapter(Path("run/adapter"), {"base": "tiny"})
"""
USING = (
    STORING
    + """
import shutil
shutil.copytree("run/adapter", "run/best")
adapter(Path("elsewhere/adapter"), b"5")
with tracked("eval", EvalCommandConfig(), Job(Path("test")), wandb) as track:
    folders = {"tuned": "run/adapter", "best": "run/best", "other": "elsewhere/adapter"}
    used = track.link_adapters({name: Path(folder) for name, folder in folders.items()})
    track.write_summary({"adapters": used})
    track.log({"eval/verified": 0.5}, 0)
"""
)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("used")
    answer = work(folder, USING)
    assert (answer.returncode, answer.stderr) == (0, "")
    return folder


def test_where_an_adapter_was_stored_is_kept_beside_it(used: Path) -> None:
    stored = json.loads((used / "run" / "artifact.json").read_text())
    train = next(run for run in shown_runs(used) if records(run, "run")[0]["job_type"] == "train")
    (artifact,) = [record for record in records(train, "artifact") if record["type"] == "adapter"]
    assert stored["artifact"] == f"{artifact['name']}:v0" and stored["digest"] == artifact["digest"]
    assert stored["project"] == "sekft" and train.name.endswith(stored["run"])


def test_an_eval_says_by_artifact_and_digest_which_adapters_it_uses(used: Path) -> None:
    stored = json.loads((used / "run" / "artifact.json").read_text())
    evaluation = next(run for run in shown_runs(used) if records(run, "run")[0]["job_type"] == "eval")
    config = overview(evaluation)["config"]["adapters"]
    assert config["tuned"] == config["best"] == stored  # by their bytes, whatever the folder is called
    assert config["other"]["artifact"] is None and config["other"]["digest"] not in ("", stored["digest"])
    assert json.loads((used / "test" / "summary.json").read_text())["adapters"] == config
    assert [row["item"]["eval/verified"] for row in records(evaluation, "history")] == [0.5]


def test_an_adapter_changed_since_it_was_stored_is_not_that_artifact(tmp_path: Path) -> None:
    change = """
Path("run/adapter/weights.bin").write_bytes(b"other")
from sekft.tracking.artifacts import find_stored
print(find_stored(Path("run/adapter"))["artifact"])
Path("run/artifact.json").write_text("no json")
print(find_stored(Path("run/adapter"))["artifact"])
"""
    answer = work(tmp_path, STORING + change)
    assert answer.stdout == "None\nNone\n", answer.stderr


def test_without_a_tracker_nothing_is_said_and_nothing_imported(tmp_path: Path) -> None:
    job = (
        STORING.replace("kind=Tracker.wandb", "kind=Tracker.none")
        + "print(track.link_adapters({'a': Path('nowhere')}), 'wandb' in sys.modules)"
    )
    answer = work(tmp_path, job)
    assert answer.stdout == "{} False\n" and not (tmp_path / "run" / "artifact.json").exists(), answer.stderr


ONLINE = """
from sekft.tracking import artifacts
artifacts.LINK_TIMEOUT_S = 5.0
with tracked("eval", EvalCommandConfig(), Job(Path("online")), wandb) as track:
    used = track.link_adapters({"tuned": Path("run/adapter"), "other": Path("elsewhere/adapter")})
    track.log({"eval/verified": 0.5}, 0)
print(track.message)
"""


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A training that was offline; its adapter, and one that nobody stored."""
    job = STORING + 'adapter(Path("elsewhere/adapter"), b"5")'
    assert work(tmp_path, job, WANDB_MODE="offline").returncode == 0
    return tmp_path


def online(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    opening = STORING.partition("with tracked")[0]
    return work(folder, opening + ONLINE, timeout_s=60, WANDB_BASE_URL=url, WANDB_API_KEY=KEY)


def test_online_the_eval_is_linked_to_the_artifact_its_adapter_was_stored_as(stored: Path) -> None:
    with loopback() as (url, heard):
        done = online(stored, url)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("W&B: online at ")
    name = json.loads((stored / "run" / "artifact.json").read_text())["artifact"]
    run = next(asked["name"] for operation, asked in heard if operation == "UpsertBucket")
    assert [asked["name"] for operation, asked in heard if operation == "ArtifactMembershipByName"] == [name]
    (used,) = [asked for operation, asked in heard if operation == "UseArtifact"]
    assert (used["runName"], used["projectName"], used["artifactID"]) == (run, "sekft", "QQ==")


@pytest.mark.parametrize("artifacts", ["unknown", "silent"])
def test_an_artifact_that_cannot_be_linked_is_said_and_the_run_goes_on_online(stored: Path, artifacts: str) -> None:
    with loopback(artifacts) as (url, heard):
        done = online(stored, url)
    assert done.returncode == 0 and done.stdout.startswith("W&B: online at ")
    assert len(done.stderr.splitlines()) == 1 and "W&B: tuned is not linked to " in done.stderr, done.stderr
    assert "UseArtifact" not in [operation for operation, _ in heard]
    assert "CreateRunFiles" in [operation for operation, _ in heard]  # at its end: the mirror was not turned off

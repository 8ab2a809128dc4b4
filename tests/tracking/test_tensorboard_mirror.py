"""TensorBoard's event files hold what the run logged, read back record by record."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from sekft.config import Tracker, TrackerConfig
from sekft.tracking.mirror import Labels
from sekft.tracking.tracked import open_mirror


def events(folder: Path) -> Iterator[Event]:
    """The events of the one file in a folder: records of length, checksum, bytes, checksum."""
    (file,) = folder.glob("events.*")
    data, at = file.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + length])
        at += length + 16


@pytest.mark.parametrize(("group", "where"), [(None, "7"), ("sweep", "sweep/7")])
def test_scalars_settings_summary_and_episodes_are_in_one_folder(tmp_path: Path, group: str | None, where: str) -> None:
    tracker = TrackerConfig(kind=Tracker.tensorboard, folder=str(tmp_path / "events"), tags=["mine"])
    with open_mirror(tracker, {"lora": {"r": 8}}, Labels("2026/7", group, "train", ["model=tiny"], Path("2026/7"))) as shown:
        shown.log({"train/loss": 0.5, "eval/base/verified": 0.25}, 3)
        shown.summary({"verdict": "hold", "gain": 0.125})
        shown.episodes([{"agent": "tuned", "transcript": "$ ls\n"}])
        assert shown.adapter(tmp_path, {}) == {} and f"{tmp_path / 'events' / where}; " in shown.message
    values = [(event.step, value) for event in events(tmp_path / "events" / where) for value in event.summary.value]
    assert {(value.tag, step, value.simple_value) for step, value in values if value.HasField("simple_value")} == {
        ("train/loss", 3, 0.5),
        ("eval/base/verified", 3, 0.25),
    }
    texts = {
        value.tag.removesuffix("/text_summary"): value.tensor.string_val[0].decode() for _, value in values if value.HasField("tensor")
    }
    assert set(texts) == {"run", "summary", "episodes/tuned"}
    assert '"r": 8' in texts["run"] and "mine" in texts["run"] and "hold" in texts["summary"] and "    $ ls" in texts["episodes/tuned"]


def test_the_jobs_of_a_sweep_with_a_name_of_its_own_have_folders_of_their_own(tmp_path: Path):
    tracker = TrackerConfig(kind=Tracker.tensorboard, folder=str(tmp_path), name="mine")
    for job in ("0", "1"):
        with open_mirror(tracker, {}, Labels(f"2026/{job}", "2026", "train", [], Path("2026") / job)) as shown:
            shown.log({"train/loss": 1.0}, 1)
    assert all(len(list(events(tmp_path / "2026" / "mine" / job))) > 1 for job in ("0", "1"))

"""A killed series continues with the same command and gives the bytes of one that was not killed."""

import hashlib
import signal
import subprocess
import time
from pathlib import Path

from sekft.config import SplitConfig
from sekft.scenario.split import load
from tests.collect.conftest import Collect
from tests.process import Command, start

SPLIT = SplitConfig(name="archetype", held_out=["move", "sort"], seed=0, train_scenarios=8, eval_scenarios=4)
DATA = ("trajectories.jsonl", "card.json", "card.md", "messages.jsonl", "SHA256SUMS")
LINE = ["episodes=60", "split.train_scenarios=8", "sandbox=bwrap", "export=[messages]"]


def data(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in DATA}


def collect(cwd: Path, folder: str, *words: str) -> subprocess.Popen | Command:
    return start("sekft.collect", *LINE, f"hydra.run.dir={folder}", *words, cwd=cwd, stdout=subprocess.PIPE)


def test_a_killed_collection_continues_and_gives_the_same_bytes(tmp_path: Path):
    assert collect(tmp_path, "whole").wait(300) == 0
    killed = collect(tmp_path, "killed", "workers=2")
    end = time.monotonic() + 120
    while not (written := [path.read_bytes().count(b"\n") for path in tmp_path.glob("killed/*.partial.jsonl")]) or written[0] < 10:
        assert killed.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    killed.send_signal(signal.SIGSTOP)  # it still holds the lock while another one is started
    assert collect(tmp_path, "killed").wait(120) == 1
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    partial = next(tmp_path.glob("killed/*.partial.jsonl"))
    with partial.open("ab") as file:
        file.write(b'{"schema_version": 1, "id": "copy-')  # what a kill in the middle of a line leaves
    finished = partial.read_bytes().count(b"\n")
    assert finished < 60 and not (tmp_path / "killed" / "trajectories.jsonl").exists()
    continued = collect(tmp_path, "killed")
    output, _ = continued.communicate(timeout=300)
    assert continued.returncode == 0 and f"continuing: {finished} of 60 episodes were played before" in output
    assert data(tmp_path / "killed") == data(tmp_path / "whole")
    assert not list(tmp_path.glob("*/*.partial.jsonl"))
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "killed", capture_output=True, text=True)
    assert checked.returncode == 0 and checked.stdout.count(": OK") == 4


def test_episodes_of_a_killed_series_with_other_settings_are_not_used(gather: Collect, tmp_path: Path):
    (tmp_path / "run").mkdir()
    stale = tmp_path / "run" / "trajectories.0123456789ab.partial.jsonl"
    stale.write_text("not an episode\n")
    summary, episodes = gather("episodes=2", "sandbox=bwrap")
    assert summary["kept"] == 2 and not stale.exists()
    assert [episode.scenario_id for episode in episodes] == sorted(episode.scenario_id for episode in episodes)


def test_the_seconds_of_every_phase_are_in_the_summary_and_not_in_the_data(gather: Collect, tmp_path: Path):
    first, _ = gather("episodes=2", "sandbox=bwrap", folder="first")
    second, _ = gather("episodes=2", "sandbox=bwrap", "workers=1", folder="second")
    assert set(first["seconds"]) == {"all", "card", "episodes", "scenarios"}
    names = ("trajectories.jsonl", "card.json", "card.md", "SHA256SUMS")
    assert [(tmp_path / "first" / name).read_bytes() for name in names] == [(tmp_path / "second" / name).read_bytes() for name in names]


def test_scenarios_beyond_the_split_continue_its_sequence():
    split, more = load("train", SPLIT), load("train", SPLIT, amount=30)
    assert more == load("train", SPLIT, amount=30) and more[:8] == split and load("train", SPLIT, amount=3) == split[:3]
    assert len({scenario.id for scenario in more}) == 30
    assert not {scenario.archetype for scenario in more} & set(SPLIT.held_out)

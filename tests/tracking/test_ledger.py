"""The ledger of a sweep: what is told of a job last is what counts, and half a line is none."""

from pathlib import Path

from sekft.tracking.digest import decided_by
from sekft.tracking.ledger import LEDGER, Entry, Status, last, tell

STARTED = Entry("0", {"settings": "a"}, Status.started)
DONE = Entry("0", {"settings": "a"}, Status.done)


def test_what_is_told_of_a_job_last_counts(tmp_path: Path):
    assert last(tmp_path, "0") is None
    for entry in (STARTED, DONE, Entry("1", {"settings": "b"}, Status.failed, "it broke", 3)):
        tell(tmp_path, entry)
    assert last(tmp_path, "0") == DONE
    assert last(tmp_path, "1") == Entry("1", {"settings": "b"}, Status.failed, "it broke", 3)


def test_what_only_looks_like_the_end_of_a_line_is_none(tmp_path: Path):
    odd = Entry("0", {}, Status.failed, "said \u2028 and \x85", 1)
    tell(tmp_path, odd)
    assert last(tmp_path, "0") == odd


def test_a_line_cut_off_anywhere_is_none_and_the_next_one_is_whole(tmp_path: Path):
    tell(tmp_path, STARTED)
    before = (tmp_path / LEDGER).read_bytes()
    tell(tmp_path, DONE)
    whole = (tmp_path / LEDGER).read_bytes()
    for length in range(len(before), len(whole) - 1):
        (tmp_path / LEDGER).write_bytes(whole[:length])
        assert last(tmp_path, "0") == STARTED
        tell(tmp_path, Entry("1", {}, Status.done))
        assert last(tmp_path, "0") == STARTED and last(tmp_path, "1") == Entry("1", {}, Status.done)


def test_settings_and_the_content_of_what_they_name_decide_but_not_the_tracker(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "episodes.jsonl").write_text("one\n")
    settings = {"lora": {"r": 4}, "tracker": {"kind": "wandb"}, "again": "none"}
    decided = decided_by(settings, [tmp_path / "data"])
    assert decided == decided_by(settings | {"tracker": {"kind": "none"}, "again": "all"}, [tmp_path / "data"])
    assert differing(decided, decided_by(settings | {"lora": {"r": 8}}, [tmp_path / "data"])) == {"settings"}
    (tmp_path / "data" / "episodes.jsonl").write_text("two\n")
    assert differing(decided, decided_by(settings, [tmp_path / "data"])) == {"inputs"}
    assert differing(decided, decided_by(settings, [tmp_path / "nowhere"])) == {"inputs"}


def differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    assert one.keys() == other.keys() == {"settings", "inputs", "code", "versions"}
    return {key for key in one if one[key] != other[key]}

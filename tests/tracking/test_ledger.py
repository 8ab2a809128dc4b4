"""The ledger of a sweep: the newest entry of a job counts, and an incomplete line is left out."""

from pathlib import Path

from sekft.tracking.digest import decisive_hashes
from sekft.tracking.ledger import LEDGER, Entry, Status, append, last_entry

STARTED = Entry("0", {"settings": "a"}, Status.started)
DONE = Entry("0", {"settings": "a"}, Status.done)


def test_the_newest_entry_of_a_job_counts(tmp_path: Path):
    assert last_entry(tmp_path, "0") is None
    for entry in (STARTED, DONE, Entry("1", {"settings": "b"}, Status.failed, "it broke", 3)):
        append(tmp_path, entry)
    assert last_entry(tmp_path, "0") == DONE
    assert last_entry(tmp_path, "1") == Entry("1", {"settings": "b"}, Status.failed, "it broke", 3)


def test_unicode_line_separators_in_an_error_do_not_end_a_line(tmp_path: Path):
    odd = Entry("0", {}, Status.failed, "said \u2028 and \x85", 1)
    append(tmp_path, odd)
    assert last_entry(tmp_path, "0") == odd


def test_a_line_cut_off_anywhere_is_left_out_and_the_next_one_is_whole(tmp_path: Path):
    append(tmp_path, STARTED)
    before = (tmp_path / LEDGER).read_bytes()
    append(tmp_path, DONE)
    whole = (tmp_path / LEDGER).read_bytes()
    for length in range(len(before), len(whole) - 1):
        (tmp_path / LEDGER).write_bytes(whole[:length])
        assert last_entry(tmp_path, "0") == STARTED
        append(tmp_path, Entry("1", {}, Status.done))
        assert last_entry(tmp_path, "0") == STARTED and last_entry(tmp_path, "1") == Entry("1", {}, Status.done)


def test_settings_and_the_content_of_the_files_they_name_decide_but_not_the_tracker(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "episodes.jsonl").write_text("one\n")
    settings = {"lora": {"r": 4}, "tracker": {"kind": "wandb"}, "again": "none"}
    decided = decisive_hashes(settings, [tmp_path / "data"])
    assert decided == decisive_hashes(settings | {"tracker": {"kind": "none"}, "again": "all"}, [tmp_path / "data"])
    assert differing(decided, decisive_hashes(settings | {"lora": {"r": 8}}, [tmp_path / "data"])) == {"settings"}
    (tmp_path / "data" / "episodes.jsonl").write_text("two\n")
    assert differing(decided, decisive_hashes(settings, [tmp_path / "data"])) == {"inputs"}
    assert differing(decided, decisive_hashes(settings, [tmp_path / "nowhere"])) == {"inputs"}


def differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    assert one.keys() == other.keys() == {"settings", "inputs", "code", "versions"}
    return {key for key in one if one[key] != other[key]}

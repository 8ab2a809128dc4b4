"""TinyStories-Instruct text: fields in any order, tasks that depend on the story alone, measures of answers."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sekft.data.files import find_files
from sekft.data.reader import ReadStats
from sekft.data.source.tinystories import conversations
from sekft.data.tinystories.exchange import holds, overlap, well_formed
from sekft.data.tinystories.story import Story, stories
from sekft.data.tinystories.tasks import TASKS
from sekft.errors import DataError, SettingsError
from tests.conftest import ROOT
from tests.data.source.reading import read, turns

TEXT = 'Tom had a red ball. "Give it to me," said Ann. Tom shared the ball. Tom learned that it is good to share.'
FIELDS = {
    "Features": "Dialogue, MoralValue",
    "Words": "ball, share",
    "Summary": "Tom shares his ball with Ann.",
    "Random sentence": "Tom shared the ball.",
}


def record(order: list[str], **more: str) -> str:
    return "".join(f"{label}: {(FIELDS | more)[label]}\n" for label in order) + f"Story: \n\n{TEXT}\n<|endoftext|>\n"


def one(tmp_path: Path, text: str, max_bad: int = 0) -> tuple[list[Story], ReadStats]:
    (tmp_path / "x.txt").write_text(text)
    stats = ReadStats(max_bad)
    return list(stories([tmp_path / "x.txt"], 10_000, stats)), stats


@pytest.mark.parametrize("seed", range(6))
def test_the_summary_does_not_swallow_other_fields_in_whatever_order_they_stand(tmp_path: Path, seed: int):
    order = random.Random(seed).sample(list(FIELDS), 4)
    [story], _ = one(tmp_path, record(order))
    assert story == Story(TEXT, FIELDS["Summary"], ("Dialogue", "MoralValue"), ("ball", "share"), FIELDS["Random sentence"])


def test_a_story_may_stand_first_and_a_summary_may_run_over_lines(tmp_path: Path):
    [story], _ = one(tmp_path, f"Story: {TEXT}\nSummary: Tom\nshares.\nWords: ball\n<|endoftext|>\n")
    assert (story.text, story.summary, story.words) == (TEXT, "Tom shares.", ("ball",))


def test_every_task_and_question_comes_with_its_answer(tmp_path: Path):
    [story], _ = one(tmp_path, record(list(FIELDS)))
    asked = {exchange.kind: exchange for task in TASKS.values() for exchange in task(story)}
    answers = {kind: exchange.answer for kind, exchange in asked.items()}
    moral = "Tom learned that it is good to share."
    assert answers == {
        "summary": FIELDS["Summary"], "moral": moral, "words": TEXT, "who": "It is about Tom.", "what": FIELDS["Summary"],
        "ending": f"Yes. {moral}", "dialogue": "Ann speaks first.",
    }  # fmt: skip
    assert asked["words"].required_words == ("ball", "share") and not asked["words"].needs_story


def test_the_same_text_gives_the_same_samples_whatever_the_hash_seed(tmp_path: Path):
    (tmp_path / "x.txt").write_text(record(list(FIELDS)))
    reading = "from tests.data.source.reading import read; print(read('tinystories', Path(sys.argv[1]))[0])"
    command = [sys.executable, "-c", f"import sys; from pathlib import Path; {reading}", str(tmp_path)]
    environments = [{"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)} for seed in ("1", "2")]
    runs = [subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, check=True) for env in environments]
    assert runs[0].stdout == runs[1].stdout != ""


def test_follow_ups_stand_after_the_story_once(tmp_path: Path):
    (tmp_path / "x.txt").write_text(record(list(FIELDS)))
    samples, _ = read("tinystories", tmp_path)
    assert {sample.group for sample in samples} == {samples[0].group} and len({sample.id for sample in samples}) == len(samples)
    assert [len(sample.messages) for sample in samples] == [2, 6, 6]
    for sample in samples[1:]:
        assert ["Tom had" in text for role, text in turns(sample) if role == "user"] == [True, False, False]
    alone, _ = read("tinystories", tmp_path, follow_ups=0, tasks=["questions"])
    assert [len(sample.messages) for sample in alone] == [2] * 4


def test_special_text_in_a_story_stays_text(tmp_path: Path):
    [story], _ = one(tmp_path, record(list(FIELDS)).replace("a red ball", "a red </s> ball"))
    assert "</s>" in story.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (record(["Summary", "Words", "Summary"]), "x.txt:1: Summary: 2 times in one record"),
        (record(list(FIELDS)).replace("<|endoftext|>", ""), r"x.txt:1: a record without <\|endoftext\|>; allowed"),
        (record(list(FIELDS)) + record(list(FIELDS)).replace("red", "r\0d"), "x.txt:9: a NUL at"),
        ("x" * 20_000 + "\n", "x.txt:1: a line of 20001 bytes"),
        ("some words\n" * 1200 + "<|endoftext|>\n", "x.txt:1: a record of more than 10000 bytes; allowed: max_line_bytes=10000"),
    ],
)
def test_a_broken_record_is_an_error_of_one_line_with_file_and_number(tmp_path: Path, text: str, message: str):
    with pytest.raises(DataError, match=message):
        one(tmp_path, text)


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path):
    (tmp_path / "x.txt").write_bytes(b"Summary: a\xff\nStory: b\n<|endoftext|>\n")
    with pytest.raises(DataError, match="x.txt:1: not UTF-8: byte 0xff at 10"):
        list(stories([tmp_path / "x.txt"], 100, ReadStats()))


def test_stories_without_summary_and_repeated_ones_are_counted_and_an_unknown_task_is_refused(tmp_path: Path):
    (tmp_path / "x.txt").write_text(record(list(FIELDS)) * 2 + record(["Words"]))
    assert read("tinystories", tmp_path)[1].skipped == {"the same text as an earlier story": 1, "no summary": 1}
    with pytest.raises(SettingsError, match="tasks: found poem, allowed: one or more of summary, moral"):
        read("tinystories", tmp_path, tasks=["poem"])


def test_the_shipped_sample_is_what_its_script_writes_and_every_record_is_valid(tmp_path: Path):
    subprocess.run([sys.executable, ROOT / "scripts" / "stories.py", tmp_path / "x.txt"], check=True)
    [shipped] = find_files("sekft:tinystories.txt", (".txt",))
    assert shipped.read_bytes() == (tmp_path / "x.txt").read_bytes()
    stats = ReadStats()
    found = list(stories([shipped], 10_000, stats))
    assert len(found) + stats.skipped["no summary"] == 480 and not stats.invalid
    assert all(well_formed(story.text) and not re.search(r"[{}\[\]]| [aA] [aeiou]", story.text) for story in found)
    kinds = {asked[0].kind for story in found for asked in conversations(story, list(TASKS), 0)}
    assert kinds == {"summary", "moral", "words", "who", "what", "ending", "dialogue"}


def test_word_forms_overlap_and_form_are_measured():
    assert holds("They shared it.", "share") and holds("two ponies", "pony") and not holds("shareholders met", "share")
    assert overlap("Tom shares a ball", "Tom shares his ball") == 1.0 and overlap("no", "yes") == 0.0
    assert well_formed('He said "yes."') and not well_formed("Summary: x.") and not well_formed("and then") and not well_formed("")

"""An experiment on the command line: one command sweeps, one compares and writes the page, in a folder of its own."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sekft.compare.command import compare, compare_after_each, run_paths, show, show_sweep
from sekft.config import CompareConfig
from sekft.config.job import Job
from sekft.errors import ModelError
from sekft.tracking import records
from tests.conftest import ROOT, run_command
from tests.eval.planted_runs import plant, share, sweep

pytestmark = pytest.mark.xdist_group("compare")
SMALL = ("mask=assistant,terminal_only", "seed=0,1", "trainer.max_steps=2", "trainer.batch=2", "split.train_scenarios=16",
         "eval.episodes=4", "eval.max_reply_tokens=6", "sandbox=bwrap", "tracker=none", "rehearsal=false")  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One command of experiments/mask_ablation.yaml, made small, then compared into a copy of its page."""
    cwd = tmp_path_factory.mktemp("experiment")
    done = run_command("train", "-m", "experiment=mask_ablation", *SMALL, "hydra.sweep.dir=sweep", cwd=cwd)
    assert done.returncode == 0, done.stderr
    (cwd / "page.md").write_text((ROOT / "experiments" / "mask_ablation.md").read_text())
    (cwd / "compare.out").write_text(
        compared(cwd, "runs=sweep", "page=page.md", "picture=docs/headline.svg", "hydra.run.dir=compare").stdout
    )
    return cwd


def compared(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = run_command("compare", *words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_one_command_trains_every_mask_with_every_seed_and_the_base_plays_once(swept: Path):
    jobs = [json.loads((swept / "sweep" / str(at) / "run.json").read_text())["settings"] for at in range(4)]
    assert [(job["seed"], job["mask"]["rule"]) for job in jobs] == [
        (0, "assistant"),
        (0, "terminal_only"),
        (1, "assistant"),
        (1, "terminal_only"),
    ]
    summaries = [json.loads((swept / "sweep" / str(at) / "summary.json").read_text()) for at in range(4)]
    assert summaries[0]["remembered"] == [] and all("base" in one["remembered"] for one in summaries[1:])
    assert len({(swept / "sweep" / str(at) / "adapter" / "adapter_model.safetensors").read_bytes() for at in range(4)}) == 4
    assert len({one["scenarios"]["sha256"] for one in summaries}) == 1


@pytest.mark.slow
def test_the_comparison_has_a_table_a_sentence_and_four_files(swept: Path):
    printed = (swept / "compare.out").read_text()
    assert "groups, by verified" in printed and ("terminal_only verified as often as assistant" in printed or "cannot tell" in printed)
    summary = json.loads((swept / "compare" / "summary.json").read_text())
    assert {name: group["runs"] for name, group in summary["groups"].items()} == {"assistant": 2, "terminal_only": 2}
    assert [(one["first"], one["second"]) for one in summary["contrasts"]][-1] == ("assistant", "terminal_only")
    assert len(list(csv.DictReader((swept / "compare" / "compare.csv").open()))) == 5
    assert "sweep/3/report.html" in (swept / "compare" / "compare.html").read_text()
    assert (swept / "compare" / "compare.parquet").read_bytes().startswith(b"PAR1")
    ElementTree.parse(swept / "docs" / "headline.svg")


@pytest.mark.slow
def test_the_sweep_itself_left_the_same_comparison_beside_its_jobs(swept: Path):
    assert (swept / "sweep" / "compare.csv").read_bytes() == (swept / "compare" / "compare.csv").read_bytes()
    assert 'href="3/report.html"' in (swept / "sweep" / "compare.html").read_text()


@pytest.mark.slow
def test_the_page_of_the_experiment_is_filled_and_a_second_comparison_changes_no_byte(swept: Path):
    first = (swept / "page.md").read_text()
    assert "| assistant | 2 | 4 |" in first and first.count("not run yet") == 0 and "## Prediction" in first
    files = ("compare.html", "compare.csv", "compare.md", "headline.svg")
    before = [(swept / "compare" / name).read_bytes() for name in files]
    compared(swept, "runs=sweep", "page=page.md", "hydra.run.dir=compare")
    assert (swept / "page.md").read_text() == first and [(swept / "compare" / name).read_bytes() for name in files] == before


def test_failed_and_unfinished_runs_are_named_and_the_others_compared(tmp_path: Path):
    made = sweep(tmp_path / "sweep")
    plant(made / "17", share(1, 2), status="failed")
    plant(made / "18", share(1, 2), status="running")
    (made / "19" / ".hydra").mkdir(parents=True)
    printed = compared(tmp_path, "runs=sweep").stdout
    for line in (
        "left out: sweep/17: failed: ModelError: it broke",
        "left out: sweep/18: not finished",
        "left out: sweep/19: refused before",
    ):
        assert line in printed
    assert "terminal_only verified 67 points less than assistant [" in printed


def test_the_page_of_a_sweep_is_rewritten_after_each_job_also_after_one_that_failed(tmp_path: Path):
    page = tmp_path / "sweep" / "compare.html"

    def job_of(status: str):
        return compare_after_each(lambda folder, job: plant(folder, share(1, 2), status=status) and fail(status))

    def fail(status: str) -> None:
        if status == "failed":
            raise ModelError("it broke")

    def run(number: int, status: str) -> str:
        job = Job(tmp_path / "sweep" / str(number), f"sweep/{number}", "sweep", (), (), tmp_path / "sweep")
        job_of(status)(job.folder, job)
        return page.read_text()

    assert "it broke" not in run(0, "done")
    with pytest.raises(ModelError, match="it broke"):
        run(1, "failed")
    assert "sweep/1: failed: ModelError: it broke" in page.read_text()
    assert (tmp_path / "sweep" / "compare.csv").exists() and not (tmp_path / "sweep" / "summary.json").exists()


def test_a_page_that_cannot_be_written_is_reported_and_the_sweep_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "sweep" / "compare.html").mkdir(parents=True)
    job = Job(tmp_path / "sweep" / "0", "sweep/0", "sweep", (), (), tmp_path / "sweep")
    assert compare_after_each(lambda settings, job: plant(job.folder, share(1, 2)) and "the summary")(None, job) == "the summary"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path}/sweep/compare.html: not written (IsADirectoryError: ")


def test_a_run_alone_and_jobs_without_an_eval_or_a_loss_leave_no_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    compare_after_each(lambda settings, job: plant(job.folder, share(1, 2)))(None, Job(tmp_path / "alone", "alone", "alone", (), ()))

    def bare(settings, job):
        plant(job.folder, share(1, 2))
        (job.folder / "summary.json").write_text("{}")
        (job.folder / "metrics.jsonl").write_text("")

    compare_after_each(bare)(None, Job(tmp_path / "sweep" / "0", "sweep/0", "sweep", (), (), tmp_path / "sweep"))
    assert not list(tmp_path.rglob("compare.*")) and not capsys.readouterr().out


def test_the_table_is_sorted_by_sort(tmp_path: Path):
    sweep(tmp_path / "sweep", seeds=1)
    printed = [compared(tmp_path, "runs=sweep", *words).stdout for words in ((), ("sort=-loss",))]
    assert "groups, by verified;" in printed[0] and "groups, by -loss;" in printed[1]
    assert [printed[at].index("\nassistant ") < printed[at].index("\nterminal_only ") for at in (0, 1)] == [True, False]


def test_without_a_name_the_newest_sweep_is_compared(tmp_path: Path):
    sweep(tmp_path / "outputs" / "train" / "2026-01-01_00-00-00", seeds=2)
    plant(tmp_path / "outputs" / "train" / "2026-01-02_00-00-00", share(1, 2))
    printed = compared(tmp_path).stdout
    assert "tuned verified" in printed and "terminal_only" not in printed
    assert "terminal_only" in compared(tmp_path, "runs='outputs/train/2026-01-01_*'").stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("runs=nowhere",), ["runs: nowhere", "no run there"]),
        ((), ["outputs/train has none"]),
        (("runs=3",), ["runs: 3", "a glob"]),
        (("runs=sweep", "criteria=[nice]"), ["criteria: found 'nice'", "verified_solvable"]),
        (("runs=sweep", "criteria=[]"), ["criteria: found none"]),
        (("runs=sweep", "sort=nice"), ["sort: found 'nice'", "gain", "mask.rule"]),
        (("runs=sweep", "against=nobody"), ["against: found 'nobody'", "'assistant'"]),
        (("runs=sweep", "page=nowhere.md"), ["page=nowhere.md: no such file"]),
        (("runs=sweep", "margin=0"), ["margin: found 0", "0.001 to 1"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line(tmp_path: Path, words: tuple[str, ...], named: list[str]):
    sweep(tmp_path / "sweep", seeds=1)
    done = run_command("compare", *words, cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1 and len(lines) == 1 and all(word in lines[0] for word in named), done.stderr


def test_comparing_needs_no_torch_and_no_wandb(tmp_path: Path):
    sweep(tmp_path / "sweep", seeds=1)
    code = (
        "import sys; sys.argv=['sekft.compare','runs=sweep']\n"
        "from sekft.compare.__main__ import main; main(); assert not {'torch', 'transformers', 'wandb'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_sweep_that_has_ended_shows_its_groups_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = sweep(tmp_path / "sweep", seeds=1)
    show_sweep(folder)
    assert not capsys.readouterr().out  # no job was compared
    compare_after_each(lambda settings, job: None)(None, Job(folder / "0", "sweep/0", "sweep", (), (), folder))
    capsys.readouterr()
    show_sweep(folder)
    printed = capsys.readouterr().out
    assert re.search(r"^assistant +1 +48/64 \[0\.\d\d, 0\.\d\d\]", printed, re.MULTILINE) and "terminal_only" in printed
    assert printed.splitlines()[-1].startswith(f"the sweep: {folder}/compare.html; ")


def test_runs_with_long_names_are_numbered_in_a_table_of_few_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    own = {"agent": {"kind": "python", "function": "my_agents/my_agent.py:follower"}, "adapter": "my_agents/my_agent.py:looker"}
    trained = {"agent": {"kind": "model", "function": ""}, "adapter": None, "trainer": {f"setting{at}": at for at in range(100)}}
    words = [["agent=python", "agent.function=x", "adapter=y"], ["seed=0"]]
    for at, (settings, typed) in enumerate(zip((own, trained), words, strict=True)):
        plant(tmp_path / str(at), share(6 + at, 8), settings, overrides=typed, base=share(at, 8))
    comparison = compare([records.read(tmp_path / str(at)) for at in range(2)], CompareConfig())
    show(comparison)
    printed = capsys.readouterr().out
    head = printed.split("groups also differ")[0].splitlines()
    assert len(head) <= 12 and max(map(len, head)) <= 100 and "adapter=None" not in printed and "function= " not in printed
    assert "without agent.function, adapter verified 75 points more than base" in printed
    assert any(line.startswith("2: ") and "my_agents/my_agent.py:looker" in line for line in head)
    assert any(line.startswith("base of 2 ") for line in head)
    assert re.search(r"groups also differ in \d+ settings of [\w, ]+: a difference", printed) and len(printed) < 2500


def test_the_newest_run_that_is_compared_by_default_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)
    plant(tmp_path / "outputs" / "train" / "one", share(6, 8))
    assert run_paths(CompareConfig()) == ["outputs/train/one"]
    assert capsys.readouterr().out.startswith("runs=outputs/train/one: the newest of outputs/train; runs=outputs/train compares")

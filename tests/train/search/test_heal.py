"""A course of repairs: when it ends, whose adapter it leaves, and that every iteration can be checked from its files."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from sekft.cli.settings import conf_folder
from sekft.config import SplitConfig, commands
from sekft.episode import trajectory
from sekft.errors import SettingsError
from sekft.scenario import frozen, split
from sekft.tracking import audit
from sekft.train.search import repair
from sekft.train.search.heal import Bounds, Course
from tests.conftest import run_command

PATIENT = Bounds(iterations=3, max_s=0, patience=2, enough=None)


def told(number: int, improved: bool = False, lost: int = 5, gate: str = "hold (worse than the base)", said: str | None = None) -> dict:
    """As far as a course looks into an iteration.json."""
    rate = {"k": 1, "n": 2, "rate": 0.5, "low": 0.1, "high": 0.9}
    successor = "tuned" if improved or number == 0 else "parent"
    found = {"criterion": "verified", "over": "parent", "difference": 0.1, "low": None, "high": None, "p": 0.5, "state": "undecided"}
    development = {"improved": improved, "lost": {"lost": lost}, "unmeasured": said, "goes_on_from": successor, "improvement": found}
    scores = {"scores": {"tuned": {"verified": rate}}}
    asked = {"overrides": [f"repair.seed={number + 1}"]}
    parent = {"adapter": f"s/{number - 1}/adapter"} if number else None
    return {
        "iteration": number, "run": f"s/{number}", "parent": parent, "test": scores, "next": asked, "gate_result": "hold",
        "development": {**development, **scores, "gate": {"verdict": gate}},
    }  # fmt: skip


def course(tmp_path: Path, bounds: Bounds, *runs: dict[str, Any], seconds: float = 10.0) -> tuple[Course, list[bool]]:
    """Played to its end, or as far as there are runs; whether it was over after each."""
    made = Course.of([["trainer.max_steps=60"]], str(tmp_path), ["trainer.max_steps=5"], bounds)
    over = []
    for number, run in enumerate(runs):
        made.job()
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "iteration.json").write_text(json.dumps(run))
        (tmp_path / str(number) / "run.json").write_text(json.dumps({"seconds": seconds}))
        over.append(made.settle())
        if over[-1]:
            break
    return made, over


def stopped(tmp_path: Path) -> str:
    return str(json.loads((tmp_path / "heal.json").read_text())["stopped"])


@pytest.mark.parametrize(
    ("bounds", "runs", "why"),
    [
        (PATIENT, [told(0), told(1), told(2)], "hydra.sweeper.patience=2: no improvement was shown"),
        (PATIENT, [told(0), told(1, True), told(2, True), told(3, True)], "hydra.sweeper.iterations=3"),
        (PATIENT, [told(0), told(1), told(2, True), told(3)], "hydra.sweeper.iterations=3"),
        (PATIENT, [told(0), told(1, True, lost=0)], "no episode is lost in the development scenarios"),
        (PATIENT, [told(0, said="unmeasured (40% of base's episodes broken)")], "unmeasured (40% of base's episodes broken)"),
        (Bounds(3, 15, 2, None), [told(0), told(1, True)], "hydra.sweeper.max_s=15: 20 s"),
        (Bounds(3, 0, 2, "promote"), [told(0, gate="promote")], "promote in the development scenarios"),
        (Bounds(3, 0, 1, "promote"), [told(0), told(1, gate="promote")], "hydra.sweeper.patience=1: no improvement was shown"),
        (Bounds(0, 0, 1, None), [told(0)], "hydra.sweeper.iterations=0"),
    ],
)
def test_a_course_ends_when_it_is_well_or_spent_or_no_better(tmp_path: Path, bounds: Bounds, runs: list[dict], why: str):
    _, over = course(tmp_path, bounds, *runs)
    assert over == [False] * (len(runs) - 1) + [True] and stopped(tmp_path) == why


def test_what_is_left_is_the_last_adapter_that_improved_on_what_it_came_from(tmp_path: Path):
    made, _ = course(tmp_path, PATIENT, told(0), told(1, True), told(2), told(3))
    assert made.successor() == "s/2/adapter"  # the parent that the third run names
    assert [one["goes_on_from"] for one in json.loads((tmp_path / "heal.json").read_text())["iterations"]] == [
        "tuned", "tuned", "parent", "parent",
    ]  # fmt: skip


def test_a_run_that_failed_ends_the_course_and_is_named(tmp_path: Path):
    made = Course.of([[]], str(tmp_path), [], PATIENT)
    assert made.settle() and stopped(tmp_path) == f"iteration 0 failed, see its log in {tmp_path}/0"


def test_the_first_run_has_overrides_of_its_own_and_the_others_what_the_run_before_asked_for(tmp_path: Path):
    made, _ = course(tmp_path, PATIENT, told(0))
    assert made.job() == ["trainer.max_steps=60", "repair.seed=1", "repair.tests=3", "hydra.sweep.subdir=1"]
    fresh = Course.of([["trainer.max_steps=60"]], "s", ["trainer.max_steps=5"], PATIENT)
    assert fresh.job() == ["trainer.max_steps=60", "trainer.max_steps=5", "repair.tests=3", "hydra.sweep.subdir=0"]


@pytest.mark.parametrize(
    ("bounds", "said"),
    [((-1, 0, 1, None), "iterations: found -1"), ((1, -1, 1, None), "max_s: found -1"), ((1, 0, 0, None), "patience: found 0"),
     ((1, 0, 1, "well"), "enough: found 'well', allowed: null, promote")],
)  # fmt: skip
def test_bounds_that_make_no_course_are_refused(bounds: tuple, said: str):
    with pytest.raises(SettingsError, match=rf"hydra\.sweeper\.{said}"):
        Bounds(*bounds)


def test_several_settings_are_refused():
    with pytest.raises(SettingsError, match="sweep=heal: 2 settings, allowed: one"):
        Course.of([["seed=0"], ["seed=1"]], "folder", [], PATIENT)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["repair.scenarios=0"], "nothing decides; give it repair.scenarios=N and eval.episodes=N, 1 or more"),
        (["repair.scenarios=4", "eval=none"], "nothing decides"),
        (["repair.scenarios=4", "data.sources.shell.path=episodes.jsonl"], "no data that is made anew"),
        (["repair.scenarios=4", "data=[oasst]"], "no data that is made anew"),
    ],
)
def test_a_course_that_could_decide_or_draw_nothing_is_refused_before_anything_is_trained(words: list[str], said: str):
    commands.register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose("train", ["sweep=heal", *words], return_hydra_config=True)
        sweeper = instantiate(config.hydra.sweeper)
    sweeper.overrides, sweeper.config = [[words]], config
    with pytest.raises(SettingsError, match=f"sweep=heal: {said}"):
        sweeper.get_job_batch()


SHORT = (
    "sweep=heal", "sandbox=bwrap", "tracker=none", "rehearsal=false", "eval.baselines=false", "eval.episodes=2", "eval.max_reply_tokens=4",
    "repair.scenarios=4", "split.train_scenarios=8", "trainer.max_steps=2", "trainer.batch=2", "data.validation_share=0",
    "hydra.sweeper.iterations=1", 'hydra.sweeper.first=["split.train_blocked_share=0.0"]', "hydra.sweep.dir=course",
)  # fmt: skip


def read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())


@pytest.mark.slow
def test_two_iterations_are_each_a_whole_run_and_a_second_start_decides_the_same(tmp_path: Path):
    done = run_command("train", *SHORT, cwd=tmp_path)  # as a user types it, without -m
    assert done.returncode == 0, done.stderr
    first, second = (tmp_path / "course" / number for number in ("0", "1"))
    one, two = read(first / "iteration.json"), read(second / "iteration.json")
    assert (one["iteration"], one["parent"], one["compared_with"]) == (0, None, "base")
    assert (two["iteration"], two["parent"]["run"], two["parent"]["audit"]) == (1, "course/0", audit.seal(first))
    assert two["rationale"] == {"run": "course/0", **one["next"]["rationale"]}
    episodes = list(trajectory.read(first / "development.jsonl"))
    left = one["next"]["rationale"]["counted"]
    assert left["played"] == sum(episode.agent == "tuned" for episode in episodes) == 4 and left["lost"] == 4
    mix = repair.Mix(**one["next"]["rationale"]["mix"])
    settings = read(second / "run.json")["settings"]
    assert settings["adapter"] == "course/0/adapter" and settings["split"]["train_blocked_share"] == mix.blocked_share == 0.5
    assert settings["split"]["train_weights"] == mix.weights and settings["data"]["sources"]["shell"]["noise"] == mix.noise
    assert two["changes"]["split.train_blocked_share"] == [0.0, 0.5] and two["changes"]["adapter"] == [None, "course/0/adapter"]
    assert {len(one["development"]["scores"]), len(two["development"]["scores"]), len(two["test"]["scores"])} == {2, 3}
    assert two["test"]["against_parent"]["verified"]["n"] == 2 and two["test"]["decides"] is False
    scenarios = [{episode.scenario_id for episode in trajectory.read(run / "development.jsonl")} for run in (first, second)]
    learned = [set(read(run / "adapter" / "fingerprint.json")["scenarios"]) for run in (first, second)]
    assert (
        not scenarios[0] & scenarios[1]
        and not (scenarios[0] | scenarios[1]) & learned[1]
        and len(learned[1]) == 16
        and learned[0] < learned[1]
    )
    held = split.scenarios(SplitConfig(name="x", held_out=list(frozen.HELD_OUT)), "held_out")
    assert not {episode.archetype for episode in episodes} & {scenario.archetype for scenario in held}
    record = read(tmp_path / "course" / "heal.json")
    again = run_command("train", *SHORT, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.count("done before; skipped") == 2, again.stderr
    assert read(tmp_path / "course" / "heal.json") == record and record["stopped"] == "hydra.sweeper.iterations=1"
    assert not list(audit.faults(second))
    (second / "iteration.json").write_text(json.dumps(two | {"recommendation": "promote"}))
    assert list(audit.faults(second)) == [f"{second / 'iteration.json'}: changed since the run was closed"]

"""Iterative repair: when a series ends, which adapter it leaves, and that every iteration can be checked from its files."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from sekft.cli.settings import conf_folder
from sekft.config import SplitConfig, commands
from sekft.episode import trajectory
from sekft.errors import SettingsError
from sekft.eval.rates import rate
from sekft.eval.summary import ScenarioSet
from sekft.scenario import frozen, split
from sekft.tracking import events
from sekft.tracking.files import write_json
from sekft.train.search import repair
from sekft.train.search.heal import IterativeRepair, Limits
from sekft.train.search.iteration import (
    CriticalCriteria,
    DevelopmentResult,
    EvaluationResult,
    Gate,
    Improvement,
    Iteration,
    NextIteration,
    Parent,
)
from tests.conftest import run_command

PATIENT = Limits(iterations=3, max_s=0, patience=2, enough=None)


def finished(
    number: int, improved: bool = False, lost: int = 5, gate: str = "hold (worse than the base)", unmeasured: str | None = None
) -> Iteration:
    """The result of an iteration; the first one improved on the base."""
    scenarios, scores, critical = ScenarioSet(2, "0"), {"tuned": {"verified": rate(1, 2)}}, CriticalCriteria(0, 1, 0.0)
    improvement = Improvement(
        "verified", "critical", "up", "undecided", "", 0.0, 0.1, 0.1, low=None, high=None, p=0.5, over="parent", tests=3
    )
    continued = "tuned" if improved or number == 0 else "parent"
    counts = repair.EpisodeCounts(8, lost, {}, {}, (0, 2), (0, 6), 0)
    development = DevelopmentResult(
        0, scenarios, True, scores, None, None, improvement, improved, unmeasured, continued, counts, Gate(gate, critical, ())
    )
    following = NextIteration((f"repair.seed={number + 1}",), repair.Rationale(run=f"s/{number}"))
    parent = Parent(f"s/{number - 1}", f"s/{number - 1}/adapter", "0", None, number - 1) if number else None
    return Iteration(
        schema_version=1, iteration=number, run=f"s/{number}", parent=parent, compared_with="parent" if parent else "base", rationale=None,
        changes={}, learned={}, scoring_mode="paired episodes",
        test=EvaluationResult("held_out", scenarios, False, scores, None, None, None, Gate("hold", critical, ())),
        development=development, critical_pass_rate=critical, gate_result="hold", recommendation="hold", next=following,
    )  # fmt: skip


def series(tmp_path: Path, limits: Limits, *results: Iteration, seconds: float = 10.0) -> tuple[IterativeRepair, list[bool]]:
    """A series run to its end, or as far as there are results; whether it was over after each."""
    made = IterativeRepair.from_sweep([["trainer.max_steps=60"]], str(tmp_path), ["trainer.max_steps=5"], limits)
    over = []
    for number, result in enumerate(results):
        made.next_job()
        write_json(tmp_path / str(number) / "iteration.json", asdict(result))
        write_json(tmp_path / str(number) / "run.json", {"seconds": seconds})
        over.append(made.finish_job())
        if over[-1]:
            break
    return made, over


def stopped(tmp_path: Path) -> str:
    return str(json.loads((tmp_path / "heal.json").read_text())["stopped"])


@pytest.mark.parametrize(
    ("limits", "results", "reason"),
    [
        (PATIENT, [finished(0), finished(1), finished(2)], "hydra.sweeper.patience=2: no improvement was shown"),
        (PATIENT, [finished(0), finished(1, True), finished(2, True), finished(3, True)], "hydra.sweeper.iterations=3"),
        (PATIENT, [finished(0), finished(1), finished(2, True), finished(3)], "hydra.sweeper.iterations=3"),
        (PATIENT, [finished(0), finished(1, True, lost=0)], "no episode is lost in the development scenarios"),
        (PATIENT, [finished(0, unmeasured="unmeasured (40% of base's episodes broken)")], "unmeasured (40% of base's episodes broken)"),
        (Limits(3, 15, 2, None), [finished(0), finished(1, True)], "hydra.sweeper.max_s=15: 20 s"),
        (Limits(3, 0, 2, "promote"), [finished(0, gate="promote")], "promote in the development scenarios"),
        (Limits(3, 0, 1, "promote"), [finished(0), finished(1, gate="promote")], "hydra.sweeper.patience=1: no improvement was shown"),
        (Limits(0, 0, 1, None), [finished(0)], "hydra.sweeper.iterations=0"),
    ],
)
def test_a_series_ends_at_success_at_a_limit_or_without_improvement(tmp_path: Path, limits: Limits, results: list[Iteration], reason: str):
    _, over = series(tmp_path, limits, *results)
    assert over == [False] * (len(results) - 1) + [True] and stopped(tmp_path) == reason


def test_a_series_leaves_the_last_adapter_that_improved_on_its_parent(tmp_path: Path):
    made, _ = series(tmp_path, PATIENT, finished(0), finished(1, True), finished(2), finished(3))
    assert made.adapter() == "s/2/adapter"  # the parent that the third run names
    assert [one["goes_on_from"] for one in json.loads((tmp_path / "heal.json").read_text())["iterations"]] == [
        "tuned", "tuned", "parent", "parent",
    ]  # fmt: skip


def test_a_failed_run_ends_the_series_and_is_named(tmp_path: Path):
    made = IterativeRepair.from_sweep([[]], str(tmp_path), [], PATIENT)
    assert made.finish_job() and stopped(tmp_path) == f"iteration 0 failed, see its log in {tmp_path}/0"


def test_the_first_run_has_its_own_overrides_and_each_other_run_those_of_the_iteration_before(tmp_path: Path):
    made, _ = series(tmp_path, PATIENT, finished(0))
    assert made.next_job() == ["trainer.max_steps=60", "repair.seed=1", "repair.tests=3", "hydra.sweep.subdir=1"]
    fresh = IterativeRepair.from_sweep([["trainer.max_steps=60"]], "s", ["trainer.max_steps=5"], PATIENT)
    assert fresh.next_job() == ["trainer.max_steps=60", "trainer.max_steps=5", "repair.tests=3", "hydra.sweep.subdir=0"]


@pytest.mark.parametrize(
    ("limits", "message"),
    [((-1, 0, 1, None), "iterations: found -1"), ((1, -1, 1, None), "max_s: found -1"), ((1, 0, 0, None), "patience: found 0"),
     ((1, 0, 1, "well"), "enough: found 'well', allowed: null, promote")],
)  # fmt: skip
def test_invalid_limits_are_refused(limits: tuple, message: str):
    with pytest.raises(SettingsError, match=rf"hydra\.sweeper\.{message}"):
        Limits(*limits)


def test_several_settings_are_refused():
    with pytest.raises(SettingsError, match="sweep=heal: 2 settings, allowed: one"):
        IterativeRepair.from_sweep([["seed=0"], ["seed=1"]], "folder", [], PATIENT)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["repair.scenarios=0"], "nothing decides; give it repair.scenarios=N and eval.episodes=N, 1 or more"),
        (["repair.scenarios=4", "eval=none"], "nothing decides"),
        (["repair.scenarios=4", "data.sources.shell.path=episodes.jsonl"], "no data that is made anew"),
        (["repair.scenarios=4", "data=[oasst]"], "no data that is made anew"),
    ],
)
def test_a_series_that_can_decide_or_draw_nothing_is_refused_before_the_first_training(words: list[str], message: str):
    commands.register()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose("train", ["sweep=heal", *words], return_hydra_config=True)
        sweeper = instantiate(config.hydra.sweeper)
    sweeper.overrides, sweeper.config = [[words]], config
    with pytest.raises(SettingsError, match=f"sweep=heal: {message}"):
        sweeper.get_job_batch()


SHORT = (
    "sweep=heal", "sandbox=bwrap", "tracker=none", "rehearsal=false", "eval.baselines=false", "eval.episodes=2", "eval.max_reply_tokens=4",
    "repair.scenarios=4", "split.train_scenarios=8", "trainer.max_steps=2", "trainer.batch=2", "data.validation_share=0",
    "hydra.sweeper.iterations=1", 'hydra.sweeper.first=["split.train_blocked_share=0.0"]', "hydra.sweep.dir=course",
)  # fmt: skip


def read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())


@pytest.mark.slow
@pytest.mark.exhaustive
def test_each_iteration_is_a_whole_run_and_a_second_start_decides_the_same(tmp_path: Path):
    done = run_command("train", *SHORT, cwd=tmp_path)  # as a user types it, without -m
    assert done.returncode == 0, done.stderr
    first, second = (tmp_path / "course" / number for number in ("0", "1"))
    one, two = read(first / "iteration.json"), read(second / "iteration.json")
    assert (one["iteration"], one["parent"], one["compared_with"]) == (0, None, "base")
    assert (two["iteration"], two["parent"]["run"], two["parent"]["audit"]) == (1, "course/0", events.closing_digest(first))
    assert two["rationale"] == one["next"]["rationale"] and two["rationale"]["run"] == "course/0"
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
    assert not list(events.faults(second))
    (second / "iteration.json").write_text(json.dumps(two | {"recommendation": "promote"}))
    assert list(events.faults(second)) == [f"{second / 'iteration.json'}: changed since the run was closed"]

"""Budgets: training ends after the step that reaches a limit, reports which, and keeps its results."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sekft.config import BackendKind, BudgetConfig, Device, EvalConfig, LoraConfig, ModelConfig, SandboxConfig, TrainConfig, TrainerConfig
from sekft.config.job import Report
from sekft.data.sample import Row
from sekft.errors import SettingsError
from sekft.eval.evaluation import Evaluation
from sekft.model import base as bases
from sekft.model import lora
from sekft.model.locate import base_folder
from sekft.sandbox import choose
from sekft.tracking.events import EVENTS
from sekft.train.budget import Budget
from sekft.train.checkpoint import fault_of
from sekft.train.trainer import make_trainer

TINY = ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu)
ROWS = [Row(f"r{i}", tuple(range(3 + i, 13 + 2 * i)), tuple(float(t > 4) for t in range(10 + i))) for i in range(8)]  # 10 to 17 tokens
R4 = LoraConfig(name="r4", r=4, alpha=8)
FOUR_STEPS = TrainerConfig(max_steps=4, batch=2, lr=5e-3, warmup=0.0)


def made(run: Path, report: Report = lambda line: None, **limits: float) -> Budget:
    settings = TrainConfig(model=TINY, lora=R4, trainer=FOUR_STEPS, budget=BudgetConfig(**limits))
    run.mkdir(exist_ok=True)
    return Budget(settings, ROWS, run, base_folder(TINY, weights=False), report)


def trained(run: Path, report: Report = lambda line: None, **limits: float) -> Budget:
    base, budget = bases.load(TINY), made(run, report, **limits)
    resumed = str(next(iter(run.glob("checkpoints/checkpoint-*")), "")) or None
    with lora.fresh(base, R4, 0) as tuned:
        make_trainer(tuned, base, ROWS, FOUR_STEPS, run / "checkpoints", 0, [budget]).train(resume_from_checkpoint=resumed)
    return budget


def audited(run: Path) -> list[dict[str, Any]]:
    return [line["about"] for line in map(json.loads, (run / EVENTS).read_text().splitlines()) if line["event"] == "budget"]


@pytest.mark.parametrize(("limits", "step"), [({"max_tokens": 60}, 3), ({"max_wall_s": 1e-6}, 1)])
def test_training_ends_after_the_step_that_reaches_a_limit_and_reports_it_once(tmp_path: Path, limits: dict[str, float], step: int):
    messages: list[str] = []
    budget = trained(tmp_path, messages.append, **limits)
    (name,) = limits
    assert budget.reached and (budget.reached.step, budget.reached.of) == (step, 4)
    assert len(messages) == 1 and messages[0].startswith(f"budget: training ends after step {step} of 4: budget.{name}=")
    assert audited(tmp_path) == [budget.summary()] and not fault_of(tmp_path / "checkpoints" / f"checkpoint-{step}")


def test_tokens_used_before_a_checkpoint_count_when_training_resumes(tmp_path: Path):
    trained(tmp_path, max_steps=2)
    used = audited(tmp_path)[0]["tokens"]
    budget = trained(tmp_path, max_tokens=used + 1)
    assert budget.reached and budget.reached.step == 3


def test_a_limit_that_only_the_last_step_reaches_is_not_reported(tmp_path: Path):
    assert trained(tmp_path, max_steps=4, max_tokens=100000, max_wall_s=1e6, max_disk_mb=1e6).summary() is None
    assert not (tmp_path / EVENTS).exists()


def test_no_room_for_the_adapter_is_refused_and_no_room_for_a_checkpoint_writes_none(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"budget.max_disk_mb=1: 0.0 MB are there, the adapter takes 2.\d; training was not started"):
        made(tmp_path / "small", max_disk_mb=1)
    budget = trained(tmp_path / "large", max_steps=2, max_disk_mb=3)
    assert budget.reached and budget.reached.step == 2 and not list(tmp_path.glob("large/checkpoints/checkpoint-*"))


def test_the_evaluation_gets_the_time_that_is_left_and_is_unmeasured_without_any(tmp_path: Path):
    tight, plenty = (made(tmp_path / str(seconds), max_wall_s=seconds) for seconds in (1e-6, 1000.0))
    evaluation = Evaluation((), choose.backend(SandboxConfig(backend=BackendKind.bwrap)), EvalConfig(), 1, 0)
    assert tight.limited(evaluation) is None and tight.unmeasured() == {
        "verdict": "unmeasured (budget.max_wall_s=1e-06 was used up before the evaluation)"
    }
    left = plenty.limited(evaluation)
    assert left is not None and 0 < left.config.max_eval_s < 1000 and plenty.unmeasured() == {}
    stricter = plenty.limited(replace(evaluation, config=EvalConfig(max_eval_s=5)))
    assert stricter is not None and stricter.config.max_eval_s == 5

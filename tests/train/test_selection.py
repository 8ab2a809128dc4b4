"""Which step's adapter is chosen, and that measuring does not change the training, survives resuming and ignores broken episodes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback, TrainerControl, TrainerState

from sekft.config import Choose, Device, EvalConfig, LoraConfig, ModelConfig, Weights
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.model import base as bases
from sekft.model import lora
from sekft.train.selection import BEST, MEASUREMENTS, Choice, SelectionCallback, best, measure
from sekft.train.trainer import make_trainer
from tests.eval.planted import episode
from tests.train.test_trainer import QUICK, R4, ROWS

EIGHT = replace(QUICK, max_steps=8)
EVERY_TWO = EvalConfig(every_steps=2)
WHOLE = LoraConfig(name="none", r=0, alpha=0)


def planted(verified: int, terminated: int = 0, panics: int = 0, broken: int = 0, scenarios: int = 16) -> list[Trajectory]:
    """Episodes in so many scenarios: some verified; of the others some ended by exit, some by a false panic, some broken."""
    endings = ["exit"] * terminated + ["panic"] * panics + ["broken"] * broken
    lost = [episode(f"w-{verified + at}", "a", False, ending=ending) for at, ending in enumerate(endings)]
    rest = [episode(f"w-{at}", "a", False) for at in range(verified + len(endings), scenarios)]
    return [*(episode(f"w-{at}", "a", True) for at in range(verified)), *lost, *rest]


def chosen(*episodes: list[Trajectory]) -> tuple[int, str]:
    found = best([measure(own, step, "tuned") for step, own in enumerate(episodes, 1)])
    assert found is not None
    return found[0].step, found[1]


def test_the_most_verified_is_chosen_then_the_most_terminated_then_the_fewest_false_panics_then_the_latest():
    assert chosen(planted(2), planted(5), planted(4, terminated=9)) == (2, "most verified")
    assert chosen(planted(5, terminated=1), planted(5, terminated=6), planted(5, terminated=4)) == (2, "most terminated")
    assert chosen(planted(5, terminated=2), planted(5, panics=2), planted(5, terminated=1, panics=1)) == (1, "fewest false panics")
    assert chosen(planted(5), planted(5), planted(3)) == (2, "the latest of equals")
    assert chosen(planted(0)) == (1, "the only measurement") and best([]) is None


@pytest.fixture(scope="module")
def base() -> bases.Base:
    return bases.load(ModelConfig(name="tiny", path="sekft:tiny", weights=Weights.random, device=Device.cpu))


class StopCallback(TrainerCallback):
    """Ends the training after a step, as a kill would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: object, state: TrainerState, control: TrainerControl, **_: object) -> None:
        control.should_training_stop = state.global_step >= self.step


EpisodesByStep = Mapping[int, Sequence[Trajectory]]
GOOD_AT_4: EpisodesByStep = {2: planted(1), 4: planted(6), 6: planted(3), 8: planted(4)}


def trained(
    base: bases.Base, folder: Path, episodes: EpisodesByStep | None, config: EvalConfig = EVERY_TWO, checkpoint: str | None = None,
    stop: int = 8, adapter: LoraConfig = R4, save_every: int = 0,
) -> tuple[Choice | None, dict[str, torch.Tensor], list[int]]:  # fmt: skip
    """The choice, the weights left in the model, and the steps whose rates were logged."""
    folder.mkdir()
    logged: list[int] = []
    with lora.fresh(base, adapter, 0) as tuned:

        def save(best: Path, step: int) -> None:
            lora.publish(lora.save(tuned, base, best, {"step": step}))

        play = (lambda: episodes[trainer.state.global_step]) if episodes is not None else None
        selection = SelectionCallback(folder, config, play, save, lambda metrics, step: logged.append(step))
        selection.begin(planted(0), checkpoint)
        settings = replace(EIGHT, save_every_steps=save_every)
        trainer = make_trainer(tuned, base, ROWS, settings, folder / "checkpoints", 0, [selection, StopCallback(stop)])
        trainer.train(resume_from_checkpoint=checkpoint)
        choice = selection.choose(base, tuned, trainer.state.global_step)
        return choice, {name: p.detach().clone() for name, p in tuned.named_parameters() if p.requires_grad}, logged


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def saved(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


@dataclass(frozen=True)
class Uninterrupted:
    folder: Path
    choice: Choice
    left: dict[str, torch.Tensor]
    logged: list[int]


@pytest.fixture(scope="module")
def uninterrupted(base: bases.Base, tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    choice, left, logged = trained(base, folder, GOOD_AT_4, save_every=4)
    assert choice is not None
    return Uninterrupted(folder, choice, left, logged)


def test_the_adapter_of_the_best_step_is_in_best(uninterrupted: Uninterrupted):
    choice, run = uninterrupted.choice, uninterrupted.folder
    assert (choice.step, choice.of, choice.why, uninterrupted.logged) == (4, 8, "most verified of 4 measurements", [0, 2, 4, 6, 8])
    at_4 = saved(run / "checkpoints" / "checkpoint-4")
    assert same(saved(run / BEST), at_4) and not same(at_4, saved(run / "checkpoints" / "checkpoint-8"))
    assert json.loads((run / BEST / lora.FINGERPRINT).read_text())["step"] == 4


def test_the_model_is_left_with_the_best_steps_weights(uninterrupted: Uninterrupted):
    left = {name.replace(".default", ""): tensor for name, tensor in uninterrupted.left.items()}
    assert same(left, saved(uninterrupted.folder / BEST))


def test_full_weights_of_the_best_step_are_restored_like_an_adapter(base: bases.Base, tmp_path: Path):
    choice, left, _ = trained(base, tmp_path / "run", GOOD_AT_4, adapter=WHOLE)
    assert choice is not None and choice.step == 4
    kept = load_file(tmp_path / "run" / BEST / "model.safetensors")
    assert kept.keys() <= left.keys() and all(torch.equal(left[name], kept[name]) for name in kept)


def test_measuring_does_not_change_the_training(base: bases.Base, tmp_path: Path):
    choice, measured, _ = trained(base, tmp_path / "measured", GOOD_AT_4, replace(EVERY_TWO, choose=Choose.last))
    nothing, alone, logged = trained(base, tmp_path / "alone", None)
    assert nothing is None and logged == [] and same(measured, alone)
    assert choice is not None and (choice.step, choice.why, choice.best.step) == (8, "eval.choose=last", 4)
    assert not (tmp_path / "alone" / MEASUREMENTS).exists() and not (tmp_path / "alone" / BEST).exists()


def test_the_last_step_is_measured_even_if_it_is_no_multiple(base: bases.Base, tmp_path: Path):
    episodes = {3: planted(1), 6: planted(1), 8: planted(2)}
    choice, _, logged = trained(base, tmp_path / "run", episodes, EvalConfig(every_steps=3))
    assert choice is not None and choice.step == 8 and logged == [0, 3, 6, 8]


def test_a_measurement_with_too_many_broken_episodes_is_logged_and_not_chosen(base: bases.Base, tmp_path: Path):
    worse = {**GOOD_AT_4, 4: planted(6, broken=3)}
    choice, _, logged = trained(base, tmp_path / "run", worse)
    assert choice is not None and choice.step == 8 and 4 in logged
    nothing = dict.fromkeys(GOOD_AT_4, planted(6, broken=3))
    choice, _, _ = trained(base, tmp_path / "none", nothing)
    assert choice is not None and choice.best is None and choice.why == "too many episodes broke in every measurement"


@pytest.mark.parametrize("checkpoint", [3, 5])  # before and after the best step
def test_a_resumed_run_keeps_its_measurements_and_its_best_adapter(
    base: bases.Base, uninterrupted: Uninterrupted, tmp_path: Path, checkpoint: int
):
    # the killed run trained beyond its checkpoint and changed best/: what counts is the best up to the checkpoint
    trained(base, tmp_path / "killed", {**GOOD_AT_4, 6: planted(9)}, stop=7, save_every=checkpoint)
    kept = tmp_path / "killed" / "checkpoints" / f"checkpoint-{checkpoint}"
    again, resumed, logged = trained(base, tmp_path / "again", GOOD_AT_4, checkpoint=str(kept))
    assert again == uninterrupted.choice and same(resumed, uninterrupted.left) and logged == uninterrupted.logged
    assert (tmp_path / "again" / MEASUREMENTS).read_bytes() == (uninterrupted.folder / MEASUREMENTS).read_bytes()


def test_a_checkpoint_chosen_in_other_scenarios_is_refused(uninterrupted: Uninterrupted, tmp_path: Path):
    selection = SelectionCallback(tmp_path, EVERY_TWO, list, lambda folder, step: None, lambda metrics, step: None)
    with pytest.raises(SettingsError, match=r"measured in 16 scenarios .*, here 8 scenarios .*; allowed: the same eval.selection"):
        selection.begin(planted(0, scenarios=8), str(uninterrupted.folder / "checkpoints" / "checkpoint-4"))


def test_every_measurement_is_a_line_of_step_and_rates(uninterrupted: Uninterrupted):
    lines = [json.loads(line) for line in (uninterrupted.folder / MEASUREMENTS).read_text().splitlines()]
    assert lines == [measurement.document() for measurement in uninterrupted.choice.measurements]
    assert [(line["step"], line["agent"], line["verified"]) for line in lines] == [
        (0, "base", 0.0), (2, "tuned", 1 / 16), (4, "tuned", 6 / 16), (6, "tuned", 3 / 16), (8, "tuned", 4 / 16)
    ]  # fmt: skip

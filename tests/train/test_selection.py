"""Which step's adapter is chosen, and that looking changes nothing, loses nothing and is not fooled by broken episodes."""

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
from sekft.train.selection import BEST, LOOKS, SelectionCallback, best, look
from sekft.train.trainer import make_trainer
from tests.eval.planted import episode
from tests.train.test_trainer import QUICK, R4, ROWS

EIGHT = replace(QUICK, max_steps=8)
EVERY_TWO = EvalConfig(every_steps=2)
WHOLE = LoraConfig(name="none", r=0, alpha=0)


def planted(verified: int, terminated: int = 0, panics: int = 0, broken: int = 0, scenarios: int = 16) -> list[Trajectory]:
    """So many of the scenarios verified; of the others so many left by exit, by a false panic, broken."""
    endings = ["exit"] * terminated + ["panic"] * panics + ["broken"] * broken
    lost = [episode(f"w-{verified + at}", "a", False, ending=ending) for at, ending in enumerate(endings)]
    rest = [episode(f"w-{at}", "a", False) for at in range(verified + len(endings), scenarios)]
    return [*(episode(f"w-{at}", "a", True) for at in range(verified)), *lost, *rest]


def chosen(*looks: list[Trajectory]) -> tuple[int, str]:
    found = best([look(episodes, step, "tuned") for step, episodes in enumerate(looks, 1)])
    assert found is not None
    return found[0]["step"], found[1]


def test_the_most_verified_is_chosen_then_the_most_terminated_then_the_fewest_false_panics_then_the_latest():
    assert chosen(planted(2), planted(5), planted(4, terminated=9)) == (2, "most verified")
    assert chosen(planted(5, terminated=1), planted(5, terminated=6), planted(5, terminated=4)) == (2, "most terminated")
    assert chosen(planted(5, terminated=2), planted(5, panics=2), planted(5, terminated=1, panics=1)) == (1, "fewest false panics")
    assert chosen(planted(5), planted(5), planted(3)) == (2, "the latest of equals")
    assert chosen(planted(0)) == (1, "the only look") and best([]) is None


@pytest.fixture(scope="module")
def base() -> bases.Base:
    return bases.load(ModelConfig(name="tiny", path="sekft:tiny", weights=Weights.random, device=Device.cpu))


class Stopping(TrainerCallback):
    """Ends the run behind a step, as a kill would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: object, state: TrainerState, control: TrainerControl, **_: object) -> None:
        control.should_training_stop = state.global_step >= self.step


Seen = Mapping[int, Sequence[Trajectory]]
GOOD_AT_4: Seen = {2: planted(1), 4: planted(6), 6: planted(3), 8: planted(4)}


def trained(
    base: bases.Base, folder: Path, seen: Seen | None, config: EvalConfig = EVERY_TWO, checkpoint: str | None = None, stop: int = 8,
    adapter: LoraConfig = R4, save_every: int = 0,
) -> tuple[dict | None, dict[str, torch.Tensor], list[int]]:  # fmt: skip
    """What was chosen, the weights that are left in the model, and the steps eval/verified was told of. seen: episodes at each step."""
    folder.mkdir()
    told: list[int] = []
    with lora.fresh(base, adapter, 0) as tuned:

        def keep(kept: Path, step: int) -> None:
            lora.publish(lora.save(tuned, base, kept, {"step": step}))

        live = (lambda: seen[trainer.state.global_step]) if seen is not None else None
        selection = SelectionCallback(folder, config, live, keep, lambda metrics, step: told.append(step))
        selection.begin(planted(0), checkpoint)
        settings = replace(EIGHT, save_every_steps=save_every)
        trainer = make_trainer(tuned, base, ROWS, settings, folder / "checkpoints", 0, [selection, Stopping(stop)])
        trainer.train(resume_from_checkpoint=checkpoint)
        choice = selection.settle(base, tuned, trainer.state.global_step)
        return choice, {name: p.detach().clone() for name, p in tuned.named_parameters() if p.requires_grad}, told


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def saved(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


@dataclass(frozen=True)
class Undisturbed:
    folder: Path
    choice: dict
    left: dict[str, torch.Tensor]
    told: list[int]


@pytest.fixture(scope="module")
def undisturbed(base: bases.Base, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    choice, left, told = trained(base, folder, GOOD_AT_4, save_every=4)
    assert choice is not None
    return Undisturbed(folder, choice, left, told)


def test_the_best_steps_adapter_lies_in_best(undisturbed: Undisturbed):
    choice, run = undisturbed.choice, undisturbed.folder
    assert (choice["step"], choice["of"], choice["why"], undisturbed.told) == (4, 8, "most verified of 4 looks", [0, 2, 4, 6, 8])
    at_4 = saved(run / "checkpoints" / "checkpoint-4")
    assert same(saved(run / BEST), at_4) and not same(at_4, saved(run / "checkpoints" / "checkpoint-8"))
    assert json.loads((run / BEST / lora.FINGERPRINT).read_text())["step"] == 4


def test_the_model_is_left_with_the_best_steps_weights(undisturbed: Undisturbed):
    left = {name.replace(".default", ""): tensor for name, tensor in undisturbed.left.items()}
    assert same(left, saved(undisturbed.folder / BEST))


def test_whole_weights_are_put_back_as_adapters_are(base: bases.Base, tmp_path: Path):
    choice, left, _ = trained(base, tmp_path / "run", GOOD_AT_4, adapter=WHOLE)
    assert choice is not None and choice["step"] == 4
    kept = load_file(tmp_path / "run" / BEST / "model.safetensors")
    assert kept.keys() <= left.keys() and all(torch.equal(left[name], kept[name]) for name in kept)


def test_looking_does_not_change_what_is_trained(base: bases.Base, tmp_path: Path):
    choice, looked, _ = trained(base, tmp_path / "looked", GOOD_AT_4, replace(EVERY_TWO, choose=Choose.last))
    nothing, alone, told = trained(base, tmp_path / "alone", None)
    assert nothing is None and told == [] and same(looked, alone)
    assert choice is not None and (choice["step"], choice["why"], choice["best"]["step"]) == (8, "eval.choose=last", 4)
    assert not (tmp_path / "alone" / LOOKS).exists() and not (tmp_path / "alone" / BEST).exists()


def test_the_last_step_is_looked_at_also_where_it_is_no_multiple(base: bases.Base, tmp_path: Path):
    seen = {3: planted(1), 6: planted(1), 8: planted(2)}
    choice, _, told = trained(base, tmp_path / "run", seen, EvalConfig(every_steps=3))
    assert choice is not None and choice["step"] == 8 and told == [0, 3, 6, 8]


def test_a_look_in_which_too_many_episodes_broke_is_told_and_not_chosen(base: bases.Base, tmp_path: Path):
    worse = {**GOOD_AT_4, 4: planted(6, broken=3)}
    choice, _, told = trained(base, tmp_path / "run", worse)
    assert choice is not None and choice["step"] == 8 and 4 in told
    nothing = dict.fromkeys(GOOD_AT_4, planted(6, broken=3))
    choice, _, _ = trained(base, tmp_path / "none", nothing)
    assert choice is not None and choice["best"] is None and choice["why"] == "at every look too many episodes broke"


@pytest.mark.parametrize("checkpoint", [3, 5])  # before and after the best step
def test_a_resumed_run_loses_neither_its_looks_nor_its_best(base: bases.Base, undisturbed: Undisturbed, tmp_path: Path, checkpoint: int):
    # the run went on beyond its checkpoint, and its best/ with it: what counts is what was chosen up to the checkpoint
    trained(base, tmp_path / "killed", {**GOOD_AT_4, 6: planted(9)}, stop=7, save_every=checkpoint)
    kept = tmp_path / "killed" / "checkpoints" / f"checkpoint-{checkpoint}"
    again, resumed, told = trained(base, tmp_path / "again", GOOD_AT_4, checkpoint=str(kept))
    assert again == undisturbed.choice and same(resumed, undisturbed.left) and told == undisturbed.told
    assert (tmp_path / "again" / LOOKS).read_bytes() == (undisturbed.folder / LOOKS).read_bytes()


def test_a_checkpoint_chosen_in_other_scenarios_is_refused(undisturbed: Undisturbed, tmp_path: Path):
    selection = SelectionCallback(tmp_path, EVERY_TWO, list, lambda folder, step: None, lambda metrics, step: None)
    with pytest.raises(SettingsError, match=r"looks at 16 scenarios .*, here 8 scenarios .*; allowed: the same eval.selection_scenarios"):
        selection.begin(planted(0, scenarios=8), str(undisturbed.folder / "checkpoints" / "checkpoint-4"))


def test_every_look_is_a_line_of_step_and_rates(undisturbed: Undisturbed):
    lines = [json.loads(line) for line in (undisturbed.folder / LOOKS).read_text().splitlines()]
    assert lines == undisturbed.choice["looks"]
    assert [(line["step"], line["agent"], line["verified"]) for line in lines] == [
        (0, "base", 0.0), (2, "tuned", 1 / 16), (4, "tuned", 6 / 16), (6, "tuned", 3 / 16), (8, "tuned", 4 / 16)
    ]  # fmt: skip

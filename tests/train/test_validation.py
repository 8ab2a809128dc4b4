"""Two defects of earlier trainers: labels that are never shifted, and a validation that scores the same batch for ever."""

import torch

from sekft.config import Device, ModelConfig, Weights
from sekft.data.sample import Row
from sekft.model import base as bases
from sekft.train.batch_plan import Layout
from sekft.train.trainer import validation_loss

ROWS = [Row(f"r{at}", tuple(range(3 + at, 15 + 2 * at)), tuple(float(t > 4) for t in range(12 + at))) for at in range(6)]


def tiny() -> bases.Base:
    return bases.load(ModelConfig(name="tiny", path="sekft:tiny", weights=Weights.random, device=Device.cpu))


def by_hand(base: bases.Base, row: Row, shift: int) -> tuple[float, float]:
    """(sum of weight * nll, sum of weight), comparing the logits at t with the id at t + shift."""
    with torch.no_grad():
        logs = base.model(input_ids=torch.tensor([row.ids])).logits[0].float().log_softmax(-1)
    pairs = [(logs[at - shift, row.ids[at]].item(), row.weight[at]) for at in range(shift, len(row.ids))]
    return -sum(log * weight for log, weight in pairs), sum(weight for _, weight in pairs)


def test_labels_are_shifted_once_so_a_token_is_predicted_from_those_before_it():
    base = tiny()
    loss = validation_loss(base.model, ROWS[:1], base, Layout(0, 1))
    for shift in (0, 1, 2):
        nll, weight = by_hand(base, ROWS[0], shift)
        assert (abs(nll / weight - (loss or 0.0)) < 1e-4) == (shift == 1)


def test_validation_scores_every_row_each_time():
    base = tiny()
    sums = [by_hand(base, row, 1) for row in ROWS]
    expected = sum(nll for nll, _ in sums) / sum(weight for _, weight in sums)
    for layout in (Layout(0, 2), Layout(40)):
        first, second = (validation_loss(base.model, ROWS, base, layout) for _ in range(2))
        assert first == second and abs((first or 0.0) - expected) < 1e-4
    assert validation_loss(base.model, ROWS[:2], base, Layout(0, 2)) != validation_loss(base.model, ROWS[2:4], base, Layout(0, 2))

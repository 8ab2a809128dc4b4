"""Curves: a line for every run, the same axes for all groups, long curves thinned, values that cannot be drawn left out."""

import json
from pathlib import Path

from sekft.compare.curves import charts
from sekft.report.curves import HIGH, LEFT, MAX_POINTS, TOP, WIDE, Chart, thinned
from tests.compare.test_comparison import compared
from tests.eval.planted_runs import plant, share


def drawn(folder: Path, logged: dict[str, list[dict[str, object]]], rates: tuple[str, ...] = ("verified",)) -> list[Chart]:
    """The charts of groups that differ in their rank, with two seeds each. logged: lines of metrics.jsonl, by rank."""
    for rank, lines in logged.items():
        for seed in range(2):
            run = plant(folder / f"{rank}-{seed}", share(1, 2), {"lora": {"name": rank}}, seed)
            (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return charts(compared(folder).sorted_groups(), rates)


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, _, y in (point.partition(",") for point in line.split())]


def test_every_run_is_a_line_on_axes_that_all_panels_share(tmp_path: Path):
    short = [{"step": step, "train/loss": 2.0 - step / 10} for step in range(6)]
    long = [{"step": step, "train/loss": 1.0} for step in range(11)]
    (chart,) = drawn(tmp_path, {"r4": short, "r16": long})
    assert chart.title == "Loss" and chart.metrics == ("train/loss",) and [tick.text for tick in chart.across] == ["0", "10"]
    panels = {panel.name: panel for panel in chart.panels}
    assert len(panels["r4"].lines) == len(panels["r16"].lines) == 2
    assert points(panels["r4"].lines[0][1])[0] == (LEFT, TOP) and points(panels["r4"].lines[0][1])[-1][0] == LEFT + WIDE / 2
    assert points(panels["r16"].lines[0][1])[-1] == (LEFT + WIDE, TOP + HIGH / 2)
    assert panels["r4"].description == "r4: train/loss of 2 runs ends at 1.5"


def test_losses_over_more_than_a_decade_stand_on_a_logarithmic_axis(tmp_path: Path):
    lines = [{"step": step, "train/loss": 10.0**-step, "val/loss": 10.0**-step} for step in range(3)]
    (chart,) = drawn(tmp_path, {"r4": lines})
    assert chart.title == "Loss, logarithmic" and [tick.text for tick in chart.down] == ["0.01", "0.1", "1"]
    heights = [y for _, y in points(chart.panels[0].lines[0][1])]
    assert heights == [TOP, TOP + HIGH / 2, TOP + HIGH] and {place for place, _ in chart.panels[0].lines} == {0, 1}


def test_an_axis_of_many_decades_has_few_ticks(tmp_path: Path):
    (chart,) = drawn(tmp_path, {"r4": [{"step": step, "train/loss": 3.0 * 10.0**-step} for step in range(8)]})
    assert [tick.text for tick in chart.down] == ["1e-06", "1e-04", "0.01", "1"]


def test_rates_logged_during_training_are_curves_and_a_single_evaluation_is_none(tmp_path: Path):
    looks = [{"step": 0, "eval/verified": 0.0, "eval/terminated": 1.0}, {"step": 5, "eval/verified": 0.5}]
    (chart,) = drawn(tmp_path, {"r4": looks, "r16": looks[1:]}, ("verified", "terminated"))
    assert chart.title == "verified" and [panel.name for panel in chart.panels] == ["r4"]
    assert [y for _, y in points(chart.panels[0].lines[0][1])] == [TOP + HIGH, TOP + HIGH / 2]


def test_values_that_are_not_finite_are_left_out_and_without_values_there_is_no_chart(tmp_path: Path):
    lines = [{"step": step, "train/loss": "NaN" if step == 1 else 1.0} for step in range(3)]
    (chart,) = drawn(tmp_path / "a", {"r4": lines})
    assert len(points(chart.panels[0].lines[0][1])) == 2
    assert drawn(tmp_path / "b", {"r4": [{"step": 3, "train/loss": "Infinity"}]}) == []


def test_a_long_curve_keeps_its_ends_and_the_mean_of_what_lies_between():
    curve = tuple((step, float(step)) for step in range(1001))
    found = thinned(curve)
    assert len(found) <= MAX_POINTS and found[0] == (0, 0.0) and found[-1] == (1000, 1000.0)
    assert all(abs(step - value) <= 0.5 for step, value in found) and thinned(curve[:9]) == curve[:9]

"""Learning curves for a page: a chart per metric, a panel for every group of runs, all panels with the same axes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from sekft.tracking.records import Curve

LEFT, TOP, WIDE, HIGH = 34, 8, 190, 96  # px, of the area that is drawn on
MAX_POINTS = 48  # of a line; a longer curve is drawn as means of neighbouring steps
LOSSES = ("train/loss", "val/loss")
MAX_TICKS = 4
DECADES = 1.0  # losses that spread over more have a logarithmic axis

Scale = Callable[[float], float]


@dataclass(frozen=True)
class Tick:
    """at: px from the left, or from the top."""

    at: float
    text: str


@dataclass(frozen=True)
class Panel:
    """lines: (index of the metric in the chart, points of an SVG polyline), one per run. description: the picture in words."""

    name: str
    lines: tuple[tuple[int, str], ...]
    description: str


@dataclass(frozen=True)
class Chart:
    """metrics: drawn together. across, down: the ticks of the axes, the same in every panel."""

    title: str
    metrics: tuple[str, ...]
    panels: tuple[Panel, ...]
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]


def chart(title: str, names: Sequence[str], groups: Mapping[str, Sequence[Mapping[str, Curve]]]) -> Chart | None:
    """The chart of these metrics; None if no run logged one of them at two steps.

    groups: by the name of a panel, the curves of its runs by metric.
    """
    runs = [curves for own in groups.values() for curves in own]
    metrics = tuple(metric for metric in names if any(len(_finite(run, metric)) > 1 for run in runs))
    values = [value for run in runs for metric in metrics for _, value in _finite(run, metric)]
    if not metrics:
        return None
    last = max(step for run in runs for metric in metrics for step, _ in _finite(run, metric)) or 1
    down, ticks, logarithmic = (_rate_scale(), (0.0, 0.5, 1.0), False) if metrics[0] not in LOSSES else _loss_scale(values)
    panels = [_panel(name, own, metrics, lambda step: LEFT + WIDE * step / last, down) for name, own in groups.items()]
    return Chart(
        title=f"{title}, logarithmic" if logarithmic else title,
        metrics=metrics,
        panels=tuple(panel for panel in panels if panel.lines),
        across=(Tick(LEFT, "0"), Tick(LEFT + WIDE, str(last))),
        down=tuple(Tick(down(tick), f"{tick:g}" if tick >= 0.01 or not tick else f"{tick:.0e}") for tick in ticks),
    )


def _panel(name: str, runs: Sequence[Mapping[str, Curve]], metrics: Sequence[str], across: Scale, down: Scale) -> Panel:
    lines, words = [], []
    for index, metric in enumerate(metrics):
        curves = [curve for run in runs if len(curve := _finite(run, metric)) > 1]
        lines += [(index, " ".join(f"{across(step):.1f},{down(value):.1f}" for step, value in thinned(curve))) for curve in curves]
        if curves:
            ends = sorted(curve[-1][1] for curve in curves)
            between = f"{ends[0]:.3g}" if ends[0] == ends[-1] else f"{ends[0]:.3g} to {ends[-1]:.3g}"
            words.append(f"{metric} of {len(curves)} runs ends at {between}")
    return Panel(name, tuple(lines), f"{name}: {'; '.join(words)}")


def thinned(curve: Curve, most: int = MAX_POINTS) -> Curve:
    """At most `most` points: the first, the last, and means of neighbouring points between them."""
    inner = curve[1:-1]
    if len(curve) <= most:
        return curve
    size = -(-len(inner) // (most - 2))
    parts = [inner[at : at + size] for at in range(0, len(inner), size)]
    means = tuple((round(sum(step for step, _ in part) / len(part)), sum(value for _, value in part) / len(part)) for part in parts)
    return curve[0], *means, curve[-1]


def _finite(curves: Mapping[str, Curve], metric: str) -> Curve:
    return tuple((step, value) for step, value in curves.get(metric, ()) if isfinite(value))


def _rate_scale() -> Scale:
    return lambda value: TOP + HIGH * (1 - value)


def _loss_scale(values: Sequence[float]) -> tuple[Scale, tuple[float, ...], bool]:
    """The scale, its ticks, and whether it is logarithmic."""
    low, high = min(values), max(values)
    if low > 0 and log10(high / low) > DECADES:
        first, wide = log10(low), log10(high / low)
        powers = range(ceil(first), floor(log10(high)) + 1)
        ticks = tuple(10.0**power for power in powers[:: max(1, -(-len(powers) // MAX_TICKS))])
        return lambda value: TOP + HIGH * (1 - (log10(value) - first) / wide), ticks, True
    least, most = min(0.0, low), high if high > min(0.0, low) else 1.0
    return lambda value: TOP + HIGH * (1 - (value - least) / (most - least)), (least, float(f"{most:.2g}")), False

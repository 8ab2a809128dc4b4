"""Learning curves of a comparison: one chart per metric with a panel for every group, in front of the faint lines of all groups."""

from collections.abc import Sequence

from sekft.compare.groups import Group
from sekft.report.curves import LOSSES, Chart, chart


def charts(groups: Sequence[Group], rates: Sequence[str]) -> list[Chart]:
    """Losses, then every rate that was evaluated during training; a metric that no run logged at two steps is left out."""
    curves = {group.name: [run.curves for run in group.runs] for group in groups}
    drawn = [chart("Loss", LOSSES, curves), *(chart(rate.replace("_", " "), (f"eval/{rate}",), curves) for rate in rates)]
    return [one for one in drawn if one]

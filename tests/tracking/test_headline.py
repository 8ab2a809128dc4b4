"""The numbers that a tracker shows in its table of runs are few, and taken from the summary."""

from sekft.tracking.headline import headline


def test_a_run_has_its_verdict_gain_and_costs() -> None:
    paired = {"criterion": "verified", "difference": 0.4, "low": 0.2, "high": 0.6, "n": 128}
    summary = {"verdict": "promote", "paired": paired, "steps": 160, "supervised_tokens": 9, "seconds": {"train": 90.0, "eval": 30.0}}
    found = headline(summary | {"agents": {"base": {"rates": {}}}, "comparisons": {}})
    assert found == {
        "verdict": "promote", "gain": 0.4, "gain_low": 0.2, "gain_high": 0.6, "steps": 160, "supervised_tokens": 9,
        "minutes_train": 1.5, "minutes_eval": 0.5,
    }  # fmt: skip


def test_what_a_run_lacks_is_left_out() -> None:
    assert headline({"verdict": "unmeasured", "paired": None, "seconds": {"train": 0.0}, "choice": None}) == {
        "verdict": "unmeasured",
        "minutes_train": 0.0,
    }

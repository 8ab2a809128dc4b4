"""An engine that ends in the middle of the episodes costs time, but no episode."""

import pytest

from tests.dockerd import missing
from tests.sandbox.chaos import chaos


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.exhaustive
def test_no_episode_is_lost_or_counted_twice_when_the_engine_is_killed_and_stopped() -> None:
    report = chaos(episodes=16, kills=2, workers=4)
    assert not list(report.faults())
    assert report.retried

"""Episodes of random commands end as planned, with the planned files, and leave nothing behind."""

from pathlib import Path

import pytest

from tests.sandbox.conftest import made
from tests.sandbox.grammar.generator import episode
from tests.sandbox.random_episodes import audited


@pytest.mark.parametrize(
    ("name", "episodes"), [("bwrap", 40), pytest.param("docker", 12, marks=[pytest.mark.docker, pytest.mark.exhaustive])]
)
def test_random_episodes_end_as_planned_and_leave_nothing(
    name: str, episodes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    differences, before, after = audited(made(name), range(1, episodes + 1), workers=4)
    assert not differences
    assert after.more_than(before).keys() <= {"image_bytes"}  # other tests may add images


def test_a_seed_always_gives_the_same_episode() -> None:
    assert [episode(seed) for seed in range(50)] == [episode(seed) for seed in range(50)]


def test_the_grammar_has_every_ending() -> None:
    endings = {episode(seed).ending for seed in range(1000)}
    assert endings == {"exit", "panic", "gone", "lost", "silent", "turn_limit", "token_limit"}

"""Every attack on every backend is contained, harms no neighbour, and ends as expected."""

import contextlib
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from sekft.errors import SandboxError
from sekft.sandbox.backend.control import may_map_two_users
from tests.sandbox.attacks.__main__ import PAGE
from tests.sandbox.attacks.arena import Arena, arena
from tests.sandbox.attacks.attack import Attack, Seen
from tests.sandbox.attacks.suite import ATTACKS, BACKENDS, GROUPS
from tests.sandbox.conftest import AS_ROOT

pytestmark = pytest.mark.xdist_group("attacks")  # one after the other: each may use up all that its limits allow


def _marks(backend: str, attack: Attack) -> list[pytest.MarkDecorator]:
    """By default the attacks on the isolation are played on the engine, and all attacks on the form of bwrap that this user has."""
    default = attack in GROUPS["The isolation"] if backend == "docker" else backend == ("bwrap" if AS_ROOT else "bwrap_one_user")
    named = {"docker": backend == "docker", "slow": attack.slow, "exhaustive": not default}
    return [getattr(pytest.mark, name) for name, applies in named.items() if applies]


@pytest.fixture(scope="module")
def arenas() -> Iterator[Callable[[str], Arena]]:
    """A function that returns the arena of a backend, one at a time. A parametrized fixture would make a new one for every attack."""
    made: dict[str, Arena | SandboxError] = {}
    with contextlib.ExitStack() as stack:

        def arena_of(backend: str) -> Arena:
            if backend not in made:
                stack.close()
                try:
                    made[backend] = stack.enter_context(arena(backend))
                except SandboxError as error:
                    made[backend] = error
            if isinstance(found := made[backend], SandboxError):
                pytest.skip(str(found))
            return found

        yield arena_of


@pytest.mark.parametrize(
    ("backend", "attack"),
    [
        pytest.param(backend, attack, id=f"{backend}-{attack.name}", marks=_marks(backend, attack))
        for backend in BACKENDS
        for attack in ATTACKS
    ],
)
def test_an_attack_is_contained_harms_no_neighbour_and_ends_as_expected(
    arenas: Callable[[str], Arena], backend: str, attack: Attack
) -> None:
    if backend == "bwrap" and not may_map_two_users():
        pytest.skip("not root: only bwrap_one_user can be attacked")
    attacked = arenas(backend)
    busy_before = os.getloadavg()[0]
    seen = attacked.play(attack)  # asserts that the neighbour is not harmed and nothing is left
    assert not [turn for turn in seen.turns if turn.kind == "broken"]
    assert not seen.checked.broken
    assert attack.allows(attacked.name, seen.shape), (seen.shape, seen.turns, seen.checked)
    assert seen.neighbour_s < 10
    escape = attack.escape(seen)
    if attacked.name in attack.weak:
        if not escape and attack.needs_core and busy_before > (os.cpu_count() or 1):
            pytest.skip(f"no core is free: a load of {busy_before:.1f}")
        assert escape, f"contained: {attack.weak[attacked.name]!r} is not true any more"
    else:
        assert not escape


def test_no_attack_has_the_name_of_another() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


def test_no_attack_on_an_engine_is_expected_to_succeed() -> None:
    assert not [attack.name for attack in ATTACKS if "docker" in attack.weak]


def test_the_expected_escapes_are_the_weaknesses_that_a_backend_reports() -> None:
    from sekft.sandbox.backend.bwrap import BwrapBackend

    for name, two_users in (("bwrap", True), ("bwrap_one_user", False)):
        weaknesses = BwrapBackend.weaknesses(SimpleNamespace(two_users=two_users))  # type: ignore[arg-type]
        assert {attack.weak[name] for attack in ATTACKS if name in attack.weak} == set(weaknesses)


@pytest.mark.skipif(not PAGE.exists(), reason="the page is made by python -m tests.sandbox.attacks")
def test_the_page_names_every_attack_and_no_unexpected_escape() -> None:
    rows = {line.split(" | ")[0].removeprefix("| ") for line in PAGE.read_text().splitlines() if line.startswith("| ")}
    assert {attack.name for attack in ATTACKS} <= rows
    assert "unexpected" not in PAGE.read_text()


def test_a_planted_escape_is_found() -> None:
    from sekft.sandbox.session import CheckResult, ShellTurn
    from tests.sandbox.attacks.attack import more_than

    seen = Seen((ShellTurn("processes: 100\n", "ready", 0),), CheckResult(7), 1.0, 0.1, 0, 0.0)
    assert more_than(72, "processes", "processes")(seen) == "100 processes"
    assert not more_than(100, "processes", "processes")(seen)

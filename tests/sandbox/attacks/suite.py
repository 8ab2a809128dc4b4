"""Every attack, by group."""

from tests.sandbox.attacks import checker, isolation, resources, session
from tests.sandbox.attacks.attack import Attack

GROUPS: dict[str, list[Attack]] = {
    "Using up resources": resources.ATTACKS,
    "The session": session.ATTACKS,
    "The checker": checker.ATTACKS,
    "The isolation": isolation.ATTACKS,
}
BACKENDS = ("docker", "bwrap", "bwrap_one_user")
ATTACKS = [attack for group in GROUPS.values() for attack in group]

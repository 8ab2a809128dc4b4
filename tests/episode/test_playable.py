"""A scenario that cannot be played as it is meant is found, whatever its checker says; the library has none."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sekft.check.new import example
from sekft.config import EvalConfig
from sekft.episode import playable
from sekft.episode.agent import Agent, reference
from sekft.episode.play import play
from sekft.episode.trajectory import Trajectory
from sekft.scenario import library
from sekft.scenario.document import Scenario
from tests.sandbox.conftest import AS_ROOT, made

OWN = Scenario.model_validate(yaml.safe_load(example(Path("own.yaml"))))
SCRIPT = OWN.provider.script


def changed(**changes: Any) -> Scenario:
    return Scenario.model_validate(OWN.model_dump() | changes)


def provider(script: str, name: str = "ledger") -> dict[str, str]:
    return {"name": name, "script": script}


def announcement(text: str) -> dict[str, str]:
    return {"kind": "motd", "text": text}


def faults(scenario: Scenario) -> dict[str, str]:
    def played(agent: Agent) -> Trajectory:
        return play(scenario, agent, made("bwrap" if AS_ROOT else "bwrap_one_user"), EvalConfig())

    return playable.faults(scenario, played(reference([scenario])), played(playable.probe([scenario])))


@pytest.mark.parametrize(
    ("scenario", "part", "why"),
    [
        (changed(provider=provider(SCRIPT.replace("esac", ""))), "provider", "its script cannot be read: .*yntax error"),
        (changed(provider=provider("#!/usr/bin/env python3\nprint(1)\n")), "provider", "interpreter python3, which the image lacks"),
        (changed(provider=provider("#!/bin/bash\n" + SCRIPT)), "provider", "interpreter /bin/bash, which the image lacks"),
        (changed(provider=provider(SCRIPT, "alias")), "provider", "does not start /usr/local/bin/alias for alias, but alias"),
        (changed(announcement=announcement("Directives are kept by nobody.")), "announcement", "does not name ledger"),
        (changed(announcement=announcement("See names.txt.")), "announcement", "nor do the files that it names .*names.txt"),
        (changed(directives=("Sort names.txt.",)), "directives", "number 1 is never shown to the reference"),
        (changed(reference=OWN.reference[2:]), "reference", "no reply runs ledger"),
        (changed(reference=("cat /usr/local/bin/ledger", *OWN.reference[2:])), "reference", "no reply runs ledger"),
    ],
)
def test_what_keeps_an_agent_from_playing_is_found(scenario: Scenario, part: str, why: str) -> None:
    assert re.search(why, faults(scenario).get(part, ""))


def test_the_example_can_be_played() -> None:
    assert faults(OWN) == {}


def test_the_library_announces_its_providers_and_asks_them() -> None:
    for name in library.archetypes():
        for scenario in (library.make(name, index, seed=5) for index in range(8)):
            assert (playable.announcement_fault(scenario), playable.reference_fault(scenario)) == ("", ""), scenario.id


@pytest.mark.parametrize("typed", ["x=1 ledger today", "cd /; ledger today", "echo $(ledger today)", "if ledger today; then :; fi"])
def test_a_provider_may_be_run_inside_a_line(typed: str) -> None:
    assert playable.reference_fault(changed(reference=(typed, "exit"))) == ""

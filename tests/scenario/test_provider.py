"""Providers, run by a plain sh: the commands of the reference lead to the directives, all others are usage errors."""

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sekft.scenario import library, provider, taxonomy
from sekft.scenario.document import Scenario

SCENARIOS = [library.make("copy", index) for index in range(32) if not library.is_blocked(index)]
MANUAL = next(scenario for scenario in SCENARIOS if scenario.axes.help == "manual")


def run(scenario: Scenario, reply: str, folder: Path) -> subprocess.CompletedProcess[str]:
    if reply.startswith("man "):
        return subprocess.CompletedProcess([], 0, scenario.provider.man.replace("\\-", "-"), "")
    script = folder / scenario.provider.name
    script.write_text(scenario.provider.script)
    return subprocess.run(["sh", str(script), *reply.split()[1:]], capture_output=True, text=True)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_each_step_of_the_reference_names_the_next_and_the_last_lists_the_directives(scenario: Scenario, tmp_path: Path) -> None:
    name = scenario.provider.name
    steps = [reply for reply in scenario.reference if name in reply.split()[:2]]
    outputs = [run(scenario, step, tmp_path) for step in steps]
    for output, following in zip(outputs, steps[1:], strict=False):
        text = output.stdout + output.stderr
        hint = f"{name}(1)" if following == f"man {name}" else following.removeprefix(f"{name} ")
        assert hint in text
        assert not any(directive in text for directive in scenario.directives)
    listed = [line for line in outputs[-1].stdout.splitlines() if any(line.endswith(text) for text in scenario.directives)]
    assert all(line.endswith(text) for line, text in zip(listed, scenario.directives, strict=True))
    assert outputs[-1].returncode == 0 and steps[-1] not in outputs[0].stdout.splitlines()


@pytest.mark.parametrize("scenario", SCENARIOS[:4], ids=lambda scenario: scenario.id)
@pytest.mark.parametrize("reply", ["x nonsense", "x help nonsense", "x list extra"])
def test_an_unknown_sub_command_prints_the_usage_to_stderr_and_exits_2(scenario: Scenario, reply: str, tmp_path: Path) -> None:
    result = run(scenario, reply, tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "usage: " in result.stderr or "no such command" in result.stderr


def test_every_kind_of_help_answers_to_help(tmp_path: Path) -> None:
    first = {scenario.axes.help: run(scenario, f"{scenario.provider.name} --help", tmp_path) for scenario in SCENARIOS}
    assert set(first) == set(taxonomy.HELPS)
    assert {style: result.returncode for style, result in first.items()} == {"flag": 0, "manual": 0, "usage": 2, "word": 2}


def test_every_command_in_the_help_can_be_run(tmp_path: Path) -> None:
    for scenario in SCENARIOS:
        name = scenario.provider.name
        page = "".join(run(scenario, reply, tmp_path).stdout for reply in scenario.reference if name in reply.split()[:2])
        named = [command for command, what, _ in taxonomy.DECOYS if what.format(name=name) in page]
        assert all(run(scenario, f"x {command}", tmp_path).stdout for command in named)


def test_a_manual_page_is_roff_with_every_command_and_no_clock() -> None:
    assert MANUAL.provider.man.startswith(".TH ") and ".TP" in MANUAL.provider.man
    assert "2023-11-14" in MANUAL.provider.man.splitlines()[0]


def test_quotes_and_expansions_in_a_directive_are_printed_as_they_are(tmp_path: Path) -> None:
    directives = ["Write '$HOME' and `date` to \"lemon.txt\".", "Keep \\ and $(id)."]
    style = replace(provider.sample(random.Random(0), ["tolvan"], topic=False), subcommand="list")
    path = tmp_path / "tolvan"
    path.write_text(provider.script(style, directives))
    output = subprocess.run(["sh", str(path), "list"], capture_output=True, text=True, check=True).stdout
    assert all(line.endswith(text) for line, text in zip(output.splitlines(), directives, strict=True))


def test_a_broken_provider_prints_some_directives_and_fails(tmp_path: Path) -> None:
    scenario = next(scenario for index in range(3, 32, 4) if (scenario := library.make("copy", index)).axes.blocker == "broken")
    listing = next(reply for reply in scenario.reference[::-1] if reply.startswith(f"{scenario.provider.name} "))
    result = run(scenario, listing, tmp_path)
    assert result.returncode == 1 and "No such file" in result.stderr and scenario.directives[0] in result.stdout

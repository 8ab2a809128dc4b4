"""Providers run by a plain sh: what leads to the directives leads there, everything else is a usage error."""

import random
import subprocess
from pathlib import Path

import pytest

from sekft.scenario import library, provider, taxonomy
from sekft.scenario.bundle import Bundle

WORLDS = [library.make("copy", index) for index in range(12)]


def run(world: Bundle, reply: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder / world.provider.name
    script.write_text(world.provider.script)
    return subprocess.run(["sh", str(script), *reply.split()[1:]], capture_output=True, text=True)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.id)
def test_each_step_of_the_reference_names_the_next_and_the_last_lists_the_directives(world: Bundle, tmp_path: Path) -> None:
    steps = [reply for reply in world.reference if reply.split()[0] == world.provider.name]
    assert len(steps) == 1 + world.axes.doc_depth
    outputs = [run(world, step, tmp_path).stdout for step in steps]
    for output, following in zip(outputs, steps[1:], strict=False):
        assert following.removeprefix(f"{world.provider.name} ") in output
        assert not any(directive in output for directive in world.directives)
    assert all(line.endswith(text) for line, text in zip(outputs[-1].splitlines(), world.directives, strict=True))
    if world.axes.doc_depth == 2:
        assert steps[-1] not in outputs[0]


@pytest.mark.parametrize("world", WORLDS[:4], ids=lambda world: world.id)
@pytest.mark.parametrize("reply", ["x", "x nonsense", "x help nonsense", "x list extra"])
def test_an_unknown_sub_command_prints_the_usage_to_stderr_and_exits_2(world: Bundle, reply: str, tmp_path: Path) -> None:
    said = run(world, reply, tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith(f"usage: {world.provider.name} ") and "--help" in said.stderr


def test_everything_the_help_names_can_be_run(tmp_path: Path) -> None:
    for world in WORLDS:
        name, page = world.provider.name, run(world, "x --help", tmp_path).stdout
        named = [command for command, what, _ in taxonomy.DECOYS if what.format(name=name) in page]
        assert named and all(run(world, f"x {command}", tmp_path).stdout for command in named)


def test_quotes_and_expansions_in_a_directive_are_printed_as_they_are(tmp_path: Path) -> None:
    directives = ["Write '$HOME' and `date` to \"lemon.txt\".", "Keep \\ and $(id)."]
    manner = provider.sample(random.Random(0), "tolvan", 1)
    path = tmp_path / "tolvan"
    path.write_text(provider.script(manner, directives))
    said = subprocess.run(["sh", str(path), manner.subcommand], capture_output=True, text=True, check=True).stdout
    assert all(line.endswith(text) for line, text in zip(said.splitlines(), directives, strict=True))

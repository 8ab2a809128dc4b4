"""Scenarios as Harbor task folders (task format 1.4, read by harbor 0.25): instruction, image, checker as test, reference as solution.

Covers: the files that the checker judges. Does not cover: the ending. Harbor's agents have no `panic`, so a blocked scenario asks only
for what can be done, and `panic` is a program that prints its reason and ends the shell that called it.
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from sekft.episode import setup
from sekft.sandbox.layout import ENVIRONMENT, pack
from sekft.sandbox.session import File
from sekft.scenario.document import HOME, Scenario
from sekft.tracking.files import replacing, write_text

TASK_FORMAT = "1.4"
IMAGE = "debian:bookworm-slim"
PACKAGES = "bc diffutils file findutils gawk grep gzip less man-db procps sed tar"
INSTRUCTION = "You are `agent` at a shell prompt in /home/agent. This is what the terminal shows on arrival:\n\n```\n{shown}$ \n```\n"
TEST = """\
#!/bin/sh
# The checker is run as the agent, over the final state; a reward that lies there already is not believed.
mkdir -p /logs/verifier
rm -rf /logs/verifier/reward.txt
if su agent -s /bin/sh -c {check}; then reward=1; else reward=0; fi
echo $reward > /logs/verifier/reward.txt
"""
PANIC = '#!/bin/sh\n# panic [why]: leave as blocked\necho "panic: $*" >&2\nkill -HUP $PPID\n'


def write(scenarios: Sequence[Scenario], folder: Path) -> None:
    """One task folder per scenario, named by its id."""
    for scenario in scenarios:
        task = folder / scenario.id
        _write(task / "task.toml", _config(scenario))
        _write(task / "instruction.md", INSTRUCTION.format(shown=setup.arrival(scenario)))
        _write(task / "environment" / "Dockerfile", _dockerfile(scenario))
        files = [*setup.files(scenario), File("/usr/local/bin/panic", PANIC, 0o755, "root")]
        for name, tar in zip(("root.tar", "agent.tar"), pack(files), strict=True):
            with replacing(task / "environment" / name, "wb") as file:
                file.write(tar)
        _write(task / "tests" / "test.sh", TEST.format(check=shlex.quote(f"cd {HOME}; . /tests/checker.sh")), 0o755)
        _write(task / "tests" / "checker.sh", scenario.checker)
        _write(task / "solution" / "solve.sh", _solution(scenario), 0o755)


def _config(scenario: Scenario) -> str:
    """task.toml. Strings, numbers and lists are written as JSON, which is valid TOML."""
    axes = "\n".join(f"{axis} = {json.dumps(value)}" for axis, value in scenario.axes.model_dump(mode="json").items())
    seconds = scenario.limits.turns * scenario.limits.command_timeout_s
    return f"""\
schema_version = "{TASK_FORMAT}"

[task]
name = "sekft/{scenario.id}"
description = {json.dumps(f"{scenario.archetype}: directives kept by {scenario.provider.name}")}
keywords = {json.dumps(["shell", scenario.archetype])}

[metadata]
archetype = {json.dumps(scenario.archetype)}
seed = {scenario.seed}
{axes}

[verifier]
timeout_sec = 60.0
user = "root"

[agent]
timeout_sec = {max(600.0, seconds)}
user = "agent"

[environment]
network_mode = "no-network"
build_timeout_sec = 600.0
cpus = 1
memory_mb = 512
storage_mb = 1024
workdir = "{HOME}"
"""


def _dockerfile(scenario: Scenario) -> str:
    variables = {**ENVIRONMENT, **setup.environment(scenario)}
    return "\n".join(
        [
            f"FROM {IMAGE}",
            f"RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends {PACKAGES} && rm -rf /var/lib/apt/lists/*",
            f"RUN groupadd -g 1000 agent && useradd -u 1000 -g 1000 -d {HOME} -s /bin/sh agent && ln -sfn /usr/local/etc/motd /etc/motd",
            "ADD root.tar /",
            "ADD agent.tar /",
            *(f"ENV {name}={_quoted(value)}" for name, value in sorted(variables.items())),
            f"WORKDIR {HOME}",
            "USER agent",
            "",
        ]
    )


def _solution(scenario: Scenario) -> str:
    """The reference as one script, without its final exit or panic; a command that fails does not end the script."""
    return "\n".join(["#!/bin/sh", f"cd {HOME}", *scenario.reference[:-1], "exit 0", ""])


def _quoted(value: str) -> str:
    """The value quoted for ENV in a Dockerfile. ENV cannot hold a line end, so it becomes a space."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", " ")
    return f'"{escaped}"'


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    write_text(path, text)
    path.chmod(mode)

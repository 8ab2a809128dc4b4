"""The simulated output is that of a real shell: every conversation is typed again in a sandbox."""

import os
from collections.abc import Iterator

import pytest

from sekft.config import SandboxConfig
from sekft.pretrain.corpus.conversation import KINDS, generate_conversation
from sekft.pretrain.corpus.machine import Machine
from sekft.pretrain.corpus.scene import Conversation
from sekft.sandbox.backend.bwrap import BwrapBackend
from sekft.sandbox.session import File
from sekft.scenario import library, provider
from sekft.scenario.document import HOME

KNOWN = tuple(name for name in library.archetypes() if name not in ("find_size", "latest", "reverse", "verify"))
CONVERSATIONS = int(os.environ.get("SEKFT_TEST_CONVERSATIONS", "150"))


@pytest.fixture(scope="module")
def backend() -> BwrapBackend:
    return BwrapBackend(SandboxConfig())


def absolute(path: str) -> str:
    return path if path.startswith("/") else f"{HOME}/{path}"


def laid_out(machine: Machine) -> Iterator[File]:
    for path in sorted(machine.folders | {"/srv"}):
        if path not in ("/", "/usr", "/srv"):
            yield File(absolute(path), mode=0o755, owner="root" if path.startswith("/") else "agent", kind="dir")
    for path, text in machine.files.items():
        yield File(absolute(path), text, 0o644, "root" if path.startswith("/") else "agent")
    if machine.style:
        yield File(f"/usr/local/bin/{machine.style.name}", provider.script(machine.style, machine.directives), 0o755, "root")
        if page := provider.manual(machine.style):
            yield File(f"/usr/local/share/man/man1/{machine.style.name}.1", page, 0o644, "root")
    if machine.help:
        yield File("/usr/local/bin/help", f"#!/bin/sh\ncat <<'HELP_TEXT'\n{machine.help}HELP_TEXT\n", 0o755, "root")


def differences(conversation: Conversation, backend: BwrapBackend) -> Iterator[str]:
    """Commands for which a real shell prints something else."""
    with backend.open(conversation.start.environment) as machine:
        machine.put(list(laid_out(conversation.start)))
        for typed, simulated in zip(conversation.messages[1::2], conversation.outputs, strict=True):
            turn = machine.run(typed, 5.0)
            if (turn.kind, turn.output) != ("ready", simulated):
                yield f"{typed!r}: simulated {simulated!r}, real {turn.output!r} ({turn.kind})"


@pytest.mark.parametrize("kind", KINDS)
def test_the_simulated_output_is_what_a_real_shell_prints(kind: str, backend: BwrapBackend):
    found: list[str] = []
    for index in range(CONVERSATIONS // len(KINDS)):
        found += differences(generate_conversation(f"test:{index}", {kind: 1.0}, 0.25, KNOWN), backend)
    assert found == []

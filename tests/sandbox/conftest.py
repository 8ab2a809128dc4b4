"""The backends under test: bwrap as root may have it, bwrap as an ordinary user has it, and an engine."""

from collections.abc import Iterator
from functools import cache

import pytest

from sekft.config import SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox.place import Backend, Place

SETTINGS = SandboxConfig(flood_bytes=1 << 20)


@cache
def made(name: str) -> Backend:
    from sekft.sandbox.backend.bwrap import BwrapBackend, may_map_two_users

    try:
        if name == "docker":
            from sekft.sandbox.backend.docker import DockerBackend

            return DockerBackend(SETTINGS)
        if name == "bwrap" and not may_map_two_users():
            pytest.skip("not root: only bwrap_one_user can be tested")
        return BwrapBackend(SETTINGS, two_users=name == "bwrap")
    except SandboxError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["bwrap", "bwrap_one_user", pytest.param("docker", marks=pytest.mark.docker)])
def backend(request: pytest.FixtureRequest) -> Backend:
    return made(request.param)


@pytest.fixture(params=["bwrap", pytest.param("docker", marks=pytest.mark.docker)])
def walled(request: pytest.FixtureRequest) -> Backend:
    """Only those where the agent is a user of its own."""
    return made(request.param)


@pytest.fixture
def place(backend: Backend) -> Iterator[Place]:
    with backend.open({"DIRECTIVES": "/srv/directives"}) as place:
        yield place


@pytest.fixture
def walled_place(walled: Backend) -> Iterator[Place]:
    with walled.open({}) as place:
        yield place

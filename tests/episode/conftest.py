"""Backends to play on: bubblewrap always, the engine where one answers."""

import pytest

from sekft.config import BackendKind, SandboxConfig
from sekft.sandbox import choose
from sekft.sandbox.session import Backend


@pytest.fixture(scope="session", params=["bwrap", pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.exhaustive])])
def backend(request: pytest.FixtureRequest) -> Backend:
    return choose.backend(SandboxConfig(backend=BackendKind(request.param)))

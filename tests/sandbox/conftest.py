"""The backends under test: bwrap as root, bwrap as an ordinary user, an engine, and gVisor on a dockerd of the tests."""

import atexit
import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from sekft.config import SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox.session import Backend, Session
from tests.dockerd import dockerd, missing

SETTINGS = SandboxConfig(flood_bytes=1 << 20)
AS_ROOT = os.geteuid() == 0
# root has both forms of bwrap and tests one by default; an ordinary user has only the second
ONE_USER = pytest.param("bwrap_one_user", marks=[pytest.mark.exhaustive] if AS_ROOT else [])
BACKENDS = ["bwrap", ONE_USER, pytest.param("docker", marks=pytest.mark.docker)]
# Debian's runsc is of 2022: only the platform ptrace works everywhere, and its threads would count as the session's processes
RUNSC_ARGUMENTS = ["--network=none", "--platform=ptrace", "--ignore-cgroups"]
RUNSC = pytest.param("runsc", marks=[pytest.mark.docker, pytest.mark.exhaustive, pytest.mark.xdist_group("runsc")])


@cache
def made(name: str) -> Backend:
    from sekft.sandbox.backend.bwrap import BwrapBackend, may_map_two_users

    if name == "runsc":
        return gvisor()
    if name == "docker":
        from sekft.sandbox.backend import engine
        from sekft.sandbox.backend.docker import DockerBackend

        try:
            container_engine = engine.find()
        except SandboxError as error:
            pytest.skip(str(error))
        return DockerBackend(SETTINGS, container_engine)  # an engine that answers must work
    if name == "bwrap" and not may_map_two_users():
        pytest.skip("not root: only bwrap_one_user can be tested")
    try:
        return BwrapBackend(SETTINGS, two_users=name == "bwrap")
    except SandboxError as error:
        pytest.skip(str(error))


def gvisor() -> Backend:
    """On a dockerd of this process: the machine's own has no such runtime. SEKFT_TEST_RUNTIME=runsc: fail, do not skip, without it."""
    from sekft.sandbox.backend import engine
    from sekft.sandbox.backend.docker import DockerBackend

    lacking = missing() or ("" if shutil.which("runsc") else "runsc is not installed (apt-get install runsc)")
    if lacking:
        (pytest.fail if os.environ.get("SEKFT_TEST_RUNTIME") == "runsc" else pytest.skip)(lacking)
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    config = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sekft-runsc-"))) / "daemon.json"
    config.write_text(json.dumps({"runtimes": {"runsc": {"path": shutil.which("runsc"), "runtimeArgs": RUNSC_ARGUMENTS}}}))
    host = stack.enter_context(dockerd("--config-file", str(config)))
    settings = dataclasses.replace(SETTINGS, runtime="runsc")
    return DockerBackend(settings, engine.probe(host, {"base_url": host}))


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return made(request.param)


@pytest.fixture(params=["bwrap", pytest.param("docker", marks=pytest.mark.docker)])
def two_user_backend(request: pytest.FixtureRequest) -> Backend:
    """Backends where the agent has a user of its own."""
    return made(request.param)


@pytest.fixture
def session(backend: Backend) -> Iterator[Session]:
    with backend.open({"DIRECTIVES": "/srv/directives"}) as session:
        yield session


@pytest.fixture
def two_user_session(two_user_backend: Backend) -> Iterator[Session]:
    with two_user_backend.open({}) as session:
        yield session

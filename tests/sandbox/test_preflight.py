"""Checks of a backend before training starts: room on the disk, limits that hold, the text, the digest of the root file system."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from sekft.config import BackendKind, SandboxConfig
from sekft.errors import SandboxError
from sekft.sandbox import choose
from sekft.sandbox.backend import preflight
from sekft.sandbox.session import Session
from tests.sandbox.conftest import SETTINGS, made


@pytest.mark.docker
def test_an_engine_that_holds_its_limits_has_no_faults() -> None:
    backend = made("docker")
    if backend.engine.podman:  # type: ignore[attr-defined]
        pytest.skip("podman cannot give the agent a home of its own")
    assert backend.faults == ()  # type: ignore[attr-defined]


@pytest.mark.docker
def test_limits_that_do_not_hold_are_named(two_user_session: Session) -> None:
    """The session has wider limits than the settings say, as if the engine had ignored them."""
    tight = dataclasses.replace(SETTINGS, memory_mb=SETTINGS.memory_mb // 4, pids=SETTINGS.pids // 4)
    info = {"SwapLimit": False, "CpuCfsQuota": False}
    assert preflight.faults(two_user_session, tight, info)[0] == "limits not enforced: memory, swap, processes, CPU"


@pytest.mark.docker
def test_the_faults_of_an_engine_are_in_the_one_printed_line(monkeypatch: pytest.MonkeyPatch) -> None:
    made("docker")
    monkeypatch.setattr(preflight, "_LISTING", "something else\n")
    lines: list[str] = []
    choose.backend(SandboxConfig(backend=BackendKind.docker), lines.append)
    (line,) = lines
    assert line.startswith("sandbox: docker (")
    assert (
        "; its text differs from other engines': ls -l prints drwxr-xr-x 2 agent agent 40 2023-11-14 /home/agent | drwxr-xr-x 2 root"
        in line
    )


def test_the_error_of_a_full_disk_has_its_folder_and_both_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preflight.require_disk("unix:///x", {"DockerRootDir": str(tmp_path)})
    free_mb = shutil.disk_usage(tmp_path).free >> 20
    monkeypatch.setattr(preflight, "LEAST_DISK_MB", free_mb + 1000)
    with pytest.raises(SandboxError, match=rf"^{tmp_path}: \d+ MB free, {free_mb + 1000} MB needed"):
        preflight.require_disk("unix:///x", {"DockerRootDir": str(tmp_path)})


def test_the_disk_of_an_engine_on_another_host_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LEAST_DISK_MB", 1 << 40)
    preflight.require_disk("tcp://elsewhere:2375", {"DockerRootDir": str(tmp_path)})
    preflight.require_disk("unix:///x", {"DockerRootDir": str(tmp_path / "inside a virtual machine")})


@pytest.mark.docker
def test_every_backend_has_the_digest_of_the_same_root_file_system() -> None:
    digests = {made(name).digest for name in ("bwrap_one_user", "docker")}
    assert len(digests) == 1
    assert digests.pop().startswith("sha256:")


@pytest.mark.docker
def test_an_unknown_runtime_is_one_line_before_the_first_episode() -> None:
    made("docker")
    with pytest.raises(SandboxError, match="no-such-runtime") as caught:
        choose.backend(SandboxConfig(backend=BackendKind.docker, runtime="no-such-runtime"))
    assert "\n" not in str(caught.value)


@pytest.mark.docker
@pytest.mark.exhaustive
@pytest.mark.xdist_group("runsc")
def test_the_faults_of_debians_gvisor_are_named() -> None:
    """Its statx has no AT_NO_AUTOMOUNT, so that `ls -l` fails; with --ignore-cgroups no limit holds."""
    limits, text = made("runsc").faults  # type: ignore[attr-defined]
    assert limits == "limits not enforced: memory, processes"
    assert "cannot access '/srv': Invalid argument" in text

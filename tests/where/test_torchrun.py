"""Processes of one training end together, and a rank that died is named with its signal."""

import os
import signal
import time
from pathlib import Path

import pytest

from sekft.errors import WhereError
from sekft.where import torchrun
from sekft.where.job_spec import JobHandle, JobSpec


def started(folder: Path, script: str, ranks: int = 2) -> JobHandle:
    return torchrun.start(JobSpec("x", ("/bin/sh", "-c", script), folder), ranks)


def result(handle: JobHandle) -> int:
    while (status := handle.wait(0.2)) is None:
        pass
    return status


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_each_rank_has_its_number_and_its_own_log(tmp_path: Path):
    assert result(started(tmp_path, "echo $RANK of $WORLD_SIZE")) == 0
    assert [(tmp_path / f"{rank}.log").read_text() for rank in (0, 1)] == ["0 of 2\n", "1 of 2\n"]


def test_a_killed_rank_is_named_with_its_signal_and_the_other_is_ended(tmp_path: Path):
    handle = started(tmp_path, "exec sleep 600")
    first, second = map(int, handle.id.split(","))
    os.kill(second, signal.SIGKILL)
    with pytest.raises(WhereError) as failed:
        result(handle)
    message = f"where.train=torchrun: rank 1 of 2 was killed by SIGKILL, the others were ended; its output: {tmp_path / '1.log'}"
    assert str(failed.value) == message
    assert not is_running(first) and not is_running(second)


def test_a_rank_that_fails_is_named_with_its_status(tmp_path: Path):
    with pytest.raises(WhereError, match="rank 1 of 2 ended with status 3"):
        result(started(tmp_path, "[ $RANK = 0 ] && exec sleep 600; exit 3"))


def test_cancelling_ends_all_ranks_and_removes_the_rendezvous(tmp_path: Path):
    handle = started(tmp_path, f'dirname "$SEKFT_RENDEZVOUS" >{tmp_path}/$RANK; exec sleep 600')
    while not all((tmp_path / rank).exists() and (tmp_path / rank).read_text() for rank in "01"):
        time.sleep(0.05)
    handle.cancel()
    assert not any(map(is_running, map(int, handle.id.split(","))))
    assert not Path((tmp_path / "0").read_text().strip()).exists()

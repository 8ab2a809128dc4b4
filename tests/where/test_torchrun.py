"""Processes that are started together end together, and the one that died is named with its signal."""

import os
import signal
import time
from pathlib import Path

import pytest

from sekft.errors import WhereError
from sekft.where import torchrun
from sekft.where.work import Handle, Work


def started(folder: Path, script: str, ranks: int = 2) -> Handle:
    return torchrun.start(Work("x", ("/bin/sh", "-c", script), folder), ranks)


def result(handle: Handle) -> int:
    while (status := handle.ended(0.2)) is None:
        pass
    return status


def there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_each_knows_its_rank_and_prints_to_its_own_file(tmp_path: Path):
    assert result(started(tmp_path, "echo $RANK of $WORLD_SIZE")) == 0
    assert [(tmp_path / f"{rank}.log").read_text() for rank in (0, 1)] == ["0 of 2\n", "1 of 2\n"]


def test_a_killed_rank_is_named_with_its_signal_and_the_other_is_ended(tmp_path: Path):
    handle = started(tmp_path, "exec sleep 600")
    first, second = map(int, handle.id.split(","))
    os.kill(second, signal.SIGKILL)
    with pytest.raises(WhereError) as fallen:
        result(handle)
    said = f"where.train=torchrun: rank 1 of 2 was killed by SIGKILL, the others were ended; its output: {tmp_path / '1.log'}"
    assert str(fallen.value) == said
    assert not there(first) and not there(second)


def test_a_rank_that_fails_is_named_with_its_status(tmp_path: Path):
    with pytest.raises(WhereError, match="rank 1 of 2 ended with status 3"):
        result(started(tmp_path, "[ $RANK = 0 ] && exec sleep 600; exit 3"))


def test_what_is_cancelled_is_gone_with_the_place_they_met_in(tmp_path: Path):
    handle = started(tmp_path, f'dirname "$SEKFT_MEETING" >{tmp_path}/$RANK; exec sleep 600')
    while not all((tmp_path / rank).exists() and (tmp_path / rank).read_text() for rank in "01"):
        time.sleep(0.05)
    handle.cancel()
    assert not any(map(there, map(int, handle.id.split(","))))
    assert not Path((tmp_path / "0").read_text().strip()).exists()

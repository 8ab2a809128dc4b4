"""SIGTERM ends a run through its context managers."""

import os
import signal
import threading

import pytest

from sekft.tracking.signals import terminating


def test_a_termination_unwinds_the_block_and_a_second_one_does_not_interrupt_that() -> None:
    tidied = False
    with pytest.raises(SystemExit) as left, terminating():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            tidied = True
    assert left.value.code == 143
    assert tidied


def test_the_handler_of_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with terminating():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_nothing_happens() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def block() -> None:
        with terminating():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert seen == [before]

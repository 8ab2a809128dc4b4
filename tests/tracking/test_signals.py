"""SIGTERM and SIGHUP end a run through its context managers."""

import os
import signal
import threading

import pytest

from sekft.tracking.signals import terminating


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_unwinds_the_block_and_a_second_one_does_not_interrupt_that(number: signal.Signals) -> None:
    before, tidied = signal.signal(signal.SIGHUP, signal.SIG_DFL), False
    with pytest.raises(SystemExit) as left, terminating(), terminating():
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)
            tidied = True
    assert signal.signal(signal.SIGHUP, before) is signal.SIG_DFL
    assert left.value.code == 128 + number
    assert tidied


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with terminating():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.signal(signal.SIGHUP, before) is signal.SIG_IGN


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

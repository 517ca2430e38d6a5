"""Signals: turned into one exception, and held off while a bench is made safe."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from mtjlab.interrupts import Stopped, finishing, held_off, stop_on_signals

STOPPING = [name for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def pythons_own_handler() -> Iterator[None]:
    """Ctrl-C as in a program started in the foreground, wherever the tests were started."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.mark.parametrize("name", STOPPING)
def test_a_signal_unwinds_the_run_as_ctrl_c_does(name: str) -> None:
    number = signal.Signals[name]
    before = signal.getsignal(number)
    unwound = False
    with pytest.raises(Stopped, match=name), stop_on_signals():
        try:
            signal.raise_signal(number)
        finally:
            unwound = True
    assert unwound
    assert issubclass(Stopped, KeyboardInterrupt)
    assert signal.getsignal(number) is before


def test_ctrl_c_stays_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, stop_on_signals():
        signal.raise_signal(signal.SIGINT)
    assert not isinstance(caught.value, Stopped)


def test_ctrl_c_works_although_it_was_inherited_as_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with pytest.raises(KeyboardInterrupt), stop_on_signals():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_without_a_signal_nothing_happens() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stop_on_signals(), held_off():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_ctrl_c_waits_until_the_bench_is_safe() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), held_off():
        signal.raise_signal(signal.SIGINT)
        done.append("off")
        signal.raise_signal(signal.SIGINT)
        done.append("open")
    assert done == ["off", "open"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_stop_waits_too_and_is_still_a_stop() -> None:
    done = False
    with pytest.raises(Stopped, match="SIGTERM"), stop_on_signals(), held_off():
        signal.raise_signal(signal.SIGTERM)
        done = True
    assert done


def test_other_threads_leave_the_handlers_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with stop_on_signals(), held_off():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_signal_is_not_lost_when_the_body_fails() -> None:
    with pytest.raises(KeyboardInterrupt), held_off():
        signal.raise_signal(signal.SIGINT)
        raise ValueError


def test_the_first_ctrl_c_waits_for_the_end_of_a_transaction() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        with finishing():
            signal.raise_signal(signal.SIGINT)
            done.append("finished")
        done.append("never")
    assert done == ["finished"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_ctrl_c_does_not_wait() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), finishing():
        signal.raise_signal(signal.SIGINT)
        done.append("waited")
        signal.raise_signal(signal.SIGINT)
        done.append("never")
    assert done == ["waited"]


def test_a_transaction_without_a_signal_ends_as_it_would() -> None:
    with finishing():
        done = 1
    assert done == 1
    with pytest.raises(ValueError, match="x"), finishing():
        raise ValueError("x")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_other_signals_wait_as_well() -> None:
    finished = False
    with pytest.raises(Stopped, match="SIGTERM"), stop_on_signals(), finishing():
        signal.raise_signal(signal.SIGTERM)
        finished = True
    assert finished

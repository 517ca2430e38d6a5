"""Signals that end a run: turned into one exception that unwinds it, and held off while a bench is made safe."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """The run was asked to stop by a signal other than Ctrl-C."""


_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """While inside, SIGTERM, a closed terminal and Ctrl-Break unwind the run as Ctrl-C does (main thread only).

    SIGINT itself is put back to Python's handler: a program started in the background may have inherited it ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        raise Stopped(signal.Signals(number).name)

    previous = {number: signal.signal(number, stop) for number in _SIGNALS}
    previous[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def finishing() -> Iterator[None]:
    """While inside, the first Ctrl-C or other signal waits for the end of it; the second one ends it at once.

    A transaction with a die is worth finishing: what was measured is kept, and nothing is left half said.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, *_SIGNALS)}

    def wait(number: int, frame: FrameType | None) -> None:
        if waiting:
            then = previous[number]
            if callable(then):
                then(number, frame)
            return
        waiting.append(number)

    for number in previous:
        signal.signal(number, wait)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if waiting:
        signal.raise_signal(waiting[0])


@contextmanager
def held_off() -> Iterator[None]:
    """While inside, Ctrl-C and the other signals wait: a bench must not be left half switched off."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []

    def wait(number: int, frame: FrameType | None) -> None:
        del frame
        waiting.append(number)

    previous = {number: signal.signal(number, wait) for number in (signal.SIGINT, *_SIGNALS)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])

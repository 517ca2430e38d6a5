"""The person who started a run, at the terminal: a question is put there, and the run goes on looking elsewhere too.

A line is waited for in a thread of its own, so that an answer from the live page is heard meanwhile. The thread reads
from the operating system, not through Python's buffer: a buffer that waits for a person cannot be closed when a program
ends.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mtjlab.protocols.probe_wafer_parts import Answer, Question

    from .nouns import Progress
    from .screen import ProgressScreen

_MOST_BYTES = 1024


class TypedLines:
    """Lines that somebody types, as they come, without waiting for them.

    Args:
        read: gives what was typed, and waits for it; empty when nothing more comes.
    """

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._typed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.has_ended = False

    def begin(self) -> None:
        """Listen from now on; what was typed before is forgotten."""
        self.take()
        if self._thread is None:
            self._thread = threading.Thread(target=self._listen, name="terminal", daemon=True)
            self._thread.start()

    def take(self) -> list[str]:
        """Lines that were typed since the last call."""
        found = []
        while not self._typed.empty():
            found.append(self._typed.get_nowait())
        return found

    def _listen(self) -> None:
        rest = b""
        while True:
            try:
                typed = self._read()
            except OSError:
                typed = b""
            if not typed:
                self.has_ended = True
                return
            *lines, rest = (rest + typed).split(b"\n")
            for line in lines:
                self._typed.put(line.decode("utf-8", "replace").strip())


class Terminal:
    """Somebody at the terminal, as `WaferControl` wants one.

    Args:
        lines: what is typed there.
        say: prints a line.
        screen: halted while a question is open: bars that are drawn anew would wipe out what is being typed.
    """

    def __init__(self, lines: TypedLines, say: Callable[[str], object], screen: ProgressScreen | None = None) -> None:
        self._lines, self._say, self._screen = lines, say, screen

    @property
    def is_there(self) -> bool:
        """Whether anything can still be typed."""
        return not self._lines.has_ended

    def put(self, question: Question) -> None:
        """Put a question."""
        where = f"die ({question.die.x}, {question.die.y}), " if question.die else ""
        reason = question.reason.removeprefix(f"{question.what}: ")
        self._lines.begin()
        if self._screen is not None:
            self._screen.halt()
        self._say(f"mtjlab: {where}{question.what}: {reason}")
        self._say("mtjlab: type retry, skip or stop and Enter, or answer on the live page:")

    def answer(self) -> Answer | None:
        """What was answered since, if it was one; anything else is asked again."""
        from mtjlab.protocols.probe_wafer_parts import Answer

        for line in self._lines.take():
            word = line.casefold()
            for one in Answer:
                if word and one.value.startswith(word):
                    return one
            self._say(f"mtjlab: {line!r} is none of them: retry, skip or stop?")
        return None

    def close(self, by: str) -> None:
        """The question has been answered; `by` is who did, if it was somebody else."""
        if by:
            self._say(f"mtjlab: {by}")
        if self._screen is not None:
            self._screen.go_on()


def own_terminal(progress: Progress) -> Terminal | None:
    """The terminal that this program was started in, and on which it shows its progress; None where there is none."""
    from .screen import ProgressScreen

    if not sys.stdin.isatty():
        return None
    if hasattr(signal, "SIGTTIN"):  # a run that was sent to the background must not be halted because it listens
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    place = sys.stdin.fileno()
    lines = TypedLines(lambda: os.read(place, _MOST_BYTES))
    screen = progress if isinstance(progress, ProgressScreen) else None
    return Terminal(lines, lambda text: typer.echo(text, err=True), screen)

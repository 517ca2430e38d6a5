"""The person who started a run, at the terminal: a question is put there, and the run goes on looking elsewhere too.

Nothing waits for a line: it is looked whether one has been typed. So an answer from the live page is heard meanwhile,
and what is typed while no question is open stays there for whoever else reads it (a prober that is moved by hand).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mtjlab.protocols.probe_wafer_parts import Answer, Question

    from .nouns import Progress
    from .screen import ProgressScreen

_MOST_BYTES = 1024


class TypedLines:
    """Lines that somebody types, without waiting for them.

    Args:
        is_ready: whether something can be read without waiting.
        read: gives it; empty when nothing more comes, OSError where it may not be read.
    """

    def __init__(self, is_ready: Callable[[], bool], read: Callable[[], bytes]) -> None:
        self._is_ready, self._read = is_ready, read
        self._rest = b""
        self.has_ended = False

    def begin(self) -> None:
        """Forget what was typed before."""
        self.take()
        self._rest = b""

    def take(self) -> list[str]:
        """Lines that were completed since the last call."""
        while not self.has_ended and self._is_ready():
            try:
                typed = self._read()
            except OSError:  # a terminal that has gone, or a run in the background
                typed = b""
            self.has_ended = not typed
            self._rest += typed
        *lines, self._rest = self._rest.replace(b"\r", b"\n").split(b"\n")
        return [words for line in lines if (words := line.decode("utf-8", "replace").strip())]


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
    screen = progress if isinstance(progress, ProgressScreen) else None
    return Terminal(_own_lines(), lambda text: typer.echo(text, err=True), screen)


def _own_lines() -> TypedLines:
    if sys.platform == "win32":
        import msvcrt

        return TypedLines(msvcrt.kbhit, lambda: msvcrt.getwche().encode())
    else:  # noqa: RET505  (a type checker for Windows sees no code after a return)
        import select

        place = sys.stdin.fileno()
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # a run in the background must not be halted as it listens
        return TypedLines(lambda: bool(select.select([place], [], [], 0)[0]), lambda: os.read(place, _MOST_BYTES))


def typing_beside(screen: ProgressScreen) -> Callable[[str], str]:
    """What asks a person who moves a prober by hand: bars stand still while an answer is typed."""

    def asked(text: str) -> str:
        from mtjlab.drivers.manual_prober import person_at_terminal

        screen.halt()
        try:
            return person_at_terminal(text)
        finally:
            screen.go_on()

    return asked

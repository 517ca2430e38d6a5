"""A question at the terminal: typed words, waited for without holding up anything else."""

from __future__ import annotations

import queue
import subprocess
import sys
import textwrap

from mtjlab.cli_terminal import Terminal, TypedLines
from mtjlab.nouns import DieId
from mtjlab.protocols.probe_wafer_parts import Answer, Question
from mtjlab.screen import ProgressScreen

QUESTION = Question("touching down", "the door is open", DieId("W", 3, 4))


class Keyboard:
    """What is typed is there when `read` has been called for the next piece."""

    def __init__(self) -> None:
        self._pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def read(self) -> bytes:
        self._asked.put(None)
        return self._pieces.get()

    def type(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._pieces.put(piece)
        for _ in pieces:
            self._asked.get(timeout=10)


def terminal() -> tuple[Terminal, TypedLines, Keyboard, list[str]]:
    keyboard, said = Keyboard(), list[str]()
    lines = TypedLines(keyboard.read)
    return Terminal(lines, said.append), lines, keyboard, said


def test_an_answer_is_a_word_or_its_beginning() -> None:
    own, _, keyboard, said = terminal()
    own.put(QUESTION)
    assert own.answer() is None
    keyboard._asked.get(timeout=10)
    keyboard.type(b"what\n", b"Sk\r\n")
    assert own.answer() is Answer.SKIP
    assert "die (3, 4), touching down: the door is open" in said[0]
    assert said[-1] == "mtjlab: 'what' is none of them: retry, skip or stop?"


def test_the_bars_stand_still_while_a_question_is_open() -> None:
    class Screen(ProgressScreen):
        calls: list[str] = []

        def halt(self) -> None:
            self.calls.append("halt")

        def go_on(self) -> None:
            self.calls.append("go on")

    screen, said = Screen(), list[str]()
    own = Terminal(TypedLines(Keyboard().read), lambda text: said.append(text), screen)
    own.put(Question("step 'read'", "step 'read': drive: no reply"))
    assert screen.calls == ["halt"] and said[0] == "mtjlab: step 'read': drive: no reply"
    own.close("Ada answers 'retry' on the page")
    assert screen.calls == ["halt", "go on"] and "Ada answers" in said[-1]


def test_what_was_typed_before_a_question_does_not_answer_it() -> None:
    own, _, keyboard, _ = terminal()
    own.put(QUESTION)
    keyboard._asked.get(timeout=10)
    keyboard.type(b"stop\n")
    own.put(QUESTION)
    assert own.answer() is None
    keyboard.type(b"re", b"try\n")
    assert own.answer() is Answer.RETRY


def test_a_terminal_that_ends_is_no_longer_there() -> None:
    own, lines, keyboard, _ = terminal()
    own.put(QUESTION)
    was_there = own.is_there
    keyboard._pieces.put(b"")
    assert lines._thread is not None
    lines._thread.join(10)
    assert (was_there, own.is_there, own.answer()) == (True, False, None)


def test_a_program_ends_although_nobody_typed_anything() -> None:
    program = """
        import os, sys
        from mtjlab.cli_terminal import Terminal, TypedLines
        from mtjlab.protocols.probe_wafer_parts import Question
        own = Terminal(TypedLines(lambda: os.read(sys.stdin.fileno(), 100)), print)
        own.put(Question("touching down", "the door is open"))
    """
    running = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE)
    assert running.wait(60) == 0
    assert running.stdin is not None
    running.stdin.close()

"""A question at the terminal: typed words, waited for without holding up anything else."""

from __future__ import annotations

import io
import sys

import pytest

from mtjlab.cli_terminal import Terminal, TypedLines, own_terminal, typing_beside
from mtjlab.nouns import DieId, unheard
from mtjlab.protocols.probe_wafer_parts import Answer, Question
from mtjlab.screen import ProgressScreen

QUESTION = Question("touching down", "the door is open", DieId("W", 3, 4))


class Keyboard:
    """What is typed is there at once; an empty piece ends it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def is_ready(self) -> bool:
        return bool(self.pieces)

    def read(self) -> bytes:
        return self.pieces.pop(0)


def terminal() -> tuple[Terminal, Keyboard, list[str]]:
    keyboard, said = Keyboard(), list[str]()
    return Terminal(TypedLines(keyboard.is_ready, keyboard.read), said.append), keyboard, said


def test_an_answer_is_a_word_or_its_beginning() -> None:
    own, keyboard, said = terminal()
    own.put(QUESTION)
    assert own.answer() is None
    keyboard.pieces = [b"what\n", b"Sk\r\n"]
    assert own.answer() is Answer.SKIP
    assert "die (3, 4), touching down: the door is open" in said[0]
    assert said[-1] == "mtjlab: 'what' is none of them: retry, skip or stop?"


def test_keys_that_come_one_by_one_make_a_line() -> None:
    own, keyboard, _ = terminal()
    own.put(QUESTION)
    for key in (b"r", b"e", b"t", b"r", b"y"):
        keyboard.pieces = [key]
        assert own.answer() is None
    keyboard.pieces = [b"\r"]
    assert own.answer() is Answer.RETRY


def test_the_bars_stand_still_while_a_question_is_open() -> None:
    class Screen(ProgressScreen):
        calls: list[str] = []

        def halt(self) -> None:
            self.calls.append("halt")

        def go_on(self) -> None:
            self.calls.append("go on")

    screen, said, keyboard = Screen(), list[str](), Keyboard()
    own = Terminal(TypedLines(keyboard.is_ready, keyboard.read), lambda text: said.append(text), screen)
    own.put(Question("step 'read'", "step 'read': drive: no reply"))
    assert screen.calls == ["halt"] and said[0] == "mtjlab: step 'read': drive: no reply"
    own.close("Ada answers 'retry' on the page")
    assert screen.calls == ["halt", "go on"] and "Ada answers" in said[-1]


def test_what_was_typed_before_a_question_does_not_answer_it() -> None:
    own, keyboard, _ = terminal()
    keyboard.pieces = [b"stop\nsto"]
    own.put(QUESTION)
    assert own.answer() is None
    keyboard.pieces = [b"re", b"try\n"]
    assert own.answer() is Answer.RETRY


def test_a_line_that_is_typed_while_no_question_is_open_is_left_to_others() -> None:
    own, keyboard, _ = terminal()
    own.put(QUESTION)
    keyboard.pieces = [b"skip\n"]
    assert own.answer() is Answer.SKIP
    own.close("")
    keyboard.pieces = [b"for the one who moves the chuck\n"]
    assert keyboard.pieces, "nobody reads until the next question is put"


@pytest.mark.parametrize("ends", [b"", None])
def test_a_terminal_that_ends_is_no_longer_there(ends: bytes | None) -> None:
    def read() -> bytes:
        if ends is None:
            raise OSError(5, "in the background")
        return ends

    lines = TypedLines(lambda: True, read)
    own = Terminal(lines, lambda text: None)
    before = own.is_there
    own.put(QUESTION)
    assert (before, own.is_there, own.answer()) == (True, False, None)


def test_without_a_terminal_there_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert own_terminal(unheard) is None


def test_bars_stand_still_while_a_person_who_moves_the_prober_types(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[str] = []

    class Screen(ProgressScreen):
        def halt(self) -> None:
            drawn.append("halt")

        def go_on(self) -> None:
            drawn.append("go on")

    class Keys(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:
            drawn.append("typed")
            return super().readline(-1 if size is None else size)

    monkeypatch.setattr(sys, "stdin", Keys("3 4\n"))
    asked = typing_beside(Screen())
    assert asked("Move to die 3 4: ") == "3 4\n"
    with pytest.raises(EOFError):
        asked("Again: ")
    assert drawn == ["halt", "typed", "go on"] * 2
    said = capsys.readouterr()
    assert said.out == "" and "Move to die 3 4: Again: " in said.err

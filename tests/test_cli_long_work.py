"""How far long work is: bars in a terminal, few lines elsewhere."""

from __future__ import annotations

import sys

import pytest

from mtjlab.cli_long_work import told_progress
from mtjlab.screen import ProgressScreen


def test_where_there_is_no_terminal_a_line_comes_now_and_then_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with told_progress() as say:
        for done in range(6):
            say("training", done, 5)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == ["training: 0 of 5", "training: 5 of 5"]


def test_in_a_terminal_every_piece_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with told_progress() as say:
        assert isinstance(say, ProgressScreen)

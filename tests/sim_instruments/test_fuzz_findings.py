"""What random messages have broken, kept as plain cases."""

from __future__ import annotations

from typing import Any

import pytest

from mtjlab.sim_instruments.simulated_bench import SimBench


@pytest.mark.parametrize(
    "message", ["\xd6^#\xb9\xe7\xebo", ":TRAC:POIN #\xb9999", "*ESE 1E\x1c9", "*ESE \xb9", "#" * 5000]
)
def test_signs_that_only_look_like_digits_are_errors(bench: SimBench, tell: Any, message: str) -> None:
    smu: Any = bench.by_name["drive"]
    tell(smu, message)
    assert len(smu.status.errors)


def test_time_stays_a_number(bench: SimBench, tell: Any, ask: Any) -> None:
    matrix = bench.by_name["matrix"]
    tell(matrix, "delay(0/0)")
    assert bench.world.seconds < 1
    assert float(ask(matrix, "print(errorqueue.count)")) == 1


def test_a_stream_of_marks_is_taken_apart_in_linear_time(bench: SimBench) -> None:
    messages, rest = bench.by_name["drive"].messages_in(b"'a'#" * 200_000 + b"\n*CLS\n")
    assert (len(messages), rest) == (2, b"")

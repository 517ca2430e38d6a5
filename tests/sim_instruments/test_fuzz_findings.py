"""What random messages have broken, kept as plain cases."""

from __future__ import annotations

from typing import Any

import pytest

from mtjlab.sim_instruments.scpi_errors import ScpiError
from mtjlab.sim_instruments.scpi_parameters import ChannelList
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path


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


@pytest.mark.parametrize(
    "message",
    [
        ":SOUR:LIST:VOLT 1," + "1" * 5000,
        "*ESE 1E" + "9" * 5000,
        "*ESE #H" + "F" * 5000,
        "*ESE #B" + "1" * 5000,
        "*ESE " + "1" * 5000,
    ],
)
def test_numbers_beyond_all_bounds_are_errors(bench: SimBench, tell: Any, message: str) -> None:
    smu: Any = bench.by_name["drive"]
    tell(smu, message)
    assert smu.status.errors.take().code in (-123, -124)


@pytest.mark.parametrize("message", ["*ESE " + "1" * 5000, "dataqueue.clear(nil)", "script.save(nil)"])
def test_a_lua_instrument_refuses_what_it_cannot_take(bench: SimBench, tell: Any, message: str) -> None:
    matrix: Any = bench.by_name["matrix"]
    tell(matrix, message)
    assert len(matrix.status.errors)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("k2602b", "print(smua.nvbuffer1.readings[0/0]) error('x')"),
        ("k2602b", "smub.nvbuffer2.measurefunctions.getreading(0/0) error('x')"),
        ("b2902a", ":DIG:INT0:TOUT:EDGE:POS?"),
        ("k7001", f":ROUT:CLOS (@1!1!{'1' * 5000})"),
        ("b2201a", f":ROUT:CLOS (@{'1' * 5000})"),
        ("b2201a", f":ROUT:OPEN:CARD {'1' * 5000}"),
        ("a34980a", f"ROUT:CLOS (@{'1' * 5000})"),
        ("k707b", f"channel.close('slot{'1' * 5000}')"),
        ("b2902a", ":DIG:INT3:TOUT:EDGE:POS BEF"),
    ],
)
def test_indices_that_are_none(tell: Any, name: str, message: str) -> None:
    unit: Any = SimBench(bench_path("showroom")).by_name[name]
    tell(unit, message)
    assert len(unit.status.errors)


def test_channels_beyond_all_bounds_are_errors() -> None:
    with pytest.raises(ScpiError, match="-171"):
        ChannelList().parse(f"(@{'1' * 5000})", None)

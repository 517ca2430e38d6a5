"""Trips and power failures on every model that can be on a bench: what opens, what is reset, what is reported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path
from mtjlab.sim_instruments.wire_instrument import NoReply


class Drive(NamedTuple):
    """How an instrument's output is turned on and asked for.

    Attributes:
        on: messages after *RST.
        asked: how the state of its outputs is asked for.
        off: the answer when they are off.
        error: what its error queue tells after a trip; as far as the maker's own words are known.
    """

    on: tuple[str, ...]
    asked: str
    off: str
    error: str = "-300,"


def _scpi(level: str, error: str) -> Drive:
    return Drive((level, ":OUTP ON"), ":OUTP?", "0", error)


def _both(level: str, error: str = "-300,") -> Drive:
    levels = tuple(level.format(n) for n in (1, 2))
    return Drive((*levels, ":OUTP1 ON", ":OUTP2 ON"), ":OUTP1?;:OUTP2?", "0;0", error)


_TSP = Drive(
    ("smua.source.levelv = 0.5 smua.source.output = 1", "smub.source.levelv = 0.5 smub.source.output = 1"),
    "print(smua.source.output, smub.source.output)",
    "0.00000e+00\t0.00000e+00",
    "5.04600e+03",
)
DRIVES = {
    "k2400": _scpi(":SOUR:VOLT 0.05", "+802,"),
    "k2450": _scpi(":SOUR:VOLT 0.05", "5074,"),
    "k2602b": _TSP,
    "k2612b": _TSP,
    "k2636b": _TSP,
    "b2902a": _both(":SOUR{}:VOLT 0.05", "+305,"),
    "p81160a": _both(":APPL{}:DC DEF, DEF, 0.5"),
    "w33622a": _both("SOUR{}:APPL:DC DEF, DEF, 0.5"),
    "gs200": _scpi(":SOUR:FUNC CURR;:SOUR:RANG 0.2;:SOUR:LEV 0.1", "-300,"),
}
_TSP_MATRIX = 'channel.close("1A01,1C04")', 'print(channel.getclose("allslots"))', "nil"
_ACON = ":ROUT:FUNC ACON;:ROUT:CONN:RULE ALL,FREE;:ROUT:CLOS (@00101,00204)", ":ROUT:CLOS? (@00101,00204)", "0,0"
MATRICES = {
    "k707b": _TSP_MATRIX,
    "k708b": _TSP_MATRIX,
    "k7001": (":ROUT:CLOS (@1!1!1,2!2!3)", ":ROUT:CLOS:STAT?", "(@)"),
    "b2201a": _ACON,
    "e5250a": _ACON,
    "a34980a": ("ROUT:CLOS (@1101,1203)", "ROUT:CLOS? (@1101,1203)", "0,0"),
}


@pytest.fixture(scope="module")
def bench() -> Iterator[SimBench]:
    bench = SimBench(bench_path("showroom"))
    yield bench
    bench.close()


def ask(unit: Any, message: str) -> str:
    unit.device_clear(0.0)
    unit.receive(message.encode() + b"\n", is_end=True, bus_seconds=0.0)
    data, _ = unit.send(10**6, timeout_seconds=100.0, termination=None, bus_seconds=0.0)
    return str(data.decode("latin-1")).removesuffix("\n")


def tell(unit: Any, *messages: str) -> None:
    for message in messages:
        unit.receive(message.encode() + b"\n", is_end=True, bus_seconds=0.0)


def next_error(unit: Any) -> str:
    return ask(unit, "SYST:ERR?" if hasattr(unit, "tree") else "print(errorqueue.next())")


def drives_something(bench: SimBench, name: str) -> bool:
    bench.world.wait(10)
    if name == "gs200":
        return abs(bench.world.field_tesla) > 1e-3
    return any(abs(source.point().volts) > 1e-3 for source in bench.world.sources_of(name))


def closed_relays(bench: SimBench) -> int:
    """Closed relays of all instruments."""
    return sum(len(switches.closed) for switches in bench.world._switches)


@pytest.mark.parametrize("name", DRIVES)
def test_a_trip_turns_outputs_off_and_is_reported(bench: SimBench, name: str) -> None:
    unit: Any = bench.by_name[name]
    tell(unit, "*RST", "*CLS", *DRIVES[name].on)
    assert drives_something(bench, name)
    bench.inject("trip", name)
    assert not drives_something(bench, name)
    assert ask(unit, DRIVES[name].asked) == DRIVES[name].off
    assert next_error(unit).startswith(DRIVES[name].error)


@pytest.mark.parametrize("name", DRIVES)
def test_a_source_that_lost_its_power_is_as_just_switched_on(bench: SimBench, name: str) -> None:
    unit: Any = bench.by_name[name]
    unit.power_cycle()
    ask(unit, "*ESR?")
    tell(unit, "*RST", *DRIVES[name].on, "*ESE 4", "*SRE 4")
    assert drives_something(bench, name)
    bench.inject("power_loss", name)
    assert not drives_something(bench, name)
    assert ask(unit, DRIVES[name].asked) == DRIVES[name].off
    assert [float(ask(unit, asked)) for asked in ("*ESR?", "*ESE?", "*SRE?")] == [128, 0, 0]
    tell(unit, *DRIVES[name].on)
    assert drives_something(bench, name), "it works again"


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_that_lost_its_power_has_open_relays(bench: SimBench, name: str) -> None:
    unit: Any = bench.by_name[name]
    closing, asked, opened = MATRICES[name]
    unit.power_cycle()
    at_rest = closed_relays(bench)
    ask(unit, "*ESR?")
    tell(unit, "*RST", closing)
    assert closed_relays(bench) > at_rest
    bench.inject("power_loss", name)
    assert closed_relays(bench) == at_rest
    assert ask(unit, asked) == opened
    assert float(ask(unit, "*ESR?")) == 128
    tell(unit, closing)
    assert closed_relays(bench) > at_rest


def test_every_model_of_the_showroom_is_tried(bench: SimBench) -> None:
    assert set(DRIVES) | set(MATRICES) <= set(bench.by_name)
    others = set(bench.by_name) - set(DRIVES) - set(MATRICES)
    assert not any(bench.world.sources_of(name) for name in others)


@pytest.mark.parametrize("name", [*DRIVES, *MATRICES])
def test_a_silent_instrument_of_any_model_times_out(bench: SimBench, name: str) -> None:
    """The last test on this bench: nothing heals a silent instrument."""
    bench.inject("silent", name)
    with pytest.raises(NoReply):
        ask(bench.by_name[name], "*IDN?")

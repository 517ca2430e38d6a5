"""Scripts as in the makers' manuals, by PyVISA on the bench and by PyVISA-py on its TCP server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pyvisa
from pymeasure.instruments.keithley import Keithley2400
from pyvisa import constants
from qcodes.instrument_drivers.Keithley import Keithley2450
from qcodes.instrument_drivers.Keysight import KeysightB2201

from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.tcp_server import TcpServer

from .matrix import matrix

Script = Callable[[Any, SimBench, str], None]
OHMS = 1000.0


def closes(bench: SimBench, node: str, other: str) -> bool:
    """Whether there is a relay between two nodes that conducts."""
    numbers = ((switches, switches.number_of(node, other)) for switches in bench.world._switches)
    return any(number in switches.closed for switches, number in numbers if number is not None)


def closed(bench: SimBench, name: str, row: int | str, column: int) -> bool:
    """Whether the relay between a row and a column of a matrix conducts."""
    return closes(bench, f"{name}.row.{row}", f"{name}.col.{column}")


def amps_of(bench: SimBench, name: str, channel: int = 0) -> float:
    return bench.world.sources_of(name)[channel].point().amps


def tell(unit: Any, *messages: str) -> None:
    """Send messages and wait until they are done: a socket does not."""
    for message in messages:
        unit.write(message)
    assert unit.query("*OPC?").strip() == "1"


def smu_2400(unit: Any, bench: SimBench, name: str) -> None:
    tell(unit, "*RST", ":SOUR:FUNC VOLT", ":SOUR:VOLT:LEV 0.5", ":SENS:CURR:PROT 10E-3", ":OUTP ON")
    reading = unit.query_ascii_values(":READ?")
    assert reading[1] == pytest.approx(5e-4, rel=1e-2)
    assert amps_of(bench, name) == pytest.approx(5e-4, rel=1e-3)
    tell(unit, ":OUTP OFF")
    assert amps_of(bench, name) == pytest.approx(0, abs=1e-9)


def smu_2450(unit: Any, bench: SimBench, name: str) -> None:
    tell(unit, "*RST", "SOUR:FUNC VOLT", "SOUR:VOLT 0.5", "SOUR:VOLT:ILIM 0.01", 'SENS:FUNC "CURR"', "OUTP ON")
    assert float(unit.query("READ?")) == pytest.approx(5e-4, rel=1e-2)
    tell(unit, ":SOUR:SWE:VOLT:LIN 0, 1, 5, 0.01")
    tell(unit, "INIT;*WAI")
    values = unit.query_ascii_values('TRAC:DATA? 1, 5, "defbuffer1", SOUR, READ')
    assert values[1::2] == pytest.approx([0, 2.5e-4, 5e-4, 7.5e-4, 1e-3], abs=2e-6)
    tell(unit, "OUTP OFF")
    assert amps_of(bench, name) == pytest.approx(0, abs=1e-9)


def smu_2600(unit: Any, bench: SimBench, name: str) -> None:
    for index, smu in enumerate(("smua", "smub")):
        tell(unit, f"{smu}.reset()")
        tell(unit, f"{smu}.source.func = {smu}.OUTPUT_DCVOLTS")
        tell(unit, f"{smu}.source.limiti = 10e-3 {smu}.source.levelv = 0.5 {smu}.source.output = {smu}.OUTPUT_ON")
        assert float(unit.query(f"print({smu}.measure.i())")) == pytest.approx(5e-4, rel=1e-2)
        assert amps_of(bench, name, index) == pytest.approx(5e-4, rel=1e-3)
        tell(unit, f"{smu}.source.output = {smu}.OUTPUT_OFF")
        assert amps_of(bench, name, index) == pytest.approx(0, abs=1e-9)
    assert float(unit.query("print(errorqueue.count)")) == 0


def smu_b2900(unit: Any, bench: SimBench, name: str) -> None:
    tell(unit, "*RST")
    for channel in (1, 2):
        tell(unit, f":SOUR{channel}:VOLT 0.5", f":SENS{channel}:CURR:PROT 0.01", f":OUTP{channel} ON")
        assert float(unit.query(f":MEAS:CURR? (@{channel})")) == pytest.approx(5e-4, rel=1e-2)
        assert amps_of(bench, name, channel - 1) == pytest.approx(5e-4, rel=1e-3)
        tell(unit, f":OUTP{channel} OFF")
        assert amps_of(bench, name, channel - 1) == pytest.approx(0, abs=1e-9)


def matrix_700b(unit: Any, bench: SimBench, name: str) -> None:
    tell(unit, "reset()")
    tell(unit, 'channel.exclusiveclose("1A01,1B02")')
    assert unit.query('print(channel.getclose("allslots"))') == "1A01;1B02"
    assert closed(bench, name, "A", 101)
    assert closed(bench, name, "B", 102)
    tell(unit, 'channel.open("allslots")')
    assert unit.query('print(channel.getclose("allslots"))') == "nil"
    assert not closed(bench, name, "A", 101)


def matrix_7001(unit: Any, bench: SimBench, name: str) -> None:
    tell(unit, "*RST")
    tell(unit, ":ROUT:CLOS (@1!1!1,2!2!3)")
    assert unit.query(":ROUT:CLOS:STAT?") == "(@1!1!1,2!2!3)"
    assert closed(bench, name, 1, 101)
    assert closed(bench, name, 2, 203)
    tell(unit, ":ROUT:OPEN ALL")
    assert not closed(bench, name, 1, 101)
    for message in (":ROUT:SCAN (@1!1!1,2!2!3)", ":TRIG:SOUR BUS", ":INIT", "*TRG"):
        unit.write(message)
    assert unit.query(":ROUT:CLOS:STAT?") == "(@1!1!1)"
    unit.write("*TRG")
    assert unit.query("*OPC?;:ROUT:CLOS:STAT?") == "1;(@2!2!3)", "the scan is over"
    assert not closed(bench, name, 1, 101)
    assert closed(bench, name, 2, 203)
    tell(unit, "*RST")


def matrix_b2200(unit: Any, bench: SimBench, name: str) -> None:
    tell(unit, "*RST")
    tell(unit, ":ROUT:FUNC ACON;:ROUT:CONN:RULE ALL,FREE")
    tell(unit, ":ROUT:CLOS (@00101,00214)")
    assert unit.query(":ROUT:CLOS? (@00101,00102)") == "1,0"
    assert closed(bench, name, 1, 101)
    assert closed(bench, name, 2, 202)
    tell(unit, ":ROUT:OPEN:CARD ALL")
    assert not closed(bench, name, 1, 101)


def matrix_34980a(unit: Any, bench: SimBench, name: str) -> None:
    tell(unit, "*RST")
    tell(unit, "ROUT:CLOS (@1101)")
    assert unit.query("ROUT:CLOS? (@1101,1102)") == "1,0"
    behind_protection = f"{name}.bank.1.row.1.1"
    assert closes(bench, behind_protection, f"{name}.col.101")
    assert closes(bench, f"{name}.row.1", behind_protection)
    tell(unit, "ROUT:OPEN:ALL")
    assert not closes(bench, behind_protection, f"{name}.col.101")
    assert unit.query("ROUT:CLOS? (@1101)") == "0"
    tell(unit, 'ROUT:SEQ:DEF BOTH,"ROUT:CLOS (@1101);:ROUT:CLOS (@1202)"', "ROUT:SEQ:TRIG BOTH")
    assert unit.query("ROUT:CLOS? (@1101,1202);:ROUT:SEQ:BUSY?") == "1,1;0"
    assert closes(bench, behind_protection, f"{name}.col.101")
    tell(unit, "ROUT:SEQ:DEL BOTH", "*RST")
    assert not closes(bench, behind_protection, f"{name}.col.101")


def generator(unit: Any, bench: SimBench, name: str) -> None:
    tell(unit, "*RST")
    source = bench.world.sources_of(name)[0]
    tell(unit, ":APPL1:DC DEF, DEF, 0.5" if name.startswith("p") else "SOUR1:APPL:DC DEF, DEF, 0.5")
    tell(unit, ":OUTP1 ON")
    assert source.point().volts == pytest.approx(1.0, rel=2e-2), "open: twice that of 50 ohm"
    tell(unit, ":OUTP1 OFF")
    assert source.point().volts == pytest.approx(0, abs=1e-6)


def dc_source(unit: Any, bench: SimBench, name: str) -> None:
    tell(unit, "*RST", ":SOUR:FUNC CURR", ":SOUR:RANG 0.2", ":SOUR:LEV 0.1", ":OUTP ON")
    bench.world.wait(5)
    assert bench.world.field_tesla == pytest.approx(0.1, rel=1e-2)
    tell(unit, ":OUTP OFF")
    bench.world.wait(5)
    assert bench.world.field_tesla == pytest.approx(0, abs=1e-4)


SCRIPTS: dict[str, Script] = {
    "k2400": smu_2400,
    "k2450": smu_2450,
    "k2602b": smu_2600,
    "k2612b": smu_2600,
    "k2636b": smu_2600,
    "b2902a": smu_b2900,
    "k707b": matrix_700b,
    "k708b": matrix_700b,
    "k7001": matrix_7001,
    "b2201a": matrix_b2200,
    "e5250a": matrix_b2200,
    "a34980a": matrix_34980a,
    "p81160a": generator,
    "w33622a": generator,
    "gs200": dc_source,
}
LINES = {"read_termination": "\n", "write_termination": "\n"}


@pytest.fixture(scope="module")
def bench() -> Iterator[SimBench]:
    bench = sim_bench("showroom")
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def server(bench: SimBench) -> Iterator[TcpServer]:
    with pyvisa.ResourceManager("showroom@mtjlab").open_resource("GPIB0::24::INSTR"), TcpServer(bench) as server:
        yield server


def test_every_instrument_has_a_script(bench: SimBench) -> None:
    assert set(bench.by_name) == set(SCRIPTS)
    assert len(matrix()["instruments"]) == len(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_pyvisa(bench: SimBench, name: str) -> None:
    address = next(a for a, instrument in bench.by_address.items() if instrument is bench.by_name[name])
    manager = pyvisa.ResourceManager("showroom@mtjlab")
    unit = manager.open_resource(address, **LINES)
    try:
        SCRIPTS[name](unit, bench, name)
    finally:
        unit.close()
        manager.close()


@pytest.mark.parametrize("name", SCRIPTS)
def test_pyvisa_py_on_the_tcp_server(bench: SimBench, server: TcpServer, name: str) -> None:
    resource = next(port.resource for port in server.ports if port.name == name)
    manager = pyvisa.ResourceManager("@py")
    unit = manager.open_resource(resource, timeout=10_000, **LINES)
    try:
        SCRIPTS[name](unit, bench, name)
    finally:
        unit.close()
        manager.close()


def test_a_qcodes_driver_by_pyvisa_py_on_the_tcp_server(bench: SimBench, server: TcpServer) -> None:
    port = {port.name: port.resource for port in server.ports}
    smu = Keithley2450("tcp_2450", port["k2450"], visalib="@py")
    matrix_driver = KeysightB2201("tcp_b2201a", port["b2201a"], visalib="@py")
    try:
        smu.reset()
        smu.source_function("voltage")
        smu.sense_function("current")
        smu.source.limit(1e-2)
        smu.source.voltage(0.5)
        smu.output_enabled(True)
        assert smu.sense.current() == pytest.approx(5e-4, rel=1e-2)
        smu.output_enabled(False)
        assert smu.output_enabled() is False
        assert amps_of(bench, "k2450") == pytest.approx(0, abs=1e-9)
        matrix_driver.reset()
        matrix_driver.connect(1, 13)
        assert matrix_driver.connections() == {(1, 13)}
        assert closed(bench, "b2201a", 1, 201)
        matrix_driver.disconnect_all()
    finally:
        smu.close()
        matrix_driver.close()


def test_a_pymeasure_driver_by_pyvisa_py_on_the_tcp_server(bench: SimBench, server: TcpServer) -> None:
    resource = next(port.resource for port in server.ports if port.name == "k2400")
    smu = Keithley2400(resource, visa_library="@py", **LINES)
    try:
        smu.reset()
        smu.compliance_current = 1e-2
        smu.source_voltage = 0.5
        smu.source_enabled = True
        assert smu.current == pytest.approx(5e-4, rel=1e-2)
        assert amps_of(bench, "k2400") == pytest.approx(5e-4, rel=1e-3)
        smu.source_enabled = False
        assert smu.check_errors() == []
    finally:
        smu.adapter.close()


SWEEPS: dict[str, tuple[tuple[str, ...], str]] = {
    "k2400": (
        ("*RST", ":SOUR:VOLT:MODE SWE", ":SOUR:VOLT:STAR 0", ":SOUR:VOLT:STOP 0.5", ":SOUR:VOLT:STEP 0.05",
         ":SOUR:DEL 0.2", ":SENS:CURR:PROT 0.01", ":TRIG:COUN 11", ":OUTP ON", "*CLS", "*ESE 1", "*SRE 32"),
        ":INIT;*OPC",
    ),
    "k2450": (
        ("*RST", ":SOUR:VOLT:ILIM 0.01", ':SENS:FUNC "CURR"', ":SOUR:SWE:VOLT:LIN 0, 0.5, 11, 0.2", "*CLS", "*ESE 1",
         "*SRE 32"),
        ":INIT;*OPC",
    ),
    "b2902a": (
        ("*RST", ":SOUR:VOLT:MODE SWE", ":SOUR:VOLT:STAR 0", ":SOUR:VOLT:STOP 0.5", ":SOUR:VOLT:POIN 11",
         ":SENS:CURR:PROT 0.01", ":TRIG:SOUR TIM", ":TRIG:TIM 0.2", ":TRIG:COUN 11", ":OUTP ON", "*CLS", "*ESE 1",
         "*SRE 32"),
        ":INIT (@1);*OPC",
    ),
    "k2602b": (
        ("*RST", "*CLS", "*ESE 1", "*SRE 32", "smua.source.limiti = 0.01 smua.source.output = 1"),
        "for k = 0, 10 do smua.source.levelv = k * 0.05 delay(0.2) smua.measure.i() end opc()",
    ),
}  # fmt: skip
"""How a sweep of some 2 s of delays and measuring is prepared, and what begins it and requests service at its end."""


@pytest.mark.parametrize("way", ["event", "poll", "handler"])
@pytest.mark.parametrize("name", SWEEPS)
def test_a_program_waits_for_the_end_of_a_sweep(bench: SimBench, name: str, way: str) -> None:
    address = next(a for a, instrument in bench.by_address.items() if instrument is bench.by_name[name])
    manager = pyvisa.ResourceManager("showroom@mtjlab")
    unit: Any = manager.open_resource(address, **LINES)
    prepared, begin = SWEEPS[name]
    srq, called = constants.EventType.service_request, threading.Event()
    try:
        tell(unit, *prepared)
        if way == "handler":
            unit.install_handler(srq, lambda *_: called.set())
            unit.enable_event(srq, constants.EventMechanism.handler)
        start = bench.host.seconds
        unit.write(begin)
        assert unit.read_stb() & 0x60 == 0, "it has only begun"
        if way == "event":
            unit.wait_for_srq(60_000)
        elif way == "handler":
            assert called.wait(30)
            assert unit.read_stb() & 0x40
        else:
            polls = 0
            while not unit.read_stb() & 0x40:
                polls += 1
                assert polls < 50
        assert 1.9 < bench.host.seconds - start < 3.6
        assert int(float(unit.query("*ESR?"))) & 1
        tell(unit, "*RST")
    finally:
        unit.close()
        manager.close()

"""Faults: what each kind does to the bus and to the world, when it happens, and how it is put on record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
from pyvisa.constants import StatusCode

from mtjlab.errors import InputError
from mtjlab.sim_instruments.pacing import OperationLock, Pacer
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

SMU = "GPIB0::24::INSTR"
OTHER = "GPIB0::25::INSTR"
MATRIX = "GPIB0::16::INSTR"
IDENTITY = "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C30   Mar 17 2006 09:29:29/A02  /K/J"
LINES: dict[str, Any] = {"read_termination": "\n", "write_termination": "\n"}
ON = "*RST;:SOUR:VOLT:RANG 0.2;:SOUR:VOLT 0.1;:SENS:CURR:PROT 1e-3;:OUTP ON"


def bench_with(folder: Path, faults: str) -> SimBench:
    path = folder / "bench.yaml"
    text = path.read_text()
    assert "faults: []" in text
    path.write_text(text.replace("faults: []", f"faults: {faults}"))
    return sim_bench(str(path))


def kinds(bench: SimBench) -> list[str]:
    return [fault.kind for fault in bench.faults_seen]


def fails(act: Callable[[], object]) -> StatusCode:
    with pytest.raises(pyvisa.VisaIOError) as caught:
        act()
    return StatusCode(caught.value.error_code)


def test_a_late_answer(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU, timeout=2000)
    bench.inject("late", "drive", seconds=3)
    smu.write("*IDN?")
    assert not smu.read_stb() & 16, "no message is available yet"
    before = bench.host.seconds
    assert fails(smu.read) == StatusCode.error_timeout
    assert smu.read() == IDENTITY, "the answer comes once the host has waited long enough"
    assert bench.host.seconds - before == pytest.approx(3, abs=0.01)
    assert smu.query("*IDN?") == IDENTITY, "only one answer is late"
    assert bench.host.seconds - before == pytest.approx(3, abs=0.01)


def test_a_cut_answer_ends_early_where_the_bus_marks_ends(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU, read_termination=None)
    bench.inject("cut", "drive")
    whole = f"{IDENTITY}\n"
    assert smu.query("*IDN?") == whole[: len(whole) // 2]
    assert smu.query("*IDN?") == whole


def test_a_cut_answer_on_a_stream_times_out(bench_folder: Path, open_resource: Any, spec: str) -> None:
    path = bench_folder / "bench.yaml"
    path.write_text(path.read_text().replace(SMU, "TCPIP0::127.0.0.1::5025::SOCKET"))
    bench = SimBench(path)
    bench.close()
    sim_bench(spec).close()
    smu = open_resource("TCPIP0::127.0.0.1::5025::SOCKET")
    sim_bench(spec).inject("cut", "drive")
    assert fails(lambda: smu.query("*IDN?")) == StatusCode.error_timeout
    assert smu.query("*IDN?") == IDENTITY, "the half that was taken does not come again"


def test_a_garbled_answer_keeps_its_length_and_its_newline(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    spoilt = []
    for _ in range(2):
        bench.inject("garbled", "drive", seed=3)
        spoilt.append(smu.query("*IDN?"))
    assert spoilt[0] == spoilt[1], "the seed fixes what changes"
    assert len(spoilt[0]) == len(IDENTITY)
    assert sum(a != b for a, b in zip(spoilt[0], IDENTITY, strict=True)) == len(IDENTITY) // 8
    assert smu.query("*IDN?") == IDENTITY


def test_a_dropped_session_is_dead_and_a_new_one_works(open_resource: Any, bench: SimBench) -> None:
    smu, other = open_resource(SMU), open_resource(OTHER)
    smu.write(":SOUR:VOLT 0.05")
    smu.write("*IDN?")
    bench.inject("dropped", "drive")
    for act in (smu.read, lambda: smu.write("*CLS"), smu.clear, smu.read_stb, lambda: smu.query("*OPC?")):
        assert fails(act) == StatusCode.error_connection_lost
    assert other.query("*OPC?") == "1"
    smu.close()
    again = open_resource(SMU)
    assert float(again.query(":SOUR:VOLT?")) == 0.05, "settings stay, the unread answer is gone"


def test_a_message_that_meets_a_dropped_connection_is_not_carried_out(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    bench.inject("dropped", "drive", after_operations=1)
    smu.write(":SOUR:VOLT 0.05")
    assert fails(lambda: smu.write(":SOUR:VOLT 0.06")) == StatusCode.error_connection_lost
    assert float(open_resource(SMU).query(":SOUR:VOLT?")) == 0.05


def test_power_loss(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    smu.query("*ESR?")
    smu.write(f"{ON};*ESE 255;*SRE 32;:NONSENSE")
    assert bench.world.is_live
    bench.inject("power_loss", "drive")
    assert not bench.world.is_live
    assert smu.query(":OUTP?;:SOUR:VOLT?") == "0;0.000000E+00"
    assert smu.query("*ESR?;*ESE?;*SRE?") == "128;0;0"
    assert smu.query(":SYST:ERR?") == '0,"No error"'


def test_power_loss_in_the_middle_of_a_sweep_drops_the_output_at_that_moment(
    open_resource: Any, bench: SimBench
) -> None:
    smu = open_resource(SMU, timeout=60_000)
    smu.write(f"{ON};:SOUR:DEL 0.5;:TRIG:COUN 10;:SENS:VOLT:NPLC 1")
    smu.write(":SENS:FUNC:CONC ON;:SENS:FUNC 'VOLT','CURR'")
    matrix = open_resource(MATRIX)
    matrix.write('channel.exclusiveclose("1A01")')
    start = bench.world.seconds
    bench.inject("power_loss", "drive", at_seconds=start + 2.6)
    smu.write(":READ?")
    assert bench.faults_seen[-1].seconds == pytest.approx(start + 2.6)
    assert fails(smu.read) == StatusCode.error_timeout, "the answer went with the power"
    assert not bench.world.is_live
    assert smu.query(":OUTP?") == "0"


def test_a_tripped_output_reads_back_as_off_and_says_why(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    smu.write(ON)
    bench.inject("trip", "drive")
    assert not bench.world.is_live
    assert smu.query(":OUTP?") == "0"
    assert smu.query(":SYST:ERR?") == '+802,"OUTPUT blocked by output enable"'
    assert smu.query(":SYST:ERR?") == '0,"No error"'
    smu.write(":OUTP ON")
    assert bench.world.is_live, "the interlock is closed again"


@pytest.mark.parametrize(
    "address", ["USB0::0x05E6::0x2400::1::0::INSTR", "TCPIP0::10.0.0.4::inst0::INSTR", "TCPIP0::10.0.0.4::5025::SOCKET"]
)
def test_power_loss_ends_sessions_over_usb_and_lan(bench_folder: Path, address: str) -> None:
    smu, manager, bench = reached_by(bench_folder, address)
    smu.write(":SOUR:VOLT 0.05")
    bench.inject("power_loss", "drive")
    assert fails(lambda: smu.write("*CLS")) == StatusCode.error_connection_lost
    again = manager.open_resource(address, **LINES)
    assert float(again.query(":SOUR:VOLT?")) == 0, "it is as just switched on"
    manager.close()
    bench.close()


def reached_by(folder: Path, address: str) -> tuple[Any, Any, SimBench]:
    """The first SMU by another address, the manager that opened it, and the bench."""
    path = folder / "bench.yaml"
    path.write_text(path.read_text().replace(SMU, address))
    manager = pyvisa.ResourceManager(f"{path}@mtjlab")
    return manager.open_resource(address, **LINES), manager, sim_bench(str(path))


@pytest.mark.parametrize(
    "address",
    [
        "GPIB0::24::INSTR",
        "USB0::0x05E6::0x2400::1::0::INSTR",
        "TCPIP0::10.0.0.4::inst0::INSTR",
        "TCPIP0::10.0.0.4::hislip0::INSTR",
        "TCPIP0::10.0.0.4::5025::SOCKET",
        "ASRL4::INSTR",
    ],
)
def test_faults_of_the_bus_on_every_kind_of_address(bench_folder: Path, address: str) -> None:
    smu, manager, bench = reached_by(bench_folder, address)
    is_stream = "SOCKET" in address or "ASRL" in address
    whole = smu.query("*IDN?")
    bench.inject("late", "drive", seconds=3)
    assert fails(lambda: smu.query("*IDN?")) == StatusCode.error_timeout
    assert smu.read() == whole
    bench.inject("garbled", "drive", seed=1)
    assert smu.query("*IDN?") != whole
    bench.inject("cut", "drive")
    if is_stream:
        assert fails(lambda: smu.query("*IDN?")) == StatusCode.error_timeout
    else:
        with pytest.warns(UserWarning, match="termination"):
            assert whole.startswith(smu.query("*IDN?"))
    bench.inject("hang", "drive")
    assert fails(lambda: smu.query("*IDN?")) == StatusCode.error_timeout
    smu.clear()
    if "SOCKET" in address:
        assert fails(lambda: smu.query("*IDN?")) == StatusCode.error_timeout, "a socket brings no device clear"
        bench.inject("power_loss", "drive")
        smu = manager.open_resource(address, **LINES)
    assert smu.query("*IDN?") == whole
    bench.inject("dropped", "drive")
    assert fails(lambda: smu.query("*IDN?")) == StatusCode.error_connection_lost
    smu = manager.open_resource(address, **LINES)
    assert smu.query("*IDN?") == whole
    bench.inject("silent", "drive")
    assert fails(lambda: smu.query("*IDN?")) == StatusCode.error_timeout
    smu.clear()
    assert fails(lambda: smu.query("*IDN?")) == StatusCode.error_timeout
    manager.close()
    bench.close()


@pytest.mark.parametrize("kind", ["stuck_open", "stuck_closed"])
def test_a_stuck_relay_reads_back_as_commanded(open_resource: Any, bench: SimBench, kind: str) -> None:
    matrix = open_resource(MATRIX)
    bench.inject(kind, "matrix", relay=["A", 101])
    switches = bench.by_name["matrix"]._switches  # type: ignore[attr-defined]
    stuck = switches.number_of("matrix.row.A", "matrix.col.101")
    for command, answer in (("exclusiveclose", "1A01;1A02"), ("open", "nil")):
        matrix.write(f'channel.{command}("1A01,1A02")')
        assert matrix.query('print(channel.getclose("allslots"))') == answer
        assert (stuck in switches.closed) == (kind == "stuck_closed")
        assert len(switches.closed - {stuck}) == (1 if answer != "nil" else 0)
    assert bench.world.incidents == []


def amps_through_first_cell(bench: SimBench, open_resource: Any) -> float:
    smu, ammeter, matrix = open_resource(SMU), open_resource("GPIB0::26::INSTR"), open_resource(MATRIX)
    matrix.write('channel.exclusiveclose("1A01,2C04")')
    ammeter.write("*RST;:SENS:CURR:PROT 1e-3;:OUTP ON")
    smu.write(f"{ON};:SENS:FUNC 'CURR'")
    amps = float(smu.query(":READ?").split(",")[1])
    smu.write(":OUTP OFF")
    ammeter.write(":OUTP OFF")
    return amps


def test_a_resistive_and_a_lost_contact(open_resource: Any, bench: SimBench) -> None:
    sound = amps_through_first_cell(bench, open_resource)
    bench.inject("contact", line="row.0", ohms=5000.0)
    worn = amps_through_first_cell(bench, open_resource)
    old = float(bench._make_world().die.contact_ohms[0])
    assert 0.1 / worn - 0.1 / sound == pytest.approx(5000 - old, rel=0.02)
    bench.inject("contact", line="row.0")
    assert abs(amps_through_first_cell(bench, open_resource)) < 1e-7, "only the meter's offset is left"
    bench.reset()
    assert amps_through_first_cell(bench, open_resource) == pytest.approx(sound, rel=1e-3), "a reset bench is sound"
    assert bench.faults_seen == ()


def test_an_output_drifts_with_simulated_time(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    smu.write(ON)
    source = bench.world.sources_of("drive")[0]
    volts = source.point().volts
    bench.inject("drift", "drive", volts_per_hour=0.01, gain_per_hour=0.1)
    assert source.point().volts == pytest.approx(volts, abs=1e-9)
    bench.world.wait(1800)
    assert source.point().volts == pytest.approx(volts * 1.05 + 0.005, rel=1e-6)
    smu.write(":SOUR:VOLT 0")
    assert source.point().volts == pytest.approx(0.005, abs=1e-3)
    bench.world.wait(1800)
    assert source.point().volts == pytest.approx(0.01, abs=1e-3)


@pytest.mark.parametrize("remedy", ["clear", "interface clear", "open"])
def test_a_hung_bus_until_it_is_cleared(open_resource: Any, bench: SimBench, remedy: str) -> None:
    manager = pyvisa.ResourceManager(f"{bench.path}@mtjlab")
    board = manager.open_resource("GPIB0::INTFC")
    instruments = [open_resource(address, timeout=100) for address in (SMU, OTHER, MATRIX)]
    bench.inject("bus_hang", board=0)
    for instrument in instruments:
        assert fails(lambda i=instrument: i.query("*OPC?")) == StatusCode.error_timeout
    if remedy == "clear":
        instruments[1].clear()
    elif remedy == "interface clear":
        board.send_ifc()
    else:
        open_resource("GPIB0::26::INSTR")
    assert [instrument.query("*OPC?") for instrument in instruments] == ["1", "1", "1"]
    board.close()


def test_an_interface_session_can_only_clear(spec: str) -> None:
    manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
    assert manager.list_resources("?*::INTFC") == ("GPIB0::INTFC",)
    assert "GPIB0::INTFC" not in manager.list_resources()
    board: Any = manager.open_resource("GPIB0::INTFC")
    assert board.send_ifc() == StatusCode.success
    smu: Any = manager.open_resource(SMU)
    assert fails(lambda: smu.visalib.gpib_send_ifc(smu.session)) == StatusCode.error_nonsupported_operation
    assert fails(lambda: smu.visalib.read(board.session, 1)) == StatusCode.error_nonsupported_operation
    assert fails(lambda: manager.open_resource("GPIB7::INTFC")) == StatusCode.error_resource_not_found
    board.close()


def test_a_fault_after_so_many_operations(bench_folder: Path, ask: Any) -> None:
    bench = bench_with(bench_folder, "[{instrument: drive, kind: garbled, after_operations: 3}]")
    answers = [ask(bench.by_name["drive"], "*IDN?") for _ in range(6)]
    assert [answer == IDENTITY for answer in answers] == [True, True, True, False, True, True]
    assert kinds(bench) == ["garbled"]
    bench.close()


def test_a_line_and_a_board_count_the_messages_of_all(bench_folder: Path, ask: Any) -> None:
    faults = "[{kind: contact, line: col.2, after_operations: 2}, {kind: bus_hang, board: 0, after_operations: 3}]"
    bench = bench_with(bench_folder, faults)
    ask(bench.by_name["drive"], "*OPC?")
    ask(bench.by_name["sense"], "*OPC?")
    assert kinds(bench) == []
    ask(bench.by_name["drive"], "*OPC?")
    assert kinds(bench) == ["contact"]
    assert bench.world.die.contact_ohms[15 + 2] > 1e12
    bench.by_name["matrix"].receive(b"*OPC?\n", is_end=True, bus_seconds=0.0)
    assert kinds(bench) == ["contact", "bus_hang"]
    bench.close()


def test_random_faults_repeat_with_their_seed_and_their_rate(bench_folder: Path, ask: Any) -> None:
    def places(seed: int) -> list[bool]:
        bench = SimBench(bench_folder / "bench.yaml")
        bench.inject("garbled", "drive", rate=0.2, seed=seed)
        found = [ask(bench.by_name["drive"], "*ESE?") != "0" for _ in range(500)]
        assert len(bench.faults_seen) == sum(found)
        return found

    first = places(5)
    assert first == places(5)
    assert first != places(6)
    assert sum(first) == pytest.approx(100, abs=4 * np.sqrt(500 * 0.2 * 0.8))


def test_a_fault_at_its_time_in_the_middle_of_another_instruments_wait(bench_folder: Path, tell: Any) -> None:
    bench = bench_with(bench_folder, "[{instrument: drive, kind: trip, at_seconds: 5}]")
    tell(bench.by_name["drive"], ON)
    source = bench.world.sources_of("drive")[0]
    bench.world.wait(4.9)
    assert source.point().volts == pytest.approx(0.1, abs=1e-3)
    tell(bench.by_name["matrix"], "delay(10)")
    assert bench.faults_seen[0].seconds == 5.0
    assert not bench.world.is_live
    assert not bench.by_name["drive"].settings.is_output_on  # type: ignore[attr-defined]
    bench.close()


def test_faults_are_kept_apart_from_incidents(bench: SimBench, ask: Any) -> None:
    bench.inject("hang", "drive")
    bench.inject("contact", line="row.0")
    assert [(fault.kind, fault.target) for fault in bench.faults_seen] == [("hang", "drive"), ("contact", "die.row.0")]
    assert bench.world.incidents == []


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{instrument: drive, kind: late, at_seconds: 1}", ["line 13", "faults.0", "needs 'seconds'"]),
        ("{instrument: drive, kind: late, at_seconds: 1, seconds: -1}", ["line 13", "faults.0.seconds"]),
        ("{instrument: drive, kind: cut, at_seconds: 1, ohms: 3}", ["line 13", "faults.0", "takes no 'ohms'"]),
        ("{instrument: drive, kind: cut, at_seconds: 1, rate: 0.1}", ["line 13", "only one of them"]),
        ("{instrument: drive, kind: cut, rate: 1.1}", ["line 13", "faults.0.rate"]),
        ("{instrument: drive, kind: cut, rte: 1}", ["line 13", "faults.0.rte"]),
        ("{kind: cut, at_seconds: 1}", ["line 13", "needs 'instrument'"]),
        ("{kind: contact, line: row.15, at_seconds: 1}", ["line 13", "faults.0", "no line 'row.15'", "0 to 14"]),
        ("{kind: contact, line: x, at_seconds: 1}", ["line 13", "faults.0.line"]),
        ("{kind: contact, instrument: drive, line: row.1, at_seconds: 1}", ["line 13", "takes no 'instrument'"]),
        ("{kind: bus_hang, board: 2, at_seconds: 1}", ["line 13", "faults.0", "GPIB board 2"]),
        ("{instrument: matrix, kind: stuck_open, relay: [Z, 101], at_seconds: 1}", ["line 13", "no relay", "wiring"]),
        ("{instrument: matrix, kind: stuck_open, at_seconds: 1}", ["line 13", "needs 'relay'"]),
        ("{instrument: matrix, kind: trip, at_seconds: 1}", ["line 13", "'matrix' has no output"]),
        ("{instrument: drive, kind: drift, at_seconds: 1}", ["line 13", "'gain_per_hour'"]),
    ],
)
def test_a_wrong_fault_names_line_and_key(bench_folder: Path, entry: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        bench_with(bench_folder, f"[{entry}]")
    message = str(caught.value)
    assert caught.value.remedy
    for word in words:
        assert word in message, message


def test_a_wrong_injection_is_explained(bench: SimBench) -> None:
    with pytest.raises(InputError, match="'ohm'"):
        bench.inject("contact", line="row.1", ohm=3)
    with pytest.raises(InputError, match="not on the bench"):
        bench.inject("cut", "nobody")
    assert bench.faults_seen == ()


class _RealTime:
    """A real clock that only moves when someone sleeps or `work`s."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_a_paced_bench_really_waits_and_sees_real_time_pass(bench: SimBench, open_resource: Any) -> None:
    smu = open_resource(SMU, timeout=60_000)
    real = _RealTime()
    bench.pace(Pacer(bench.host, clock=lambda: real.now, sleep=real.sleep))
    smu.write("*RST;:OUTP ON;:SOUR:DEL 5")
    assert sum(real.slept) < 0.1, "the host does not wait for what it is not told to wait for"
    assert smu.query(":READ?")
    assert sum(real.slept) == pytest.approx(5.2, abs=0.3)
    before = bench.world.seconds
    real.now += 7
    assert smu.query("*OPC?") == "1"
    assert bench.world.seconds - before == pytest.approx(7, abs=0.1)


def test_the_lock_of_a_paced_bench_is_not_held_while_it_waits() -> None:
    lock = OperationLock()
    host = HostClock(World.from_description({}, seed=0, line_hertz=50))
    depths: list[int] = []
    lock.pacer = Pacer(host, clock=lambda: 0.0, sleep=lambda seconds: depths.append(lock._depth))
    with lock, lock:
        host.spend(3)
    assert depths == [0]


def test_a_bench_file_can_ask_for_pacing(bench_folder: Path) -> None:
    path = bench_folder / "bench.yaml"
    assert SimBench(path).lock.pacer is None, "nothing sleeps by default"
    path.write_text(f"{path.read_text()}paced: true\n")
    assert SimBench(path).lock.pacer is not None

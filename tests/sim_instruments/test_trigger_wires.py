"""Trigger wires between simulated instruments: handshakes, what they do to the world and when, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa

from mtjlab.errors import InputError
from mtjlab.sim_instruments import reactions
from mtjlab.sim_instruments.keithley_2400 import SimKeithley2400
from mtjlab.sim_instruments.keithley_7001 import SimKeithley7001
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.switching_tables import GENERAL_PURPOSE
from mtjlab.sim_instruments.trigger_wires import Terminal, Wire
from mtjlab.sim_instruments.wire_instrument import NoReply

Build = Callable[..., SimBench]

INSTRUMENTS = {
    "smu": '{name: smu, model: keithley_2400, address: "GPIB0::24::INSTR"}',
    "matrix": '{name: matrix, model: keithley_7001, address: "GPIB0::7::INSTR", cards: [7012-S, 7012-S]}',
    "tsp": '{name: tsp, model: keithley_2602b, address: "GPIB0::26::INSTR"}',
    "other": '{name: other, model: keithley_2602b, address: "GPIB0::27::INSTR"}',
    "scanner": '{name: scanner, model: keysight_34980a, address: "GPIB0::9::INSTR", cards: [34921A]}',
    "big": '{name: big, model: keysight_b2902a, address: "GPIB0::23::INSTR"}',
    "touch": '{name: touch, model: keithley_2450, address: "GPIB0::18::INSTR"}',
    "wave": '{name: wave, model: keysight_33622a, address: "GPIB0::11::INSTR"}',
    "pulse": '{name: pulse, model: keysight_81160a, address: "GPIB0::10::INSTR"}',
    "slots": '{name: slots, model: keithley_707b, address: "GPIB0::16::INSTR", cards: [7174A]}',
    "field": '{name: field, model: yokogawa_gs200, address: "GPIB0::1::INSTR"}',
}
ROW = [
    "{from: smu.hi, to: matrix.row.1}",
    "{from: ground, to: matrix.row.2}",
    "{from: matrix.col.101, to: die.row.0}",
    '{from: "matrix.col.{201-210}", to: "die.col.{0-9}"}',
]
LINK = '["smu.tlink.{1-4}", "matrix.tlink.{1-4}"]'
CELLS, READ_VOLTS = 10, 0.1


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Makes a bench of some of the instruments above, with these cables and trigger wires."""

    def build_it(names: str, cables: list[str], wires: list[str], die: str = "{rows: 1, cols: 10}") -> SimBench:
        lines = ["bench: wired", "seed: 5", "line_hertz: 50", f"die: {die}", "instruments:"]
        lines += [f"  - {INSTRUMENTS[name]}" for name in names.split()]
        lines += ["cables:", *(f"  - {cable}" for cable in cables)]
        lines += ["trigger_wires:", *(f"  - {wire}" for wire in wires)] if wires else []
        path = tmp_path / "bench.yaml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return SimBench(path)

    return build_it


def numbers(reply: str) -> list[float]:
    return [float(word) for word in reply.replace("\t", ",").split(",")]


def set_up_matrix(bench: SimBench, tell: Any, points: int = CELLS) -> SimKeithley7001:
    """Scans the columns of the row: each step on Trigger Link line 2, the first at once; ready on line 1."""
    matrix = bench.by_name["matrix"]
    assert isinstance(matrix, SimKeithley7001)
    columns = ",".join(f"2!2!{k % CELLS + 1}" for k in range(points))
    tell(matrix, "*RST;:CLOS (@1!1!1);:SCAN (@" + columns + ");:TRIG:SOUR TLIN")
    tell(matrix, ":TRIG:TCON:DIR SOUR;ASYN:ILIN 2;OLIN 1")
    return matrix


def set_up_smu(bench: SimBench, tell: Any, points: int = CELLS, *, waits: bool = True) -> SimKeithley2400:
    """Measures currents: each measurement on line 1, and when it is done a trigger on line 2."""
    smu = bench.by_name["smu"]
    assert isinstance(smu, SimKeithley2400)
    tell(
        smu, f"*RST;:SOUR:VOLT {READ_VOLTS};DEL 0;:SENS:FUNC 'CURR';:SENS:CURR:PROT 1e-3;RANG 1e-4;:FORM:ELEM CURR,TIME"
    )
    tell(smu, f":TRIG:COUN {points};SOUR {'TLIN' if waits else 'IMM'};:TRIG:TCON:ILIN 1;OLIN 2;INP SENS;OUTP SENS")
    tell(smu, ":OUTP ON")
    return smu


def expected_amps(bench: SimBench) -> np.ndarray:
    """Current of each cell alone on the row at the reading voltage; contacts, relays and cables are a few ohms."""
    volts = np.full(CELLS, -READ_VOLTS)
    return np.asarray(READ_VOLTS * bench.world.die.siemens(volts))


def test_a_2400_and_a_7001_scan_a_row_over_the_trigger_link(build: Build, tell: Any, ask: Any) -> None:
    bench = build("smu matrix", ROW, [LINK])
    matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell)
    tell(smu, ":INIT")
    assert smu.readings == [], "nothing closes before the matrix begins"
    tell(matrix, ":INIT")
    assert len(smu.readings) == CELLS, "what a message sets off is done before the next one"
    read = numbers(ask(smu, ":FETC?"))
    assert read[::2] == pytest.approx(expected_amps(bench), rel=0.05), "each cell by itself"
    assert len(set(np.round(np.array(read[::2]) * 1e9))) == CELLS
    assert np.ptp(np.diff(read[1::2])) == pytest.approx(0, abs=2e-6), "every step takes its time"
    assert ask(matrix, ":CLOS:STAT?") == "(@1!1!1,2!2!10)"
    assert ask(smu, ":SYST:ERR?") == ask(matrix, ":SYST:ERR?") == '0,"No error"'


def test_a_read_waits_for_the_whole_scan(build: Build, tell: Any, ask: Any) -> None:
    bench = build("smu matrix", ROW, [LINK])
    matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell)
    tell(matrix, ":TRIG:TCON:DIR ACC", ":INIT")
    tell(smu, ":TRIG:TCON:DIR SOUR;INP SOUR")  # the first pass by itself: its measurement starts the matrix
    tell(smu, f":TRIG:COUN {CELLS + 1}", ":READ?")
    step = smu.measuring_seconds()
    with pytest.raises(NoReply):
        smu.send(100, timeout_seconds=CELLS * step, termination=None, bus_seconds=0)
    data, _ = smu.send(10**6, timeout_seconds=CELLS * step, termination=None, bus_seconds=0)
    amps = numbers(data.decode())[::2]
    assert abs(amps[0]) < 1e-7, "no column was closed yet"
    assert amps[1:] == pytest.approx(expected_amps(bench), rel=0.05)


def test_the_other_is_busy_as_long_as_its_own_part_takes(build: Build, tell: Any, ask: Any) -> None:
    bench = build("smu matrix", ROW, [LINK])
    matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell, points=1)
    tell(smu, ":INIT")
    began = bench.host.seconds
    tell(matrix, ":INIT")
    assert ask(matrix, ":CLOS:STAT?") == "(@1!1!1,2!2!2)"
    assert bench.host.seconds - began > smu.measuring_seconds(), "the second step follows the measurement"
    before = bench.host.seconds
    ask(smu, "*IDN?")
    assert bench.host.seconds - before < 5e-3, "which was over by then"


def test_without_a_handshake_readings_go_on_while_relays_move(build: Build, tell: Any, ask: Any) -> None:
    times = {}
    for wires in ([LINK], []):
        bench = build("smu matrix", ROW, wires)
        matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell, waits=False)
        tell(smu, ":SENS:CURR:NPLC 0.01", ":SYST:AZER OFF")
        tell(matrix, ":INIT")
        read = numbers(ask(smu, ":READ?"))
        times[bool(wires)] = np.diff(read[1::2])
    assert times[True] == pytest.approx(times[False], abs=1e-6), "the SMU does not wait for anybody"
    bench = build("smu matrix", ROW, [LINK])
    matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell, waits=False)
    tell(smu, ":SENS:CURR:NPLC 0.01", ":SYST:AZER OFF")
    tell(matrix, ":INIT")
    ask(smu, ":READ?")
    assert ask(matrix, ":SYST:ERR?").startswith("-211"), "triggers that come while relays move are lost"
    assert ask(matrix, ":CLOS:STAT?") != "(@1!1!1,2!2!10)"
    assert [each.kind for each in bench.world.incidents].count("hot switching") > 0


def test_channel_ready_and_external_trigger(build: Build, tell: Any, ask: Any) -> None:
    wires = ["[smu.tlink.1, matrix.channel_ready]", "[smu.tlink.2, matrix.external_trigger]"]
    bench = build("smu matrix", ROW, wires)
    matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell)
    tell(matrix, ":TRIG:SOUR EXT")
    tell(smu, ":INIT")
    tell(matrix, ":INIT")
    assert numbers(ask(smu, ":FETC?"))[::2] == pytest.approx(expected_amps(bench), rel=0.05)


def test_a_trigger_on_another_line_is_nobodys(build: Build, tell: Any, ask: Any) -> None:
    bench = build("smu matrix", ROW, [LINK])
    matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell)
    tell(smu, ":TRIG:TCON:OLIN 3", ":INIT")
    tell(matrix, ":INIT")
    assert len(smu.readings) == 1
    assert ask(matrix, ":CLOS:STAT?;:SYST:ERR?") == '(@1!1!1,2!2!1);0,"No error"'
    tell(smu, ":ABOR")
    assert len(numbers(ask(smu, ":FETC?"))) == 2


def test_semi_synchronous_on_one_line_with_a_2602b(build: Build, tell: Any, ask: Any) -> None:
    cables = ["{from: tsp.a.hi, to: matrix.row.1}", *ROW[1:]]
    bench = build("tsp matrix", cables, ["[tsp.digio.1, matrix.tlink.1]"])
    matrix, tsp = set_up_matrix(bench, tell), bench.by_name["tsp"]
    tell(matrix, ":TRIG:TCON:DIR ACC;PROT SSYN;SSYN:LINE 1", ":INIT")
    tell(tsp, f"smua.source.levelv={READ_VOLTS} smua.source.output=1 line=digio.trigger[1]")
    tell(tsp, "line.mode=digio.TRIG_SYNCHRONOUSM line.pulsewidth=1e-5 amps={} waits={}")
    body = "timer.reset() line.clear() line.assert() seen=line.wait(1) waits[k]=timer.measure.t()"
    tell(tsp, f"for k=1,{CELLS} do {body} amps[k]=smua.measure.i() end")
    assert ask(tsp, "print(seen)") == "true", "the line is released when the channel is ready"
    assert numbers(ask(tsp, "print(unpack(amps))")) == pytest.approx(expected_amps(bench), rel=0.05)
    assert min(numbers(ask(tsp, "print(unpack(waits))"))) > 0.9 * GENERAL_PURPOSE.contacts.settle_seconds


RESISTORS = [
    "{from: tsp.a.hi, to: scanner.row.11}",
    *(f"{{from: scanner.col.{1001 + k}, to: ground, ohms: {ohms}}}" for k, ohms in enumerate((1000, 2000, 5000))),
]
SCAN_WIRES = ["[tsp.digio.1, scanner.external_trigger]", "[tsp.digio.2, scanner.channel_closed]"]


def test_a_script_of_a_2602b_steps_a_34980a(build: Build, tell: Any, ask: Any) -> None:
    bench = build("tsp scanner", RESISTORS, SCAN_WIRES)
    tsp, scanner = bench.by_name["tsp"], bench.by_name["scanner"]
    tell(scanner, "ROUT:SCAN (@1001:1003);:TRIG:SOUR IMM;:ROUT:CHAN:ADV:SOUR EXT;:INIT")
    tell(
        tsp,
        "smua.source.levelv=0.1 smua.source.output=1 smua.measure.nplc=0.01",
        "step, ready = digio.trigger[1], digio.trigger[2]",
    )
    tell(tsp, "step.mode=digio.TRIG_FALLING ready.mode=digio.TRIG_FALLING amps={smua.measure.i()} seen={}")
    tell(tsp, "for k=2,3 do ready.clear() step.assert() seen[k]=ready.wait(1) amps[k]=smua.measure.i() end")
    assert ask(tsp, "print(seen[2], seen[3])") == "true\ttrue"
    ohms = [0.1 / amps for amps in numbers(ask(tsp, "print(unpack(amps))"))]
    assert ohms == pytest.approx([1000, 2000, 5000], rel=5e-3)
    began = bench.world.seconds
    tell(tsp, "ready.clear() step.assert() seen=ready.wait(1)")
    assert ask(tsp, "print(seen)") == "false", "the scan is over"
    assert bench.world.seconds - began == pytest.approx(1, abs=0.1)
    assert ask(scanner, "STAT:OPER:COND?;:SYST:ERR?") == '+0;+0,"No error"'


def test_the_trigger_model_of_a_2602b_steps_a_34980a(build: Build, tell: Any, ask: Any) -> None:
    bench = build("tsp scanner", RESISTORS, SCAN_WIRES)
    tsp, scanner = bench.by_name["tsp"], bench.by_name["scanner"]
    tell(scanner, "ROUT:SCAN (@1001:1003);:TRIG:SOUR EXT;:ROUT:CHAN:ADV:SOUR BUS")
    tell(scanner, ":TRIG:SOUR IMM;:ROUT:CHAN:ADV:SOUR EXT")
    tell(tsp, "digio.trigger[1].mode=digio.TRIG_FALLING digio.trigger[2].mode=digio.TRIG_FALLING smua.source.output=1")
    tell(tsp, "smua.measure.nplc=0.01 smua.trigger.source.listv({0.1,0.2,0.3}) smua.trigger.source.action=1")
    tell(tsp, "smua.trigger.measure.action=1 smua.trigger.measure.i(smua.nvbuffer1) smua.trigger.count=3")
    tell(tsp, "smua.trigger.source.stimulus=digio.trigger[2].EVENT_ID smua.trigger.endpulse.action=0")
    tell(tsp, "digio.trigger[1].stimulus=smua.trigger.PULSE_COMPLETE_EVENT_ID", "smua.trigger.initiate()")
    assert ask(tsp, "print(smua.nvbuffer1.n)") == "0.00000e+00"
    tell(scanner, ":INIT")
    reply = ask(tsp, "waitcomplete() printbuffer(1, smua.nvbuffer1.n, smua.nvbuffer1.readings)")
    amps = numbers(reply)
    assert amps == pytest.approx([0.1 / 1000, 0.2 / 2000, 0.3 / 5000], rel=5e-3)


def test_pulses_of_a_2602b_step_a_list_sweep_of_a_b2902a(build: Build, tell: Any, ask: Any) -> None:
    cables = ["{from: big.1.hi, to: tsp.a.hi}", "{from: big.1.hi, to: ground, ohms: 1000}"]
    wires = ["[tsp.digio.1, big.ext.3]", "[tsp.digio.2, big.ext.5]"]
    bench = build("tsp big", cables, wires)
    tsp, big = bench.by_name["tsp"], bench.by_name["big"]
    tell(big, "*RST;:SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 0.1,0.2,0.3;:SENS:CURR:PROT 1e-3;RANG 1e-3;APER 0.01")
    tell(big, ":TRIG:SOUR EXT3;COUN 3;:DIG:EXT3:FUNC TINP;:DIG:EXT5:FUNC TOUT;:DIG:EXT5:TOUT:POS AFT")
    tell(big, ":SENS:TOUT:SIGN EXT5;STAT ON", ":OUTP ON;:INIT")
    tell(tsp, "smua.source.func=0 smua.source.leveli=0 smua.source.output=1 smua.measure.nplc=0.01")
    tell(tsp, "digio.trigger[1].mode=digio.TRIG_FALLING digio.trigger[2].mode=digio.TRIG_FALLING volts, waits={},{}")
    body = "digio.trigger[2].clear() timer.reset() digio.trigger[1].assert() digio.trigger[2].wait(1)"
    tell(tsp, f"for k=1,3 do {body} waits[k]=timer.measure.t() volts[k]=smua.measure.v() end")
    assert numbers(ask(tsp, "print(unpack(volts))")) == pytest.approx([0.1, 0.2, 0.1], rel=1e-2), "back at the end"
    assert numbers(ask(tsp, "print(unpack(waits))")) == pytest.approx([0.01] * 3, rel=0.05), "an aperture each"
    assert numbers(ask(big, ":FETC:ARR:CURR?")) == pytest.approx([1e-4, 2e-4, 3e-4], rel=1e-2)
    assert ask(big, ":SYST:ERR?") == '+0,"No error"'


def test_a_b2902a_changes_its_source_in_the_middle_of_a_measurement(build: Build, tell: Any, ask: Any) -> None:
    bench = build("tsp big", ["{from: big.1.hi, to: ground, ohms: 1000}"], ["[tsp.digio.1, big.ext.3]"])
    tsp, big = bench.by_name["tsp"], bench.by_name["big"]
    tell(big, "*RST;:SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 0.3,0.3;:SENS:CURR:PROT 1e-3;RANG 1e-3;APER 0.04")
    tell(
        big,
        ":SENS:WAIT OFF;:TRIG:TRAN:SOUR EXT3;COUN 2;:TRIG:ACQ:SOUR EXT3;COUN 1;:DIG:EXT3:FUNC TINP",
        ":OUTP ON;:SOUR:VOLT 0.1",
    )
    tell(big, ":TRIG:TRAN:DEL 0.01;:INIT")
    tell(tsp, "digio.trigger[1].mode=digio.TRIG_FALLING digio.trigger[1].assert()")
    amps = numbers(ask(big, ":FETC:ARR:CURR?"))
    assert amps == pytest.approx([(0.1 * 0.01 + 0.3 * 0.03) / 0.04 / 1000], rel=2e-2), "10 ms before, 30 ms after"


def test_an_edge_at_the_wrong_polarity_is_no_trigger(build: Build, tell: Any) -> None:
    bench = build("tsp big", ["{from: big.1.hi, to: ground, ohms: 1000}"], ["[tsp.digio.1, big.ext.3]"])
    tsp, big = bench.by_name["tsp"], bench.by_name["big"]
    tell(big, "*RST;:TRIG:SOUR EXT3;COUN 1;:DIG:EXT3:FUNC TINP;POL POS;:SENS:CURR:APER 0.001;:OUTP ON;:INIT")
    tell(tsp, "digio.trigger[1].mode=digio.TRIG_FALLING digio.trigger[1].pulsewidth=0.02")
    began = big.seconds  # type: ignore[attr-defined]
    tell(tsp, "digio.trigger[1].assert()")
    reading = big.channels[0].readings[-1]  # type: ignore[attr-defined]
    assert reading.seconds - began > 0.02, "the pulse's end is what rises"


GATE = "{rows: 1, cols: 1}"


def train_of_levels(bench: SimBench, tell: Any) -> list[tuple[float, float]]:
    """A burst of three of the 33622A while the 81160A waits for its trigger; (seconds, volts) of the 81160A."""
    wave, pulse = bench.by_name["wave"], bench.by_name["pulse"]
    tell(
        pulse, "*RST;:FREQ 1000;:FUNC PULS;:PULS:WIDT 1e-4;:VOLT:HIGH 0.5;LOW 0;:ARM:SOUR1 EXT;:ARM:SLOP1 POS;:OUTP ON"
    )
    tell(wave, "*RST;:SOUR1:FUNC SIN;:SOUR1:FREQ 1000;:SOUR1:BURS:NCYC 3;STAT ON;:TRIG1:SOUR BUS;:OUTP1 ON")
    output = pulse.channels[0].output  # type: ignore[attr-defined]
    seen: list[tuple[float, float]] = []
    drive = output.drive

    def watched(volts: float) -> None:
        seen.append((bench.world.seconds, volts))
        drive(volts)

    output.drive = watched
    tell(wave, "*TRG")
    return seen


def test_the_sync_of_a_33622a_starts_a_pulse_of_an_81160a(build: Build, tell: Any) -> None:
    cables = ["{from: pulse.1.hi, to: ground, ohms: 1000}"]
    bench = build("wave pulse", cables, ["[wave.sync, pulse.ext_in]"])
    before = bench.world.seconds
    seen = train_of_levels(bench, tell)
    high = [seconds for seconds, volts in seen if volts > 0.4]
    low = [seconds for seconds, volts in seen if volts < 0.1]
    fell = min(seconds for seconds in low if seconds > high[0])
    assert before <= high[0] and fell - high[0] == pytest.approx(1e-4, rel=0.1), "one pulse for the burst"
    assert bench.world.seconds >= high[0] + 3e-3, "while the burst goes on"
    assert max(high) - min(high) < 2e-4
    assert train_of_levels(build("wave pulse", cables, []), tell) == [], "without the wire it waits"


def test_a_free_running_sync_triggers_once_a_period(build: Build, tell: Any) -> None:
    bench = build("wave touch", ["{from: touch.hi, to: ground, ohms: 1000}"], ["[wave.sync, touch.digio.1]"])
    wave, touch = bench.by_name["wave"], bench.by_name["touch"]
    tell(touch, "*RST", ":SENS:CURR:NPLC 0.01;:SENS:CURR:AZER OFF;:SENS:CURR:RANG 1e-3", ":SOUR:VOLT 0.1;:OUTP ON")
    tell(
        touch,
        'TRIG:LOAD "EMPTY"',
        "TRIG:BLOC:WAIT 1, DIG1",
        'TRIG:BLOC:MEAS 2, "defbuffer1"',
        "TRIG:BLOC:BRAN:COUN 3, 5, 1",
    )
    tell(touch, "DIG:LINE1:MODE TRIG, IN", "TRIG:DIG1:IN:EDGE RIS", "INIT")
    tell(wave, "*RST;:SOUR1:FUNC SIN;:SOUR1:FREQ 100;:OUTP1 ON")
    bench.host.wait(0.2)
    buffer = touch.buffers.named("defbuffer1")  # type: ignore[attr-defined]
    assert [reading.value for reading in buffer.readings] == pytest.approx([1e-4] * 5, rel=0.02)
    seconds = [reading.seconds for reading in buffer.readings]
    assert np.diff(seconds) == pytest.approx([0.01] * 4, abs=1e-5)


def set_up_sweep(tsp: Any, tell: Any) -> None:
    tell(tsp, "digio.trigger[1].mode=digio.TRIG_FALLING smua.source.output=1 smua.measure.nplc=0.01")
    tell(tsp, "smua.trigger.source.linearv(0.1, 0.3, 3) smua.trigger.source.action=1 smua.trigger.measure.action=1")
    tell(tsp, "smua.trigger.measure.i(smua.nvbuffer1) smua.trigger.count=3 smua.trigger.endsweep.action=1")
    tell(
        tsp,
        "smua.trigger.arm.stimulus=digio.trigger[1].EVENT_ID smua.trigger.endpulse.action=1",
        "smua.trigger.initiate()",
    )


def test_a_line_of_a_2450_starts_a_sweep_of_a_2602b(build: Build, tell: Any, ask: Any) -> None:
    cables = ["{from: tsp.a.hi, to: ground, ohms: 1000}", "{from: touch.hi, to: ground, ohms: 1000}"]
    bench = build("touch tsp", cables, ["[touch.digio.2, tsp.digio.1]"])
    touch, tsp = bench.by_name["touch"], bench.by_name["tsp"]
    set_up_sweep(tsp, tell)
    tell(touch, "DIG:LINE2:MODE TRIG, OUT", "TRIG:DIG2:OUT:STIM NOT1", 'TRIG:LOAD "EMPTY"')
    tell(touch, "TRIG:BLOC:DEL:CONS 1, 0.5", "TRIG:BLOC:NOT 2, 1")
    assert ask(tsp, "print(smua.nvbuffer1.n)") == "0.00000e+00"
    tell(touch, "INIT")
    (source,) = [one for one in bench.world.sources_of("tsp") if abs(one.point().volts) > 0.01]
    assert source.point().volts == pytest.approx(0.3, rel=1e-2), "held at the end of the sweep"
    amps = numbers(ask(tsp, "waitcomplete() printbuffer(1, 3, smua.nvbuffer1.readings)"))
    assert amps == pytest.approx([1e-4, 2e-4, 3e-4], rel=1e-2)
    assert bench.host.seconds > 0.5, "not before the line was pulsed"


def test_a_level_on_a_line_of_a_2450_is_read_elsewhere(build: Build, tell: Any, ask: Any) -> None:
    cables = ["{from: touch.hi, to: ground, ohms: 1000}"]
    bench = build("touch tsp big", cables, ["[touch.digio.2, tsp.digio.1, big.ext.4]"])
    touch, tsp, big = (bench.by_name[name] for name in ("touch", "tsp", "big"))
    assert ask(tsp, "print(digio.readbit(1))") == "1.00000e+00"
    tell(touch, "DIG:LINE2:MODE DIG, OUT", "DIG:LINE2:STAT 0")
    assert ask(tsp, "print(digio.readbit(1))") == "0.00000e+00"
    assert int(ask(big, "*RST;:DIG:DATA?")) & 8, "negative logic: low is one"
    tell(touch, "DIG:LINE2:STAT 1")
    tell(tsp, "digio.writebit(1, 0)")
    assert int(ask(big, ":DIG:DATA?")) & 8, "low wins"
    tell(tsp, "digio.writebit(1, 1)")
    assert not int(ask(big, ":DIG:DATA?")) & 8


def test_a_707b_scans_while_a_2602b_measures(build: Build, tell: Any, ask: Any) -> None:
    cables = ["{from: tsp.a.hi, to: slots.row.A}", *(
        f"{{from: slots.col.{101 + k}, to: ground, ohms: {1000 * (k + 1)}}}" for k in range(3)
    )]  # fmt: skip
    bench = build("tsp slots", cables, ["[tsp.digio.1, slots.digio.3]", "[tsp.digio.2, slots.digio.4]"])
    tsp, slots = bench.by_name["tsp"], bench.by_name["slots"]
    tell(slots, "digio.trigger[3].mode=digio.TRIG_FALLING digio.trigger[4].mode=digio.TRIG_FALLING")
    tell(slots, "scan.create('1A01,1A02,1A03') scan.bypass=0 scan.trigger.channel.stimulus=digio.trigger[3].EVENT_ID")
    tell(slots, "digio.trigger[4].stimulus=scan.trigger.EVENT_CHANNEL_READY", "scan.background()")
    tell(tsp, "smua.source.levelv=0.1 smua.source.output=1 smua.measure.nplc=0.01 amps={}")
    tell(tsp, "digio.trigger[1].mode=digio.TRIG_FALLING digio.trigger[2].mode=digio.TRIG_FALLING")
    body = "digio.trigger[2].clear() digio.trigger[1].assert() seen=digio.trigger[2].wait(1) amps[k]=smua.measure.i()"
    tell(tsp, f"for k=1,3 do {body} end")
    assert ask(tsp, "print(seen)") == "true"
    ohms = [0.1 / amps for amps in numbers(ask(tsp, "print(unpack(amps))"))]
    assert ohms == pytest.approx([1000, 2000, 3000], rel=1e-2)
    assert numbers(ask(slots, "print(scan.state())"))[0] == 6


def test_instruments_that_trigger_one_another_without_end(build: Build, tell: Any, ask: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(reactions, "_MOST_STEPS", 400)
    monkeypatch.setattr(reactions, "_FEW_STEPS", 40)
    wires = ["[tsp.digio.1, other.digio.1]", "[tsp.digio.2, other.digio.2]"]
    bench = build("tsp other", ["{from: tsp.a.hi, to: ground}"], wires)
    bench.reset()
    for name, heard, answer in (("tsp", 2, 1), ("other", 1, 2)):
        tell(bench.by_name[name], *(f"digio.trigger[{n}].mode=digio.TRIG_FALLING" for n in (1, 2)))
        tell(
            bench.by_name[name],
            f"trigger.timer[1].delay=2e-5 trigger.timer[1].stimulus=digio.trigger[{heard}].EVENT_ID",
        )
        tell(bench.by_name[name], f"digio.trigger[{answer}].stimulus=trigger.timer[1].EVENT_ID")
    tell(bench.by_name["tsp"], "digio.trigger[1].assert()", "delay(10)")
    assert bench.world.seconds > 10, "time passes all the same"
    assert [each.kind for each in bench.world.incidents] == ["trigger loop"]
    assert ask(bench.by_name["other"], "print(1)") == "1.00000e+00"
    bench.close()


def test_an_endless_scan_ends_with_abort(build: Build, tell: Any, ask: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(reactions, "_MOST_STEPS", 300)
    bench = build("smu matrix", ROW, [LINK])
    bench.reset()
    matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell, points=2500)
    tell(matrix, ":TRIG:COUN INF")
    tell(smu, ":INIT")
    tell(matrix, ":INIT")
    taken = len(smu.readings)
    assert 5 < taken < 300
    bench.host.wait(1000.0)
    assert len(smu.readings) > taken, "it goes on as time passes"
    tell(smu, ":ABOR")
    tell(matrix, ":ABOR")
    taken = len(smu.readings)
    bench.host.wait(10.0)
    assert len(smu.readings) == taken
    assert ask(matrix, ":STAT:OPER:COND?") == "1024", "idle"
    assert len(numbers(ask(smu, ":FETC?"))) == 2 * taken


def test_a_bench_that_is_left_in_the_middle_leaves_no_thread(build: Build, tell: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(reactions, "_MOST_STEPS", 101)
    bench = build("smu matrix", ROW, [LINK])
    bench.reset()
    matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell, points=2500)
    tell(matrix, ":TRIG:COUN INF")
    tell(smu, ":INIT")
    tell(matrix, ":INIT")
    names = [thread.name for thread in threading.enumerate()]
    assert "reaction to a trigger" in names
    bench.close()
    assert "reaction to a trigger" not in [thread.name for thread in threading.enumerate()]


def test_an_instrument_that_hangs_does_not_answer_its_triggers(build: Build, tell: Any) -> None:
    bench = build("smu matrix", ROW, [LINK])
    matrix, smu = set_up_matrix(bench, tell), set_up_smu(bench, tell)
    tell(smu, ":INIT")
    bench.inject("hang", "smu")
    tell(matrix, ":INIT")
    assert smu.readings == []


@pytest.mark.parametrize(
    ("wires", "said"),
    [
        (["[smu.tlink.1]"], ["line 11", "trigger_wires.0", "at least two"]),
        ([LINK, "[smu.tlink.5, matrix.tlink.5]"], ["line 12", "trigger_wires[1]", "'smu.tlink.5'", "tlink.4, sot"]),
        (["[smu.tlink.1, matrix.ready]"], ["line 11", "'matrix.ready'", "channel_ready"]),
        (["[smu.tlink.1, meter.ext]"], ["line 11", "no instrument 'meter'", "matrix, smu"]),
        (["[smu.tlink.1, matrix.tlink.1]", "[smu.tlink.1, matrix.tlink.2]"], ["line 12", "two trigger wires"]),
        (['["smu.tlink.{1-2}", "matrix.tlink.{1-3}"]'], ["line 11", "different numbers"]),
        (['["smu.tlink.{a}", matrix.tlink.1]'], ["line 11", "trigger_wires.0", "a range is written like"]),
        (["{smu.tlink.1: matrix.tlink.1}"], ["line 11", "trigger_wires.0"]),
    ],
)
def test_what_is_wrong_with_a_wire_is_said_with_its_line(build: Build, wires: list[str], said: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        build("smu matrix", ['{from: smu.hi, to: "matrix.row.1"}'], wires)
    for part in said:
        assert part in str(refused.value)


def test_an_instrument_without_trigger_terminals_says_so(build: Build) -> None:
    with pytest.raises(InputError, match="it has none that is simulated"):
        build("smu field", ["{from: smu.hi, to: ground}"], ["[smu.tlink.1, field.trig_in]"])


def test_low_wins_and_nobody_hears_itself() -> None:
    heard: dict[str, list[bool]] = {"a": [], "b": []}
    later: list[Callable[[], None]] = []
    wire = Wire(lambda seconds, act: later.append(act))
    ends = {name: Terminal(heard[name].append) for name in heard}
    for end in ends.values():
        end.attach(wire)
    ends["a"].pulse()
    ends["b"].rest(is_low=True)
    later.pop()()
    assert not wire.is_high and heard == {"a": [], "b": [False]}, "b holds the line"
    ends["b"].rest(is_low=False)
    assert heard == {"a": [True], "b": [False]}
    ends["a"].pulse()
    ends["a"].pulse()
    later.pop(0)()
    assert not wire.is_high, "the second pulse lengthens the first"
    later.pop(0)()
    assert wire.is_high


def test_over_visa(build: Build, tmp_path: Path) -> None:
    """The same row scan as any program would write it."""
    build("smu matrix", ROW, [LINK])
    spec = str(tmp_path / "bench.yaml")
    manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
    smu: Any = manager.open_resource("GPIB0::24::INSTR")
    matrix: Any = manager.open_resource("GPIB0::7::INSTR")

    def tell(instrument: Any, *messages: str) -> None:
        for message in messages:
            instrument.write(message)

    bench = sim_bench(spec)
    set_up_matrix(bench, lambda _, *messages: tell(matrix, *messages))
    set_up_smu(bench, lambda _, *messages: tell(smu, *messages))
    smu.write(":INIT")
    matrix.write(":INIT")
    matrix.query("*OPC?")
    amps = smu.query_ascii_values(":FETC?")[::2]
    assert amps == pytest.approx(expected_amps(bench), rel=0.05)
    smu.close()
    matrix.close()
    bench.close()

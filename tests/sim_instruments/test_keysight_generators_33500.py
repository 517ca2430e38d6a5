"""The 33500 and 33600 series: modulation, sweeps, coupling, combined outputs, sequences, files, overload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keysight_33500 import SimKeysight33622A
from mtjlab.sim_instruments.pulse_trains import trains_of
from mtjlab.sim_instruments.simulated_bench import sim_bench
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

CLEAN = {"defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}
ONE_CELL = {**CLEAN, "rows": 1, "cols": 1, "diameters_nm": [50.0], "volts_c0_spread": 0.0, "delta_spread": 0.0}
NO_ERROR = '+0,"No error"'
RAMP = ",".join(f"{x:.3f}" for x in np.linspace(-1, 1, 32))


@pytest.fixture
def world() -> World:
    return World.from_description(ONE_CELL, seed=1, line_hertz=50)


@pytest.fixture
def gen(world: World) -> SimKeysight33622A:
    return SimKeysight33622A("gen", world, HostClock(world), serial="MY1")


def loaded(world: World, ohms: float = 50.0, channel: int = 1) -> Callable[[], float]:
    end = world.add_source(f"end {channel}", f"end.{channel}")
    end.drive_volts(0.0, 10.0)
    world.connect(f"gen.{channel}.hi", f"end.{channel}", ohms)
    return lambda: -end.point().amps * ohms


def traced(gen: SimKeysight33622A, seconds: float, channel: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """How long the output is at which open-circuit volts from now on."""
    trains_of(gen.world).watchers += 1
    output, begin = gen.channels[channel - 1].output, gen.world.seconds
    seen = [(begin, output.volts)]
    drive = output.drive

    def recorded(volts: float) -> None:
        seen.append((gen.world.seconds, volts))
        drive(volts)

    output.drive = recorded  # type: ignore[method-assign]
    gen.world.wait(seconds)
    output.drive = drive  # type: ignore[method-assign]
    trains_of(gen.world).watchers -= 1
    times = np.array([t for t, _ in seen] + [begin + seconds])
    return np.diff(times), np.array([volts for _, volts in seen])


@pytest.mark.parametrize(
    ("command", "query", "reply"),
    [
        ("FUNC:NOIS:BAND 1E6", "FUNC:NOIS:BAND?", "+1.000000000000000E+06"),
        ("FUNC:PRBS:DATA PN15", "SOUR1:FUNC:PRBS:DATA?", "PN15"),
        ("FREQ:CENT 1000;SPAN 200", "FREQ:STAR?;STOP?", "+9.000000000000000E+02;+1.100000000000000E+03"),
        ("FREQ:MODE LIST;:LIST:FREQ 100,200,300", "LIST:FREQ:POIN?;:FREQ:MODE?", "+3.000000000000000E+00;LIST"),
        ("SOUR2:AM:DEPT 50;SOUR CH1", "SOUR2:AM:DEPT?;SOUR?", "+5.000000000000000E+01;CH1"),
        ("AM:DSSC ON", "AM:DSSC?", "1"),
        ("FSK:FREQ 5E3;INT:RATE 20;:FSK:STAT ON", "FSK:STAT?;FREQ?", "1;+5.000000000000000E+03"),
        ("BPSK:PHAS 90", "BPSK:PHAS?", "+9.000000000000000E+01"),
        ("PM:DEV 1.5707963267948966RAD", "PM:DEV?", "+9.000000000000000E+01"),
        ("FUNC PULS;:PWM:DEV 1E-6;STAT ON", "PWM:DEV?;STAT?", "+1.000000000000000E-06;1"),
        ("SUM:AMPL 10;INT:FUNC NOIS", "SUM:INT:FUNC?;:SUM:AMPL?", "NOIS;+1.000000000000000E+01"),
        ("UNIT:ANGL RAD;:PHAS 3.14159", "PHAS?", "+3.141590000000000E+00"),
        ("FREQ 1E3;:UNIT:ANGL SEC;:PHAS 2.5E-4", "UNIT:ANGL DEG;:PHAS?", "+9.000000000000000E+01"),
        ("FREQ:COUP ON;COUP:MODE RAT;RAT 2;:SOUR1:FREQ 1E3", "SOUR2:FREQ?", "+2.000000000000000E+03"),
        ("FREQ:COUP ON;COUP:MODE OFFS;OFFS 50;:SOUR2:FREQ 1E3", "SOUR1:FREQ?", "+9.500000000000000E+02"),
        ("TRAC ON;:FUNC SQU;:VOLT 3", "SOUR2:FUNC?;VOLT?", "SQU;+3.0000000000000E+00"),
        ("TRAC INV", "TRAC?;:OUTP2:POL?", "INV;INV"),
        ("COMB:FEED CH2", "COMB:FEED?;:SOUR2:COMB:FEED?", "CH2;NONE"),
        ("APPL:SQU", "APPL?", '"SQU +1.000000000000000E+03,+1.0000000000000E-01,+0.0000000000000E+00"'),
        ("DISP:TEXT 'busy'", "DISP:TEXT?", '"busy"'),
        ("INIT:CONT:ALL OFF", "INIT2:CONT?", "0"),
        ("MEM:STAT:NAME 2,MINE;:*SAV 2", "MEM:STAT:NAME? 2;VAL? 2;:MEM:STAT:VAL? 3", '"MINE";1;0'),
    ],
)
def test_settings_are_taken_and_told(gen: Any, tell: Any, ask: Any, command: str, query: str, reply: str) -> None:
    tell(gen, command)
    if query.startswith("UNIT"):
        unit, _, query = query.partition(";:")
        tell(gen, unit)
    assert ask(gen, query) == reply
    assert ask(gen, "SYST:ERR?") == NO_ERROR


def test_amplitude_modulation_has_its_envelope(gen: Any, tell: Any) -> None:
    tell(gen, "APPL:SQU 1E5,4,0;:AM:INT:FREQ 100;:AM:DEPT 100;:AM:STAT ON")
    seconds, volts = traced(gen, 0.02)
    high = np.abs(volts)
    assert high.max() == pytest.approx(4.0, rel=0.01), "the whole amplitude (twice into nothing) at the crest"
    assert high.min() == pytest.approx(0.0, abs=0.02)
    mean_square = float((seconds * volts**2).sum() / seconds.sum())
    assert mean_square == pytest.approx(16 * (1 + 0.5) / 4, rel=0.02), "of (1 + sin) / 2"
    tell(gen, "AM:DSSC ON")
    seconds, volts = traced(gen, 0.02)
    assert float((seconds * volts**2).sum() / seconds.sum()) == pytest.approx(16 / 2, rel=0.02)
    tell(gen, "AM:SOUR EXT")
    assert np.abs(traced(gen, 1e-3)[1]).max() == pytest.approx(0.0, abs=0.02), "nothing at the input"


def test_a_sum_adds_the_second_wave(gen: Any, tell: Any) -> None:
    tell(gen, "APPL:SQU 1E5,2,0;:SUM:AMPL 50;INT:FUNC SQU;FREQ 100;:SUM:STAT ON")
    _, volts = traced(gen, 0.01)
    assert sorted({round(float(v), 2) for v in volts}) == [-3.0, -1.0, 1.0, 3.0]


def test_pulse_width_modulation_keeps_the_mean_width(gen: Any, tell: Any) -> None:
    tell(gen, "APPL:PULS 1E4,1,0.5;:PULS:WIDT 20E-6;:PWM:DEV 10E-6;INT:FREQ 10;:PWM:STAT ON")
    seconds, volts = traced(gen, 0.1)
    on = seconds[volts > 0.5]
    assert on.min() == pytest.approx(10e-6, rel=0.03)
    assert on.max() == pytest.approx(30e-6, rel=0.03)
    assert on.sum() / 0.1 == pytest.approx(0.2, rel=0.02)


def test_frequency_shift_keying_and_sweep(gen: Any, tell: Any) -> None:
    tell(gen, "APPL:SQU 1E3,1,0;:FSK:FREQ 1E4;INT:RATE 10;:FSK:STAT ON")
    seconds, volts = traced(gen, 0.1)
    assert (volts > 0).sum() == pytest.approx(50 + 500, abs=3)
    tell(gen, "FSK:STAT OFF;:FREQ:STAR 1E3;STOP 3E3;:SWE:TIME 0.1;STAT ON")
    seconds, volts = traced(gen, 0.1)
    assert (volts > 0).sum() == pytest.approx(200, abs=5), "two kilohertz in the mean"
    assert seconds[3:-1].max() > 2.5 * seconds[3:-1].min()


def test_levels_follow_the_coupling_and_the_limit(gen: Any, world: World, tell: Any, ask: Any) -> None:
    one, two = loaded(world), loaded(world, channel=2)
    tell(gen, "SOUR1:FUNC DC;:SOUR2:FUNC DC;:VOLT:COUP ON;:VOLT:OFFS 0.5;:OUTP1 ON;:OUTP2 ON")
    assert (one(), two()) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.5, abs=0.02))
    tell(gen, "VOLT:LIM:HIGH 0.6;LOW 0;STAT ON;:VOLT:OFFS 1")
    assert ask(gen, "SYST:ERR?").startswith("-222")
    assert one() == pytest.approx(0.5, abs=0.02)


def test_outputs_combine(gen: Any, world: World, tell: Any) -> None:
    one = loaded(world)
    tell(gen, "APPL:DC DEF,DEF,1;:SOUR2:FUNC DC;VOLT:OFFS 0.25;:COMB:FEED CH2")
    assert one() == pytest.approx(1.25, abs=0.03)
    tell(gen, "SOUR2:VOLT:OFFS -0.25")
    assert one() == pytest.approx(0.75, abs=0.03)
    tell(gen, "COMB:FEED NONE")
    assert one() == pytest.approx(1.0, abs=0.02)


def test_a_phase_between_channels_is_a_delay(gen: Any, tell: Any) -> None:
    tell(gen, "APPL:SQU 1E3,1,0;:SOUR2:APPL:SQU 1E3,1,0;:SOUR2:PHAS 90;:PHAS:SYNC")
    first, second = [], []
    trains_of(gen.world).watchers += 1
    for seen, channel in ((first, gen.channels[0]), (second, gen.channels[1])):
        drive = channel.output.drive
        channel.output.drive = lambda volts, seen=seen, drive=drive: (
            seen.append((gen.world.seconds, volts)),
            drive(volts),
        )
    gen.world.wait(5e-3)
    rises = [[t for t, volts in seen if volts > 0] for seen in (first, second)]
    assert (rises[0][2] - rises[1][2]) % 1e-3 == pytest.approx(0.25e-3, rel=1e-6)


def test_sequences(gen: Any, tell: Any, ask: Any) -> None:
    high, low = ",".join(["1"] * 32), ",".join(["-1"] * 32)
    tell(gen, f"DATA:ARB up,{high};:DATA:ARB down,{low};:FUNC:ARB:SRAT 1E6;:VOLT 2")
    content = '"two","up",3,repeat,maintain,5,"down",2,repeat,maintain,5'
    tell(gen, f"DATA:SEQ #3{len(content):03d}{content};:FUNC:ARB two;:FUNC ARB;:OUTP ON")
    assert ask(gen, "SYST:ERR?") == NO_ERROR
    assert '"TWO"' in ask(gen, "DATA:VOL:CAT?")
    seconds, volts = traced(gen, 1.6e-3)
    assert float(seconds[volts > 0].sum() / seconds.sum()) == pytest.approx(0.6, abs=0.01)
    waiting = content.replace("3,repeat", "1,onceWaitTrig").replace("two", "three")
    tell(gen, f"DATA:SEQ #3{len(waiting):03d}{waiting};:TRIG:SOUR BUS;:FUNC:ARB three")
    seconds, volts = traced(gen, 1e-3)
    assert len(volts) == 1, "it waits"
    tell(gen, "*TRG")
    assert ask(gen, "SYST:ERR?") == NO_ERROR


def test_files(gen: Any, world: World, tell: Any, ask: Any) -> None:
    tell(gen, f"DATA:ARB ramp,{RAMP};:FUNC:ARB ramp;:MMEM:STOR:DATA1 'INT:\\ramp.arb'")
    assert '"ramp.arb,ARB,' in ask(gen, "MMEM:CAT:DATA:ARB?")
    used, free = (int(x) for x in ask(gen, "MMEM:CAT?").split(",")[:2])
    assert used > 100
    assert free > 10**6
    block = ask(gen, "MMEM:UPL? 'INT:\\ramp.arb'")
    tell(gen, "MMEM:MDIR 'INT:\\mine';:MMEM:DOWN:FNAM 'INT:\\mine\\again.arb'")
    gen.receive(b"MMEM:DOWN:DATA " + block.encode() + b"\n", is_end=True, bus_seconds=0.0)
    tell(gen, "DATA:VOL:CLE;:MMEM:LOAD:DATA1 'INT:\\mine\\again.arb';:FUNC:ARB 'INT:\\mine\\again.arb'")
    assert ask(gen, "FUNC:ARB?;:DATA:ATTR:POIN?;AVER?").startswith('"AGAIN";+32;')
    across = loaded(world)
    tell(gen, "APPL:DC DEF,DEF,0.6;:MMEM:STOR:STAT 'bright';:OUTP OFF;:*RST;:MMEM:LOAD:STAT 'bright'")
    assert across() == pytest.approx(0.6, abs=0.02)
    assert ask(gen, "SYST:ERR?") == NO_ERROR
    for command, code in (
        ("MMEM:DEL 'none.arb'", -256),
        ("MMEM:CDIR 'INT:\\none'", -257),
        ("MMEM:LOAD:STAT 'none'", -256),
        ("MMEM:RDIR 'INT:\\mine'", -257),
    ):
        tell(gen, command)
        assert int(ask(gen, "SYST:ERR?").partition(",")[0]) == code


def test_a_short_does_no_harm_and_a_fighting_source_opens_the_output(
    gen: Any, world: World, tell: Any, ask: Any
) -> None:
    tell(gen, "APPL:DC DEF,DEF,4.9")
    short = world.add_source("short", "short")
    short.drive_volts(0.0, 10.0)
    world.connect("gen.1.hi", "short", 0.01)
    assert short.point().amps == pytest.approx(-9.8 / 50, rel=0.03), "the impedance limits the current"
    assert ask(gen, "OUTP?;:SYST:ERR?") == f"1;{NO_ERROR}"
    short.drive_volts(20.0, 10.0)
    assert ask(gen, "OUTP?;:STAT:QUES:COND?") == "0;1"
    assert "overload" in ask(gen, "SYST:ERR?")
    assert short.point().amps == pytest.approx(0.0, abs=1e-6), "the relay is open"
    short.drive_volts(0.0, 10.0)
    tell(gen, "OUTP ON")
    assert ask(gen, "STAT:QUES:COND?") == "0"
    assert short.point().amps == pytest.approx(-9.8 / 50, rel=0.03)


def test_learn_and_security(gen: Any, world: World, tell: Any, ask: Any) -> None:
    across = loaded(world)
    tell(gen, "APPL:DC DEF,DEF,0.7")
    learned = ask(gen, "*LRN?")
    tell(gen, "*RST", learned)
    assert across() == pytest.approx(0.7, abs=0.02)
    tell(gen, f"*SAV 1;DATA:ARB ramp,{RAMP};:SYST:SEC:IMM")
    assert "RAMP" not in ask(gen, "DATA:VOL:CAT?")
    assert across() == pytest.approx(0.0, abs=1e-6)
    assert ask(gen, "HCOP:SDUM:DATA?").startswith("#258BM")


BENCH = """
bench: rows
seed: 1
line_hertz: 50
die: {rows: 3, cols: 1, defect_rates: {short: 0, open: 0, stuck_p: 0, stuck_ap: 0}}
instruments:
  - {name: pulser, model: keysight_81160a, address: "GPIB0::10::INSTR"}
  - {name: matrix, model: keithley_707b, address: "GPIB0::16::INSTR", cards: [7174A]}
cables:
  - {from: pulser.1.hi, to: die.row.0}
  - {from: "matrix.col.{101-102}", to: "die.row.{1-2}"}
  - {from: matrix.row.A, to: ground}
  - {from: die.col.0, to: ground}
"""


@pytest.fixture
def bench(tmp_path: Any) -> Any:
    path = tmp_path / "rows.yaml"
    path.write_text(BENCH)
    yield sim_bench(str(path))
    sim_bench(str(path)).close()


def test_pulses_go_to_one_row_while_the_matrix_grounds_the_others(bench: Any, tell: Any) -> None:
    pulser, matrix, die = bench.by_name["pulser"], bench.by_name["matrix"], bench.world.die
    die.is_parallel[:] = False
    for cell in range(3):
        bench.world.circuit.cell_changed(cell)
    tell(matrix, "channel.close('1A01,1A02')")
    tell(pulser, ":FUNC1 PULS;:PULS:WIDT1 2E-7;PER1 1E-5;:OUTP1:IMP:EXT 1E6;:VOLT1:HIGH 1.1;LOW 0")
    tell(pulser, ":ARM:SOUR1 MAN;:TRIG1:COUN 3;:OUTP1 ON;*TRG")
    assert die.is_parallel.tolist() == [True, False, False]
    assert bench.world.incidents == []


def test_a_tripped_output_is_off_and_reported(bench: Any, tell: Any, ask: Any) -> None:
    pulser, die = bench.by_name["pulser"], bench.world.die
    die.is_parallel[:] = False
    bench.world.circuit.cell_changed(0)
    tell(
        pulser,
        ":FUNC1 PULS;:PULS:WIDT1 2E-7;PER1 1E-5;:OUTP1:IMP:EXT 1E6;:VOLT1:HIGH 1.1;LOW 0;:ARM:SOUR1 MAN;:OUTP1 ON",
    )
    bench.inject("trip", "pulser")
    assert ask(pulser, ":OUTP1?") == "0"
    assert ask(pulser, ":SYST:ERR?").startswith("-300")
    tell(pulser, "*TRG")
    assert not die.is_parallel[0]
    tell(pulser, ":OUTP1 ON;*TRG")
    assert die.is_parallel[0]

"""Other people's drivers, unmodified, on the simulated switching mainframes: what they do reaches the die.

Defects of the stock drivers that show here, none of them hidden by the simulation:
* QCoDeS Keysight34934A cannot use configurations with more than one matrix (4x32, 4x64, 8x32): `connect` gives no
  wiring configuration and its own numbering function refuses that.
* QCoDeS Keysight34980A sends *CLS before every command, so an error that another session made is lost.
* QCoDeS KeysightB220X warns on every change to the single-route rule, whether anything is connected or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa
from pymeasure.instruments import Instrument, SCPIMixin
from qcodes.instrument_drivers.Keysight import Keysight34980A, KeysightB2201

from mtjlab.sim_instruments.keithley_7001 import SimKeithley7001, SimKeithley7002
from mtjlab.sim_instruments.keithley_7001_route import ROUTE_COMMANDS
from mtjlab.sim_instruments.keithley_7001_system import SYSTEM_COMMANDS
from mtjlab.sim_instruments.keysight_34980a import SimKeysight34980A
from mtjlab.sim_instruments.keysight_34980a_commands import COMMANDS as COMMANDS_34980A
from mtjlab.sim_instruments.keysight_b2200 import SimKeysightB2201A
from mtjlab.sim_instruments.keysight_b2200_commands import B2200_COMMANDS
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

DRIVE_VOLTS = 0.1
BENCH = """\
bench: clients
seed: 3
line_hertz: 50
die: {{rows: 3, cols: 3, segment_ohms: 0, defect_rates: {{short: 0, open: 0, stuck_p: 0, stuck_ap: 0}}}}
instruments:
  - {{name: drive, model: keithley_2400, address: "GPIB0::24::INSTR"}}
  - {{name: bias, model: keithley_2400, address: "GPIB0::25::INSTR"}}
  - {{name: sense, model: keithley_2400, address: "GPIB0::26::INSTR"}}
  - {{name: matrix, model: {model}, address: "GPIB0::22::INSTR", cards: {cards}}}
wiring: wiring.yaml
faults: []
"""
WIRING = """\
matrix: matrix
smus: {{drive: "{drive}", bias: "{bias}", sense: "{sense}"}}
row_lines: [{rows}]
col_lines: [{cols}]
device:
  name: test
  nominal_on_off_siemens: 1.0e-4
  limits: {{read_volts: 0.2, write_volts_positive: 0.9, write_volts_negative: 0.9, pulse_seconds: 0.05, amps: 0.01,
           pulses_per_cell: 200}}
"""


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Any]:
    opened: list[str] = []

    def make(model: str, cards: str, ports: tuple[str, str, str], rows: str, cols: str) -> str:
        (tmp_path / "bench.yaml").write_text(BENCH.format(model=model, cards=cards))
        drive, bias, sense = ports
        (tmp_path / "wiring.yaml").write_text(WIRING.format(drive=drive, bias=bias, sense=sense, rows=rows, cols=cols))
        opened.append(str(tmp_path / "bench.yaml"))
        return opened[-1]

    yield make
    for spec in opened:
        sim_bench(spec).close()


def measured_amps(spec: str, *, bias_volts: float | None = None) -> float:
    """What the sense SMU reads, with the drive SMU at DRIVE_VOLTS."""
    manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
    levels = {24: DRIVE_VOLTS, 25: bias_volts, 26: 0.0}
    smus: dict[int, Any] = {
        board: manager.open_resource(f"GPIB0::{board}::INSTR", read_termination="\n") for board in levels
    }
    for board, volts in levels.items():
        if volts is not None:
            smus[board].write(f"*RST;:SENS:CURR:PROT 1E-2;:SENS:CURR:RANG 1E-3;:SOUR:VOLT {volts};:OUTP ON")
    amps = -float(smus[26].query(":READ?").split(",")[1])
    for smu in smus.values():
        smu.write(":SOUR:VOLT 0;:OUTP OFF")
    return amps


def cell_siemens(bench: SimBench, row: int, col: int) -> float:
    return float(bench.world.die.siemens().reshape(3, 3)[row, col])


def through(bench: SimBench, row: int, col: int, extra_ohms: float) -> float:
    """Current through one cell when every other line is held at the level of its own side's sense or drive."""
    die = bench.world.die
    ohms = 1 / cell_siemens(bench, row, col) + float(die.contact_ohms[row] + die.contact_ohms[3 + col]) + extra_ohms
    return DRIVE_VOLTS / ohms


def test_qcodes_b2201_reads_a_cell_with_the_rest_on_the_bias_port(make_bench: Any) -> None:
    spec = make_bench("keysight_b2201a", "[B2211A]", ("1", "10", "3"), "101, 102, 103", "104, 105, 106")
    bench = sim_bench(spec)
    matrix = KeysightB2201("b2201", "GPIB0::22::INSTR", visalib=f"{spec}@mtjlab")
    try:
        assert matrix.get_idn()["model"] == "B2201A"
        matrix.reset()
        matrix.connect_paths([(1, 2), (3, 6)])
        matrix.bias_mode(True)
        assert matrix.connections() == {(1, 2), (3, 6), *((10, o) for o in range(1, 13) if o not in (2, 6))}
        amps = measured_amps(spec, bias_volts=0.0)
        assert amps == pytest.approx(through(bench, 1, 2, 0.0), rel=0.03), "rows and columns on bias are at 0 V"
        with pytest.warns(UserWarning, match="error occurred"):
            matrix.connect(10, 7)
        assert "Bias Port" in matrix.get_error()
        matrix.bias_mode(False)
        matrix.disconnect_all()
        assert matrix.connections() == set()
        assert [incident.kind for incident in bench.world.incidents] == []
    finally:
        matrix.close()


def test_ground_mode_takes_the_sneak_paths_out_of_a_reading(make_bench: Any) -> None:
    """As in the B2200 User's Guide: what is not measured lies on the ground port, 12, inside the mainframe."""
    spec = make_bench("keysight_b2201a", "[B2211A]", ("1", "10", "3"), "101, 102, 103", "104, 105, 106")
    bench = sim_bench(spec)
    matrix: Any = pyvisa.ResourceManager(f"{spec}@mtjlab").open_resource("GPIB0::22::INSTR", read_termination="\n")
    matrix.write(":ROUT:FUNC ACON;:ROUT:CLOS (@00102,00306)")
    floating = measured_amps(spec)
    matrix.write(":ROUT:AGND:CHAN:ENAB:CARD 0;:ROUT:AGND 0,ON")
    assert matrix.query(":ROUT:CLOS:CARD? 0").count("012") == 10, "every output that is not in use"
    grounded = measured_amps(spec)
    assert grounded == pytest.approx(through(bench, 1, 2, 0.0), rel=0.03)
    assert floating > 1.05 * grounded, "by the lines that float, current gets around the cell"
    matrix.write(":ROUT:AGND 0,OFF")
    assert measured_amps(spec) == pytest.approx(floating, rel=0.03)
    assert bench.world.incidents == []
    matrix.close()


def test_qcodes_b2201_settings(make_bench: Any) -> None:
    spec = make_bench("keysight_b2201a", "[B2211A, B2211A]", ("1", "10", "3"), "101, 102, 103", "104, 105, 106")
    matrix = KeysightB2201("b2201_s", "GPIB0::22::INSTR", visalib=f"{spec}@mtjlab")
    try:
        matrix.reset()
        assert matrix.connection_rule() == "free" and matrix.connection_sequence() == "bbm"
        with pytest.warns(UserWarning, match="existing connections are not released"):
            matrix.connection_rule("single")
        matrix.connection_sequence("mbb")
        matrix.connect(2, 24)
        matrix.connect(2, 12)
        assert matrix.connections() == {(2, 12)}
        matrix.unused_inputs([5, 6, 7, 8])
        matrix.unused_inputs([3])
        matrix.couple_ports([1, 3])
        matrix.couple_mode(True)
        assert (matrix.unused_inputs(), matrix.couple_ports(), matrix.couple_mode()) == ([3], [1, 3], True)
        matrix.couple_port_autodetect()
        assert matrix.couple_ports() == []
        matrix.gnd_enable_output(20)
        matrix.gnd_mode(True)
        assert (matrix.gnd_mode(), matrix.gnd_input_port()) == (True, 12)
        assert matrix.connections() == {(2, 12), (12, 20)}
        matrix.gnd_disable_all_outputs()
        matrix.gnd_enable_all_outputs()
        matrix.gnd_disable_output(1)
        assert (12, 1) not in matrix.connections() and (12, 2) in matrix.connections()
        matrix.gnd_mode(False)
        matrix.bias_input_port(9)
        matrix.bias_disable_all_outputs()
        matrix.bias_enable_output(1)
        matrix.bias_mode(True)
        assert matrix.connections() == {(2, 12), (9, 1)}
        matrix.bias_enable_all_outputs()
        matrix.bias_disable_output(1)
        matrix.disconnect(2, 12)
        matrix.disconnect_paths([(2, 12)])
        assert len(matrix.connections()) == 23
        matrix.snapshot(update=True)
        assert matrix.get_error() == '+0,"No error"'
    finally:
        matrix.close()


def test_qcodes_34980a_reads_a_cell_through_the_row_protection(make_bench: Any) -> None:
    cards = "[34934A-8x64, null, 34934A-4x32]"
    spec = make_bench("keysight_34980a", cards, ("1", "2", "3"), "101, 102, 103", "104, 105, 106")
    bench = sim_bench(spec)
    unit = Keysight34980A("k34980a", "GPIB0::22::INSTR", visalib=f"{spec}@mtjlab")
    try:
        assert set(unit.system_slots_info) == {1, 3}
        module: Any = unit.module[1]
        dual: Any = unit.module[3]
        assert module.protection_mode() == "AUTO100"
        module.connect(1, 2)
        module.connect_paths([(3, 6), *((2, column) for column in (1, 3, 4, 5))])
        assert module.is_closed(1, 2) and module.are_closed([(3, 6), (3, 7)]) == [True, False]
        assert module.is_open(3, 7) and module.are_open([(3, 6), (3, 7)]) == [False, True]
        assert measured_amps(spec, bias_volts=0.0) == pytest.approx(through(bench, 1, 2, 200.0), rel=0.03)
        module.protection_mode("AUTO0")
        bypassed = measured_amps(spec, bias_volts=0.0)
        assert bypassed == pytest.approx(through(bench, 1, 2, 0.0), rel=0.03)
        with pytest.warns(UserWarning, match="error occurred"):
            module.protection_mode("ISO")
        module.disconnect(1, 2)
        module.disconnect_paths([(3, 6)])
        unit.disconnect_all(1)
        unit.disconnect_all()
        assert unit.get_error() == '+0,"No error"'
        with pytest.raises(ValueError, match="Invalid wiring config"):
            dual.connect(1, 1)
        assert dual.to_channel_list([(4, 21)], "M2H") == "(@3753)"
        assert [incident.kind for incident in bench.world.incidents] == []
    finally:
        unit.close()


class SwitchSystem(SCPIMixin, Instrument):
    """A 7001 as a PyMeasure user would write it."""

    closed = Instrument.measurement(":CLOSe:STATe?", "Closed channels.", separator=None)

    def connect_only(self, *channels: str) -> None:
        self.write(":OPEN ALL")
        self.write(f":CLOSE (@ {', '.join(channels)})")


def test_a_pymeasure_client_of_a_7001(make_bench: Any) -> None:
    spec = make_bench("keithley_7001", "[7012-S, 7153]", ("1", "2", "3"), "101, 102, 103", "104, 105, 201")
    bench = sim_bench(spec)
    switch = SwitchSystem("GPIB0::22::INSTR", "7001", visa_library=f"{spec}@mtjlab", read_termination="\n")
    assert switch.id.startswith("KEITHLEY INSTRUMENTS INC.,MODEL 7001")
    switch.connect_only("1!1!2", "2!3!1", "1!2!1", "1!2!3:1!2!5")
    assert switch.closed == "(@1!1!2,1!2!1,1!2!3,1!2!4,1!2!5,2!3!1)"
    assert measured_amps(spec, bias_volts=0.0) == pytest.approx(through(bench, 1, 2, 0.0), rel=0.03)
    assert switch.check_errors() == []
    switch.write(":OPEN ALL")
    assert switch.closed == "(@)"


@pytest.mark.parametrize(
    ("model", "cards", "complaint"),
    [
        ("keithley_7001", "[7012-S, 7012-S, 7012-S]", "has 2 slots"),
        ("keysight_34980a", "[7012-S]", "does not fit"),
        ("keysight_b2201a", "[]", "needs 'cards'"),
    ],
)
def test_cards_that_do_not_fit(make_bench: Any, model: str, cards: str, complaint: str) -> None:
    spec = make_bench(model, cards, ("1", "2", "3"), "101, 102, 103", "104, 105, 106")
    with pytest.raises(Exception, match=complaint):
        sim_bench(spec)
    make_bench("keithley_7002", "[7012-S]", ("1", "2", "3"), "101, 102, 103", "104, 105, 106")


ODD_ARGUMENTS = (
    "", "0", "ALL", "1,FREE", "(@1!1!1)", "(@00101:00203)", "(@1101)", "'1,3'", "0,'1,3'", "0,-1", "M1", "(@)", "(@1:)",
    "(@1!)", "1e99", "DEF,FIX", "3,ISO", "INF", "(", "(@1001:1003)", "1,(@1001)", "ON,(@1001)", "AUTO,DEF,(@1021)",
    "one,'ROUT:CLOS (@1001)'", "one",
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "cards", "more"),
    [
        (SimKeithley7001, ["7012"], {}),
        (SimKeithley7002, ["7158", "7011"], {}),
        (SimKeysightB2201A, ["B2211A"], {}),
        (SimKeysight34980A, ["34934A-4x32"], {}),
        (SimKeysight34980A, ["34921A", "34925A", "34931A"], {"has_dmm": True}),
    ],
)
def test_whatever_is_sent_ends_in_the_error_queue(model: Any, cards: Any, more: Any, tell: Any, ask: Any) -> None:
    world = World.from_description({"rows": 1, "cols": 1}, seed=7, line_hertz=50)
    switch = model("m", world, HostClock(world), cards=cards, **more)
    patterns = {*ROUTE_COMMANDS, *SYSTEM_COMMANDS, *B2200_COMMANDS, *COMMANDS_34980A}
    headers = sorted({re.sub(r"\[.*?\]|<n>", "", command.pattern).split("|")[0] for command in patterns})
    for header in headers:
        for argument in ODD_ARGUMENTS:
            tell(switch, f"{header} {argument}", f"{header}? {argument}")
    tell(switch, "*RST", "*CLS")
    assert '"No error"' in ask(switch, ":SYST:ERR?")

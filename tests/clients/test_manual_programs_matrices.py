"""Programs that read and write single cells of an array through each switching mainframe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from pyvisa.resources import MessageBasedResource

from .lab import Lab, MakeLab, numbers

VOLTS = 0.05
SMUS: dict[str, dict[str, Any]] = {"drive": {"model": "keithley_2400"}, "sense": {"model": "keithley_2450"}}
CELLS = [(0, 0), (3, 7), (7, 2), (9, 9), (0, 9)]
Connect = Callable[[int, int], None]


def ask(unit: MessageBasedResource, message: str) -> str:
    return unit.query(message).strip()


def cabled(
    row: Callable[[int], str], columns: Sequence[str], size: int, *, grounded: Sequence[str]
) -> list[dict[str, Any]]:
    """SMUs on the matrix's first two rows, ground on others, the array's lines on columns; what is left is grounded."""
    cables = [{"from": "drive.hi", "to": row(1)}, {"from": "sense.hi", "to": row(2)}]
    cables += [{"from": node, "to": "ground"} for node in grounded]
    lines = [f"die.{axis}.{number}" for axis in ("row", "col") for number in range(size)]
    cables += [{"from": column, "to": line} for column, line in zip(columns, lines, strict=False)]
    left = [f"die.{axis}.{number}" for axis in ("row", "col") for number in range(size, 15)]
    return cables + [{"from": line, "to": "ground"} for line in left]


def read(lab: Lab, connect: Connect) -> np.ndarray:
    """Siemens of the cells, told by the SMU that holds the column at 0 V; relays move with the outputs at 0 V."""
    drive = lab.open("drive", "*RST", ":SOUR:VOLT:RANG 2;:SENS:CURR:PROT 1E-3;:FORM:ELEM CURR;:SENS:CURR:NPLC 1")
    sense = lab.open("sense", "*RST", "SOUR:VOLT:RANG 0.2;:SOUR:VOLT:ILIM 1E-3;:SENS:CURR:RANG 1E-4")
    found = []
    for row, col in CELLS:
        drive.write(":SOUR:VOLT 0;:OUTP OFF")
        sense.write("OUTP OFF")
        assert ask(drive, "*OPC?") == ask(sense, "*OPC?") == "1"
        connect(row, col)
        sense.write("OUTP ON")
        drive.write(f":OUTP ON;:SOUR:VOLT {VOLTS}")
        drive.query(":READ?")
        found.append(-float(sense.query("READ?")) / VOLTS)
    assert lab.world.incidents == []
    return np.array(found)


def truth(lab: Lab) -> np.ndarray:
    siemens = lab.world.die.siemens(VOLTS).reshape(15, 15)
    return np.array([siemens[cell] for cell in CELLS])


def others(size: int, row: int, col: int) -> list[int]:
    """The lines that are to be grounded, rows first."""
    return [k for k in range(2 * size) if k not in (row, size + col)]


def assert_cells(lab: Lab, found: np.ndarray) -> None:
    """Wires, contacts and relays of a few ohm take some percent off."""
    assert found / truth(lab) == pytest.approx([0.94] * len(CELLS), abs=0.04)


def test_707b(make_lab: MakeLab) -> None:
    lines = [f"{slot}{{}}{column:02d}" for slot in (1, 2, 3) for column in range(1, 13)]
    columns = [f"matrix.col.{slot}{column:02d}" for slot in (1, 2, 3) for column in range(1, 13)]
    lab = make_lab(
        {**SMUS, "matrix": {"model": "keithley_707b", "cards": ["7174A"] * 3}},
        cabled(lambda n: f"matrix.row.{'AB'[n - 1]}", columns, 15, grounded=["matrix.row.C"]),
    )
    matrix = lab.open("matrix", "reset()", seconds=10)

    def connect(row: int, col: int) -> None:
        names = [
            lines[row].format("A"),
            lines[15 + col].format("B"),
            *(lines[k].format("C") for k in others(15, row, col)),
        ]
        matrix.write(f"channel.exclusiveclose('{','.join(names)}') waitcomplete()")
        closed = ask(matrix, "print(channel.getclose('allslots'))").split(";")
        assert set(closed) == set(names)

    assert_cells(lab, read(lab, connect))
    assert ask(matrix, "*IDN?").startswith("Keithley Instruments Inc., Model 707B, ")
    matrix.write("channel.open('allslots')")
    assert ask(matrix, "print(channel.getclose('allslots'))") == "nil"
    matrix.write("channel.pattern.setimage('1A01,1B02', 'pair') channel.exclusiveclose('pair')")
    assert ask(matrix, "print(channel.getstate('1A01:1A02'))") == "1,0"
    before = lab.world.seconds
    matrix.write("channel.setdelay('1A03', 0.1) channel.close('1A03') waitcomplete()")
    matrix.query("*OPC?")
    assert lab.world.seconds - before > 0.1
    matrix.write("errorqueue.clear() channel.close('1A13')")
    assert float(ask(matrix, "print(errorqueue.count)")) == 1


def test_7001(make_lab: MakeLab) -> None:
    columns = [f"matrix.col.{slot}{column:02d}" for slot in (1, 2) for column in range(1, 11)]
    lab = make_lab(
        {**SMUS, "matrix": {"model": "keithley_7001", "cards": ["7012-S", "7012-S"]}},
        cabled(lambda n: f"matrix.row.{n}", columns, 10, grounded=["matrix.row.3"]),
    )
    matrix = lab.open("matrix", "*RST", seconds=10)
    lines = [f"{slot}!{{}}!{column}" for slot in (1, 2) for column in range(1, 11)]

    def connect(row: int, col: int) -> None:
        matrix.write(":ROUT:OPEN ALL")
        names = [lines[row].format(1), lines[10 + col].format(2), *(lines[k].format(3) for k in others(10, row, col))]
        matrix.write(f":ROUT:CLOS (@{','.join(names)})")
        assert set(ask(matrix, ":ROUT:CLOS? (@" + ",".join(names) + ")").split(",")) == {"1"}

    assert_cells(lab, read(lab, connect))
    matrix.write(":OPEN ALL")
    matrix.write(":ROUT:SCAN (@1!1!1:1!1!3);:TRIG:SOUR IMM;COUN 3;:INIT")
    assert ask(matrix, "*OPC?") == "1"
    assert ask(matrix, ":ROUT:CLOS:STAT?") == "(@1!1!3)"
    matrix.write(":ROUT:CLOS (@3!1!1)")
    assert int(ask(matrix, ":SYST:ERR?").split(",")[0]) == -222


@pytest.mark.parametrize("model", ["keysight_b2201a", "keysight_e5250a"])
def test_bias_mode_of_b2200_and_e5250a(make_lab: MakeLab, model: str) -> None:
    card = "B2211A" if model == "keysight_b2201a" else "E5252A"
    columns = [f"matrix.col.{slot}{column:02d}" for slot in (1, 2, 3, 4) for column in range(1, 13)]
    lab = make_lab(
        {**SMUS, "matrix": {"model": model, "cards": [card] * 4}},
        cabled(lambda n: f"matrix.row.{n}", columns, 15, grounded=["matrix.row.10"]),
    )
    matrix = lab.open("matrix", "*RST", ":BIAS:PORT 0,10", ":BIAS:CHAN:ENAB:CARD 0", ":BIAS 0,ON", seconds=10)

    def connect(row: int, col: int) -> None:
        matrix.write(":OPEN:CARD 0")
        matrix.write(f":CLOS (@001{row + 1:02d},002{16 + col:02d})")
        assert ask(matrix, f":CLOS? (@001{row + 1:02d},002{16 + col:02d},010{row + 1:02d})") == "1,1,0"

    assert_cells(lab, read(lab, connect))
    assert ask(matrix, ":SYST:ERR?").startswith(("0,", "+0,"))
    matrix.write(":CLOS (@01501)")
    assert int(ask(matrix, ":SYST:ERR?").split(",")[0]) == -222


def test_half_select_by_bias_mode_writes_one_cell_only(make_lab: MakeLab) -> None:
    """V/2 on the bias port goes to every line that is not connected otherwise; the cell at the crossing sees V."""
    columns = [f"matrix.col.{slot}{column:02d}" for slot in (1, 2, 3, 4) for column in range(1, 13)]
    cables = [
        {"from": "drive.hi", "to": "matrix.row.1"},
        {"from": "half.hi", "to": "matrix.row.10"},
        {"from": "matrix.row.2", "to": "ground"},
        *({"from": c, "to": f"die.{'row' if k < 8 else 'col'}.{k % 8}"} for k, c in enumerate(columns[:16])),
    ]
    lab = make_lab(
        {
            "drive": {"model": "keithley_2400"},
            "half": {"model": "keithley_2400", "address": "GPIB0::25::INSTR"},
            "matrix": {"model": "keysight_b2201a", "cards": ["B2211A"] * 4},
        },
        cables,
        die={
            "rows": 8,
            "cols": 8,
            "defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0},
            "diameters_nm": [50.0],
            "delta": 80.0,
            "delta_spread": 0.0,
            "volts_c0_spread": 0.0,
            "segment_ohms": 0.2,
        },
    )
    matrix = lab.open("matrix", "*RST", ":BIAS:PORT 0,10", ":BIAS:CHAN:ENAB (@01001:01016)", ":BIAS 0,ON")
    drive, half = (
        lab.open(name, "*RST", ":SOUR:VOLT:RANG 2;:SENS:CURR:PROT 1E-2;:OUTP ON") for name in ("drive", "half")
    )
    for name in ("drive", "half"):
        assert lab.point(name).volts == pytest.approx(0, abs=2e-3)
    before = lab.world.die.is_parallel.copy().reshape(8, 8)
    row, col = (int(k[0]) for k in np.nonzero(~before))
    matrix.write(f":CLOS (@001{row + 1:02d},002{9 + col:02d})")
    matrix.query("*OPC?")
    half.write(":SOUR:VOLT 0.275")
    drive.write(":SOUR:VOLT 0.55")
    drive.query(":READ?")
    drive.write(":SOUR:VOLT 0")
    half.write(":SOUR:VOLT 0")
    assert ask(drive, "*OPC?") == ask(half, "*OPC?") == "1"
    after = lab.world.die.is_parallel.reshape(8, 8)
    assert np.argwhere(after != before).tolist() == [[row, col]]
    assert lab.world.incidents == []


@pytest.mark.parametrize(("protection", "ratio"), [("AUTO0", 0.94), ("AUTO100", None), ("ISO", 0.0)])
def test_34980a_and_its_row_protection(make_lab: MakeLab, protection: str, ratio: float | None) -> None:
    columns = [f"matrix.col.1{column:02d}" for column in range(1, 31)]
    lab = make_lab(
        {**SMUS, "matrix": {"model": "keysight_34980a", "cards": ["34934A-8x32"]}},
        cabled(lambda n: f"matrix.row.{n}", columns, 15, grounded=["matrix.row.3"]),
    )
    matrix = lab.open("matrix", "*RST", f"SYST:MOD:ROW:PROT 1,{protection}", seconds=10)
    assert ask(matrix, "SYST:CTYP? 1").strip('"').split(",")[1] == "34934A-8x32"

    def connect(row: int, col: int) -> None:
        matrix.write("ROUT:OPEN:ALL")
        names = [f"11{row + 1:02d}", f"12{16 + col:02d}", *(f"13{k + 1:02d}" for k in others(15, row, col))]
        matrix.write(f"ROUT:CLOS (@{','.join(names)})")
        assert set(ask(matrix, f"ROUT:CLOS? (@{','.join(names)})").split(",")) == {"1"}

    found = read(lab, connect) / truth(lab)
    if ratio is None:
        assert (found > 1.4).all(), "100 ohm in the grounding row: unselected lines float up"
    else:
        assert found == pytest.approx([ratio] * len(CELLS), abs=0.04)
    matrix.write("ROUT:OPEN:ALL")
    matrix.write("ROUT:CLOS (@1101:1132,1201:1232)")
    assert ask(matrix, "SYST:ERR?").startswith("+0,")
    matrix.write("ROUT:CLOS (@1301)")
    assert int(ask(matrix, "SYST:ERR?").split(",")[0]) != 0, "64 relays of a module at most"


def test_relays_moved_under_voltage_are_told(make_lab: MakeLab) -> None:
    lab = make_lab(
        {"drive": {"model": "keithley_2400"}, "matrix": {"model": "keithley_707b", "cards": ["7174A"]}},
        [
            {"from": "drive.hi", "to": "matrix.row.A"},
            {"from": "matrix.col.101", "to": "die.row.0"},
            {"from": "die.col.0", "to": "ground"},
        ],
    )
    drive = lab.open("drive", "*RST", ":SOUR:VOLT 0.1;:SENS:CURR:PROT 1E-3;:OUTP ON")
    matrix = lab.open("matrix")
    matrix.write("channel.close('1A01') waitcomplete()")
    matrix.query("*OPC?")
    assert [incident.kind for incident in lab.world.incidents] == ["hot switching"]
    assert numbers(drive.query(":READ?"))[1] > 1e-5

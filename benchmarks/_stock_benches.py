"""Reading and writing an array cell by cell, as a careful QCoDeS user would with stock drivers and raw messages.

Careful: levels to 0 V and outputs off before a relay moves, closures read back, a reading at 0 V beside each one. Where
QCoDeS has no driver (707B, B2902A), the messages of the manuals. Not counted: opening, setting up, switching off.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pyvisa
from qcodes.instrument import VisaInstrument
from qcodes.instrument_drivers.Keithley import Keithley2400, Keithley2602B
from qcodes.instrument_drivers.Keysight import KeysightB2201

from mtjlab.nouns import Floats, Ints

from ._benches import POWER_CYCLES, BenchKind, Rig, Shape, instruments

READ_VOLTS = 0.1
_LIMIT_AMPS, _READ_RANGE = 0.01, 1e-3
Cell = tuple[int, int]


class StockBench(ABC):
    """SMUs and a matrix with the array on it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.rows, self.cols = rig.wiring.row_lines, rig.wiring.col_lines
        self._opened: list[VisaInstrument] = []

    def close(self) -> None:
        """Everything off, sessions closed."""
        self.outputs(False)
        for instrument in self._opened:
            instrument.close()

    def read_cell(self, cell: Cell) -> float:
        """Siemens."""
        self.outputs(False)
        self.route_to_read(cell)
        self.outputs(True)
        return self._difference()

    def _difference(self) -> float:
        self.drive(0.0)
        zero = self.read()
        self.drive(READ_VOLTS)
        top = self.read()
        self.drive(0.0)
        return -(top - zero) / READ_VOLTS

    def write_cell(self, cell: Cell, wants_parallel: bool, middle: float, amplitudes: Sequence[float]) -> int:
        """Pulses until the conductance is on the right side of the middle; returns how many."""
        for number, volts in enumerate(amplitudes):
            if (self.read_cell(cell) > middle) == wants_parallel:
                return number
            self.outputs(False)
            self.route_to_write(cell)
            self.outputs(True)
            self.half(volts / 2)
            self.drive(volts)
            self.rig.bench.host.wait(5e-3)  # time.sleep(5e-3)
            self.drive(0.0)
            self.half(0.0)
        return len(amplitudes)

    @abstractmethod
    def outputs(self, is_on: bool) -> None:
        """All outputs; levels are at 0 V."""

    @abstractmethod
    def route_to_read(self, cell: Cell) -> None:
        """The row at the driving SMU, the column at the sensing one, all else at ground."""

    @abstractmethod
    def route_to_write(self, cell: Cell) -> None:
        """The row at the driving SMU, the column at ground, all else at half of its voltage."""

    @abstractmethod
    def drive(self, volts: float) -> None:
        """Level of the driving SMU."""

    @abstractmethod
    def half(self, volts: float) -> None:
        """Level of the SMU that holds the unselected lines in a pulse."""

    @abstractmethod
    def read(self) -> float:
        """Amps of the sensing SMU."""

    def others(self, cell: Cell) -> list[int]:
        """Matrix columns of the unselected lines."""
        row, col = cell
        return [c for c in (*self.rows, *self.cols) if c not in (self.rows[row], self.cols[col])]


class _Matrix707B:
    """A 707B by the messages of its manual."""

    def __init__(self, rig: Rig) -> None:
        (address,) = instruments(rig, ["matrix"])
        self._matrix = VisaInstrument("stock_matrix", address, visalib=rig.library, terminator="\n")
        self._matrix.write("errorqueue.clear() channel.open('allslots') channel.connectrule = 1")

    def close_only(self, wanted: dict[str, Sequence[int]]) -> None:
        """Exactly these columns at these rows, read back."""
        names = {f"{c // 100}{row}{c % 100:02d}" for row, columns in wanted.items() for c in columns}
        self._matrix.write(f"channel.exclusiveclose('{','.join(sorted(names))}')")
        shown = self._matrix.ask("waitcomplete() print(channel.getclose('allslots'))")
        if set(shown.split(";")) != names:
            raise RuntimeError(shown)

    @property
    def instrument(self) -> VisaInstrument:
        """For closing."""
        return self._matrix


class Stock2400s(StockBench):
    """Three stock Keithley2400 and a 707B."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig)
        names = ["drive", "half_select", "sense"]
        self._smus = [
            Keithley2400(f"stock_{name}", address, visalib=rig.library)
            for name, address in zip(names, instruments(rig, names), strict=True)
        ]
        for smu in self._smus:
            smu.write("*RST;*CLS")
            smu.write(":FORM:ELEM VOLT,CURR;:SYST:AZER OFF")
            smu.mode("VOLT")
            smu.compliancei(_LIMIT_AMPS)
            smu.rangev(2)
            smu.nplci(POWER_CYCLES)
            smu.write(f":SENS:CURR:RANG {_LIMIT_AMPS};:SOUR:DEL 1e-3")
            smu.volt(0)
        self._smus[2].write(f":SENS:CURR:RANG {_READ_RANGE}")  # the driver's own `rangei` sets the source
        self._matrix = _Matrix707B(rig)
        self._opened = [*self._smus, self._matrix.instrument]

    def outputs(self, is_on: bool) -> None:
        for smu in self._smus:
            smu.output(int(is_on))
        if not is_on:
            for smu in self._smus:
                if smu.output() != 0:
                    raise RuntimeError(smu.name)

    def route_to_read(self, cell: Cell) -> None:
        row, col = cell
        self._matrix.close_only({"A": [self.rows[row]], "C": [self.cols[col]], "B": self.others(cell)})

    def route_to_write(self, cell: Cell) -> None:
        del cell  # the same

    def drive(self, volts: float) -> None:
        self._smus[0].volt(volts)

    def half(self, volts: float) -> None:
        self._smus[1].volt(volts)

    def read(self) -> float:
        return float(self._smus[2].curr())


class Stock2602B(StockBench):
    """A stock Keithley2602B and a 707B, each on the bus."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig)
        (address,) = instruments(rig, ["smu"])
        self._smu = Keithley2602B("stock_smu", address, visalib=rig.library)
        self._channels = [self._smu.smua, self._smu.smub]
        for channel in self._channels:
            channel.reset()
            channel.mode("voltage")
            channel.sourcerange_v(1)
            channel.limiti(_LIMIT_AMPS)
            channel.measurerange_i(_LIMIT_AMPS)
            channel.nplc(POWER_CYCLES)
            self._smu.write(f"{channel.channel}.measure.autozero = {channel.channel}.AUTOZERO_ONCE")
            channel.volt(0)
        self._smu.smub.measurerange_i(_READ_RANGE)
        self._matrix = _Matrix707B(rig)
        self._opened = [self._smu, self._matrix.instrument]

    def outputs(self, is_on: bool) -> None:
        for channel in self._channels:
            channel.output("on" if is_on else "off")
        if not is_on and any(channel.output() for channel in self._channels):
            raise RuntimeError("an output is still on")

    def route_to_read(self, cell: Cell) -> None:
        row, col = cell
        self._matrix.close_only({"A": [self.rows[row]], "B": [self.cols[col]], "C": self.others(cell)})

    def route_to_write(self, cell: Cell) -> None:
        row, col = cell
        self._matrix.close_only({"A": [self.rows[row]], "C": [self.cols[col]], "B": self.others(cell)})

    def drive(self, volts: float) -> None:
        self._smu.smua.volt(volts)

    def half(self, volts: float) -> None:
        self._smu.smub.volt(volts)

    def read(self) -> float:
        return float(self._smu.smub.curr())


class StockB2902A(StockBench):
    """A B2902A by the messages of its manual and a stock KeysightB2201 with its ground and bias modes."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig)
        smu, matrix = instruments(rig, ["smu", "matrix"])
        self._smu = VisaInstrument("stock_smu", smu, visalib=rig.library, terminator="\n")
        self._smu.write("*RST;*CLS")
        for c in (1, 2):
            self._smu.write(
                f":SOUR{c}:FUNC:MODE VOLT;:SOUR{c}:VOLT:RANG 2;:SOUR{c}:VOLT 0;:SENS{c}:CURR:PROT {_LIMIT_AMPS}"
            )
            self._smu.write(f":OUTP{c}:ON:AUTO OFF;:SENS{c}:CURR:RANG:AUTO OFF;:SENS{c}:CURR:RANG {_LIMIT_AMPS}")
            self._smu.write(f":SENS{c}:CURR:NPLC {POWER_CYCLES}")
        self._smu.write(f":SENS2:CURR:RANG {_READ_RANGE}")
        self._matrix = KeysightB2201("stock_matrix", matrix, visalib=rig.library)
        self._matrix.reset()
        self._matrix.write(":CONN:RULE 0,SROU")  # the driver's parameter warns although nothing is connected
        self._matrix.gnd_input_port(12)
        self._matrix.bias_input_port(2)
        self._mode = ""
        self._routed: set[tuple[int, int]] = set()
        self._opened = [self._smu, self._matrix]

    def outputs(self, is_on: bool) -> None:
        for c in (1, 2):
            self._smu.write(f":OUTP{c} {'ON' if is_on else 'OFF'}")
        if not is_on and any(int(self._smu.ask(f":OUTP{c}?")) for c in (1, 2)):
            raise RuntimeError("an output is still on")

    def route_to_read(self, cell: Cell) -> None:
        row, col = cell
        self._route("ground", {(1, _output(self.rows[row])), (2, _output(self.cols[col]))})

    def route_to_write(self, cell: Cell) -> None:
        row, col = cell
        self._route("bias", {(1, _output(self.rows[row])), (3, _output(self.cols[col]))})

    def _route(self, mode: str, wanted: set[tuple[int, int]]) -> None:
        matrix = self._matrix
        if self._routed - wanted:
            matrix.disconnect_paths(sorted(self._routed - wanted))
        if mode != self._mode:
            matrix.gnd_mode(False)
            matrix.bias_mode(False)
            if mode == "ground":
                matrix.gnd_enable_all_outputs()
                matrix.gnd_mode(True)
            else:
                matrix.bias_enable_all_outputs()
                matrix.bias_mode(True)
        for port, output in sorted(wanted - self._routed):
            matrix.connect(port, output)
        self._mode, self._routed = mode, wanted
        if not wanted <= set(matrix.connections()):
            raise RuntimeError(str(matrix.connections()))

    def drive(self, volts: float) -> None:
        self._smu.write(f":SOUR1:VOLT {volts}")

    def half(self, volts: float) -> None:
        self._smu.write(f":SOUR2:VOLT {volts}")

    def read(self) -> float:
        return float(self._smu.ask(":MEAS:CURR? (@2)"))


def _output(column: int) -> int:
    """Auto configuration counts the outputs of all cards through."""
    return 12 * (column // 100 - 1) + column % 100


_STOCK = {"passive15": Stock2400s, "linked15": Stock2602B, "biased15": StockB2902A}


@contextmanager
def stock_bench(kind: BenchKind, rig: Rig) -> Iterator[StockBench]:
    """The stock drivers on a bench."""
    bench = _STOCK[kind.packaged](rig)
    try:
        yield bench
    finally:
        bench.close()
        pyvisa.ResourceManager(rig.library).close()


def read_all(bench: StockBench, shape: Shape) -> Floats:
    """Conductance of every cell, siemens."""
    return np.array([[bench.read_cell((i, j)) for j in range(shape[1])] for i in range(shape[0])])


def write_all(bench: StockBench, target: Ints, middle: Floats, amplitudes: dict[int, Sequence[float]]) -> int:
    """Every cell to its target, sets first; returns the pulses given."""
    cells = sorted(np.ndindex(*target.shape), key=lambda cell: (target[cell] == 0, cell))
    return sum(bench.write_cell(c, bool(target[c]), float(middle[c]), amplitudes[int(target[c])]) for c in cells)

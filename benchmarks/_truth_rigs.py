"""Benches of four SMUs and noisy Crossbars in memory, each with a die, wires and instrument errors of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np

from mtjlab.bench import MatrixCrossbar
from mtjlab.crossbar_around import CrossbarAround
from mtjlab.drivers.keithley_707b import Keithley707B
from mtjlab.drivers.keithley_2400 import Keithley2400
from mtjlab.nouns import Floats, Line, Lines, Reading
from mtjlab.protocols.readout_settings import Accuracy
from mtjlab.roles import Crossbar, HeardRead, LineRead, not_heard
from mtjlab.sim_instruments.accuracy import UNIT_SIGMA
from mtjlab.sim_instruments.die import Die
from mtjlab.sim_instruments.simulated_bench import sim_bench
from mtjlab.sim_instruments.world import Incident, World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar
from mtjlab.wiring import load_wiring

SIDE = 10
SEGMENT_OHMS, SEGMENT_SIGMA = 2.0, 0.1
HALF_VOLTS, HALF_VOLTS_SIGMA = 0.5, 0.03
CONTACT_OHMS, CONTACT_SPREAD = 5.0, 0.2
BENCH_LINE_OHMS = 0.6
"""Cable, relay and output of the simulated bench, beside the contact."""
HOLD_OHMS, HOLD_SIGMA = 0.06, 0.02
"""Output and cable of the bench's source that holds the unselected lines."""
MEMORY_LINE_OHMS = 0.06
LINE_OHMS_SIGMA = CONTACT_OHMS * CONTACT_SPREAD
"""What is unknown of a line's resistance: the spread of the contacts."""
LONG_LEAD_OHMS = 2.0
"""Between a source and the matrix on the four-wire bench, which senses at the matrix."""
BENCH_ACCURACY = Accuracy(divisor=1 / UNIT_SIGMA)
"""Of the simulated units: their bounds are four standard deviations. Nothing else is known of the one that is used."""
_SMUS = {"drive": 24, "first_hold": 25, "second_hold": 27, "sense": 26}


class _Log(Protocol):
    incidents: list[Incident]


@dataclass(frozen=True)
class Rig:
    """A Crossbar, the die behind it, and what is known of lines and instruments.

    Attributes:
        seed: of everything that is drawn.
        log: who keeps the incidents.
        line_ohms: in series with every line, as far as it is known.
        access_ohms: of the transistor in series with every cell; it counts as part of the cell.
    """

    crossbar: Crossbar
    die: Die
    log: _Log
    seed: int
    line_ohms: float
    hold_ohms: float = 0.0
    hold_sigma: float = 0.0
    access_ohms: float = 0.0
    accuracy: Accuracy = field(default_factory=Accuracy)

    def truth(self, volts: float) -> Floats:
        """(rows, cols), conductance of every cell at this bias."""
        junctions = self.die.siemens(volts)
        for _ in range(20 if self.access_ohms else 0):
            junctions = self.die.siemens(volts / (1 + junctions * self.access_ohms))
        return np.asarray(junctions / (1 + junctions * self.access_ohms)).reshape(self.crossbar.shape)


def _die(rng: np.random.Generator) -> str:
    segment = SEGMENT_OHMS + SEGMENT_SIGMA * rng.standard_normal()
    half = HALF_VOLTS + HALF_VOLTS_SIGMA * rng.standard_normal()
    contacts = f"contact_ohms: {CONTACT_OHMS}, contact_spread: {CONTACT_SPREAD}"
    return f"{{rows: {SIDE}, cols: {SIDE}, segment_ohms: {segment}, tmr_half_volts: {half}, {contacts}}}"


@contextmanager
def bench(seed: int) -> Iterator[Rig]:
    """Keithley 2400s and a 707B over VISA, all simulated; the seed says which die and which units."""
    with _bench(seed, is_four_wire=False) as (crossbar, world):
        line, accuracy = CONTACT_OHMS + BENCH_LINE_OHMS, BENCH_ACCURACY
        yield Rig(crossbar, world.die, world, seed, line, HOLD_OHMS, HOLD_SIGMA, accuracy=accuracy)


@contextmanager
def four_wire_bench(seed: int) -> Iterator[Rig]:
    """The same with long leads and sense terminals at the matrix: of the lines only relays and contacts are left."""
    with _bench(seed, is_four_wire=True) as (crossbar, world):
        line = CONTACT_OHMS + BENCH_LINE_OHMS - HOLD_OHMS
        yield Rig(crossbar, world.die, world, seed, line, accuracy=BENCH_ACCURACY)


@contextmanager
def _bench(seed: int, *, is_four_wire: bool) -> Iterator[tuple[MatrixCrossbar, World]]:
    with TemporaryDirectory() as name:
        path = _files(Path(name), seed, is_four_wire=is_four_wire)
        simulated = sim_bench(str(path))
        smus = {n: Keithley2400(n, f"GPIB0::{at}::INSTR", visalib=f"{path}@mtjlab") for n, at in _SMUS.items()}
        matrix = Keithley707B("matrix", "GPIB0::16::INSTR", visalib=f"{path}@mtjlab")
        wiring = load_wiring(path.with_name("wiring.yaml"))
        try:
            with MatrixCrossbar(smus, matrix, wiring, clock=lambda: simulated.world.seconds) as crossbar:
                crossbar.start()
                yield crossbar, simulated.world
        finally:
            for driver in (*smus.values(), matrix):
                driver.close()
            simulated.close()


def _files(folder: Path, seed: int, *, is_four_wire: bool) -> Path:
    columns = [slot * 100 + column for slot in (1, 2, 3) for column in range(1, 13)]
    places = dict(zip(_SMUS, "ABCD", strict=True))
    rows = ", ".join(f"{name}: {letter}" for name, letter in places.items())
    lines = {"row": columns[:SIDE], "col": columns[SIDE : 2 * SIDE]}
    (folder / "wiring.yaml").write_text(
        f"matrix: matrix\nsmus: {{{rows}}}\nrow_lines: {lines['row']}\ncol_lines: {lines['col']}\n"
        f"is_four_wire: {str(is_four_wire).lower()}\n"
        "device: {name: assumed, nominal_on_off_siemens: 9.6e-5, limits: {}}\n",
        encoding="utf-8",
    )
    smus = "".join(
        f"  - {{name: {n}, model: keithley_2400, address: 'GPIB0::{at}::INSTR'}}\n" for n, at in _SMUS.items()
    )
    path = folder / "bench.yaml"
    path.write_text(
        f"bench: truth\nseed: {seed}\nline_hertz: 50\ndie: {_die(np.random.default_rng(seed))}\ninstruments:\n{smus}"
        "  - {name: matrix, model: keithley_707b, address: 'GPIB0::16::INSTR', cards: [7174A, 7174A, 7174A]}\n"
        + (_four_wire_cables(places, lines) if is_four_wire else "wiring: wiring.yaml\n"),
        encoding="utf-8",
    )
    return path


def _four_wire_cables(places: dict[str, str], lines: dict[str, list[int]]) -> str:
    found = [
        line
        for name, letter in places.items()
        for line in (
            f"{{from: {name}.hi, to: matrix.row.{letter}, ohms: {LONG_LEAD_OHMS}}}",
            f"{{from: {name}.sense_hi, to: matrix.row.{letter}}}",
        )
    ]
    found += [
        f"{{from: matrix.col.{column}, to: die.{kind}.{number}}}"
        for kind, columns in lines.items()
        for number, column in enumerate(columns)
    ]
    return "cables:\n" + "".join(f"  - {line}\n" for line in found)


@contextmanager
def in_memory(seed: int, accuracy: Accuracy, noise_amps: float) -> Iterator[Rig]:
    """Ideal sources with errors drawn from what the makers state, right on a die."""
    rng = np.random.default_rng(seed)
    description = {
        "rows": SIDE,
        "cols": SIDE,
        "segment_ohms": SEGMENT_OHMS + SEGMENT_SIGMA * rng.standard_normal(),
        "tmr_half_volts": HALF_VOLTS + HALF_VOLTS_SIGMA * rng.standard_normal(),
        "contact_ohms": CONTACT_OHMS,
        "contact_spread": CONTACT_SPREAD,
    }
    world = World.from_description(description, seed=seed, line_hertz=50)
    crossbar = NoisyCrossbar(WorldCrossbar(world), rng, accuracy, noise_amps)
    yield Rig(crossbar, world.die, world, seed, CONTACT_OHMS + MEMORY_LINE_OHMS, accuracy=accuracy)


class NoisyCrossbar(CrossbarAround):
    """Passes everything on to another Crossbar with errors of the sources and the ammeter, and noise.

    Args:
        inner: without errors of its own.
        rng: draws gains and offsets once, evenly within the bounds (one for the selected line's source, one for the
            others', one ammeter), and the noise of every reading.
        accuracy: the bounds.
        noise_amps: standard deviation of a reading.
    """

    def __init__(self, inner: Crossbar, rng: np.random.Generator, accuracy: Accuracy, noise_amps: float) -> None:
        super().__init__(inner)
        self._rng, self._noise = rng, noise_amps
        a = accuracy
        self._drive, self._hold = 1 + a.source * rng.uniform(-1, 1, 2)
        self._gain, self._offset = 1 + a.meter * rng.uniform(-1, 1), a.meter_amps * rng.uniform(-1, 1)
        self._count = a.resolution_amps

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar."""
        readings = self.inner.measure(self._driven(lines), sense)
        return [replace(reading, amps=self._seen(reading.amps)) for reading in readings]

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """See Crossbar."""
        driven = {id(read.lines): self._driven(read.lines) for read in reads}
        found: list[Reading] = []

        def hear(number: int, reading: Reading) -> None:
            found.append(replace(reading, amps=self._seen(reading.amps)))
            heard(number, found[-1])

        self.inner.measure_each([LineRead(driven[id(read.lines)], read.sense) for read in reads], heard=hear)
        return found

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """See Crossbar."""
        return self.inner.pulse(self._driven(lines), seconds)

    def _driven(self, lines: Lines) -> Lines:
        levels = np.concatenate([lines.row_volts, lines.col_volts])
        size = np.abs(np.nan_to_num(levels))
        levels = levels * np.where(size == size.max(), self._drive, self._hold)
        rows = lines.row_volts.size
        return Lines(levels[:rows], levels[rows:])

    def _seen(self, amps: float) -> float:
        noisy = amps * self._gain + self._offset + self._noise * self._rng.standard_normal()
        return float(round(noisy / self._count) * self._count)

"""The morning check: whether the instruments are those that are expected, and the paths to the die sound.

Three measurements for each line of the array, at a few millivolts: the resistance of its path (two SMUs meet on it
through two relays), what leaks from it while nothing else is connected, and what its cells conduct together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from .bench import MatrixCrossbar
from .nouns import Line, Lines, Progress, unheard
from .roles import Identity
from .wiring import Wiring

PATH_VOLTS = 5e-3
"""Enough for a milliampere through an ohm or two of relays, and nothing that a junction would notice."""
READ_VOLTS = 0.05
_NO_AMPS = 1e-7
"""Below this no path is there: fifty kiloohms and more."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes:
        what: what it was, for an operator.
        found: what it is.
        wanted: what it should be.
        is_good: whether it is.
    """

    what: str
    found: str
    wanted: str
    is_good: bool


@dataclass(frozen=True)
class LineFinding:
    """What was measured on one line.

    Attributes:
        line: which one.
        path_ohms: between two SMUs that meet on it: two relays and their cables; None if nothing flows.
        leak_siemens: what flows off it while only one SMU is connected.
        cells_siemens: what its cells conduct together, all lines across it at one level.
        problems: what is out of its limits, in words.
    """

    line: Line
    path_ohms: float | None
    leak_siemens: float
    cells_siemens: float
    problems: tuple[str, ...]


@dataclass(frozen=True)
class BenchCheck:
    """All findings.

    Attributes:
        instruments: identity, firmware and calibration of each.
        lines: of each line that was measured.
    """

    instruments: tuple[Finding, ...]
    lines: tuple[LineFinding, ...]

    @property
    def is_good(self) -> bool:
        """Whether everything is as it should be."""
        return all(finding.is_good for finding in self.instruments) and not any(line.problems for line in self.lines)


def check_bench(
    crossbar: MatrixCrossbar,
    identities: Mapping[str, Identity],
    wiring: Wiring,
    today: date,
    progress: Progress = unheard,
) -> BenchCheck:
    """Check a bench that has been started; outputs are off at the end.

    Args:
        crossbar: the bench.
        identities: what `start` returned.
        wiring: what is expected of the instruments, and the limits of the paths.
        today: the day for which calibrations have to hold.
    """
    instruments = tuple(_instruments(identities, wiring, today))
    rows, cols = crossbar.shape
    lines = [Line("row", i) for i in range(rows)] + [Line("col", j) for j in range(cols)]
    found = []
    for done, line in enumerate(lines):
        progress("checking lines", done, len(lines))
        found.append(_line(crossbar, line, wiring))
    progress("checking lines", len(lines), len(lines))
    crossbar.idle()
    return BenchCheck(instruments, tuple(found))


def _instruments(identities: Mapping[str, Identity], wiring: Wiring, today: date) -> Iterator[Finding]:
    for name, identity in identities.items():
        expected = wiring.expected.get(name)
        yield Finding(f"{name} answers", f"{identity.vendor} {identity.model}", "an answer", True)
        if expected is None:
            continue
        for key in ("model", "serial", "firmware"):
            wanted, is_it = getattr(expected, key), getattr(identity, key)
            if wanted is not None:
                yield Finding(f"{name}: {key}", is_it, wanted, wanted.casefold() in is_it.casefold())
        if expected.calibrated_until is not None:
            until = expected.calibrated_until
            yield Finding(f"{name}: calibration", f"until {until}", f"until {today} or later", until >= today)


def _line(crossbar: MatrixCrossbar, line: Line, wiring: Wiring) -> LineFinding:
    limits = wiring.path_limits
    path = crossbar.read_path(line, PATH_VOLTS)
    path_ohms = abs(path.volts / path.amps) if abs(path.amps) > _NO_AMPS else None
    leak = crossbar.read_alone(line, READ_VOLTS)
    leak_siemens = abs(leak.amps / READ_VOLTS)
    cells_siemens = abs(_cells_amps(crossbar, line)) / READ_VOLTS
    problems = []
    if path_ohms is None:
        problems.append("its path is open")
    elif path_ohms > limits.most_path_ohms:
        problems.append(f"path of {path_ohms:.3g} ohm, at most {limits.most_path_ohms:g}")
    if leak_siemens > limits.most_leak_siemens:
        problems.append(f"leaks {leak_siemens:.2g} S, at most {limits.most_leak_siemens:g}")
    if cells_siemens < limits.least_cells_siemens:
        problems.append(
            f"its cells conduct {cells_siemens:.2g} S, at least {limits.least_cells_siemens:g}: no contact?"
        )
    if cells_siemens > limits.most_cells_siemens:
        problems.append(f"its cells conduct {cells_siemens:.2g} S, at most {limits.most_cells_siemens:g}: a short?")
    return LineFinding(line, path_ohms, leak_siemens, cells_siemens, tuple(problems))


def _cells_amps(crossbar: MatrixCrossbar, line: Line) -> float:
    """Current of all cells of a line at once: every line across it at one level, the others at 0 V."""
    rows, cols = crossbar.shape
    across_rows = line.axis == "col"
    lines = Lines(np.full(rows, READ_VOLTS * across_rows), np.full(cols, READ_VOLTS * (not across_rows)))
    return crossbar.measure(lines, [line])[0].amps

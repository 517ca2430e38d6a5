"""Compiled look at an operating point of a Daffodil kernel: most are harmless, and only the others are looked into."""

from __future__ import annotations

from numba import njit

from mtjlab.nouns import Floats


@njit(cache=True, error_model="numpy", nogil=True)
def is_harmless(
    cells: tuple[Floats, Floats, Floats],
    rows: tuple[Floats, Floats, Floats],
    cols: tuple[Floats, Floats, Floats],
    limits: tuple[float, float, float, float, float],
) -> bool:
    """Whether nothing is beyond a limit; what is not a number is not.

    Args:
        cells: volts of the junctions, amps, and volts of the gates above the lower line, all (rows, cols).
        rows, cols: amps out of the array, volts of the sources, and resistance between these and the lines.
        limits: largest magnitudes of junction volts, of cell amps and of line amps, lowest volts of a line, largest
            volts of a gate.
    """
    most_volts, most_amps, line_amps, lowest_volts, gate_volts = limits
    junction, amps, over = cells
    for i in range(amps.shape[0]):
        for j in range(amps.shape[1]):
            if abs(junction[i, j]) > most_volts or abs(amps[i, j]) > most_amps or over[i, j] > gate_volts:
                return False
    for flow, volts, ohms in (rows, cols):
        for k in range(flow.size):
            if abs(flow[k]) > line_amps or volts[k] + flow[k] * ohms[k] < lowest_volts:
                return False
    return True

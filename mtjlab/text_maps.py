"""Maps published as plain text, one file per kernel: numbers as `np.savetxt` writes them, in raw units.

The files say neither unit, state nor bias; whoever imports them does.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .errors import InputError
from .nouns import NO_DIE, ArrayMap, CellStatus, Conditions, DieId, Floats, State

KERNEL_SHAPE = (25, 25)


def read_text_map(
    path: Path,
    *,
    siemens_per_unit: float,
    conditions: Conditions,
    state: State = State.UNKNOWN,
    shape: tuple[int, int] = KERNEL_SHAPE,
    die: DieId = NO_DIE,
) -> ArrayMap:
    """One kernel from one file, as last read; nothing is judged, and no cell is clamped.

    Args:
        path: text of rows x columns numbers, lines that begin with # apart.
        siemens_per_unit: conductance of one raw unit.
        conditions: under which it was measured.
        state: that all cells were brought to before, UNKNOWN if they were not. Their conductance in that state is
            what was read; the other state stays NaN.
        shape: that the file must have.
        die: it belongs to.

    Raises:
        InputError: it is not such a file, or has another shape.
    """
    siemens = _numbers(path, shape) * _unit(siemens_per_unit)
    known = {State.P: siemens.copy(), State.AP: siemens.copy()}
    nothing = np.full(shape, np.nan)
    return ArrayMap(
        siemens,
        known[State.P] if state == State.P else nothing.copy(),
        known[State.AP] if state == State.AP else nothing.copy(),
        np.full(shape, state, dtype=np.int8),
        np.full(shape, CellStatus.UNREAD, dtype=np.int8),
        nothing,
        conditions,
        die,
        {"file": path.name, "siemens_per_unit": float(siemens_per_unit)},
    )


def read_text_states(
    path_p: Path,
    path_ap: Path,
    *,
    siemens_per_unit: float,
    conditions: Conditions,
    ratio_limit: float = 1.1,
    short_siemens: float = np.inf,
    open_siemens: float = 0.0,
    shape: tuple[int, int] = KERNEL_SHAPE,
    die: DieId = NO_DIE,
) -> ArrayMap:
    """One kernel from two files, all cells in P and all in AP, each cell judged by the stated limits.

    Args:
        path_p, path_ap: the files.
        siemens_per_unit, conditions, shape, die: as for `read_text_map`.
        ratio_limit: a cell with G_P / G_AP below it did not switch (assumption): it is stuck in the state whose median
            is nearer, on a logarithmic scale.
        short_siemens, open_siemens: at or above, at or below, in both states: shorts and opens.

    Raises:
        InputError: as `read_text_map`.
    """
    p, ap = (_numbers(path, shape) * _unit(siemens_per_unit) for path in (path_p, path_ap))
    status = _judged(p, ap, ratio_limit, short_siemens, open_siemens)
    provenance = {"files": f"{path_p.name}, {path_ap.name}", "siemens_per_unit": float(siemens_per_unit)}
    state = np.full(shape, State.UNKNOWN, dtype=np.int8)
    return ArrayMap(ap.copy(), p, ap, state, status, np.full(shape, np.nan), conditions, die, provenance)


def _judged(p: Floats, ap: Floats, ratio_limit: float, short: float, open_: float) -> np.ndarray:
    switches = p >= ratio_limit * ap
    if not switches.any():
        raise InputError(
            "no cell conducts more in P than in AP", remedy="Check which file is which, and the ratio_limit"
        )
    middle = np.sqrt(np.median(p[switches]) * np.median(ap[switches]))
    mean = np.sqrt(np.abs(p * ap))
    status = np.where(mean > middle, CellStatus.STUCK_P, CellStatus.STUCK_AP)
    status = np.where(switches, CellStatus.OK, status)
    status = np.where((p >= short) & (ap >= short), CellStatus.SHORT, status)
    status = np.where((p <= open_) & (ap <= open_), CellStatus.OPEN, status)
    return np.where(np.isfinite(p) & np.isfinite(ap), status, CellStatus.UNREAD).astype(np.int8)


def read_text_kernels(
    paths: Sequence[Path], *, siemens_per_unit: float, conditions: Conditions, die: DieId = NO_DIE
) -> list[ArrayMap]:
    """Kernels of one die in the order of the files, as last read; `DieMaps.of` takes a list of such lists."""
    return [
        read_text_map(path, siemens_per_unit=siemens_per_unit, conditions=conditions, die=die)
        for path in map(Path, paths)
    ]


def _numbers(path: Path, shape: tuple[int, int]) -> Floats:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an empty file, which the shape tells
            found = np.loadtxt(path, dtype=np.float64, ndmin=2, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(
            f"not a text map ({error})", where=str(path), remedy="Give rows of numbers as np.savetxt writes them"
        ) from error
    if found.shape != shape:
        raise InputError(
            f"{found.shape[0]} x {found.shape[1]} numbers, wanted {shape[0]} x {shape[1]}", where=str(path)
        )
    return found


def _unit(siemens_per_unit: float) -> float:
    if not (siemens_per_unit > 0 and np.isfinite(siemens_per_unit)):
        raise InputError(f"siemens_per_unit must be above 0, got {siemens_per_unit}")
    return float(siemens_per_unit)

"""Outer products of a Daffodil board: which rows and columns of `Lines` are pulsed together, kernel by kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import Lines

from .daffodil_amplifiers import zero_code
from .daffodil_port import SIDE, BoardPort
from .daffodil_settings import DaffodilSettings

_SELECTED = 0.75
"""Cells that see more than this part of the largest voltage are meant to be pulsed; as in mtjlab/bench_plan.py."""


@dataclass(frozen=True, eq=False)
class Product:
    """Rows of one level with columns of another, numbers on the whole array."""

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    row_volts: float
    col_volts: float


@dataclass(frozen=True, eq=False)
class KernelWrite:
    """The part of a product that lies in one kernel: register values of its channels. No gate means full power."""

    kernel: int
    rows: dict[int, int]
    cols: dict[int, int]
    gate_volts: float | None


def products_of(lines: Lines) -> list[Product]:
    """What is to be pulsed, one product for each pair of levels. Raises InputError if no cell would see a voltage."""
    across = np.abs(lines.row_volts[:, None] - lines.col_volts[None, :])
    least = _SELECTED * float(np.fmax.reduce(across, axis=None, initial=0.0))
    if least == 0:
        raise InputError("no cell would see a voltage", remedy="Give rows and columns different levels")
    found = []
    for of_rows in np.unique(lines.row_volts[~np.isnan(lines.row_volts)]):
        for of_cols in np.unique(lines.col_volts[~np.isnan(lines.col_volts)]):
            if abs(of_rows - of_cols) > least:
                rows = tuple(np.flatnonzero(lines.row_volts == of_rows).tolist())
                cols = tuple(np.flatnonzero(lines.col_volts == of_cols).tolist())
                found.append(Product(rows, cols, float(of_rows), float(of_cols)))
    return found


def kernel_writes(
    product: Product,
    kernels: Mapping[tuple[int, int], int],
    port: BoardPort,
    settings: DaffodilSettings,
    line_amps: float,
) -> list[KernelWrite]:
    """One for each kernel that a product reaches. Raises LimitError if levels or currents cannot be had.

    Args:
        kernels: block of rows, block of columns -> number.
        line_amps: what the cells of one line together may carry.
    """
    row_code, col_code = port.steps(product.row_volts), port.steps(product.col_volts)
    zero = zero_code(port, [row_code, col_code])
    found = []
    for (row, col), kernel in kernels.items():
        rows, cols = channels_in(product.rows, row), channels_in(product.cols, col)
        if rows and cols:
            gate = settings.gate_volts(line_amps / max(len(rows), len(cols)))
            levels = dict.fromkeys(rows, zero + row_code), dict.fromkeys(cols, zero + col_code)
            found.append(KernelWrite(kernel, *levels, gate))
    return found


def channels_in(numbers: Iterable[int], block: int) -> tuple[int, ...]:
    """Channels of those lines that lie in a block of 25."""
    return tuple(number - block * SIDE for number in numbers if number // SIDE == block)


def furthest_volts(lines: Lines) -> float:
    """Level of the line furthest from 0 V."""
    levels = np.concatenate([lines.row_volts, lines.col_volts])
    driven = levels[~np.isnan(levels)]
    return float(driven[np.abs(driven).argmax()])

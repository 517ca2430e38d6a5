"""Exact wire resistance under a layer, with its exact gradient, all dies and tiles at once (needs PyTorch).

A tile of a crossbar with resistive wires multiplies by its short-circuit transfer matrix T instead of by its cell
conductances G. T depends on every cell; its derivative is a product of two voltages per cell (reciprocity; the adjoint
network of Director and Rohrer, IEEE Trans. Circuit Theory 16 (1969) 318):

    dT[i, j] / dG[k, l] = - (voltage of cell k, l with 1 V on row i) (the same with 1 V on column j), others grounded.

For a loss L only the sums over rows are needed: drive the rows with column j of dL/dT, and column j with 1 V. These
drives are solved exactly row by row. A row of cells with conductances D, fed at the left through wires on which two
cells share the resistances R, takes the currents M (v - q) at row voltage v and column voltages q, with
M = (1 + D R)^-1 D; going down, the currents J in the column wires are affine in the voltages below, J = a - S q. Open
cells, shorts and wires without resistance are ordinary values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..errors import InputError
from ..physics.crossbar_ports import reduce_to_ports
from ..physics.crossbar_wires import Wires
from .single_thread import single_thread

_CHUNK_NUMBERS = 1 << 23
"""How many numbers a chunk of tiles may keep at once (64 MB of float64)."""


def transfer_siemens(siemens: Tensor, wires: Wires) -> Tensor:
    """Short-circuit transfer of tiles, shape (..., rows, cols): amps out of grounded column j per volt on row i.

    Differentiable once with respect to the conductances, exactly. Computed in float64 whatever is given. On the CPU by
    `mtjlab.physics`; on another device by the recursion of the module's first lines.

    Args:
        siemens: shape (..., rows, cols); zero for an open cell.
        wires: of one tile, or with leading axes that broadcast to those of `siemens`.

    Raises InputError unless rows are fed at the left and columns at the bottom, or for a conductance that is negative
    or not a number.
    """
    ends = wires.ends
    if not (ends.left.all() and ends.bottom.all()) or ends.right.any() or ends.top.any():
        raise InputError("exact wires under a layer need rows fed at the left and columns at the bottom, nowhere else")
    if tuple(siemens.shape[-2:]) != wires.shape:
        raise InputError(f"tiles of shape {tuple(siemens.shape[-2:])} have wires for {wires.shape}")
    found: Tensor = _Transfer.apply(siemens, wires)  # type: ignore[no-untyped-call]
    return found


class _Transfer(torch.autograd.Function):
    """Transfer matrices, and the adjoint."""

    @staticmethod
    def forward(ctx: Any, siemens: Tensor, wires: Wires) -> Tensor:
        ctx.save_for_backward(siemens)
        ctx.wires = wires
        if siemens.device.type == "cpu":
            tiles = torch.from_numpy(reduce_to_ports(siemens.detach().numpy(), wires).transfer_siemens)
            return tiles.to(siemens.dtype)
        return block_transfer(siemens, wires)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor, None]:
        (siemens,) = ctx.saved_tensors
        return transfer_gradient(siemens, wires=ctx.wires, weights=weights), None


def block_transfer(siemens: Tensor, wires: Wires) -> Tensor:
    """What `transfer_siemens` returns, by the recursion and without a gradient, on any device."""
    units = torch.eye(siemens.shape[-2], dtype=torch.float64, device=siemens.device)
    with single_thread():
        parts = [
            _swept_down(tiles, units.expand(len(tiles.cells), -1, -1)).amps[-1].transpose(-1, -2)
            for tiles in _chunks(siemens, wires)
        ]
    return torch.cat(parts).reshape(siemens.shape).to(siemens.dtype)


def transfer_gradient(siemens: Tensor, wires: Wires, weights: Tensor) -> Tensor:
    """dL / d(conductance) from weights = dL / d(transfer), both of shape (..., rows, cols)."""
    wanted = weights.detach().to(torch.float64).reshape(-1, *weights.shape[-2:])
    parts, done = [], 0
    with single_thread():
        for tiles in _chunks(siemens, wires):
            count = len(tiles.cells)
            parts.append(_gradient(tiles, wanted[done : done + count]))
            done += count
    return torch.cat(parts).reshape(siemens.shape).to(siemens.dtype)


class _Tiles(NamedTuple):
    """A chunk of tiles: cells (B, rows, cols); ohms that cells of a row share, (B or 1, rows, cols, cols); ohms of the
    column segment below each row, (B or 1, rows, cols)."""

    cells: Tensor
    shared: Tensor
    below: Tensor


class _Sweep(NamedTuple):
    """Per row from the top: currents of a row's cells (B, cols, cols) per volt across them at no current; and down
    the columns, J = amps - slopes q with q the column voltages of the row below."""

    row_siemens: Tensor
    slopes: list[Tensor]
    amps: list[Tensor]


def _chunks(siemens: Tensor, wires: Wires) -> Iterator[_Tiles]:
    rows, cols = wires.shape
    cells = siemens.detach().to(torch.float64).reshape(-1, rows, cols)
    leading = siemens.shape[:-2]
    along = torch.from_numpy(wires.row_ohms[..., :-1]).to(cells.device).cumsum(-1)
    below = torch.from_numpy(wires.col_ohms[..., 1:, :]).to(cells.device)
    along, below = _per_tile(along, leading), _per_tile(below, leading)
    step = max(1, _CHUNK_NUMBERS // (5 * rows * cols * cols))
    for start in range(0, len(cells), step):
        here = slice(start, start + step)
        own_along, own_below = (part if len(part) == 1 else part[here] for part in (along, below))
        shared = torch.minimum(own_along[..., :, None], own_along[..., None, :])
        yield _Tiles(cells[here], shared, own_below)


def _per_tile(ohms: Tensor, leading: torch.Size) -> Tensor:
    """Shape (1 or tiles, rows, cols)."""
    if ohms.ndim == 2:
        return ohms[None]
    return ohms.expand(*leading, *ohms.shape[-2:]).reshape(-1, *ohms.shape[-2:])


def _swept_down(tiles: _Tiles, drives: Tensor) -> _Sweep:
    """Columns grounded at the bottom; `drives` (B, rows, drives) are the row voltages."""
    count, rows, cols = tiles.cells.shape
    one = torch.eye(cols, dtype=torch.float64, device=tiles.cells.device)
    conducting = tiles.cells[..., None]
    row_siemens = torch.linalg.solve(one + conducting * tiles.shared, conducting * one)
    per_volt = row_siemens.sum(-1)
    slope = one.new_zeros(count, cols, cols)
    amps = one.new_zeros(count, cols, drives.shape[-1])
    slopes, all_amps = [], []
    for row in range(rows):
        slope = slope + row_siemens[:, row]
        amps = amps + per_volt[:, row, :, None] * drives[:, row, None, :]
        below = tiles.below[:, row, None, :]
        solved = torch.linalg.solve(one + slope * below, torch.cat([slope, amps], dim=-1))
        slope, amps = solved[..., :cols], solved[..., cols:]
        slopes.append(slope)
        all_amps.append(amps)
    return _Sweep(row_siemens, slopes, all_amps)


def _gradient(tiles: _Tiles, weights: Tensor) -> Tensor:
    """Up again: voltages of all cells under both sets of drives, and the sum of their products."""
    count, rows, cols = tiles.cells.shape
    sweep = _swept_down(tiles, weights)
    one = torch.eye(cols, dtype=torch.float64, device=tiles.cells.device)
    volts = torch.cat([torch.zeros_like(tiles.cells[:, :1]).expand(-1, cols, -1), one.expand(count, -1, -1)], dim=-1)
    found = torch.empty_like(tiles.cells)
    for row in reversed(range(rows)):
        amps = torch.bmm(sweep.slopes[row], volts).neg_()
        amps[..., :cols] += sweep.amps[row]
        volts = torch.addcmul(volts, tiles.below[:, row, :, None], amps)
        across = -volts
        across[..., :cols] += weights[:, row, None, :]
        shared = tiles.shared[:, row].expand(count, -1, -1)
        drops = torch.baddbmm(across, shared, torch.bmm(sweep.row_siemens[:, row], across), alpha=-1.0)
        found[:, row] = -(drops[..., :cols] * drops[..., cols:]).sum(-1)
    return found

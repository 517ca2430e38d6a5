"""Bench seconds, bus transactions and relay closings to read and write a whole array, by bench, beside a stock reading.

The floor of a reading is what no program could save: two integrations for each cell (0 V and the read voltage), and for
each cell one opening and one closing of relays, break before make, since one line is sensed at a time. The floor of a
write is the pulses, the readings and the relays that had to move for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Floats, Ints, State
from mtjlab.protocols.readout import READ_VOLTS, all_sites, read_cells
from mtjlab.protocols.write_verify import WriteResult, WriteSettings, write_verify
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip

from ._benches import INTEGRATION_SECONDS, KINDS, BenchKind, Rig, Shape, Spent, crossbar_of, rig_of, spending
from ._measure import significant
from ._stock_benches import read_all, stock_bench, write_all

NO_DEFECTS = "defect_rates: {short: 0, open: 0, stuck_p: 0, stuck_ap: 0}"
HEADINGS = ["bench", "array", "what", "s", "floor s", "x floor", "messages", "closings", "stock s", "times faster"]
SHOWN = ("seconds", "floor", "times_floor", "messages", "closings", "stock_seconds", "faster")
LARGE = ("2400s + 707B, relays at 0 V", "2602B + 707B, TSP-Link")
"""Benches that read the larger array as well."""


def run(*, quick: bool = False) -> tuple[str, list[list[str]], dict[str, Any]]:
    """Reading, then writing a checkerboard with verification, on every bench; some read the larger array."""
    cases: list[tuple[BenchKind, Shape, str]] = [
        (kind, (6, 6) if quick else (15, 15), what) for kind in KINDS for what in ("read", "write")
    ]
    cases += [(kind, (25, 25), "read") for kind in KINDS if kind.title in LARGE and not quick]
    stock: dict[tuple[str, Shape, str], Spent] = {}
    rows, result = [HEADINGS], {}
    for kind, shape, what in cases:
        found = (_reading if what == "read" else _writing)(kind, shape, stock)
        rows.append([kind.title, f"{shape[0]} x {shape[1]}", what, *_cells(found)])
        result[f"{kind.title}, {shape[0]} x {shape[1]}, {what}"] = found
    for what, found in daffodil().items():
        rows.append(["Daffodil", "25 x 25", what, *_cells(found)])
        result[f"Daffodil, 25 x 25, {what}"] = found
    return "Whole arrays on simulated benches, 0.1 PLC at 50 Hz", rows, {"benches": result}


def _cells(found: dict[str, float]) -> list[str]:
    return [f"{found[key]:.4g}" if key in found else "" for key in SHOWN]


def daffodil() -> dict[str, dict[str, float]]:
    """Reading one kernel of the board, which senses 25 lines at once; there is nothing to compare it with."""
    board = SimDaffodilBoard(DaffodilChip.draw(seed=5), seed=5)
    crossbar = DaffodilCrossbar(board, kernel=19, limits=DeviceLimits(), wait=board.wait, clock=board.clock)
    with crossbar:
        before = board.seconds, board.transactions
        read_cells(crossbar, all_sites(crossbar.shape), heard=lambda *_: None)
    return {"read": {"seconds": board.seconds - before[0], "messages": board.transactions - before[1]}}


def _found(own: Spent, floor: float, stock: Spent) -> dict[str, float]:
    return {
        "seconds": significant(own.seconds, 4),
        "floor": significant(floor, 4),
        "times_floor": significant(own.seconds / floor, 4),
        "messages": own.messages,
        "closings": own.closings,
        "stock_seconds": significant(stock.seconds, 4),
        "stock_messages": stock.messages,
        "faster": significant(stock.seconds / own.seconds, 3),
    }


def _reading(kind: BenchKind, shape: Shape, stock: dict[tuple[str, Shape, str], Spent]) -> dict[str, float]:
    with rig_of(kind, shape, NO_DEFECTS) as rig, crossbar_of(kind, rig) as crossbar, spending(rig) as own:
        siemens = np.empty(shape)
        read_cells(crossbar, all_sites(shape), heard=lambda n, g, _: siemens.put(n, g))
    key = kind.packaged, shape, "read"
    if key not in stock:
        with rig_of(kind, shape, NO_DEFECTS) as rig, stock_bench(kind, rig) as by_hand, spending(rig) as spent:
            expected = read_all(by_hand, shape)
        stock[key] = spent
        if not np.allclose(siemens, expected, rtol=0.03, atol=1e-6):
            raise RuntimeError(f"{kind.title}: {np.abs(siemens - expected).max()} S away from cell by cell")
    floor = siemens.size * (kind.settle_seconds + 2 * INTEGRATION_SECONDS)
    return _found(own, floor, stock[key])


def _writing(kind: BenchKind, shape: Shape, stock: dict[tuple[str, Shape, str], Spent]) -> dict[str, float]:
    target = (np.indices(shape).sum(axis=0) % 2).astype(np.int8)
    with rig_of(kind, shape, NO_DEFECTS) as rig, crossbar_of(kind, rig) as crossbar:
        reference = _reference(rig, shape)
        with spending(rig) as own:
            result = write_verify(crossbar, target, reference)
    if result.fidelity < 1:
        raise RuntimeError(f"{kind.title}: {result.reason}")
    key = kind.packaged, shape, "write"
    if key not in stock:
        stock[key] = _stock_writing(kind, shape, target)
    return _found(own, _write_floor(kind, result), stock[key])


def _stock_writing(kind: BenchKind, shape: Shape, target: Ints) -> Spent:
    """Written and read again as a whole once, like the protocol, without mending."""
    amplitudes = {int(state): WriteSettings().amplitudes(state) for state in (State.AP, State.P)}
    with rig_of(kind, shape, NO_DEFECTS) as rig, stock_bench(kind, rig) as by_hand:
        known = _reference(rig, shape)
        with spending(rig) as spent:
            write_all(by_hand, target, (known.siemens_p + known.siemens_ap) / 2, amplitudes)
            read_all(by_hand, shape)
    return spent


def _write_floor(kind: BenchKind, result: WriteResult) -> float:
    """Pulses, readings, one relay change for each cell; two more for each pulse where ground is a matrix row."""
    cost, settings = result.cost, WriteSettings()
    changes = cost.readings / 2 + (2 * cost.pulses if kind.packaged != "passive15" else 0)
    return cost.readings * INTEGRATION_SECONDS + cost.pulses * settings.pulse_seconds + changes * kind.settle_seconds


def _reference(rig: Rig, shape: Shape) -> ArrayMap:
    """Both states of every cell as the die has them, a typical voltage drop in its wires removed."""
    die = rig.bench.world.die
    p, ap = (0.95 * _siemens(die, is_parallel).reshape(shape) for is_parallel in (True, False))
    state = die.is_parallel.reshape(shape).astype(np.int8)
    status = np.full(shape, CellStatus.OK, dtype=np.int8)
    return ArrayMap(ap.copy(), p, ap, state, status, np.full(shape, 1e-6), Conditions(READ_VOLTS))


def _siemens(die: Any, is_parallel: bool) -> Floats:
    now = die.is_parallel.copy()
    die.is_parallel[:] = is_parallel
    found: Floats = die.siemens(READ_VOLTS)
    die.is_parallel[:] = now
    return found

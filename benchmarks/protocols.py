"""Bench seconds, messages, pulses and readings of every protocol on every kind of Crossbar, beside the floor.

The floor is what no program could save, given the pulses and readings that the protocol asks for: each integration
(0.1 power cycles; 25 conversions at once on the board, averaged as its settings say), each relay change that the
bench's mix of sources needs (open, then close), each pulse's width and each pause. It has no messages, no settling
beyond the relays, no zeros that a driver takes by itself, and no time to think. Reads of one series may be in any
order. "cannot": the reason is in the line of JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.drivers.daffodil_settings import DaffodilSettings
from mtjlab.errors import InputError, InstrumentError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, State
from mtjlab.protocols.readout import READ_VOLTS
from mtjlab.roles import Crossbar
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import SIDE, DaffodilChip
from mtjlab.sim_instruments.daffodil_events import BoardSettings
from mtjlab.sim_instruments.die import Die
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import READ_SECONDS, WorldCrossbar

from ._benches import INTEGRATION_SECONDS, KINDS, BenchKind, Shape, crossbar_of, rig_of
from ._measure import significant
from ._protocol_cases import CASES, Asked
from ._protocol_tally import LeastTimes, Tally

_NO_DEFECTS = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}
_MANY = DeviceLimits(pulses_per_cell=1_000_000)
_BENCHES = ("2400s + 707B", "2602B + 707B, TSP-Link", "B2902A + B2201A, relays at 0 V")
_HEADINGS = ["protocol", "Crossbar", "s", "floor s", "x floor", "messages", "pulses", "readings"]
_KERNEL = 19


@dataclass
class Spot:
    """A Crossbar and what is measured around it.

    Attributes:
        title: as the table has it.
        crossbar: it.
        least: its least times.
        known: map of both states, from the simulated die.
        seconds, messages: so far.
        wait: lets simulated time pass.
    """

    title: str
    crossbar: Crossbar
    least: LeastTimes
    known: ArrayMap
    seconds: Callable[[], float]
    messages: Callable[[], int]
    wait: Callable[[float], None]


def run(*, quick: bool = False) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures; the quick one leaves out the board, whose kernel has 625 cells."""
    shape: Shape = (6, 6) if quick else (15, 15)
    found: dict[str, dict[str, dict[str, float] | str]] = {name: {} for name in CASES}
    spots = [*[_bench(kind, shape) for kind in KINDS if kind.title in _BENCHES], _memory(shape)]
    for opened in spots if quick else [*spots, _board()]:
        with opened as spot:
            for name in CASES:
                found[name][spot.title] = _cost_of(name, spot, 10 if quick else 50)
    rows: list[list[Any]] = [_HEADINGS]
    rows += [[name, title, *_cells(costs)] for name, by_spot in found.items() for title, costs in by_spot.items()]
    title = f"{shape[0]} x {shape[1]} cells ({SIDE} x {SIDE} on the board), 0.1 PLC at 50 Hz; floor: see the module"
    return title, rows, {"shape": shape, "protocols": found}


def _cells(costs: dict[str, float] | str) -> list[str]:
    if isinstance(costs, str):
        return ["cannot", *[""] * 5]
    return [f"{value:.4g}" if isinstance(value, float) else f"{value}" for value in costs.values()]


def _cost_of(name: str, spot: Spot, repeats: int) -> dict[str, float] | str:
    """What it took; in words why not, if the Crossbar cannot do it."""
    tally = Tally(spot.crossbar, spot.least, spot.wait)
    began, seconds, messages = spot.crossbar.spent, spot.seconds(), spot.messages()
    try:
        CASES[name](Asked(tally, spot.known, repeats))
    except (InputError, InstrumentError) as refused:  # too few levels, or a matrix that joins no lines
        return str(refused)
    cost, floor = spot.crossbar.spent - began, tally.floor_seconds
    return {
        "seconds": significant(spot.seconds() - seconds, 4),
        "floor": significant(floor, 4),
        "times_floor": significant((spot.seconds() - seconds) / floor),
        "messages": spot.messages() - messages,
        "pulses": cost.pulses,
        "readings": cost.readings,
    }


@contextmanager
def _bench(kind: BenchKind, shape: Shape) -> Iterator[Spot]:
    with rig_of(kind, shape, f"defect_rates: {_NO_DEFECTS}") as rig:
        rig.wiring = rig.wiring.model_copy(update={"device": rig.wiring.device.model_copy(update={"limits": _MANY})})
        with crossbar_of(kind, rig) as crossbar:
            least = LeastTimes(INTEGRATION_SECONDS, kind.settle_seconds, crossbar._sources)
            known = _known(rig.bench.world.die, shape)
            yield Spot(
                kind.title,
                crossbar,
                least,
                known,
                lambda: rig.bench.host.seconds,
                lambda: rig.messages,
                rig.bench.host.wait,
            )


@contextmanager
def _board() -> Iterator[Spot]:
    board = SimDaffodilBoard(DaffodilChip.draw(seed=5, defect_rates=_NO_DEFECTS), seed=5)
    times, settings = BoardSettings(), DaffodilSettings()
    least = LeastTimes(settings.averages * (times.event_seconds + SIDE * times.adc_seconds))
    known = _known(board.chip.kernels[_KERNEL].die, (SIDE, SIDE))
    with DaffodilCrossbar(board, kernel=_KERNEL, limits=_MANY, wait=board.wait, clock=board.clock) as crossbar:
        yield Spot("Daffodil board", crossbar, least, known, board.clock, lambda: board.transactions, board.wait)


@contextmanager
def _memory(shape: Shape) -> Iterator[Spot]:
    description = {"rows": shape[0], "cols": shape[1], "defect_rates": _NO_DEFECTS}
    world = World.from_description(description, seed=5, line_hertz=50)
    crossbar = WorldCrossbar(world, _MANY)
    known = _known(world.die, shape)
    yield Spot(
        "in memory",
        crossbar,
        LeastTimes(READ_SECONDS, repeats=False),
        known,
        lambda: world.seconds,
        lambda: 0,
        world.wait,
    )


def _known(die: Die, shape: Shape) -> ArrayMap:
    """Both states of every cell as the die has them, a typical voltage drop in its wires removed."""
    now, states = die.is_parallel.copy(), []
    for is_parallel in (True, False):
        die.is_parallel[:] = is_parallel
        states.append(0.95 * die.siemens(READ_VOLTS).reshape(shape))
    die.is_parallel[:] = now
    blank, unknown = np.full(shape, np.nan), np.full(shape, State.UNKNOWN, dtype=np.int8)
    status = np.full(shape, CellStatus.OK, dtype=np.int8)
    return ArrayMap(blank, states[0], states[1], unknown, status, blank, Conditions(READ_VOLTS))

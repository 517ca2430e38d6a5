"""A kernel of a simulated Daffodil board whose amplifiers have been calibrated against known resistors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.limits import DeviceLimits
from mtjlab.protocols.readout_settings import Accuracy
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip, ResistorCard

from ._truth_rigs import CONTACT_OHMS, CONTACT_SPREAD, HALF_VOLTS, HALF_VOLTS_SIGMA, SEGMENT_OHMS, SEGMENT_SIGMA, Rig

SIDE = 25
_CARD_SIEMENS, _CARD_SIGMA = 1e-4, 1e-3
_RANGE_OHMS = 30e3
_FULL_GATE_VOLTS = 3.3
STEP_VOLTS = 5 / 4096
"""Of the board's converters."""
READ_VOLTS = 82 * STEP_VOLTS


@contextmanager
def board(seed: int) -> Iterator[Rig]:
    """One kernel; its wires, contacts and bias dependence differ from what is known like those of the benches' dies."""
    rng = np.random.default_rng(seed)
    chip = DaffodilChip.draw(
        seed=seed,
        segment_ohms=SEGMENT_OHMS + SEGMENT_SIGMA * rng.standard_normal(),
        tmr_half_volts=HALF_VOLTS + HALF_VOLTS_SIGMA * rng.standard_normal(),
        contact_ohms=CONTACT_OHMS,
        contact_spread=CONTACT_SPREAD,
    )
    sim, number = SimDaffodilBoard(chip, seed=seed), seed % 32
    with DaffodilCrossbar(sim, kernel=number, limits=DeviceLimits(), wait=sim.wait, clock=sim.clock) as crossbar:
        sim.card = ResistorCard(np.full((SIDE, SIDE), _CARD_SIEMENS * (1 + _CARD_SIGMA * rng.standard_normal())))
        tables = crossbar.calibrate(_CARD_SIEMENS, relative_sigma=_CARD_SIGMA)
        sim.card = None
        accuracy = Accuracy(
            source=0.0,
            meter=tables.ranges[_RANGE_OHMS].relative_sigma,
            resolution_amps=STEP_VOLTS / _RANGE_OHMS,
            divisor=1.0,
        )
        kernel = chip.kernels[number]
        access = float(kernel.access.on_ohms(_FULL_GATE_VOLTS))
        yield Rig(crossbar, kernel.die, sim, seed, CONTACT_OHMS, access_ohms=access, accuracy=accuracy)

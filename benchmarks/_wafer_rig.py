"""A wafer of 36 small dies in memory that is what its seed says, whenever and however often it is probed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from mtjlab.limits import DeviceLimits
from mtjlab.nouns import DieId
from mtjlab.physics.die_description import DieDescription
from mtjlab.prober import DiePosition
from mtjlab.protocols.probe_wafer import probe_wafer
from mtjlab.protocols.probe_wafer_parts import CONTACT, Arrays, BinRules, WaferBench, WaferOutcome, WaferSettings
from mtjlab.protocols.probe_wafer_steps import CONTACT_UNITS, SURVEY_UNITS, survey_step, wafer_plan
from mtjlab.provenance import here
from mtjlab.records import RunStore
from mtjlab.run_names import LEDGER
from mtjlab.sim_instruments.array_crossbar import ArrayCrossbar
from mtjlab.sim_instruments.die import Die
from mtjlab.sim_instruments.memory_prober import MemoryProber
from mtjlab.wafer_map import MapDie, WaferMap

PLACES = [(x, y) for y in range(-3, 3) for x in range(-3, 3)]
SIDE = 6


class WaferRig:
    """A prober whose touch-downs are written to a file, which outlasts the process, and dies drawn from a seed.

    Args:
        touches: file of the touch-downs, a line each.
        seed: of the dies and of all that happens to them.
    """

    def __init__(self, touches: Path, seed: int) -> None:
        self._touches, self._seed = touches, seed
        dies = tuple(MapDie(x, y) for x, y in PLACES)
        self.map = WaferMap("K36", dies, lot="kills")
        self.prober = MemoryProber(self.map, happened=self._moved)

    def _moved(self, what: str, where: DiePosition) -> None:
        if what != "down":
            return
        file = os.open(self._touches, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, f"{where.x},{where.y}\n".encode())
        finally:
            os.close(file)

    def arrays(self, die: DieId) -> Arrays:
        """The die as it was made."""
        rng = np.random.default_rng([self._seed, die.x + 50, die.y + 50])
        description = DieDescription(rows=SIDE, cols=SIDE, diameters_nm=[50.0])
        crossbar = ArrayCrossbar(Die(description, rng), rng, limits=DeviceLimits())
        return [("array", lambda: crossbar)]

    def run(self, folder: Path) -> WaferOutcome:
        """Begin a run in this folder, or go on with it."""
        settings = WaferSettings(bins=BinRules())
        if (folder / LEDGER).is_file():
            store = RunStore.open(folder)
        else:
            units = {CONTACT: CONTACT_UNITS, "survey": SURVEY_UNITS}
            plan = wafer_plan(self.map, units, settings.bins)
            store = RunStore.create(folder, plan, here(bench="in memory", is_simulated=True))
        bench = WaferBench(self.arrays, lambda: None, lambda: self.prober.seconds)
        return probe_wafer(self.prober, bench, [survey_step(None)], store, settings)


def touched(path: Path) -> list[tuple[int, int]]:
    """Places of all touch-downs so far, in their order."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="ascii").splitlines()
    return [(int(x), int(y)) for x, y in (line.split(",") for line in lines)]

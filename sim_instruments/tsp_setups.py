"""setup.save, setup.recall and setup.poweron of TSP instruments: settings under a number or as a file on the drive."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from .tsp_attributes import Attributes
from .tsp_disk import TspDisk
from .tsp_engine import TspEngine, TspError, number_argument

MOST_SETUPS = 5


class TspSetups:
    """Saved settings of one instrument.

    Args:
        snapshot: gives the settings that are to be saved.
        restore: puts such settings in force, outputs off.
        reset: what recalling setup 0 does.
    """

    def __init__(self, snapshot: Callable[[], Any], restore: Callable[[Any], None], reset: Callable[[], None]) -> None:
        self._snapshot = snapshot
        self._restore = restore
        self._reset = reset
        self._saved: dict[int | str, Any] = {}
        self.power_on_setup = 0

    def made(self, engine: TspEngine, disk: TspDisk) -> Any:
        """The `setup` object."""

        def save(place: object = 1) -> None:
            key = self._key(place, disk, 1)
            if isinstance(key, str):
                disk.write(key, "-- instrument setup\n")
            self._saved[key] = deepcopy(self._snapshot())

        a = Attributes()
        a.whole("poweron", lambda: self, "power_on_setup", 0, MOST_SETUPS)
        return a.made(engine, functions={"save": save, "recall": lambda place: self._recall(self._key(place, disk, 0))})

    @staticmethod
    def _key(place: object, disk: TspDisk, lowest: int) -> int | str:
        if isinstance(place, str):
            return disk.path(place)
        return int(number_argument(place, lowest, MOST_SETUPS))

    def _recall(self, key: int | str) -> None:
        if key == 0:
            self._reset()
        elif key in self._saved:
            self._restore(deepcopy(self._saved[key]))
        else:
            raise TspError(*((2205, "File not found") if isinstance(key, str) else (-314, "Save/recall memory lost")))

    def power_on(self) -> None:
        """The instrument has been switched on."""
        if self.power_on_setup in self._saved:
            self._recall(self.power_on_setup)

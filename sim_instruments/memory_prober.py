"""A prober in memory: a chuck that says where it is and counts what touches what; for trials without instruments."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mtjlab.errors import InstrumentError
from mtjlab.prober import DiePosition, ErrorClass, Prober, ProberCapabilities, ProberError, ThermalState
from mtjlab.roles import Identity
from mtjlab.wafer_map import WaferMap

Happened = Callable[[str, DiePosition], None]
"""Called after every move: "step", "down", "up", "clean" or "bin", and where."""


class MemoryProber(Prober):
    """A chuck without an instrument.

    Args:
        wafer_map: the wafer on it.
        move_seconds: of a step, a touch-down or a lift-off.
        happened: told of every move; may raise an InstrumentError or ProberError, which the caller then gets.

    Attributes:
        here: the die under the probes.
        is_down: whether they touch it.
        seconds: simulated time.
        incidents: what should never happen: moves in contact.
        touched: places of all touch-downs, in their order.
        bins: by die, as they were written.
    """

    def __init__(
        self,
        wafer_map: WaferMap,
        *,
        move_seconds: float = 0.5,
        happened: Happened = lambda what, where: None,
    ) -> None:
        self._map, self._route = wafer_map, [DiePosition(die.x, die.y) for die in wafer_map.probed]
        self._move_seconds, self._happened = move_seconds, happened
        self.here = self._route[0]
        self.is_down = False
        self.seconds = 0.0
        self.incidents: list[str] = []
        self.touched: list[DiePosition] = []
        self.bins: dict[tuple[int, int], int] = {}
        self._overtravel, self._is_light_on, self._kelvin = 20e-6, True, 296.0

    @property
    def capabilities(self) -> ProberCapabilities:
        """All but a stage that tells its place."""
        return ProberCapabilities(has_subsites=False, reads_stage=False)

    def identity(self) -> Identity:
        """Nobody's."""
        return Identity("mtjlab", "MemoryProber", "0", "0")

    def position(self) -> DiePosition:
        """Where the chuck is."""
        return self.here

    def is_separated(self) -> bool:
        """Whether the probes are up."""
        return not self.is_down

    def is_in_contact(self) -> bool:
        """Whether they are down."""
        return self.is_down

    def subsites(self) -> int:
        """One."""
        return 1

    def overtravel_metres(self) -> float:
        """As set."""
        return self._overtravel

    def stage_metres(self) -> tuple[float, float]:
        """It does not tell."""
        raise InstrumentError("does not tell where its stage is", where="memory prober")

    def wafer_map(self) -> WaferMap:
        """The wafer."""
        return self._map

    def set_light(self, is_on: bool) -> None:
        """Noted."""
        self._is_light_on = is_on

    def thermal(self) -> ThermalState:
        """As asked for."""
        return ThermalState(self._kelvin, self._kelvin, True)

    def stop(self) -> None:
        """Nothing moves by itself."""

    def check_errors(self) -> None:
        """None."""

    def recover(self) -> None:
        """Nothing to recover from."""

    def _moves(self, what: str) -> None:
        self.seconds += self._move_seconds
        self._happened(what, self.here)

    def _take_over(self) -> None:
        pass

    def _step_first(self) -> None:
        self._step_to(self._route[0])

    def _step_next(self) -> None:
        later: Iterator[DiePosition] = iter(self._route[self._route.index(self.here) + 1 :])
        following = next(later, None)
        if following is None:
            raise ProberError("end of the wafer", error_class=ErrorClass.END_OF_WAFER, where=self._where())
        self._step_to(following)

    def _step_to(self, wanted: DiePosition) -> None:
        if self.is_down:
            self.incidents.append(f"moved from {self.here} to {wanted} in contact")
        if wanted not in self._route:
            raise ProberError(f"there is no {wanted}", error_class=ErrorClass.OPERATOR, where=self._where())
        self.here = wanted
        self._moves("step")

    def _touch_down(self) -> None:
        self.is_down = True
        self.touched.append(self.here)
        self._moves("down")

    def _lift_off(self) -> None:
        if self.is_down:
            self.is_down = False
            self._moves("up")

    def _set_overtravel(self, metres: float) -> None:
        self._overtravel = metres

    def _clean(self) -> None:
        self._moves("clean")

    def _write_bin(self, x: int, y: int, number: int) -> None:
        self.bins[x, y] = number
        self._moves("bin")

    def _align(self) -> None:
        self.seconds += self._move_seconds

    def _soak(self, kelvin: float, seconds: float, timeout_seconds: float) -> None:
        del timeout_seconds
        self._kelvin = kelvin
        self.seconds += seconds

    def _where(self) -> str:
        return "memory prober"

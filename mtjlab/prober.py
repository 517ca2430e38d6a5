"""What a prober is: it brings one die after the other under the probes, touches down, lifts off, and says where it is.

The rules that keep probes and dies alive stand here, for every driver: the chuck moves sideways only when the prober
itself says that it is separated, it does not move at all while an output is on, overtravel has a maximum, and after
every move the prober is asked where it stands.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from .errors import InputError, InstrumentError
from .roles import Identity

if TYPE_CHECKING:
    from .wafer_map import WaferMap

MOST_OVERTRAVEL_METRES = 200e-6
"""No prober may be allowed more than this (assumption: cantilever cards take 50 to 100 um)."""
SAME_PLACE_METRES = 50e-6
"""How exactly the stage has to be back at a die after cleaning (assumption: alignment is a matter of micrometres)."""
_NO_OUTPUTS: Mapping[str, Callable[[], bool]] = MappingProxyType({})


class ErrorClass(Enum):
    """What an error of a prober asks for."""

    RETRY = "retry"
    """It may go well the second time; after a move the position has to be read first."""
    OPERATOR = "operator"
    """A person has to do something at the prober: a door, the vacuum, the alignment."""
    END_OF_WAFER = "end of wafer"
    """There is no next die: no fault."""
    FATAL = "fatal"
    """Nothing may go on before somebody has understood it."""


class ProberError(InstrumentError):
    """A prober reports an error, or is not where it should be.

    Args:
        error_class: what it asks for.
        code: the prober's own number of it; None if it has none.
    """

    def __init__(
        self, what: str, *, error_class: ErrorClass, code: int | None = None, where: str = "", remedy: str = ""
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.error_class = error_class
        self.code = code


class DiePosition(NamedTuple):
    """A die in the prober's coordinates, and a subsite of it, counted from 0."""

    x: int
    y: int
    subsite: int = 0

    def __str__(self) -> str:
        subsite = f", subsite {self.subsite}" if self.subsite else ""
        return f"die ({self.x}, {self.y}){subsite}"


@dataclass(frozen=True)
class ProberCapabilities:
    """What a prober can do besides moving, touching down and lifting off.

    Attributes:
        has_route: it knows a first and a next die.
        has_map: it can tell which dies there are.
        has_subsites, has_overtravel, has_light, has_thermal: see the methods of those names.
        aligns: it can align the wafer by itself.
        reads_stage: it tells where its stage is.
        can_stop: it can be stopped over the wire.
        cleans: it can clean its probes.
        has_bins: it has a map of its own that bins can be written to.
    """

    has_route: bool = True
    has_map: bool = True
    has_subsites: bool = True
    has_overtravel: bool = True
    has_light: bool = True
    has_thermal: bool = True
    aligns: bool = True
    reads_stage: bool = True
    can_stop: bool = True
    cleans: bool = True
    has_bins: bool = True


@dataclass(frozen=True)
class ThermalState:
    """Temperature of the chuck.

    Attributes:
        kelvin: now.
        target_kelvin: what was last asked for.
        is_settled: at the target, and soaked there as long as was asked.
    """

    kelvin: float
    target_kelvin: float
    is_settled: bool


class Prober(ABC):
    """A wafer on a chuck under probes.

    Drivers implement what begins with an underscore, and what the prober is asked for; the rules are common to all.
    Errors of the prober are raised as ProberError. What does not answer in time raises InstrumentError; whoever goes on
    after that reads `position` and `is_separated` first.

    Attributes:
        touchdowns: how often `contact` has brought the probes down since the driver was opened.
        cleanings: how often `clean` has cleaned them, or begun to.
    """

    touchdowns: int = 0
    cleanings: int = 0
    _is_aside: bool = False
    _stage_of_die: tuple[float, float] | None = None
    _outputs: Mapping[str, Callable[[], bool]] = _NO_OUTPUTS
    _most_overtravel: float | None = None

    @property
    @abstractmethod
    def capabilities(self) -> ProberCapabilities:
        """What it can do."""

    @abstractmethod
    def identity(self) -> Identity:
        """Ask the prober what it is."""

    def prepare(self, *, overtravel_limit_metres: float) -> None:
        """Take over; leaves it separated, and set so that a step never touches down by itself.

        Args:
            overtravel_limit_metres: the hard maximum; nothing sets more, and what the prober has set is checked too.

        Raises:
            InputError: the limit is negative or beyond `MOST_OVERTRAVEL_METRES`.
            ProberError: it is not ready, or its own overtravel is beyond the limit.
        """
        if not 0 <= overtravel_limit_metres <= MOST_OVERTRAVEL_METRES:
            raise InputError(
                f"an overtravel limit of {overtravel_limit_metres * 1e6:g} um is not possible",
                remedy=f"Choose from 0 to {MOST_OVERTRAVEL_METRES * 1e6:g} um",
            )
        self._check_outputs("prepare")
        self._most_overtravel = overtravel_limit_metres
        self._take_over()
        self.separate()
        self._check_overtravel()

    def watch_outputs(self, outputs: Mapping[str, Callable[[], bool]]) -> None:
        """From now on nothing moves while one of these says that it is on; names are for the message."""
        self._outputs = dict(outputs)

    @abstractmethod
    def position(self) -> DiePosition:
        """Where it stands now, read from the prober."""

    @abstractmethod
    def is_separated(self) -> bool:
        """Whether the probes are off the wafer, so far that it may step; read from the prober."""

    @abstractmethod
    def is_in_contact(self) -> bool:
        """Whether the probes are on the wafer; read from the prober."""

    def first_die(self) -> DiePosition:
        """Step to the first die of the prober's own route; bins that it has stay. Returns where it then stands."""
        self._check_may_step("the first die")
        self._step_first()
        self._is_aside = False
        return self.position()

    def next_die(self) -> DiePosition | None:
        """Step to the next die of the prober's own route; None at its end, where it stays.

        To go on after an interruption use `to_die`: what "next" means then, nobody knows.
        """
        self._check_may_step("the next die")
        try:
            self._step_next()
        except ProberError as error:
            if error.error_class is not ErrorClass.END_OF_WAFER:
                raise
            return None
        self._is_aside = False
        return self.position()

    def to_die(self, x: int, y: int, subsite: int = 0) -> DiePosition:
        """Step to a die; returns where the prober then says that it stands, which is there.

        Raises ProberError if it is not separated, cannot go there, or reads back another place.
        """
        wanted = DiePosition(x, y, subsite)
        self._check_may_step(str(wanted))
        self._step_to(wanted)
        found = self._confirm_position(wanted)
        self._is_aside = False
        return found

    def to_subsite(self, subsite: int) -> DiePosition:
        """Step to another subsite of the same die."""
        here = self.position()
        return self.to_die(here.x, here.y, subsite)

    @abstractmethod
    def subsites(self) -> int:
        """How many subsites each die has, at least 1."""

    def contact(self) -> DiePosition:
        """Touch down; returns where, read back after the touch-down. Does nothing if the probes are down already.

        Raises ProberError if it does not read back as in contact, or stands elsewhere than before.
        """
        self._check_outputs("touch down")
        before = self.position()
        if self._is_aside:
            raise self._lost("does not touch down: it has not stepped to a die since it went to its cleaning site")
        if self.is_in_contact():
            return before
        self._check_overtravel()
        self.touchdowns += 1  # one that fails half-way may have touched
        self._touch_down()
        if not self.is_in_contact():
            raise self._lost("was told to touch down but does not read back as in contact")
        return self._confirm_position(before)

    def separate(self) -> None:
        """Lift off until it may step; safe to call in any state, but never under bias.

        Raises ProberError if it does not read back as separated.
        """
        self._check_outputs("lift off")
        self._lift_off()
        if not self.is_separated():
            raise self._lost("was told to separate but does not read back as separated")

    def reprobe(self, *, more_metres: float = 0.0) -> DiePosition:
        """Lift off and touch down again at the same place, with so much more overtravel from now on.

        Raises InputError if that is beyond the limit of `prepare`.
        """
        if more_metres:
            self._require(self._may_set_overtravel(self.overtravel_metres() + more_metres))
        self.separate()
        if more_metres:
            self.set_overtravel(self.overtravel_metres() + more_metres)
        return self.contact()

    def clean(self) -> DiePosition:
        """Clean the probes where the prober has its cleaning pad; stands on the same die afterwards, separated.

        A prober's map may go on naming the die while the chuck is elsewhere, and a maker's sequence may end in contact.
        So it is lifted off and told to step to the die, and where the stage can be read it has to be where it was.

        Raises:
            InputError: it cannot clean.
            ProberError: it is not separated, refuses, or is not back afterwards; it does not touch down again before
                it has stepped to a die.
        """
        if not self.capabilities.cleans:
            raise InputError("cannot clean its probes", where=self._where(), remedy="Clean them by hand")
        self._check_may_step("the cleaning site")
        before = self.position()
        if not self._is_aside:  # a cleaning that failed half-way may have left it at its cleaning pad
            self._stage_of_die = self._stage_if_told()
        self.cleanings += 1
        self._is_aside = True
        self._clean()
        self.separate()
        found = self.to_die(*before)
        self._is_aside = True  # until the stage says so as well
        self._confirm_stage(self._stage_of_die)
        self._is_aside = False
        return found

    def write_bin(self, x: int, y: int, number: int) -> None:
        """Write the bin of a die into the prober's own map, separated: it may ink the die.

        Raises:
            InputError: it has no bins, or the number is negative.
            ProberError: it is not separated, refuses, or says that it is another die's or another bin.
        """
        if not self.capabilities.has_bins:
            raise InputError("has no bins of its own", where=self._where(), remedy="Export a wafer map instead")
        if number < 0:
            raise InputError(f"there is no bin {number}", where=self._where(), remedy="Count from 0")
        self._check_may_step(f"the bin of die ({x}, {y})")
        self._write_bin(x, y, number)

    @abstractmethod
    def overtravel_metres(self) -> float:
        """How far beyond the first touch it goes, read from the prober."""

    def set_overtravel(self, metres: float) -> None:
        """How far beyond the first touch it goes from the next touch-down on; read back.

        Raises:
            InputError: beyond the limit of `prepare`, or before `prepare`.
            ProberError: it is in contact, or reads back another value.
        """
        self._require(self._may_set_overtravel(metres))
        self._check_may_step("another overtravel")
        self._set_overtravel(metres)
        found = self.overtravel_metres()
        if abs(found - metres) > 1e-7:
            raise self._lost(f"was told an overtravel of {metres * 1e6:g} um but reads back {found * 1e6:g} um")

    @abstractmethod
    def stage_metres(self) -> tuple[float, float]:
        """Where the stage is relative to the home die, (x, y), read from the prober.

        Its axes look at the wafer with the notch as the wafer map says: x to the right, y up, of the die under the
        probes.
        """

    @abstractmethod
    def wafer_map(self) -> WaferMap:
        """The dies that the prober knows, in its coordinates, in the order of its route."""

    def align(self) -> None:
        """Let the prober align the wafer, separated. Raises ProberError (operator) if it does not succeed."""
        self._check_may_step("the alignment")
        self._align()

    @abstractmethod
    def set_light(self, is_on: bool) -> None:
        """Switch the microscope's light; off before measuring."""

    @abstractmethod
    def thermal(self) -> ThermalState:
        """Temperature of the chuck, read from the prober."""

    def soak(self, kelvin: float, seconds: float, *, timeout_seconds: float = 3600.0) -> ThermalState:
        """Bring the chuck to a temperature and keep it there for so long; returns when that is over.

        The wafer grows meanwhile: it has to be separated.

        Raises ProberError if it is not separated, refuses, or is not there in time.
        """
        self._check_may_step("another temperature")
        self._soak(kelvin, seconds, timeout_seconds)
        state = self.thermal()
        if not state.is_settled:
            raise self._lost(f"does not reach {kelvin:g} K, it is at {state.kelvin:.1f} K", ErrorClass.OPERATOR)
        return state

    @abstractmethod
    def stop(self) -> None:
        """Stop every movement at once. Safe to call in any state; then read `position` and `is_separated`."""

    @abstractmethod
    def check_errors(self) -> None:
        """Ask whether it is ready to probe; raises ProberError if a door is open, the vacuum is lost, or the like."""

    @abstractmethod
    def recover(self) -> None:
        """Abort what it is doing, so that it listens again; open a lost session anew. Moves nothing."""

    @abstractmethod
    def _take_over(self) -> None: ...

    @abstractmethod
    def _step_first(self) -> None: ...

    @abstractmethod
    def _step_next(self) -> None: ...

    @abstractmethod
    def _step_to(self, wanted: DiePosition) -> None: ...

    @abstractmethod
    def _touch_down(self) -> None: ...

    @abstractmethod
    def _lift_off(self) -> None: ...

    @abstractmethod
    def _set_overtravel(self, metres: float) -> None: ...

    @abstractmethod
    def _align(self) -> None: ...

    @abstractmethod
    def _clean(self) -> None: ...

    @abstractmethod
    def _write_bin(self, x: int, y: int, number: int) -> None: ...

    @abstractmethod
    def _soak(self, kelvin: float, seconds: float, timeout_seconds: float) -> None: ...

    @abstractmethod
    def _where(self) -> str: ...

    def _check_outputs(self, what: str) -> None:
        live = [name for name, is_on in self._outputs.items() if is_on()]
        if live:
            raise ProberError(
                f"does not {what} while the output of {', '.join(live)} is on",
                error_class=ErrorClass.FATAL,
                where=self._where(),
                remedy="Bring the bench to idle first",
            )

    def _check_may_step(self, what: str) -> None:
        self._check_outputs("move")
        if not self.is_separated():
            raise ProberError(
                f"does not go to {what} because its probes are not separated from the wafer",
                error_class=ErrorClass.FATAL,
                where=self._where(),
                remedy="Separate first; if it was told to, look at the prober",
            )

    def _confirm_position(self, wanted: DiePosition) -> DiePosition:
        found = self.position()
        if found != wanted:
            raise self._lost(f"should stand on {wanted} but reads back {found}")
        return found

    def _stage_if_told(self) -> tuple[float, float] | None:
        return self.stage_metres() if self.capabilities.reads_stage else None

    def _confirm_stage(self, before: tuple[float, float] | None) -> None:
        now = self._stage_if_told()
        if before is None or now is None:
            return
        off = max(abs(now[0] - before[0]), abs(now[1] - before[1]))
        if off > SAME_PLACE_METRES:
            raise self._lost(
                f"names the same die after cleaning, but its stage is {off * 1e6:.0f} um from where it was"
            )

    def _may_set_overtravel(self, metres: float) -> str:
        if self._most_overtravel is None:
            return "there is no overtravel limit before 'prepare'"
        if not -1e-9 <= metres <= self._most_overtravel + 1e-9:
            return f"an overtravel of {metres * 1e6:g} um is beyond the limit of {self._most_overtravel * 1e6:g} um"
        return ""

    def _require(self, objection: str) -> None:
        if objection:
            raise InputError(objection, where=self._where(), remedy="Stay within the limit that the card allows")

    def _check_overtravel(self) -> None:
        if self.capabilities.has_overtravel and (wrong := self._may_set_overtravel(self.overtravel_metres())):
            raise ProberError(
                f"{wrong}: that is what the prober is set to",
                error_class=ErrorClass.OPERATOR,
                where=self._where(),
                remedy="Set a smaller overtravel at the prober, or call 'prepare' with a limit that the card allows",
            )

    def _lost(self, what: str, error_class: ErrorClass = ErrorClass.FATAL) -> ProberError:
        return ProberError(
            what, error_class=error_class, where=self._where(), remedy="Look at the prober before anything else moves"
        )

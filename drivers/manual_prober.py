"""A manual probe station, playing Prober: a person moves, and tells what the station then shows.

Nothing is read from an instrument here; what the person answers is the read-back, and an answer that does not fit stops
the run as a fault would.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from qcodes.instrument import Instrument

from mtjlab.errors import InputError
from mtjlab.prober import DiePosition, ErrorClass, Prober, ProberCapabilities, ProberError, ThermalState
from mtjlab.roles import Identity
from mtjlab.wafer_map import MapDie, Order, WaferMap

Person = Callable[[str], str]
"""Shows a text and returns the answer."""
_WHOLE = re.compile(r"-?\d+", re.ASCII)
_YES, _NO = ("y", "yes", "ok"), ("n", "no")
_MOST_QUESTIONS = 3


def person_at_terminal(text: str) -> str:
    """Ask on standard error, for standard output may be read by a machine; the line that is typed.

    Raises EOFError if nobody can type anything.
    """
    sys.stderr.write(text)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


class ManualProber(Instrument, Prober):
    """A person at a probe station.

    Args:
        person: asked to move, and how it went; on the terminal by default. May raise EOFError if nobody is there.
        wafer_map: which dies there are, if `first_die` and `next_die` are used; `use_map` gives it later.
        order: in which they are visited then.
        overtravel_metres: how far beyond the first touch the person goes.
    """

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        person: Person = person_at_terminal,
        wafer_map: WaferMap | None = None,
        order: Order = "rows_serpentine",
        overtravel_metres: float = 0.0,
    ) -> None:
        super().__init__(name)
        del address  # station files give one to every instrument
        self._person = person
        self._order = order
        self._map: WaferMap | None = None
        self._route: tuple[MapDie, ...] = ()
        self._overtravel = overtravel_metres
        self._here: DiePosition | None = None
        self._is_down: bool | None = None
        if wafer_map is not None:
            self.use_map(wafer_map)

    def use_person(self, person: Person) -> None:
        """Ask in another way, say where bars are drawn between the questions."""
        self._person = person

    def use_map(self, wafer_map: WaferMap) -> None:
        """The dies of the wafer, in the numbers that the person uses."""
        self._map, self._route = wafer_map, wafer_map.route(self._order)

    @property
    def capabilities(self) -> ProberCapabilities:
        """What a person does with two hands."""
        has_map = self._map is not None
        return ProberCapabilities(
            has_route=has_map,
            has_map=has_map,
            has_subsites=False,
            has_thermal=False,
            reads_stage=False,
            has_bins=False,
        )

    def identity(self) -> Identity:
        """Nobody asks a person for a serial number."""
        return Identity("", "manual probe station", "", "")

    def get_idn(self) -> dict[str, str | None]:
        """For QCoDeS."""
        return {"vendor": None, "model": "manual probe station", "serial": None, "firmware": None}

    # what the person said last

    def position(self) -> DiePosition:
        """See Prober: as the person last told."""
        if self._here is None:
            self._here = self._ask_place("Which die is under the probes? Type its x and y")
        return self._here

    def is_separated(self) -> bool:
        """See Prober."""
        if self._is_down is None:
            self._is_down = not self._ask_yes("Are the probes lifted off the wafer? Type y or n")
        return not self._is_down

    def is_in_contact(self) -> bool:
        """See Prober."""
        return not self.is_separated()

    def subsites(self) -> int:
        """See Prober: one."""
        return 1

    def overtravel_metres(self) -> float:
        """See Prober."""
        return self._overtravel

    def stage_metres(self) -> tuple[float, float]:
        """Nobody reads it."""
        raise self._cannot("tell where its stage is")

    def wafer_map(self) -> WaferMap:
        """See Prober: what it was given."""
        if self._map is None:
            raise self._cannot("tell which dies there are; give it a wafer map")
        return self._map

    # what the person is asked to do

    def _take_over(self) -> None:
        self._here = self._is_down = None

    def _step_first(self) -> None:
        self.wafer_map()
        first = self._route[0]
        self._step_to(DiePosition(first.x, first.y))

    def _step_next(self) -> None:
        here = self.position()
        places = [(die.x, die.y) for die in self._route]
        self.wafer_map()
        if (here.x, here.y) not in places:
            raise self._lost(f"stands on {here}, which is not on its route")
        number = places.index((here.x, here.y)) + 1
        if number == len(places):
            raise ProberError("was the last die", error_class=ErrorClass.END_OF_WAFER, where=self._where())
        self._step_to(DiePosition(*places[number]))

    def _step_to(self, wanted: DiePosition) -> None:
        if wanted.subsite or (self._map is not None and (wanted.x, wanted.y) not in self._map):
            raise self._lost(f"has no {wanted}")
        self._here = None  # not known until the person has told
        self._here = self._ask_place(f"Move to die {wanted.x} {wanted.y}, probes up. Then type the x and y it shows")

    def _touch_down(self) -> None:
        self._is_down = None
        um = self._overtravel * 1e6
        self._is_down = self._ask_yes(f"Touch down, {um:g} um beyond the first touch. Type y when the probes are down")

    def _lift_off(self) -> None:
        self._is_down = None
        self._is_down = not self._ask_yes("Lift the probes off the wafer. Type y when they are up")

    def _set_overtravel(self, metres: float) -> None:
        self._overtravel = metres

    def _align(self) -> None:
        if not self._ask_yes("Align the wafer. Type y when it is, n if it cannot be"):
            raise ProberError("is not aligned", error_class=ErrorClass.OPERATOR, where=self._where())

    def _clean(self) -> None:
        """Afterwards nobody knows where the chuck is: the way back to the die is asked for, as every step is."""
        self._here = self._is_down = None
        if not self._ask_yes("Clean the probes, and leave them up. Type y when they are clean, n if they cannot be"):
            raise ProberError("has its probes not cleaned", error_class=ErrorClass.OPERATOR, where=self._where())

    def _write_bin(self, x: int, y: int, number: int) -> None:
        raise self._cannot("keep bins")

    def set_light(self, is_on: bool) -> None:
        """See Prober."""
        what = "on" if is_on else "off"
        if not self._ask_yes(f"Switch the light {what}. Type y when it is"):
            raise ProberError(f"has its light not {what}", error_class=ErrorClass.OPERATOR, where=self._where())

    def thermal(self) -> ThermalState:
        """Nobody reads it."""
        raise self._cannot("tell its temperature")

    def _soak(self, kelvin: float, seconds: float, timeout_seconds: float) -> None:
        raise self._cannot("heat or cool")

    def stop(self) -> None:
        """See Prober."""
        self._here = self._is_down = None
        self._ask_yes("Stop: take your hands off the station. Type y")

    def check_errors(self) -> None:
        """A person would have said so."""

    def recover(self) -> None:
        """What was told before does not count any more."""
        self._here = self._is_down = None

    def _where(self) -> str:
        return self.name

    def _cannot(self, what: str) -> InputError:
        return InputError(f"a manual probe station cannot {what}", where=self.name)

    def _answer(self, text: str) -> str:
        try:
            return self._person(f"{text}: ")
        except EOFError as error:
            what = f"asks '{text}', and nobody is there who could answer"
            raise ProberError(what, error_class=ErrorClass.OPERATOR, where=self._where()) from error

    def _ask_place(self, text: str) -> DiePosition:
        for _ in range(_MOST_QUESTIONS):
            found = _WHOLE.findall(self._answer(text))
            if len(found) == 2:
                return DiePosition(int(found[0]), int(found[1]))
        raise ProberError("nobody tells where it stands", error_class=ErrorClass.OPERATOR, where=self._where())

    def _ask_yes(self, text: str) -> bool:
        for _ in range(_MOST_QUESTIONS):
            answer = self._answer(text).strip().lower()
            if answer in (*_YES, *_NO):
                return answer in _YES
        raise ProberError("nobody says yes or no", error_class=ErrorClass.OPERATOR, where=self._where())

"""MPI probers under SENTIO, playing Prober.

Commands, answers, error numbers and status bits are those of MPI's own Python package (BSD licence, 26.2.0), which this
driver does not use: its socket has no time-out, and one of its commands sends another one's name. TCP port 35555, or
GPIB.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from qcodes.instrument import VisaInstrumentKWArgs

from mtjlab.map_transform import Axes
from mtjlab.prober import DiePosition, ErrorClass, ProberCapabilities, ProberError, ThermalState
from mtjlab.roles import Identity
from mtjlab.safe_text import checked_name
from mtjlab.wafer_map import MapDie, WaferMap

from .prober_visa import ProberVisa

if TYPE_CHECKING:
    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

END_OF_ROUTE = 11
_OPERATOR = frozenset({15, 17, 18, *range(20, 28), 35, 36, 37, *range(60, 70), 80, 85, 86, 100, 101, 120, 200})
_RETRY = frozenset({19, 30, 31, 32})
_FATAL = frozenset({1, 3, 4, 5, 6, 7, 8, 12, 13, 14, 38})
_ERROR_BITS, _LAST_DIE = 0x3FF, 1 << 10
_SECONDS = {
    "move_chuck_contact": 60.0,
    "move_chuck_separation": 60.0,
    "vis:align_wafer": 200.0,
    "aux:cleaning:start": 600.0,
    "map:bins:set_bin": 30.0,
}
"""MPI publishes none of them; that of cleaning is an assumption."""
_STEPS = ("map:step_first_die", "map:step_die", "map:step_next_die")
_KELVIN = 273.15
_FIRST_POLL_SECONDS, _SLOWER, _LONGEST_POLL_SECONDS = 0.1, 1.5, 10.0
_SITE = "Wafer"


class MpiSentio(ProberVisa):
    """A prober under SENTIO.

    Args:
        stage_sign: -1 where the stage's numbers fall while the die under the probes lies further to the right and up,
            as where a chuck moves under fixed probes (assumed).
        step_seconds: how long a step may take.
        camera: whose light `set_light` switches.
        cleaning_touchdowns: on the cleaning pad; None for what SENTIO is set to.
        wait: lets time pass between two questions about the temperature.
    """

    default_terminator = "\n"

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        stage_sign: int = -1,
        step_seconds: float = 600.0,
        camera: str = "scope",
        cleaning_touchdowns: int | None = None,
        wait: Callable[[float], None] = time.sleep,
        **kwargs: Unpack[VisaInstrumentKWArgs],
    ) -> None:
        super().__init__(name, address, **kwargs)
        self._stage_sign, self._camera, self._wait = stage_sign, camera, wait
        self._cleaning_touchdowns = cleaning_touchdowns
        self._seconds = {**_SECONDS, **dict.fromkeys(_STEPS, step_seconds)}
        self._is_remote = False
        self._status = 0
        self.chuck_celsius: Parameter[float, MpiSentio] = self.add_parameter(
            "chuck_celsius",
            get_cmd=lambda: self.numbers("status:get_chuck_temp")[0],
            snapshot_get=False,
            unit="deg C",
            label="Chuck temperature",
            docstring="As the prober reports it.",
        )
        self.overtravel: Parameter[float, MpiSentio] = self.add_parameter(
            "overtravel",
            get_cmd=self.overtravel_metres,
            set_cmd=self.set_overtravel,
            snapshot_get=False,
            unit="m",
            label="Overtravel",
            docstring="Beyond the first touch; never more than `prepare` allows.",
        )

    # the wire

    def command(self, name: str, *arguments: object, seconds: float | None = None) -> list[str]:
        """See ProberVisa; parts are apart by commas."""
        if not self._is_remote:
            self._get_in_step()
            self.write("*RCS 1")  # SENTIO's own commands; it answers nothing
            self._is_remote = True
        message = f"{name} {', '.join(map(str, arguments))}".strip()
        allowed = self._seconds.get(name, self.default_timeout) if seconds is None else seconds
        with self.patience(max(allowed - self.default_timeout, 0.0)):
            reply = self.ask(message)
        code, number, words = ([*reply.split(",", 2), "", ""])[:3]
        if not code.strip().isdecimal() or not number.strip().isdecimal():
            raise self._not_understood(message, reply)
        self._status = int(code) & ~_ERROR_BITS
        error = int(code) & _ERROR_BITS
        if error:
            self._raise(name, error, words.strip(), _class_of(error))
        return [part.strip() for part in words.split(",")]

    def reopen(self) -> None:
        """See CheckedVisa; a new connection has to be told again which commands are meant."""
        self._is_remote = False
        super().reopen()

    # what it is and where it is

    @property
    def capabilities(self) -> ProberCapabilities:
        """All, but it cannot be stopped over the wire."""
        return ProberCapabilities(can_stop=False)

    def identity(self) -> Identity:
        """Ask for the version and the machine's number."""
        version = " ".join(self.command("status:get_version")).removeprefix("Version:").strip()
        return Identity("MPI", "SENTIO", " ".join(self.command("status:get_machine_id")), version)

    def get_idn(self) -> dict[str, str | None]:
        """For QCoDeS: there is no *IDN?."""
        found = self.identity()
        return {"vendor": found.vendor, "model": found.model, "serial": found.serial, "firmware": found.firmware}

    def position(self) -> DiePosition:
        """See Prober."""
        _, x, y = self.wholes("map:die:get_current_index", least=3)[:3]
        return DiePosition(x, y, max(self.wholes("map:die:get_current_subsite")[0], 0))

    def subsites(self) -> int:
        """See Prober."""
        return max(self.wholes("map:subsite:get_num")[0], 1)

    def stage_metres(self) -> tuple[float, float]:
        """See Prober."""
        x, y = self.numbers("get_chuck_xy", _SITE, "Home", least=2)[:2]
        return self._stage_sign * x * 1e-6, self._stage_sign * y * 1e-6

    def _heights_um(self) -> tuple[float, float, float]:
        """MPI calls its second number a height in one place and a gap in another: what is nearer to contact than to
        zero is taken for a height, since no station separates by half of the way to its stage's zero."""
        contact, separation = self.numbers("get_chuck_site_heights", _SITE, least=3)[:2]
        gap = contact - separation if separation > contact / 2 else abs(separation)
        return self.numbers("get_chuck_z", "Zero")[0], contact, gap

    def wafer_map(self) -> WaferMap:
        """See Prober: the dies that are selected for testing."""
        count = self.count("map:get_num_dies", "Selected")
        dies = [self.wholes("map:path:get_die", number, least=2) for number in range(count)]
        pitch_x, pitch_y = self.numbers("map:get_index_size", least=2)[:2]
        axes = self.command("map:get_axis_orient")[0].upper()
        known: dict[str, Axes] = {"UR": "UR", "UL": "UL", "DR": "DR", "DL": "DL"}
        if axes not in known:
            raise self._not_understood("map:get_axis_orient", axes)
        diameter = self.numbers("map:get_diameter")[0] * 1e-3
        return WaferMap(
            self._wafer_id(),
            tuple(MapDie(x, y) for x, y in (die[:2] for die in dies)),
            (pitch_x * 1e-6, pitch_y * 1e-6),
            known[axes],
            diameter_metres=diameter if diameter > 0 else None,
            source=self._where(),
        )

    def _wafer_id(self) -> str:
        """Of the wafer on the chuck; many stations have no reader and no loader, and then it has no name."""
        try:
            name = self.command("loader:query_wafer_id", "chuck", 1)[0]
        except ProberError:
            return ""
        return checked_name(name, "the wafer's name", self._where())

    # moves

    def _take_over(self) -> None:
        self.command("set_stepping_contact_mode", "LockContact")  # steps never lift off nor touch down by themselves
        self._check_station()

    def _check_station(self) -> None:
        has_home, has_contact, _, has_vacuum = self._site_status()
        if not (has_home and has_contact):
            raise self._needs_operator("has no home or no contact height", "Set home and contact at the prober")
        if not has_vacuum:
            raise self._needs_operator("has no vacuum on its chuck", "Switch the vacuum on and look at the wafer")
        if self.command("get_door_status", "prober")[0] != "1":
            raise self._needs_operator("has its door open", "Close the door")

    def _site_status(self) -> list[bool]:
        parts = self.command("get_chuck_site_status", _SITE)
        if len(parts) < 4 or any(part not in ("0", "1") for part in parts[:4]):
            raise self._not_understood("get_chuck_site_status", ",".join(parts))
        return [part == "1" for part in parts[:4]]

    def _step_first(self) -> None:
        self.command("map:step_first_die")

    def _step_next(self) -> None:
        self.command("map:step_next_die", 0)

    def _step_to(self, wanted: DiePosition) -> None:
        self.command("map:step_die", *wanted)

    @property
    def is_last_of_route(self) -> bool:
        """Whether the last answer said that the die is the last one of the route."""
        return bool(self._status & _LAST_DIE)

    def _touch_down(self) -> None:
        self.command("move_chuck_contact")

    def _lift_off(self) -> None:
        self.command("move_chuck_separation")

    def overtravel_metres(self) -> float:
        """See Prober: none while it is switched off."""
        if not self._site_status()[2]:
            return 0.0
        return self.numbers("get_chuck_site_heights", _SITE, least=3)[2] * 1e-6

    def _set_overtravel(self, metres: float) -> None:
        gap = f"{metres * 1e6:.2f}"  # of the wafer's site alone: the sites of cleaning pads keep theirs
        self.command("set_chuck_site_overtravel_gap", _SITE, gap)
        self.command("enable_chuck_overtravel", metres > 0)

    def stop(self) -> None:
        """SENTIO can only abort commands that were begun as asynchronous; this driver begins none.

        Raises ProberError (operator): press the emergency stop.
        """
        raise self._needs_operator("cannot be stopped over the wire", "Press the emergency stop at the prober")

    # light, alignment, temperature

    def _align(self) -> None:
        self.command("vis:align_wafer")

    def _clean(self) -> None:
        """On the pad of an auxiliary site; where it stands and how high afterwards is not told publicly."""
        given = () if self._cleaning_touchdowns is None else (self._cleaning_touchdowns,)
        self.command("aux:cleaning:start", *given)

    def _write_bin(self, x: int, y: int, number: int) -> None:
        """Read back."""
        self.command("map:bins:set_bin", number, x, y)
        found = self.wholes("map:bins:get_bin", x, y)[0]
        if found != number:
            raise self._lost(f"was told bin {number} for die ({x}, {y}) but reads back {found}")

    def set_light(self, is_on: bool) -> None:
        """See Prober."""
        self.command("vis:switch_light", self._camera, is_on)

    def thermal(self) -> ThermalState:
        """See Prober."""
        now = self.numbers("status:get_chuck_temp")[0]
        target = self.numbers("status:get_chuck_temp_setpoint")[0]
        state = self.command("status:get_chuck_thermo_state")[0].lower()
        return ThermalState(now + _KELVIN, target + _KELVIN, state == "controlling")

    def _soak(self, kelvin: float, seconds: float, timeout_seconds: float) -> None:
        """SENTIO soaks by a table of its own; a shorter soak than asked for is refused."""
        celsius = kelvin - _KELVIN
        own = self.numbers("status:get_soaking_time", f"{celsius:.2f}")[0]
        if own < seconds:
            raise self._needs_operator(
                f"soaks for {own:g} s at {celsius:.1f} degrees Celsius, not for {seconds:g} s",
                "Set the soaking time of that temperature in SENTIO's dashboard",
            )
        self.command("status:set_chuck_temp", f"{celsius:.2f}", False)
        pause, waited = _FIRST_POLL_SECONDS, 0.0
        while not (state := self.thermal()).is_settled and waited < timeout_seconds:
            if self.command("status:get_chuck_thermo_state")[0].lower() == "error":
                raise self._needs_operator(
                    f"reports a fault of its thermal system at {state.kelvin:.1f} K", "See to it"
                )
            self._wait(pause)
            waited += pause
            pause = min(pause * _SLOWER, _LONGEST_POLL_SECONDS)


def _class_of(code: int) -> ErrorClass | None:
    """By number where it says enough; None where only the words do."""
    if code == END_OF_ROUTE:
        return ErrorClass.END_OF_WAFER
    for codes, found in ((_OPERATOR, ErrorClass.OPERATOR), (_RETRY, ErrorClass.RETRY), (_FATAL, ErrorClass.FATAL)):
        if code in codes:
            return found
    return None

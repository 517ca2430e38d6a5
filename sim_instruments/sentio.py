"""A simulated MPI SENTIO: remote commands over TCP port 35555 or GPIB.

Names, arguments, answers, error numbers and status bits are those of MPI's own Python package (BSD licence, 26.2.0).
Answers are `<error + status>,<command id>,<message>`; the low ten bits are the error, bit 10 says that the die is the
last of the route, bit 11 that the subsite is the last. `*RCS 1` selects this command set and answers nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .prober_instrument import CONTACT_UM, SEPARATION_UM, SimProber
from .prober_world import Fault, StationError

CODES = {
    Fault.END_OF_ROUTE: 11,
    Fault.NO_DIE: 6,
    Fault.NO_SUBSITE: 14,
    Fault.NOT_SEPARATED: 38,
    Fault.DOOR_OPEN: 60,
    Fault.NO_VACUUM: 68,
    Fault.NOT_ALIGNED: 21,
    Fault.OUT_OF_RANGE: 8,
}
_NO_HANDLER, _INVALID_COMMAND, _INVALID_PARAMETER, _WRONG_COUNT = 3, 4, 6, 7
_MODES = {
    "BackToContact": (True, False),
    "StepToSeparation": (True, True),
    "LockContact": (False, False),
}
"""Whether a step in contact lifts off by itself, and whether it stays so."""
_SUBSYSTEMS = ("map", "status", "vis", "setup", "loader", "aux", "service", "siph")


class SimSentio(SimProber):
    """SENTIO with its wafer map.

    Attributes:
        bins: by die, as a program has set them.
        contacts: its contact counter.
        mode: stepping contact mode.
    """

    polled = b"get_chuck_thermo_state"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bins: dict[tuple[int, int], int] = {}
        self.contacts = 0
        self.mode = "BackToContact"
        self._commands: dict[str, Callable[..., str]] = {
            "status:get_version": lambda: "Version: 25.2.0.1",
            "status:get_machine_id": lambda: self.serial,
            "status:get_machine_status": lambda: "Ready",
            "set_stepping_contact_mode": self._set_mode,
            "get_chuck_site_heights": self._heights,
            "get_chuck_site_status": self._site_status,
            "get_chuck_z": self._get_z,
            "get_chuck_xy": self._get_xy,
            "move_chuck_contact": self._contact,
            "move_chuck_separation": self._separation,
            "enable_chuck_overtravel": self._enable_overtravel,
            "set_chuck_overtravel_gap": self._set_overtravel,
            "set_chuck_site_overtravel_gap": self._set_site_overtravel,
            "get_vacuum_status": lambda site="Wafer": str(int(self.station.has_vacuum)),
            "get_door_status": lambda door: "0,0" if self.station.is_door_open else "1,1",
            "map:step_first_die": self._step_first,
            "map:step_next_die": self._step_next,
            "map:step_die": self._step,
            "map:die:get_current_index": self._current,
            "map:die:get_current_subsite": lambda: str(self.station.place.subsite),
            "map:get_num_dies": self._count,
            "map:path:get_die": self._on_route,
            "map:get_index_size": self._pitch,
            "map:get_axis_orient": lambda: self.station.spec.axes,
            "map:get_diameter": lambda: f"{1e3 * (self.station.wafer_map.diameter_metres or 0.0):.0f}",
            "map:subsite:get_num": lambda: str(len(self.station.spec.subsites_um)),
            "map:bins:set_bin": self._set_bin,
            "map:bins:get_bin": self._get_bin,
            "aux:cleaning:start": self._clean,
            "loader:query_wafer_id": lambda *place: self.station.wafer_map.wafer,
            "setup:contact_counter:get": lambda: str(self.contacts),
            "vis:align_wafer": self._align,
            "vis:switch_light": lambda camera, state: self._lights(state),
            "vis:switch_all_lights": self._lights,
            "status:get_chuck_temp": lambda: f"{self._celsius:.2f}",
            "status:get_chuck_temp_setpoint": lambda: f"{self.station.chuck.target_kelvin - 273.15:.2f}",
            "status:get_chuck_thermo_state": self._thermo_state,
            "status:set_chuck_temp": self._set_temperature,
            "status:get_soaking_time": lambda celsius: f"{self.station.chuck.soak_seconds:.0f}",
        }

    def _answer(self, message: str) -> str | None:
        if message.startswith("*"):
            return None
        name, _, text = message.partition(" ")
        arguments = [part.strip() for part in text.split(",")] if text.strip() else []
        error, status, answer = self._carried_out(name, arguments)
        return f"{error | status << 10},0,{answer}"

    def _carried_out(self, name: str, arguments: list[str]) -> tuple[int, int, str]:
        act = self._commands.get(name)
        if act is None:
            is_ours = ":" in name and name.partition(":")[0] in _SUBSYSTEMS
            return (_INVALID_COMMAND if is_ours or ":" not in name else _NO_HANDLER), 0, f"Unknown command {name}"
        try:
            answer = act(*arguments)
        except StationError as error:
            return CODES[error.fault], 0, str(error)
        except TypeError:
            return _WRONG_COUNT, 0, f"Wrong number of parameters of {name}"
        except (ValueError, KeyError, IndexError):
            return _INVALID_PARAMETER, 0, f"Invalid parameter of {name}"
        return 0, self._route_status() if name.startswith("map:step") else 0, answer

    def _route_status(self) -> int:
        station = self.station
        is_last_die = station.number_on_route == len(station.route) - 1
        is_last_site = station.place.subsite == len(station.spec.subsites_um) - 1
        return is_last_die | is_last_site << 1

    # stage and heights

    def _set_mode(self, mode: str) -> str:
        auto, _ = _MODES[mode]
        self.mode, self.station.has_auto_z, self.station.has_interlock = mode, auto, True
        return "OK"

    def _heights(self, site: str) -> str:
        del site
        return f"{CONTACT_UM:.1f},{SEPARATION_UM:.1f},{self.station.overtravel_um:.1f},50.0"

    def _site_status(self, site: str) -> str:
        del site
        return f"1,1,{int(self.station.is_overtravel_on)},{int(self.station.has_vacuum)}"

    def _get_z(self, reference: str) -> str:
        if reference not in ("Zero", "Z"):
            raise ValueError
        return f"{self._height_um:.1f}"

    def _get_xy(self, site: str, reference: str) -> str:
        if site != "Wafer" or reference not in ("Home", "H"):
            raise ValueError
        right, up = self.station.stage_um()  # the chuck goes the other way than the tips seem to
        return f"{-right:.1f},{-up:.1f}"

    def _contact(self) -> str:
        self.contacts += not self.station.is_in_contact
        self._take_time(self.station.contact())
        return f"{self._height_um:.1f}"

    def _separation(self) -> str:
        self._take_time(self.station.separate())
        return f"{self._height_um:.1f}"

    def _enable_overtravel(self, state: str) -> str:
        self.station.is_overtravel_on = _flag(state)
        return "OK"

    def _set_site_overtravel(self, site: str, gap: str) -> str:
        if site != "Wafer":
            raise ValueError
        return self._set_overtravel(gap)

    def _set_overtravel(self, gap: str) -> str:
        self.station.set_overtravel(float(gap))
        return "OK"

    # wafer map

    def _here(self) -> str:
        place = self.station.place
        return f"{place.x},{place.y},{place.subsite}"

    def _stepped(self, seconds: float) -> str:
        self._take_time(seconds)
        if self.mode == "StepToSeparation" and self.station.is_in_contact:
            self._take_time(self.station.separate())
        return self._here()

    def _step_first(self, subsite: str = "0") -> str:
        first = self.station.route[0]
        return self._stepped(self.station.step(first.x, first.y, int(subsite)))

    def _step_next(self, subsite: str = "") -> str:
        number = self.station.number_on_route + 1
        if number >= len(self.station.route):
            raise StationError(Fault.END_OF_ROUTE)
        die = self.station.route[number]
        wanted = int(subsite) if subsite else self.station.place.subsite
        return self._stepped(self.station.step(die.x, die.y, wanted))

    def _step(self, x: str, y: str, subsite: str = "0") -> str:
        return self._stepped(self.station.step(int(x), int(y), int(subsite)))

    def _current(self) -> str:
        place = self.station.place
        return f"{self.station.number_on_route},{place.x},{place.y}"

    def _count(self, which: str) -> str:
        return str({"Selected": len(self.station.route), "Present": len(self.station.wafer_map.dies)}[which])

    def _on_route(self, number: str) -> str:
        if int(number) < 0:
            raise ValueError
        die = self.station.route[int(number)]
        return f"{die.x},{die.y}"

    def _pitch(self) -> str:
        x, y = self.station.wafer_map.pitch_metres or (0.0, 0.0)
        return f"{x * 1e6:.1f},{y * 1e6:.1f}"

    def _set_bin(self, number: str, x: str = "", y: str = "") -> str:
        self.bins[self._die(x, y)] = int(number)
        return "OK"

    def _get_bin(self, x: str = "", y: str = "") -> str:
        return str(self.bins.get(self._die(x, y), -1))

    def _die(self, x: str, y: str) -> tuple[int, int]:
        place = (int(x), int(y)) if x else self.station.place[:2]
        if place not in self.station.wafer_map:
            raise StationError(Fault.NO_DIE)
        return place

    def _clean(self, touchdowns: str = "1") -> str:
        if int(touchdowns) < 1:
            raise ValueError
        self._take_time(self.station.clean())
        return "OK"

    # light, alignment, temperature

    def _align(self, mode: str = "alignonly", timeout: str = "180000") -> str:
        del mode, timeout
        self._take_time(self.station.align())
        return "OK"

    def _lights(self, state: str) -> str:
        self.station.is_light_on = _flag(state)
        return "OK"

    def _thermo_state(self) -> str:
        return self.station.chuck.phase(self.world.seconds).value

    def _set_temperature(self, celsius: str, lifts: str = "False") -> str:
        del lifts
        self._heat(float(celsius))
        return "OK"


def _flag(state: str) -> bool:
    return {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}[state.lower()]

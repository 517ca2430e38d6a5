"""A simulated FormFactor Velox: the message server on TCP port 1412 and the same commands over GPIB.

Names, arguments, answers and their order are those that FormFactor's own Python module (MIT licence, 2025) documents,
and 703 at the end of the map is seen in PyMeasure's driver. The other error numbers and the words of a status are
nobody's (assumed). As on the station, a program has to register first on the socket, `StepFirstDie` clears all bins
unless told otherwise, `StepNextDie` without arguments steps through subdies first, and whether a step in contact drags,
lifts or is refused is a matter of `SetChuckMode`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .prober_instrument import CONTACT_UM, SEPARATION_UM, SimProber
from .prober_thermal import ThermalPhase
from .prober_world import Fault, StationError

CODES = {
    Fault.END_OF_ROUTE: 703,
    Fault.NO_DIE: 701,
    Fault.NO_SUBSITE: 702,
    Fault.NOT_SEPARATED: 27,
    Fault.DOOR_OPEN: 40,
    Fault.NO_VACUUM: 41,
    Fault.NOT_ALIGNED: 502,
    Fault.OUT_OF_RANGE: 12,
}
_UNKNOWN, _WRONG_ARGUMENT = 509, 11
_COMMAND = re.compile(r"Cmd=(\d+):(\w+):(.*)", re.DOTALL)
_WORD = re.compile(r'"[^"]*"|\S+')
_REGISTER = re.compile(r"FCN=(\d+):RegisterProberApp:(\S+) (\S+) (\d+)\s*")
_PHASES = {ThermalPhase.HEATING: "Heating", ThermalPhase.COOLING: "Cooling", ThermalPhase.SOAKING: "Soaking"}


class SimVelox(SimProber):
    """Velox with its wafer map.

    Attributes:
        bins: by die, as a program has set them.
        has_registered: whether a program on the socket has said who it is.
    """

    polled = b"ReadTemperatureChuckStatus"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bins: dict[tuple[int, int], int] = {}
        self.has_registered = False
        self.reply_end = b"\n" if self.has_end else b"\r\n"  # on the socket as FormFactor's client takes it off
        self._lights: dict[str, int] = {}
        self._commands: dict[str, Callable[..., str]] = {
            "EchoData": self._echo_data,
            "ReportKernelVersion": self._report_kernel_version,
            "GetWaferID": self._get_wafer_id,
            "GetLotID": self._get_lot_id,
            "GetProductID": self._get_product_id,
            "SetChuckMode": self._set_chuck_mode,
            "ReadChuckStatus": self._read_chuck_status,
            "ReadChuckPosition": self._read_chuck_position,
            "ReadChuckHeights": self._read_chuck_heights,
            "SetChuckHeight": self._set_chuck_height,
            "MoveChuckContact": self._move_chuck_contact,
            "MoveChuckSeparation": self._move_chuck_separation,
            "StopAllMovements": self._stop_all_movements,
            "StepFirstDie": self._step_first_die,
            "StepNextDie": self._step_next_die,
            "ReadMapPosition2": self._read_map_position2,
            "GetNumSelectedDies": self._get_num_selected_dies,
            "GetSelectedDieCoords": self._get_selected_die_coords,
            "GetMapDims": self._get_map_dims,
            "BinMapDie": self._bin_map_die,
            "ExecuteCleaningSequence": self._execute_cleaning_sequence,
            "SetCameraLight": self._set_camera_light,
            "AlignWafer": self._align_wafer,
            "SetHeaterSoak": self._set_heater_soak,
            "HeatChuck": self._heat_chuck,
            "SetHeaterTemp": self._set_heater_temp,
            "GetHeaterTemp": self._get_heater_temp,
            "GetTargetTemp": self._get_target_temp,
            "ReadTemperatureChuckStatus": self._read_temperature_chuck_status,
            "StopHeatChuck": self._stop_heat_chuck,
        }

    def connection_lost(self) -> None:
        """Whoever connects next has to register again."""
        super().connection_lost()
        self.has_registered = False

    def _answer(self, message: str) -> str | None:
        if self.has_end:
            name, _, arguments = message.partition(" ")
            code, values = self._carried_out(name, arguments)
            return f"{code}: {values}" if values else f"{code}:"
        if registering := _REGISTER.fullmatch(message):
            self.has_registered = True
            return f"FCN={registering[1]}:0:"
        command = _COMMAND.fullmatch(message)
        if command is None or not self.has_registered:
            return None
        code, values = self._carried_out(command[2], command[3])
        return f"Rsp={command[1]}:{code}:{values}"

    def _carried_out(self, name: str, text: str) -> tuple[int, str]:
        act = self._commands.get(name)
        if act is None:
            return _UNKNOWN, f'"{name} is an unknown command"'
        try:
            return 0, act(*_WORD.findall(text))
        except StationError as error:
            return CODES[error.fault], f'"{error}"'
        except (ValueError, TypeError, IndexError):
            return _WRONG_ARGUMENT, f'"wrong argument of {name}"'

    def _spend(self, seconds: float) -> None:
        self._take_time(seconds)

    # identity

    def _echo_data(self, *words: str) -> str:
        return " ".join(words)

    def _report_kernel_version(self, module: str = "K") -> str:
        del module
        return f'4.1 "Velox simulated kernel, station {self.serial}"'

    def _get_wafer_id(self) -> str:
        return self.station.wafer_map.wafer

    def _get_lot_id(self) -> str:
        return self.station.wafer_map.lot

    def _get_product_id(self) -> str:
        return self.station.wafer_map.product

    # stage and heights

    def _set_chuck_mode(self, *flags: str) -> str:
        wanted = [int(flag) for flag in flags]
        if any(flag not in (0, 1, 2) for flag in wanted):
            raise ValueError
        station = self.station
        for name, flag in zip(("is_overtravel_on", "has_auto_z", "has_interlock"), wanted, strict=False):
            if flag != 2:
                setattr(station, name, bool(flag))
        return ""

    def _read_chuck_status(self) -> str:
        station = self.station
        contact_is_set = 1 << 4
        mode = station.is_overtravel_on | station.has_auto_z << 1 | station.has_interlock << 2 | contact_is_set
        height = ("O" if station.is_overtravel_on else "C") if station.is_in_contact else "S"
        return f"15 {mode} 0 0 Default {int(station.has_vacuum)} {height} N 0 N 0"

    def _read_chuck_position(self, unit: str = "Y", reference: str = "H", compensation: str = "D") -> str:
        del compensation
        if unit != "Y" or reference not in ("H", "Z"):
            raise ValueError
        right, up = self.station.stage_um()  # the chuck goes the other way than the tips seem to
        offset = 100_000.0 if reference == "Z" else 0.0
        return f"{offset - right:.1f} {offset - up:.1f} {self._height_um:.1f}"

    def _read_chuck_heights(self, unit: str = "Y") -> str:
        del unit
        return f"{CONTACT_UM:.1f} {self.station.overtravel_um:.1f} 500.0 {SEPARATION_UM:.1f} 0.0"

    def _set_chuck_height(self, level: str, mode: str = "0", unit: str = "Y", value: str = "0") -> str:
        if (level, mode, unit) != ("O", "V", "Y"):
            raise ValueError
        self.station.set_overtravel(float(value))
        return ""

    def _move_chuck_contact(self, velocity: str = "100") -> str:
        del velocity
        self._spend(self.station.contact())
        return ""

    def _move_chuck_separation(self, velocity: str = "100") -> str:
        del velocity
        self._spend(self.station.separate())
        return ""

    def _stop_all_movements(self) -> str:
        return ""

    # wafer map

    def _here(self) -> str:
        place = self.station.place
        return f"{place.x} {place.y} {place.subsite} {len(self.station.spec.subsites_um) - 1}"

    def _step_first_die(self, clears: str = "1", recalculates: str = "1") -> str:
        del recalculates
        if int(clears):
            self.bins.clear()
        self._spend(self.station.step_first())
        return self._here()

    def _step_next_die(self, x: str = "", y: str = "", subsite: str = "0") -> str:
        station = self.station
        if x and int(subsite) >= 0:
            self._spend(station.step(int(x), int(y), int(subsite)))
        elif not x and station.place.subsite + 1 < len(station.spec.subsites_um):
            self._spend(station.step(station.place.x, station.place.y, station.place.subsite + 1))
        else:
            number = station.number_on_route + 1
            if number >= len(station.route):
                raise StationError(Fault.END_OF_ROUTE)
            self._spend(station.step(station.route[number].x, station.route[number].y))
        return self._here()

    def _read_map_position2(self, position: str = "0", reference: str = "R") -> str:
        del position, reference
        station = self.station
        place, (right, up) = station.place, station.stage_um()
        last, dies = len(station.spec.subsites_um) - 1, len(station.route)
        number = station.number_on_route + 1
        return f"{place.x} {place.y} {right:.1f} {up:.1f} {place.subsite} {last} {number} {dies} 0 0"

    def _get_num_selected_dies(self) -> str:
        return str(len(self.station.route))

    def _get_selected_die_coords(self, number: str) -> str:
        if int(number) < 1:
            raise ValueError
        die = self.station.route[int(number) - 1]
        return f"{die.x} {die.y}"

    def _get_map_dims(self) -> str:
        left, right, bottom, top = self.station.wafer_map.bounds
        x, y = self._pitch_um
        return f"Circle {x:.1f} {y:.1f} {right - left + 1} {top - bottom + 1}"

    @property
    def _pitch_um(self) -> tuple[float, float]:
        x, y = self.station.wafer_map.pitch_metres or (0.0, 0.0)
        return x * 1e6, y * 1e6

    def _bin_map_die(self, number: str, x: str = "", y: str = "") -> str:
        place = (int(x), int(y)) if x else self.station.place[:2]
        if place not in self.station.wafer_map:
            raise StationError(Fault.NO_DIE)
        self.bins[place] = int(number)
        return f"{place[0]} {place[1]}"

    # light, alignment, temperature

    def _execute_cleaning_sequence(self, name: str, *flags: str) -> str:
        """As documented it ends in contact, on a contact verify site, which here is beside the wafer (assumed)."""
        if not (name.startswith('"') and name.endswith('"')) or any(int(flag) not in (0, 1) for flag in flags):
            raise ValueError
        self._spend(self.station.clean())
        skips_return = len(flags) > 2 and int(flags[2])
        self.station.is_in_contact = not skips_return
        return ""

    def _set_camera_light(self, camera: str, state: str, *settings: str) -> str:
        del settings
        self._lights[camera] = int(state)
        self.station.is_light_on = any(self._lights.values())
        return ""

    def _align_wafer(self, track: str = "0") -> str:
        del track
        self._spend(self.station.align())
        return "0.0012"

    def _set_heater_soak(self, seconds: str, *others: str) -> str:
        del others
        self.station.chuck.soak_seconds = float(seconds)
        return ""

    def _heat_chuck(self, celsius: str, unit: str = "C") -> str:
        self._heat(_celsius(celsius, unit))
        chuck = self.station.chuck
        self._spend(chuck.arrives_at + chuck.soak_seconds - self.world.seconds)
        return f"{float(celsius):.1f} C"

    def _set_heater_temp(self, celsius: str, unit: str = "C", safety: str = "1") -> str:
        if int(safety) and self.station.is_in_contact:
            raise StationError(Fault.NOT_SEPARATED)
        self._heat(_celsius(celsius, unit))
        return f"{float(celsius):.1f} C"

    def _get_heater_temp(self, unit: str = "C", heater: str = "0") -> str:
        del heater
        _celsius("0", unit)
        return f"{self._celsius:.1f} C {_PHASES.get(self.station.chuck.phase(self.world.seconds), 'AtTemp')}"

    def _get_target_temp(self, unit: str = "C") -> str:
        _celsius("0", unit)
        return f"{self.station.chuck.target_kelvin - 273.15:.1f} C"

    def _read_temperature_chuck_status(self) -> str:
        chuck, now = self.station.chuck, self.world.seconds
        return f"{_PHASES.get(chuck.phase(now), 'AtTemp')} 0 {int(-(-chuck.soak_left(now) // 1))} 0"

    def _stop_heat_chuck(self) -> str:
        self.station.chuck.go_to(self.station.chuck.kelvin(self.world.seconds), self.world.seconds)
        return ""


def _celsius(value: str, unit: str) -> float:
    if unit != "C":
        raise ValueError
    return float(value)

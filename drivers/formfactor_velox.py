"""FormFactor (Cascade) probers under Velox, playing Prober.

Commands, their answers and how long they may take are those of FormFactor's own Python module (MIT licence, 2025),
which this driver does not use: it cuts answers after 1024 bytes and does not look whether an answer belongs to the
question. On TCP port 1412 every message has a number that comes back with the answer, which ends with CR LF; over GPIB
the same commands have none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from qcodes.instrument import VisaInstrumentKWArgs

from mtjlab.map_transform import Axes
from mtjlab.prober import DiePosition, ErrorClass, ProberCapabilities, ThermalState
from mtjlab.roles import Identity
from mtjlab.safe_text import checked_name
from mtjlab.wafer_map import MapDie, WaferMap

from .prober_visa import ProberVisa

if TYPE_CHECKING:
    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

END_OF_MAP = 703
"""Seen as the normal end of a wafer in PyMeasure's driver; no other number is documented publicly."""
_SECONDS = {
    "MoveChuckContact": 60.0,
    "MoveChuckSeparation": 60.0,
    "AlignWafer": 300.0,
    "SetHeaterTemp": 60.0,
    "GetHeaterTemp": 60.0,
    "GetTargetTemp": 60.0,
    "SetHeaterSoak": 60.0,
    "ReadTemperatureChuckStatus": 60.0,
    "ReadMapPosition2": 10.0,
    "BinMapDie": 30.0,
    "ExecuteCleaningSequence": 1800.0,
}
_STEPS = ("StepFirstDie", "StepNextDie")
_ANSWER = re.compile(r"Rsp=(\d+):(-?\d+):?(.*)", re.DOTALL)
_GPIB_ANSWER = re.compile(r"\s*(-?\d+)\s*:?\s*(.*)", re.DOTALL)
_PART = re.compile(r'"([^"]*)"|(\S+)')
_MOST_STRAY_LINES = 50
_MOST_NUMBER = 999
_OVERTRAVEL, _AUTO_Z, _INTERLOCK, _CONTACT_SET, _LOCKED = 1 << 0, 1 << 1, 1 << 2, 1 << 4, 1 << 7
"""Of FlagsMode in ReadChuckStatus."""
_KELVIN = 273.15
_WINDOW_KELVIN = 1.0
"""How near to its target a chuck counts as there (assumption)."""


class FormFactorVelox(ProberVisa):
    """A prober under Velox.

    Args:
        framing: "socket" (message server) or "gpib"; by the address if left out.
        axes: where the die numbers of its wafer map grow; Velox tells it by a number whose meaning is not published, so
            say it here and have it proven (`mtjlab.map_proof.prove_map`).
        stage_sign: -1 where the stage's numbers fall while the die under the probes lies further to the right and up,
            as where a chuck moves under fixed probes (assumed).
        step_seconds: how long a step may take; FormFactor's own limit, with automatic alignment, is 6000 s.
        camera: whose light `set_light` switches.
        cleaning: name of the cleaning sequence in Velox's setup; empty for its own default (assumed to be allowed).
    """

    default_terminator = "\n"

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        framing: Literal["socket", "gpib"] | None = None,
        axes: Axes = "UR",
        stage_sign: int = -1,
        step_seconds: float = 600.0,
        camera: str = "Scope",
        cleaning: str = "",
        **kwargs: Unpack[VisaInstrumentKWArgs],
    ) -> None:
        super().__init__(name, address, **kwargs)
        self._is_numbered = framing == "socket" if framing else str(address).endswith("SOCKET")
        self._axes, self._stage_sign, self._camera = axes, stage_sign, camera
        self._cleaning = checked_name(cleaning, "the cleaning sequence's name", name)
        self._seconds = {**_SECONDS, **dict.fromkeys(_STEPS, step_seconds)}
        self._number = 1
        self._is_registered = False
        self.chuck_celsius: Parameter[float, FormFactorVelox] = self.add_parameter(
            "chuck_celsius",
            get_cmd=lambda: self.thermal().kelvin - _KELVIN,
            snapshot_get=False,
            unit="deg C",
            label="Chuck temperature",
            docstring="As the prober reports it.",
        )
        self.overtravel: Parameter[float, FormFactorVelox] = self.add_parameter(
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
        """See ProberVisa."""
        text = " ".join(map(str, arguments))
        allowed = self._seconds.get(name, self.default_timeout) if seconds is None else seconds
        with self.patience(max(allowed - self.default_timeout, 0.0)):
            code, values = self._numbered(name, text) if self._is_numbered else self._plain(name, text)
        if code != 0:
            self._raise(name, code, values.strip().strip('"'), ErrorClass.END_OF_WAFER if code == END_OF_MAP else None)
        return _split(values)

    def _numbered(self, name: str, text: str) -> tuple[int, str]:
        self._get_in_step()
        if not self._is_registered:
            self.ask(f"FCN=1:RegisterProberApp:{self.name} {self.name} 0")
            self._is_registered = True
        self._number = self._number % _MOST_NUMBER + 1
        message = f"Cmd={self._number}:{name}:{text}"
        self.queries += 1
        with self.exchange(message):
            self.visa_handle.write(message)
            for _ in range(_MOST_STRAY_LINES):  # notifications, and answers that came too late
                line = self.read_line(message)
                found = _ANSWER.match(line)
                if found and int(found[1]) == self._number:
                    return int(found[2]), found[3].strip()
        raise self._not_understood(message, line)

    def _plain(self, name: str, text: str) -> tuple[int, str]:
        message = f"{name} {text}".strip()
        found = _GPIB_ANSWER.fullmatch(reply := self.ask(message))
        if found is None:
            raise self._not_understood(message, reply)
        return int(found[1]), found[2].strip()

    def reopen(self) -> None:
        """See CheckedVisa; on a new connection it has to be told again who we are."""
        self._is_registered = False
        super().reopen()

    # what it is and where it is

    @property
    def capabilities(self) -> ProberCapabilities:
        """All of them."""
        return ProberCapabilities()

    def identity(self) -> Identity:
        """Ask for the kernel's version; Velox tells no serial number."""
        version, *words = self.command("ReportKernelVersion", "K")
        return Identity("FormFactor", "Velox", "", f"{version} {' '.join(words)}".strip())

    def get_idn(self) -> dict[str, str | None]:
        """For QCoDeS: there is no *IDN?."""
        found = self.identity()
        return {"vendor": found.vendor, "model": found.model, "serial": found.serial, "firmware": found.firmware}

    def position(self) -> DiePosition:
        """See Prober. A die without a subsite selected counts as at its first one."""
        x, y, _, _, subsite = self.numbers("ReadMapPosition2", least=5)[:5]
        if not (x.is_integer() and y.is_integer() and subsite.is_integer()):
            raise self._not_understood("ReadMapPosition2", f"{x} {y} {subsite}")
        return DiePosition(int(x), int(y), max(int(subsite), 0))

    def subsites(self) -> int:
        """See Prober."""
        return max(int(self.numbers("ReadMapPosition2", least=6)[5]), 0) + 1

    def stage_metres(self) -> tuple[float, float]:
        """See Prober."""
        x, y, _ = self.numbers("ReadChuckPosition", "Y", "H", least=3)[:3]
        return self._stage_sign * x * 1e-6, self._stage_sign * y * 1e-6

    def _heights_um(self) -> tuple[float, float, float]:
        contact, _, _, separation = self.numbers("ReadChuckHeights", "Y", least=4)[:4]
        if contact < 0:
            raise self._needs_operator("has no contact height", "Set the contact height at the prober")
        return self.numbers("ReadChuckPosition", "Y", "Z", least=3)[2], contact, abs(separation)

    def wafer_map(self) -> WaferMap:
        """See Prober: the dies that are selected for probing."""
        count = self.count("GetNumSelectedDies")
        dies = [self.wholes("GetSelectedDieCoords", number, least=2) for number in range(1, count + 1)]
        pitch = self.number_at(1, "GetMapDims") * 1e-6, self.number_at(2, "GetMapDims") * 1e-6
        wafer, lot, product = (self._name_of(what) for what in ("Wafer", "Lot", "Product"))
        return WaferMap(
            wafer,
            tuple(MapDie(x, y) for x, y in (die[:2] for die in dies)),
            pitch,
            self._axes,
            lot=lot,
            product=product,
            source=self._where(),
        )

    def _name_of(self, what: str) -> str:
        return checked_name(" ".join(self.command(f"Get{what}ID")), f"the {what.lower()}'s name", self._where())

    # moves

    def _take_over(self) -> None:
        self.command("SetChuckMode", 2, 0, 1, 2, 2, 2)
        mode = self.wholes_of_status()[1]
        if mode & _AUTO_Z or not mode & _INTERLOCK or not mode & _CONTACT_SET:
            raise self._needs_operator(
                "does not keep its interlock on and automatic Z off, or has no contact height",
                "Set the contact height, and let remote commands set the chuck's mode",
            )
        self._check_station()

    def wholes_of_status(self) -> list[int]:
        """FlagsInit, FlagsMode, IsVacuumOn and FlagsMoving of ReadChuckStatus."""
        parts = self.command("ReadChuckStatus")
        found = [parts[place] for place in (0, 1, 5, 3)] if len(parts) > 5 else [""]
        if not all(part.isdecimal() for part in found):
            raise self._not_understood("ReadChuckStatus", " ".join(parts))
        return [int(part) for part in found]

    def is_separated(self) -> bool:
        """See Prober. A chuck that is still moving, as after a move that did not answer in time, is not."""
        return not self.wholes_of_status()[3] and super().is_separated()

    def is_in_contact(self) -> bool:
        """See Prober; likewise."""
        return not self.wholes_of_status()[3] and super().is_in_contact()

    def _check_station(self) -> None:
        initialised, mode, has_vacuum, _ = self.wholes_of_status()
        if mode & _LOCKED:
            raise self._needs_operator("has its chuck locked", "Unlock the stage at the prober")
        if initialised & 0b1111 != 0b1111:
            raise self._needs_operator("has axes that are not initialised", "Initialise the chuck at the prober")
        if not has_vacuum:
            raise self._needs_operator("has no vacuum on its chuck", "Switch the vacuum on and look at the wafer")

    def _step_first(self) -> None:
        self.command("StepFirstDie", 0, 0)  # by default it would clear all bins and drop dies that were skipped

    def _step_next(self) -> None:
        self.command("StepNextDie", 0, 0, -1)  # the next die, not the next subsite; the first two do not matter

    def _step_to(self, wanted: DiePosition) -> None:
        self.command("StepNextDie", wanted.x, wanted.y, wanted.subsite)

    def _touch_down(self) -> None:
        self.command("MoveChuckContact")

    def _lift_off(self) -> None:
        self.command("MoveChuckSeparation")

    def overtravel_metres(self) -> float:
        """See Prober: none while it is switched off."""
        if not self.wholes_of_status()[1] & _OVERTRAVEL:
            return 0.0
        return self.numbers("ReadChuckHeights", "Y", least=4)[1] * 1e-6

    def _set_overtravel(self, metres: float) -> None:
        self.command("SetChuckHeight", "O", "V", "Y", f"{metres * 1e6:.2f}")
        self.command("SetChuckMode", int(metres > 0), 2, 2, 2, 2, 2)

    def stop(self) -> None:
        """See Prober."""
        self.command("StopAllMovements")

    # light, alignment, temperature

    def _align(self) -> None:
        self.command("AlignWafer")

    def _clean(self) -> None:
        """The sequence of that name: goes to the cleaning site, cleans, goes to the contact verify site, and touches.

        What follows in Prober lifts off and steps back. Not told publicly: whether the map goes on naming the die
        meanwhile (assumed), and what an empty name does (assumed: the one sequence that there is).
        """
        self.command("ExecuteCleaningSequence", f'"{self._cleaning}"', 0, 0, 0)

    def _write_bin(self, x: int, y: int, number: int) -> None:
        """Inks the die if real-time inking is switched on in Velox's map."""
        found = self.wholes("BinMapDie", number, x, y, least=2)[:2]
        if found != [x, y]:
            raise self._lost(f"was told the bin of die ({x}, {y}) but has set that of die ({found[0]}, {found[1]})")

    def set_light(self, is_on: bool) -> None:
        """See Prober."""
        self.command("SetCameraLight", self._camera, int(is_on))

    def thermal(self) -> ThermalState:
        """See Prober."""
        now = self.number_at(0, "GetHeaterTemp", "C")
        target = self.number_at(0, "GetTargetTemp", "C")
        soak_left = self.number_at(2, "ReadTemperatureChuckStatus")
        return ThermalState(now + _KELVIN, target + _KELVIN, abs(now - target) <= _WINDOW_KELVIN and soak_left <= 0)

    def _soak(self, kelvin: float, seconds: float, timeout_seconds: float) -> None:
        self.command("SetHeaterSoak", round(seconds))
        self.command("HeatChuck", f"{kelvin - _KELVIN:.2f}", "C", seconds=timeout_seconds)


def _split(values: str) -> list[str]:
    """Parts of an answer: apart by blanks, texts in double quotes."""
    return [quoted or bare for quoted, bare in _PART.findall(values)]

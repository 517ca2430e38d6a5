"""Yokogawa GS200 (GS210, GS211) DC source driving the current of a magnet coil, playing FieldSource.

Facts from the GS200 User's Manual (IM GS210-01EN, chapters 6 and 13). QCoDeS's stock driver is not used;
docs/decisions/0006-own-drivers.md says why.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from pyvisa.errors import VisaIOError
from qcodes import validators as vals
from qcodes.instrument import VisaInstrumentKWArgs
from qcodes.parameters import create_on_off_val_mapping

from mtjlab.errors import InputError, InstrumentError
from mtjlab.roles import FieldSource, Identity

from .checked_visa import CheckedVisa
from .magnet_coil import MagnetCoil
from .service_requests import Wait, service_requests

if TYPE_CHECKING:
    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

AMPS_RANGES = (1e-3, 1e-2, 1e-1, 2e-1)
MOST_VOLTS = 30.0
_SHORTEST, _LONGEST, _STEP = 0.1, 3600.0, 0.1
"""Seconds of a program's slope and interval, and their resolution."""
_END_OF_PROGRAM, _LIMITING, _TRIPPED = 128, 1024 | 2048, 4096
"""Bits of the extended event and condition registers (user's manual, section 13.3)."""
_EVENT_SUMMARY = 2
"""Bit of the status byte."""
_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 5.0
_MOST_ERRORS = 40
_STATE = ":OUTP?;:SOUR:FUNC?;:SOUR:LEV?;:STAT:EVEN?;:STAT:COND?"


class _State(NamedTuple):
    """What the instrument says; the level is in amperes or volts."""

    is_on: bool
    function: str
    level: float
    events: int
    condition: int


class YokogawaGS200(CheckedVisa, FieldSource):
    """A GS200 on a coil.

    A field is one program of one step: the instrument itself ramps with its slope and holds the level while the coil
    settles, then requests service; nothing is polled over GPIB, USB or VXI-11. Over a socket its events are polled.

    Args:
        tesla_per_amp, amps_per_second, settle_seconds, most_amps, ohms: see MagnetCoil.
        volts_limit: limit of the voltage across the coil, 1 to 30 V in whole volts.
    """

    default_terminator = "\n"

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        tesla_per_amp: float,
        amps_per_second: float,
        settle_seconds: float = 0.0,
        most_amps: float = AMPS_RANGES[-1],
        volts_limit: float = MOST_VOLTS,
        ohms: float = 0.0,
        **kwargs: Unpack[VisaInstrumentKWArgs],
    ) -> None:
        coil = MagnetCoil(tesla_per_amp, amps_per_second, settle_seconds, most_amps, volts_limit, ohms)
        wrong = coil.wrong()
        if not wrong and most_amps > AMPS_RANGES[-1]:
            wrong = "most_amps"
        if not wrong and not 1 <= volts_limit <= MOST_VOLTS:
            wrong = "volts_limit"
        if wrong:
            raise InputError(
                f"{wrong} is not possible for a GS200 on a coil",
                where=f"{name}, key init.{wrong}",
                remedy="Correct it in the station file; the class says what it means",
            )
        super().__init__(name, address, **kwargs)
        self._coil = coil
        self._tesla_limit: float | None = None
        self._is_ramping = False
        self._add_coil_parameters()
        self._add_source_parameters()

    def _add_coil_parameters(self) -> None:
        for name, value, unit, label in (
            ("tesla_per_amp", self._coil.tesla_per_amp, "T/A", "Coil constant"),
            ("amps_per_second", self._coil.amps_per_second, "A/s", "Ramp limit"),
            ("settle_seconds", self._coil.settle_seconds, "s", "Settling time"),
            ("most_amps", self._coil.most_amps, "A", "Current limit of the coil"),
        ):
            self.add_parameter(
                name,
                get_cmd=lambda value=value: value,
                set_cmd=False,
                unit=unit,
                label=label,
                docstring="As the station file gives it.",
            )

    def _add_source_parameters(self) -> None:
        self.amps: Parameter[float, YokogawaGS200] = self.add_parameter(
            "amps",
            get_cmd=":SOUR:LEV?",
            set_cmd=False,
            get_parser=float,
            unit="A",
            label="Current",
            docstring="Programmed current, as the instrument reports it; `set_tesla` ramps it.",
        )
        self.amps_range: Parameter[float, YokogawaGS200] = self.add_parameter(
            "amps_range",
            get_cmd=":SOUR:RANG?",
            set_cmd=False,
            get_parser=float,
            unit="A",
            label="Range",
            docstring="Fixed while the output is on; `prepare` takes the smallest that covers its limit.",
        )
        self.volts_limit: Parameter[float, YokogawaGS200] = self.add_parameter(
            "volts_limit",
            get_cmd=":SOUR:PROT:VOLT?",
            set_cmd=":SOUR:PROT:VOLT {:.0f}",
            get_parser=float,
            vals=vals.Numbers(1, MOST_VOLTS),
            unit="V",
            label="Voltage limit",
            docstring="Across the coil.",
        )
        self.output: Parameter[bool, YokogawaGS200] = self.add_parameter(
            "output",
            get_cmd=":OUTP?",
            set_cmd=False,
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Output",
            docstring="Output relay, as the instrument reports it.",
        )

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is not a GS200."""
        return self.identify("GS200", "GS210", "GS211")

    def prepare(self, *, tesla_limit: float) -> None:
        """See FieldSource; a current that flows already is ramped down first."""
        self._tesla_limit = None
        complaint = self._coil.complaint(tesla_limit)
        if complaint:
            raise InstrumentError(complaint, where=self._where(), remedy="Lower the limit, or correct the coil's data")
        self._ramp_to_zero()
        amps = abs(tesla_limit / self._coil.tesla_per_amp)
        most = next(candidate for candidate in AMPS_RANGES if amps <= candidate * (1 + 1e-9))
        # voltage limit and a level of zero before the output can go on
        question = ":OUTP?;:SOUR:FUNC?;:SOUR:RANG?;:SOUR:LEV?"
        said = self.ask(
            f":OUTP 0;:SOUR:FUNC CURR;:SOUR:RANG {most:.3E};:SOUR:LEV 0;:SOUR:PROT:VOLT {self._coil.volts_limit:.0f};"
            f":OUTP 1;{question}"
        )
        self.check_errors()
        output, function, *numbers = self._parts(question, said, 4)
        try:
            told, level = (float(number) for number in numbers)
        except ValueError as error:
            raise self._not_understood(question, said) from error
        if output != "1" or function[:4] != "CURR" or not math.isclose(told, most) or level != 0:
            raise InstrumentError(
                f"does not hold a current of zero: it reports '{said}'",
                where=self._where(),
                remedy="Switch it off at its front panel",
            )
        self._tesla_limit = tesla_limit

    def set_tesla(self, tesla: float) -> None:
        """One ramp on the instrument; returns when it says that ramp and settling are over."""
        if self._tesla_limit is None:
            raise InstrumentError("field refused: no limit was programmed", where=self._where(), remedy="Prepare it")
        if not abs(tesla) <= self._tesla_limit * (1 + 1e-9):
            raise InstrumentError(
                f"a field of {tesla:g} T is beyond its limit of {self._tesla_limit:g} T",
                where=self._where(),
                remedy="Lower the field, or prepare with a larger limit",
            )
        state = self._state()
        if not state.is_on or state.function != "CURR":
            raise InstrumentError(
                f"cannot set a field: {'its output is off' if not state.is_on else 'it sources volts'}",
                where=self._where(),
                remedy="Look for a trip at its front panel; prepare it anew",
            )
        amps = tesla / self._coil.tesla_per_amp
        self._ramp(amps, abs(amps - state.level) / self._coil.amps_per_second)

    def _ramp(self, level: float, seconds: float) -> None:
        """Run a program that goes there in this time, or the next longer one that the instrument knows."""
        slope = max(_up(seconds), _SHORTEST)
        interval = _up(slope + self._coil.settle_seconds)
        if interval > _LONGEST:
            raise InstrumentError(
                f"a ramp of {interval:g} s is longer than the {_LONGEST:g} s of one program",
                where=self._where(),
                remedy="Go there in parts, or allow a faster ramp",
            )
        pausing = ":PROG:PAUS;" if self._is_ramping else ""
        program = (
            f"{pausing}:STAT:ENAB {_END_OF_PROGRAM};*SRE {_EVENT_SUMMARY};:PROG:REP 0;:PROG:TRIG NORM;"
            f":PROG:SLOP {slope:.1f};:PROG:INT {interval:.1f};"
            f":PROG:EDIT:STAR;:SOUR:LEV {level:.6E};:PROG:EDIT:END;:PROG:RUN"
        )
        self._is_ramping = True
        with service_requests(self.visa_handle) as wait:
            self.write(program)
            state = self._polled(interval) if wait is None else self._after(wait, interval)
        self._refuse_state(state)
        self._is_ramping = False

    def _refuse_state(self, state: _State) -> None:
        complaint = ""
        if not state.is_on or state.condition & _TRIPPED:
            complaint = "its output went off during a ramp"
        elif state.condition & _LIMITING:
            complaint = f"limits the voltage at {self._coil.volts_limit:g} V: the coil does not carry what was set"
        elif not state.events & _END_OF_PROGRAM:
            complaint = "did not end its ramp in time"
        if complaint:
            self.check_errors()
            raise InstrumentError(complaint, where=self._where(), remedy="Check the coil, its cable and its cooling")

    def _after(self, wait: Wait, seconds: float) -> _State:
        try:
            wait(seconds * 1.1 + _PATIENCE_SECONDS)
        except VisaIOError as error:
            raise self._fault("wait for the end of a ramp", error) from error
        return self._state()

    def _polled(self, seconds: float) -> _State:
        deadline = time.monotonic() + seconds * 1.1 + _PATIENCE_SECONDS
        state = self._state()
        while not state.events & _END_OF_PROGRAM and state.is_on and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            state = self._state()
        return state

    def tesla(self) -> float:
        """From the current that the instrument reports; zero with the output off."""
        question = ":OUTP?;:SOUR:LEV?"
        output, level = self._parts(question, self.ask(question), 2)
        return float(level) * self._coil.tesla_per_amp if output == "1" else 0.0

    def output_off(self) -> None:
        """Ramp to zero, then off, confirmed; off in any case, even if the ramp fails. See FieldSource."""
        try:
            self._ramp_to_zero()
        finally:
            said = self.ask(":OUTP 0;:OUTP?")
        if said.strip() != "0":
            raise InstrumentError(
                f"was told to switch its output off and reports '{said}'",
                where=self._where(),
                remedy="Switch it off at its front panel",
            )

    def _ramp_to_zero(self) -> None:
        """From whatever it sources; volts in the time that the whole current would take."""
        state = self._state()
        if not state.is_on or (state.level == 0 and not self._is_ramping):
            self._is_ramping = False
            return
        full = self._coil.most_amps / self._coil.amps_per_second
        self._ramp(0.0, abs(state.level) / self._coil.amps_per_second if state.function == "CURR" else full)

    def is_output_on(self) -> bool:
        """Read back from the instrument."""
        return self.ask_number(":OUTP?") != 0

    def check_errors(self) -> None:
        """Drain the error queue; raises InstrumentError quoting every entry."""
        found = []
        for _ in range(_MOST_ERRORS):
            entry = self.ask(":SYST:ERR?").strip()
            if entry.split(",")[0] in ("0", "+0"):
                break
            found.append(entry)
        if found:
            raise InstrumentError(
                "reports " + "; ".join(found), where=self._where(), remedy="See the GS200 user's manual, appendix 2"
            )

    def _state(self) -> _State:
        reply = self.ask(_STATE)
        output, function, level, events, condition = self._parts(_STATE, reply, 5)
        try:
            return _State(output == "1", function[:4], float(level), int(events), int(condition))
        except ValueError as error:
            raise self._not_understood(_STATE, reply) from error

    def _parts(self, question: str, reply: str, count: int) -> list[str]:
        parts = [part.strip() for part in reply.split(";")]
        if len(parts) != count:
            raise self._not_understood(question, reply)
        return parts


def _up(seconds: float) -> float:
    """The next longer time that a program knows."""
    return round(math.ceil(seconds / _STEP - 1e-6) * _STEP, 1)

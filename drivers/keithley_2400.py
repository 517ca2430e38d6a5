"""Keithley 2400 SourceMeter (SCPI), playing SourceMeasureUnit.

Facts from the Series 2400 User's Manual (SCPI command reference and status word). QCoDeS's stock driver is not used;
docs/decisions/0001-own-2400-driver.md says why.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qcodes import validators as vals
from qcodes.instrument import VisaInstrumentKWArgs
from qcodes.parameters import create_on_off_val_mapping

from mtjlab.errors import InstrumentError
from mtjlab.nouns import Reading
from mtjlab.roles import Identity, SourceMeasureUnit

from .checked_visa import WATCH, CheckedVisa, number
from .plausible_readings import is_plausible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

VOLTS_RANGES = (0.2, 2.0, 20.0, 200.0)
AMPS_RANGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_OVERFLOW = 9.8e37
_BIT_OVERFLOW = 1 << 0
_BIT_COMPLIANCE = 1 << 3
_BIT_RANGE_COMPLIANCE = 1 << 16
_STATUS_END = 1 << 24
_ELEMENTS = ":FORM:DATA ASC;:FORM:ELEM VOLT,CURR,STAT"
_MOST_LISTED = 100
_LEAST_CYCLES, _MOST_CYCLES = 0.01, 10.0


class Keithley2400(CheckedVisa, SourceMeasureUnit):
    """A Keithley 2400 sourcing volts and measuring amps.

    Pulses are two-point list sweeps: the top lasts the source delay plus one integration, so nothing shorter than
    an integration plus the instrument's own overhead of about a millisecond can be made.
    """

    default_terminator = "\n"

    def __init__(self, name: str, address: str | None = None, **kwargs: Unpack[VisaInstrumentKWArgs]) -> None:
        super().__init__(name, address, **kwargs)
        self._line_hertz = 50.0
        self._power_cycles = 1.0
        self._settle_seconds = 0.0
        self._amps_range = 0.0
        self._most_amps = math.inf
        self._level: float | None = None
        self._is_prepared = False
        self._add_source_parameters()
        self._add_sense_parameters()

    def _add_source_parameters(self) -> None:
        self.volts: Parameter[float, Keithley2400] = self.add_parameter(
            "volts",
            get_cmd=":SOUR:VOLT:LEV?",
            set_cmd=":SOUR:VOLT:LEV {:.6e}",
            get_parser=float,
            vals=vals.Numbers(-210, 210),
            unit="V",
            label="Source level",
            docstring="Programmed source voltage; reading it does not measure.",
        )
        self.volts_range: Parameter[float, Keithley2400] = self.add_parameter(
            "volts_range",
            get_cmd=":SOUR:VOLT:RANG?",
            set_cmd=":SOUR:VOLT:RANG {:.6e}",
            get_parser=float,
            vals=vals.Enum(*VOLTS_RANGES),
            unit="V",
            label="Source range",
            docstring="Fixed source range.",
        )
        self.amps_limit: Parameter[float, Keithley2400] = self.add_parameter(
            "amps_limit",
            get_cmd=":SENS:CURR:PROT?",
            set_cmd=":SENS:CURR:PROT {:.6e}",
            get_parser=float,
            vals=vals.Numbers(1e-9, 1.05),
            unit="A",
            label="Compliance",
            docstring="Current limit of the voltage source; must be at least 0.1 % of the measuring range.",
        )
        self.output: Parameter[bool, Keithley2400] = self.add_parameter(
            "output",
            get_cmd=":OUTP?",
            set_cmd=":OUTP {}",
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Output",
            docstring="Output relay, as the instrument reports it.",
        )

    def _add_sense_parameters(self) -> None:
        self.amps_range: Parameter[float, Keithley2400] = self.add_parameter(
            "amps_range",
            get_cmd=":SENS:CURR:RANG?",
            set_cmd=":SENS:CURR:RANG {:.6e}",
            get_parser=float,
            vals=vals.Enum(*AMPS_RANGES),
            unit="A",
            label="Measuring range",
            docstring="Fixed current range. A range below the compliance limits the output at 105 % of the range.",
        )
        self.power_cycles: Parameter[float, Keithley2400] = self.add_parameter(
            "power_cycles",
            get_cmd=":SENS:CURR:NPLC?",
            set_cmd=":SENS:CURR:NPLC {:.4f}",
            get_parser=float,
            vals=vals.Numbers(_LEAST_CYCLES, _MOST_CYCLES),
            unit="PLC",
            label="Integration time",
            docstring="In power line cycles; one setting for all functions.",
        )
        self.settle_seconds: Parameter[float, Keithley2400] = self.add_parameter(
            "settle_seconds",
            get_cmd=":SOUR:DEL?",
            set_cmd=":SOUR:DEL {:.5f}",
            get_parser=float,
            vals=vals.Numbers(0, 9999),
            unit="s",
            label="Source delay",
            docstring="From the level to the start of the measurement.",
        )

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is not a 2400."""
        return self.identify("2400", "2401")

    def prepare(self, *, volts_range: float, amps_limit: float, amps_range: float, power_cycles: float) -> None:
        """Reset, program range, compliance, integration; leaves the output off at 0 V. See SourceMeasureUnit."""
        self._forget()
        self.write(f"*RST;*CLS;{WATCH}")
        self.write(":SOUR:CLE:AUTO OFF;:SOUR:FUNC VOLT;:SOUR:VOLT:MODE FIX;:SOUR:VOLT:LEV 0")
        self.volts_range(_covering(volts_range, VOLTS_RANGES, "V", self._where()))
        self.write(':SENS:FUNC:CONC OFF;:SENS:FUNC "CURR:DC"')
        self.amps_limit(amps_limit)
        self.set_amps_range(amps_range)
        self.power_cycles(power_cycles)
        self._settle_seconds = 1e-3
        self.settle_seconds(self._settle_seconds)
        # auto zero would take three conversions per reading and stretch the top of every pulse by two of them
        self.write(f"{_ELEMENTS};:TRIG:COUN 1;:ARM:COUN 1;:SYST:AZER OFF")
        self._line_hertz = self._ask_line_hertz()
        self._power_cycles = power_cycles
        self._most_amps = amps_limit
        self.check_errors()
        self.is_watched = True
        self.check_status()
        self._is_prepared = True

    def reopen(self) -> None:
        """See CheckedVisa; whether it is still prepared nobody knows."""
        self._forget()
        super().reopen()

    def _forget(self) -> None:
        self._is_prepared = self.is_watched = False
        self._amps_range = 0.0
        self._level = None

    def _ask_line_hertz(self) -> float:
        found = self.ask_number(":SYST:LFR?")
        if found not in (50.0, 60.0):
            raise self._not_understood(":SYST:LFR?", f"{found:g}")
        return found

    def set_amps_range(self, amps: float) -> None:
        """Smallest fixed range that covers `amps`; raises InstrumentError beyond 1 A."""
        wanted = _covering(amps, AMPS_RANGES, "A", self._where())
        if wanted != self._amps_range:
            self.amps_range(wanted)
            self._amps_range = wanted

    def set_volts(self, volts: float) -> None:
        """Change the level."""
        self._level = None
        self.volts(volts)
        self._level = volts

    def output_on(self) -> None:
        """Output on, at 0 V; raises InstrumentError if `prepare` did not come first (no compliance, no output)."""
        if not self._is_prepared:
            raise InstrumentError("output refused: no compliance was programmed", where=self._where())
        # again the compliance: had the power failed meanwhile, it would be another
        self._level = None
        self.write(f":SOUR:VOLT:LEV 0;:SENS:CURR:PROT {self._most_amps:.6e};:OUTP ON")
        self._level = 0.0

    def output_off(self) -> None:
        """Level to 0 V, output off, and its own word that it is off: relays may move after this.

        Raises InstrumentError if it does not answer or says that the output is still on.
        """
        said = self.ask(":SOUR:VOLT:LEV 0;:OUTP OFF;:OUTP?")
        if said.strip() != "0":
            raise InstrumentError(
                f"was told to switch its output off and reports '{said}'",
                where=self._where(),
                remedy="Switch it off at its front panel before touching the bench",
            )

    def is_output_on(self) -> bool:
        """Read back from the instrument."""
        return self.ask_flag(":OUTP?")

    def is_limiting(self) -> bool:
        """Real or range compliance, as the instrument reports it now."""
        return self.ask_flag(":SENS:CURR:PROT:TRIP?")

    def read(self) -> Reading:
        """One measurement at the present level."""
        levels = [] if self._level is None else [self._level]
        return self._readings(1, levels)[0]

    def pulse(self, volts: float, seconds: float) -> Reading:
        """0 V, `volts` for `seconds`, 0 V; returns the measurement on the top.

        Raises InstrumentError if the pulse is shorter than the instrument can make.
        """
        delay = seconds - self._integration_seconds
        if delay < 0:
            raise InstrumentError(
                f"a pulse of {seconds:g} s is shorter than its {self.shortest_pulse_seconds:g} s",
                where=self._where(),
                remedy="Lengthen the pulse or shorten the integration time",
            )
        self.write(f":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT {volts:.6e},0;:TRIG:COUN 2;:SOUR:DEL {delay:.5f}")
        try:
            top = self._readings(2, [volts, 0.0])[0]
        finally:
            self.write(f":SOUR:VOLT:MODE FIX;:SOUR:VOLT:LEV 0;:TRIG:COUN 1;:SOUR:DEL {self._settle_seconds:.5f}")
        return top

    def read_levels(self, volts: Sequence[float]) -> list[Reading]:
        """A list sweep; raises InstrumentError if there are more levels than `most_levels`."""
        if len(volts) > self.most_levels:
            raise InstrumentError(
                f"{len(volts)} levels are more than the {self.most_levels} that one list holds",
                where=self._where(),
                remedy="Read them in parts",
            )
        if not volts:
            return []
        listed = ",".join(f"{level:.6e}" for level in (*volts, 0.0))
        self.write(f":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT {listed};:TRIG:COUN {len(volts) + 1}")
        try:
            return self._readings(len(volts) + 1, [*volts, 0.0])[: len(volts)]
        finally:
            self.write(":SOUR:VOLT:MODE FIX;:SOUR:VOLT:LEV 0;:TRIG:COUN 1")

    @property
    def most_levels(self) -> int:
        """A list of 100 in one message, the last of which is the 0 V that the sweep ends with."""
        return _MOST_LISTED - 1

    def sense_remotely(self, is_remote: bool) -> None:
        """Four-wire or two-wire; raises InstrumentError if the output is on."""
        if self.is_output_on():
            raise InstrumentError("the way of sensing cannot be changed with the output on", where=self._where())
        self.write(f":SYST:RSEN {int(is_remote)}")

    @property
    def shortest_pulse_seconds(self) -> float:
        """One integration: the top of the pulse is measured."""
        return self._integration_seconds

    @property
    def _integration_seconds(self) -> float:
        return self._power_cycles / self._line_hertz

    def check_errors(self) -> None:
        """Drain the error queue; raises InstrumentError quoting every entry."""
        found = []
        for _ in range(20):
            entry = self.ask(":SYST:ERR?")
            if entry.split(",")[0].strip() in ("0", "+0"):
                break
            found.append(entry)
        if found:
            raise InstrumentError(
                "reports " + "; ".join(found), where=self._where(), remedy="See the 2400 manual, appendix B"
            )

    def _readings(self, count: int, levels: Sequence[float]) -> list[Reading]:
        """So many readings, plausible at these levels where they are known."""
        reply = self.ask(":READ?")
        found = [number(part) for part in reply.split(",")]
        numbers = [value for value in found if value is not None]
        if len(found) != 3 * count or len(numbers) != len(found):
            raise self._not_understood(":READ?", reply)
        try:
            readings = [_reading(*numbers[k : k + 3]) for k in range(0, len(numbers), 3)]
        except ValueError as error:
            raise self._not_understood(":READ?", reply) from error
        if not all(is_plausible(r, level, self._most_amps) for r, level in zip(readings, levels, strict=False)):
            raise self._not_understood(":READ?", reply)
        return readings


def _reading(volts: float, amps: float, status: float) -> Reading:
    word = int(status)
    if word != status or not 0 <= word < _STATUS_END:
        raise ValueError(f"no status word: {status}")
    overflow = abs(amps) > _OVERFLOW or bool(word & _BIT_OVERFLOW)
    limited = bool(word & (_BIT_COMPLIANCE | _BIT_RANGE_COMPLIANCE))
    return Reading(volts, amps, in_compliance=limited, is_overflow=overflow)


def _covering(value: float, ranges: tuple[float, ...], unit: str, where: str) -> float:
    for candidate in ranges:
        if abs(value) <= candidate * 1.05:
            return candidate
    raise InstrumentError(f"{value:g} {unit} is beyond its largest range of {ranges[-1]:g} {unit}", where=where)

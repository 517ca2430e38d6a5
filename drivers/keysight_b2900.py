"""Keysight (Agilent) B2900 family SMUs (SCPI): each channel plays SourceMeasureUnit.

Facts from the B2900 Series SCPI Command Reference (B2910-90030) and User's Guide. QCoDeS has no driver for them;
docs/decisions/0006-own-drivers.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from qcodes import validators as vals
from qcodes.instrument import InstrumentChannel, VisaInstrumentKWArgs
from qcodes.parameters import create_on_off_val_mapping

from mtjlab.errors import InstrumentError
from mtjlab.nouns import Reading
from mtjlab.roles import Identity, SourceMeasureUnit

from .checked_visa import WATCH, CheckedVisa, number
from .plausible_readings import is_plausible

if TYPE_CHECKING:
    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

_ONE_CHANNEL, _TWO_CHANNELS = ("B2901", "B2911"), ("B2902", "B2912")
_OVERFLOW, _NOT_MEASURED = 9.85e37, 9.905e37
"""Infinity is 9.9e37, what was not measured 9.91e37 (command reference, table 1-3)."""
_BIT_COMPLIANCE, _BIT_OVERFLOW = 1 << 1, 1 << 13
_STATUS_END = 1 << 16
_MOST_LISTED = 2500
_LEAST_CYCLES, _MOST_CYCLES = 4e-4, 100.0
_SHORTEST_SECONDS = 50e-6
"""Minimum programmable pulse width (data sheet)."""
_EDGE_SECONDS, _MARGIN_SECONDS = 20e-6, 5e-6
"""From a pulse's start to a level that can be measured, and from the measurement's end to the pulse's (assumed)."""
_SETTLE_SECONDS = 100e-6
_REACH = 1.05


class KeysightB2900Channel(InstrumentChannel["KeysightB2900"], SourceMeasureUnit):
    """Channel 1 or 2, sourcing volts and measuring amps.

    Pulses are the instrument's own, from 50 us; their top is measured at its end, so that a pulse is at least the
    integration time and 25 us long.
    """

    def __init__(self, parent: KeysightB2900, number: int) -> None:
        super().__init__(parent, str(number))
        self._number = number
        self._line_hertz = 50.0
        self._power_cycles = 1.0
        self._settle_seconds = _SETTLE_SECONDS
        self._level: float | None = None
        self._most_amps = math.inf
        self._is_prepared = False
        self._add_source_parameters()
        self._add_sense_parameters()

    def _add_source_parameters(self) -> None:
        c = self._number
        self.volts: Parameter[float, KeysightB2900Channel] = self.add_parameter(
            "volts",
            get_cmd=f":SOUR{c}:VOLT?",
            set_cmd=f":SOUR{c}:VOLT {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(-210, 210),
            unit="V",
            label="Source level",
            docstring="Programmed source voltage; reading it does not measure.",
        )
        self.volts_range: Parameter[float, KeysightB2900Channel] = self.add_parameter(
            "volts_range",
            get_cmd=f":SOUR{c}:VOLT:RANG?",
            set_cmd=f":SOUR{c}:VOLT:RANG:AUTO OFF;:SOUR{c}:VOLT:RANG {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(0, 210),
            unit="V",
            label="Source range",
            docstring="Fixed source range: the instrument takes the smallest one that covers the value.",
        )
        self.amps_limit: Parameter[float, KeysightB2900Channel] = self.add_parameter(
            "amps_limit",
            get_cmd=f":SENS{c}:CURR:PROT?",
            set_cmd=f":SENS{c}:CURR:PROT {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(1e-10, 3.03),
            unit="A",
            label="Compliance",
            docstring="Current limit of the voltage source, both signs.",
        )
        self.trips_on_compliance: Parameter[bool, KeysightB2900Channel] = self.add_parameter(
            "trips_on_compliance",
            get_cmd=f":OUTP{c}:PROT?",
            set_cmd=f":OUTP{c}:PROT {{}}",
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Output protection",
            docstring="Whether reaching the compliance switches the output off at once, instead of limiting. Off after "
            "`prepare`: a shorted cell would end a scan. Switch it on for whatever is left alone.",
        )
        self.output: Parameter[bool, KeysightB2900Channel] = self.add_parameter(
            "output",
            get_cmd=f":OUTP{c}?",
            set_cmd=f":OUTP{c} {{}}",
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Output",
            docstring="Output relay, as the instrument reports it.",
        )

    def _add_sense_parameters(self) -> None:
        c = self._number
        self.amps_range: Parameter[float, KeysightB2900Channel] = self.add_parameter(
            "amps_range",
            get_cmd=f":SENS{c}:CURR:RANG?",
            set_cmd=f":SENS{c}:CURR:RANG:AUTO OFF;:SENS{c}:CURR:RANG {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(0, 3.15),
            unit="A",
            label="Measuring range",
            docstring="Fixed current range that covers the value. Below the compliance it limits the output.",
        )
        self.power_cycles: Parameter[float, KeysightB2900Channel] = self.add_parameter(
            "power_cycles",
            get_cmd=f":SENS{c}:CURR:NPLC?",
            set_cmd=f":SENS{c}:CURR:NPLC {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(_LEAST_CYCLES, _MOST_CYCLES),
            unit="PLC",
            label="Integration time",
            docstring="In power line cycles; one setting for volts and amps.",
        )
        self.settle_seconds: Parameter[float, KeysightB2900Channel] = self.add_parameter(
            "settle_seconds",
            get_cmd=f":TRIG{c}:ACQ:DEL?",
            set_cmd=self._set_settle_seconds,
            get_parser=float,
            vals=vals.Numbers(0, 1e5),
            unit="s",
            label="Source delay",
            docstring="From the level to the start of the measurement in a list.",
        )
        self.four_wire: Parameter[bool, KeysightB2900Channel] = self.add_parameter(
            "four_wire",
            get_cmd=f":SENS{c}:REM?",
            set_cmd=f":SENS{c}:REM {{}}",
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Remote sense",
            docstring="Whether volts are regulated at the sense terminals; set it with the output off. "
            "The guard terminals are always driven.",
        )

    def _set_settle_seconds(self, seconds: float) -> None:
        self.write(f":TRIG{self._number}:ACQ:DEL {seconds:.6e}")
        self._settle_seconds = seconds

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is none of these."""
        return self.parent.identity()

    def prepare(self, *, volts_range: float, amps_limit: float, amps_range: float, power_cycles: float) -> None:
        """Program everything that matters on this channel; the other channel stays as it is. See SourceMeasureUnit."""
        self.forget()
        c = self._number
        self.write(
            f"*CLS;{WATCH};:ABOR:ALL (@{c});:SOUR{c}:VOLT 0;:OUTP{c} OFF;:OUTP{c}:ON:AUTO OFF;:OUTP{c}:OFF:AUTO OFF;"
            f":OUTP{c}:PROT OFF;:OUTP{c}:LOW GRO;:OUTP{c}:OFF:MODE NORM;:SOUR{c}:FUNC:MODE VOLT;:SOUR{c}:FUNC:SHAP DC;"
            f":SOUR{c}:VOLT:MODE FIX;:SOUR{c}:VOLT 0;:SENS{c}:REM OFF;:SOUR{c}:WAIT OFF;:SENS{c}:WAIT OFF;"
            f":SENS{c}:CURR:PROT {amps_limit:.6e}"
        )
        self._settle_seconds = _SETTLE_SECONDS
        self._line_hertz = self.parent.ask_number(
            f":SOUR{c}:VOLT:RANG:AUTO OFF;:SOUR{c}:VOLT:RANG {volts_range:.6e};"
            f':SENS{c}:FUNC:OFF:ALL;:SENS{c}:FUNC "VOLT","CURR";:SENS{c}:CURR:RANG:AUTO OFF;'
            f":SENS{c}:CURR:RANG {amps_range:.6e};:SENS{c}:CURR:NPLC {power_cycles:.6e};"
            f":ARM{c}:SOUR AINT;:ARM{c}:COUN 1;:ARM{c}:DEL 0;:TRIG{c}:SOUR AINT;:TRIG{c}:COUN 1;:TRIG{c}:TRAN:DEL 0;"
            f":TRIG{c}:ACQ:DEL {_SETTLE_SECONDS:.6e};:FORM:DATA ASC;:FORM:ELEM:SENS VOLT,CURR,STAT;:SYST:LFR?"
        )
        self._power_cycles = power_cycles
        self._most_amps = amps_limit
        self.check_errors()
        self.parent.is_watched = True
        self.check_status()
        self._is_prepared = True

    def forget(self) -> None:
        """Nobody knows any more how it is set up."""
        self._is_prepared = False
        self._level = None

    def set_amps_range(self, amps: float) -> None:
        """Smallest fixed range that covers `amps`; raises InstrumentError if there is none."""
        c = self._number
        found = self.parent.ask_number(f":SENS{c}:CURR:RANG {amps:.6e};:SENS{c}:CURR:RANG?")
        if found * _REACH < abs(amps):
            self.check_errors()
            raise InstrumentError(f"{amps:g} A is beyond its largest range", where=self.parent.where)

    @property
    def returns_early(self) -> bool:
        """Whether a message may still be on its way when telling it has returned."""
        return self.parent.returns_early

    def set_volts(self, volts: float) -> None:
        """Change the level."""
        self._level = None
        self.volts(volts)
        self._level = volts

    def output_on(self) -> None:
        """Output on, at 0 V; raises InstrumentError if `prepare` did not come first (no compliance, no output)."""
        if not self._is_prepared:
            raise InstrumentError("output refused: no compliance was programmed", where=self.parent.where)
        c = self._number
        # again the compliance: had the power failed meanwhile, it would be another
        self._level = None
        self.write(f":SOUR{c}:VOLT 0;:SENS{c}:CURR:PROT {self._most_amps:.6e};:OUTP{c} ON")
        self._level = 0.0

    def output_off(self) -> None:
        """Level to 0 V, output off, and its own word that it is off: relays may move after this.

        Raises InstrumentError if it does not answer or says that the output is still on.
        """
        c = self._number
        said = self.ask(f":ABOR:ALL (@{c});:SOUR{c}:VOLT 0;:OUTP{c} OFF;:OUTP{c}?")
        if said.strip() != "0":
            raise InstrumentError(
                f"was told to switch its output {c} off and reports '{said}'",
                where=self.parent.where,
                remedy="Switch it off at its front panel before touching the bench",
            )

    def is_output_on(self) -> bool:
        """Read back from the instrument."""
        return self.parent.ask_flag(f":OUTP{self._number}?")

    def is_limiting(self) -> bool:
        """Whether the output is at its compliance now, as the instrument reports it."""
        return self.parent.ask_flag(f":SENS{self._number}:CURR:PROT:TRIP?")

    def read(self) -> Reading:
        """One spot measurement at the present level."""
        cmd = f":MEAS? (@{self._number})"
        return self._readings(cmd, self.ask(cmd), [self._level])[0]

    def pulse(self, volts: float, seconds: float) -> Reading:
        """0 V, `volts` for `seconds`, 0 V; returns the measurement at the end of the top.

        Raises InstrumentError if the pulse is shorter than the instrument can make and measure.
        """
        if seconds < self.shortest_pulse_seconds * (1 - 1e-9):
            raise InstrumentError(
                f"a pulse of {seconds:g} s is shorter than its {self.shortest_pulse_seconds:g} s",
                where=self.parent.where,
                remedy="Lengthen the pulse or shorten the integration time",
            )
        c = self._number
        delay = seconds - self._integration_seconds - _MARGIN_SECONDS
        return self._swept(
            f":SOUR{c}:VOLT 0;:SOUR{c}:FUNC:SHAP PULS;:SOUR{c}:PULS:DEL 0;:SOUR{c}:PULS:WIDT {seconds:.6e};"
            f":SOUR{c}:VOLT:TRIG {volts:.6e};:TRIG{c}:ACQ:DEL {delay:.6e}",
            [volts],
            seconds,
        )[0]

    def read_levels(self, volts: Sequence[float]) -> list[Reading]:
        """A list sweep; raises InstrumentError if there are more levels than `most_levels`."""
        if len(volts) > self.most_levels:
            raise InstrumentError(
                f"{len(volts)} levels are more than the {self.most_levels} that one list holds",
                where=self.parent.where,
                remedy="Read them in parts",
            )
        if not volts:
            return []
        c, count = self._number, len(volts) + 1
        listed = ",".join(f"{level:.6e}" for level in (*volts, 0.0))
        seconds = count * (self._integration_seconds + self._settle_seconds + 1e-3)
        set_up = f":SOUR{c}:VOLT:MODE LIST;:SOUR{c}:LIST:VOLT {listed};:TRIG{c}:COUN {count}"
        return self._swept(set_up, [*volts, 0.0], seconds)[: len(volts)]

    def _swept(self, set_up: str, levels: Sequence[float], seconds: float) -> list[Reading]:
        """Set up, trigger and fetch in one message; then set back what `read` and `set_volts` need."""
        c = self._number
        cmd = f":READ:ARR? (@{c})"
        try:
            with self.parent.patience(seconds):
                return self._readings(cmd, self.ask(f"{set_up};{cmd}"), levels)
        finally:
            self.write(
                f":SOUR{c}:FUNC:SHAP DC;:SOUR{c}:VOLT:MODE FIX;:SOUR{c}:VOLT 0;:TRIG{c}:COUN 1;"
                f":TRIG{c}:ACQ:DEL {self._settle_seconds:.6e}"
            )

    @property
    def most_levels(self) -> int:
        """A list of 2500, the last of which is the 0 V that the sweep ends with."""
        return _MOST_LISTED - 1

    def sense_remotely(self, is_remote: bool) -> None:
        """Four-wire or two-wire; raises InstrumentError if the output is on."""
        if self.is_output_on():
            raise InstrumentError("the way of sensing cannot be changed with the output on", where=self.parent.where)
        self.four_wire(is_remote)

    @property
    def shortest_pulse_seconds(self) -> float:
        """50 us, or one integration and what surrounds it: the top of the pulse is measured."""
        return max(_SHORTEST_SECONDS, self._integration_seconds + _EDGE_SECONDS + _MARGIN_SECONDS)

    @property
    def _integration_seconds(self) -> float:
        return self._power_cycles / self._line_hertz

    def check_errors(self) -> None:
        """Drain the instrument's error queue; raises InstrumentError quoting every entry."""
        self.parent.check_errors()

    def check_status(self) -> None:
        """See SourceMeasureUnit."""
        self.parent.check_status()

    def recover(self) -> None:
        """Device clear: abort what the instrument is doing."""
        self.parent.recover()

    def _readings(self, cmd: str, reply: str, levels: Sequence[float | None]) -> list[Reading]:
        """One reading for each level, plausible at that where it is known."""
        numbers = [value for part in reply.split(",") if (value := number(part)) is not None]
        if len(numbers) != 3 * len(levels) or reply.count(",") != len(numbers) - 1:
            raise self.parent.not_understood(cmd, reply)
        try:
            found = [_reading(*numbers[k : k + 3]) for k in range(0, len(numbers), 3)]
        except ValueError as error:
            raise self.parent.not_understood(cmd, reply) from error
        if not all(r is None or is_plausible(r, v, self._most_amps) for r, v in zip(found, levels, strict=True)):
            raise self.parent.not_understood(cmd, reply)
        if any(reading is None for reading in found):
            self.check_errors()
            raise InstrumentError(
                f"measured nothing on channel {self._number}: its output is off",
                where=self.parent.where,
                remedy="See whether its output protection has switched it off",
            )
        return [reading for reading in found if reading is not None]


class KeysightB2900(CheckedVisa):
    """A two-channel B2902A or B2912A (or B); its channels are the submodules `1` and `2`."""

    default_terminator = "\n"
    channel_numbers: ClassVar[tuple[int, ...]] = (1, 2)

    def __init__(self, name: str, address: str | None = None, **kwargs: Unpack[VisaInstrumentKWArgs]) -> None:
        super().__init__(name, address, **kwargs)
        for channel in self.channel_numbers:
            self.add_submodule(str(channel), KeysightB2900Channel(self, channel))

    @property
    def where(self) -> str:
        """Name and address, for messages."""
        return self._where()

    def not_understood(self, cmd: str, reply: str) -> InstrumentError:
        """The error for a reply that makes no sense."""
        return self._not_understood(cmd, reply)

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is none of these."""
        return self.identify(*(_TWO_CHANNELS if len(self.channel_numbers) > 1 else _ONE_CHANNEL))

    def reopen(self) -> None:
        """See CheckedVisa; whether its channels are still prepared nobody knows."""
        self.is_watched = False
        for channel in self.submodules.values():
            channel.forget()
        super().reopen()

    def check_errors(self) -> None:
        """Drain the error queue in one query; raises InstrumentError quoting every entry."""
        found = self.ask(":SYST:ERR:ALL?").strip()
        if found.split(",")[0].strip() not in ("0", "+0"):
            raise InstrumentError(
                f"reports {found}", where=self._where(), remedy="See the B2900 SCPI Command Reference, chapter 5"
            )


class KeysightB2901(KeysightB2900):
    """A one-channel B2901A or B2911A (or B); its channel is the submodule `1`."""

    channel_numbers = (1,)


def _reading(volts: float, amps: float, status: float) -> Reading | None:
    word = int(status)
    if word != status or not 0 <= word < _STATUS_END:
        raise ValueError(f"no status word: {status}")
    if abs(amps) > _NOT_MEASURED:
        return None
    is_overflow = abs(amps) > _OVERFLOW or bool(word & _BIT_OVERFLOW)
    return Reading(volts, amps, in_compliance=bool(word & _BIT_COMPLIANCE), is_overflow=is_overflow)

"""Keithley 2450 SourceMeter (SCPI command set), playing SourceMeasureUnit.

Facts from the Model 2450 Reference Manual (2450-901-01). QCoDeS's stock driver is not used;
docs/decisions/0006-own-drivers.md says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    from qcodes.parameters import Parameter
    from typing_extensions import Unpack

_OVERFLOW = 9.8e37
_BIT_PROTECTING, _BIT_LIMITING = 4, 32
_STATUS_END = 256
"""Bits of SOURSTATus (":TRACe:DATA?" in the manual)."""
_ELEMENTS = '"defbuffer1",SOUR,READ,SOURSTAT'
_LIST = '"VoltCustomSweepList"'
_IN_ONE_COMMAND, _MOST_LISTED = 100, 2500
"""Values of one list command, and of the whole list (the latter assumed, as of a 2400)."""
_LEAST_CYCLES, _MOST_CYCLES = 0.01, 10.0
_PROTECTIONS = (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)
_OVERHEAD_SECONDS = 200e-6
"""What recalling a level and starting a measurement take (assumed)."""
_REACH = 1.05


class Keithley2450(CheckedVisa, SourceMeasureUnit):
    """A Keithley 2450 sourcing volts and measuring amps.

    Lists and pulses are run by the trigger model over a source configuration list; the output stays on and ends at 0 V.
    A pulse lasts its measurement and what surrounds it: two integrations and a fraction of a millisecond at least. It
    may turn out some 0.2 ms longer than asked for.
    """

    default_terminator = "\n"

    def __init__(self, name: str, address: str | None = None, **kwargs: Unpack[VisaInstrumentKWArgs]) -> None:
        super().__init__(name, address, **kwargs)
        self._line_hertz = 50.0
        self._power_cycles = 1.0
        self._settle_seconds = 0.0
        self._volts_range = 0.0
        self._most_amps = math.inf
        self._level: float | None = None
        self._is_prepared = False
        self._add_source_parameters()
        self._add_sense_parameters()

    def _add_source_parameters(self) -> None:
        self.volts: Parameter[float, Keithley2450] = self.add_parameter(
            "volts",
            get_cmd=":SOUR:VOLT?",
            set_cmd=":SOUR:VOLT {:.6e}",
            get_parser=float,
            vals=vals.Numbers(-210, 210),
            unit="V",
            label="Source level",
            docstring="Programmed source voltage; reading it does not measure.",
        )
        self.volts_range: Parameter[float, Keithley2450] = self.add_parameter(
            "volts_range",
            get_cmd=":SOUR:VOLT:RANG?",
            set_cmd=":SOUR:VOLT:RANG {:.6e}",
            get_parser=float,
            vals=vals.Numbers(0, 210),
            unit="V",
            label="Source range",
            docstring="Fixed source range: the instrument takes the smallest one that covers the value.",
        )
        self.amps_limit: Parameter[float, Keithley2450] = self.add_parameter(
            "amps_limit",
            get_cmd=":SOUR:VOLT:ILIM?",
            set_cmd=":SOUR:VOLT:ILIM {:.6e}",
            get_parser=float,
            vals=vals.Numbers(1e-9, 1.05),
            unit="A",
            label="Compliance",
            docstring="Current limit of the voltage source.",
        )
        self.volts_protection: Parameter[str, Keithley2450] = self.add_parameter(
            "volts_protection",
            get_cmd=":SOUR:VOLT:PROT?",
            set_cmd=":SOUR:VOLT:PROT {}",
            vals=vals.Enum(*(f"PROT{volts}" for volts in _PROTECTIONS), "NONE"),
            label="Overvoltage protection",
            docstring="The output goes no further, also if a sense lead is open. `prepare` sets it above the range.",
        )
        self.output: Parameter[bool, Keithley2450] = self.add_parameter(
            "output",
            get_cmd=":OUTP?",
            set_cmd=":OUTP {}",
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Output",
            docstring="Output relay, as the instrument reports it.",
        )

    def _add_sense_parameters(self) -> None:
        self.amps_range: Parameter[float, Keithley2450] = self.add_parameter(
            "amps_range",
            get_cmd=":SENS:CURR:RANG?",
            set_cmd=":SENS:CURR:RANG {:.6e}",
            get_parser=float,
            vals=vals.Numbers(0, 1.05),
            unit="A",
            label="Measuring range",
            docstring="Fixed current range that covers the value. Below the compliance it limits the output.",
        )
        self.power_cycles: Parameter[float, Keithley2450] = self.add_parameter(
            "power_cycles",
            get_cmd=":SENS:CURR:NPLC?",
            set_cmd=":SENS:CURR:NPLC {:.4f}",
            get_parser=float,
            vals=vals.Numbers(_LEAST_CYCLES, _MOST_CYCLES),
            unit="PLC",
            label="Integration time",
            docstring="In power line cycles; a reading takes it twice, for the current and the source read back.",
        )
        self.settle_seconds: Parameter[float, Keithley2450] = self.add_parameter(
            "settle_seconds",
            get_cmd=":SOUR:VOLT:DEL?",
            set_cmd=self._set_settle_seconds,
            get_parser=float,
            vals=vals.Numbers(0, 9999),
            unit="s",
            label="Source delay",
            docstring="From the level to the start of the measurement.",
        )
        self.four_wire: Parameter[bool, Keithley2450] = self.add_parameter(
            "four_wire",
            get_cmd=":SENS:CURR:RSEN?",
            set_cmd=":SENS:CURR:RSEN {}",
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Remote sense",
            docstring="Whether volts are regulated at the sense terminals; set it with the output off. "
            "The guard terminals are always driven.",
        )

    def _set_settle_seconds(self, seconds: float) -> None:
        self.write(f":SOUR:VOLT:DEL {seconds:.6e}")
        self._settle_seconds = seconds

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is no 2450 or does not speak SCPI now."""
        found = self.identify("2450")
        language = self.ask("*LANG?").strip()
        if language.upper() != "SCPI":
            raise InstrumentError(
                f"is set to the command set {language}, expected SCPI",
                where=self._where(),
                remedy="Send *LANG SCPI, or set it at the front panel, and switch it off and on",
            )
        return found

    def prepare(self, *, volts_range: float, amps_limit: float, amps_range: float, power_cycles: float) -> None:
        """Reset, program range, compliance, protection, integration; leaves the output off at 0 V."""
        self._forget()
        protection = next((f"PROT{level}" for level in _PROTECTIONS if level > volts_range * _REACH), "NONE")
        self.write(
            f":ABOR;*RST;*CLS;{WATCH};:OUTP OFF;:SOUR:FUNC VOLT;:SOUR:VOLT 0;:SOUR:VOLT:RANG {volts_range:.6e};"
            f":SOUR:VOLT:ILIM {amps_limit:.6e};:SOUR:VOLT:PROT {protection};:SOUR:VOLT:READ:BACK ON;:SOUR:VOLT:DEL 0"
        )
        self._settle_seconds, self._volts_range = 0.0, volts_range
        # auto zero would take three conversions per reading and stretch the top of every pulse by two of them
        self._line_hertz = self.ask_number(
            f':SENS:FUNC "CURR";:SENS:CURR:RANG {amps_range:.6e};:SENS:CURR:NPLC {power_cycles:.4f};'
            ":SENS:CURR:RSEN OFF;:SENS:CURR:AZER OFF;:SENS:AZER:ONCE;:SENS:COUN 1;"
            ":FORM:DATA ASC;:SYST:LFR?"
        )
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
        self._level = None

    def set_amps_range(self, amps: float) -> None:
        """Smallest fixed range that covers `amps`; raises InstrumentError if there is none."""
        found = self.ask_number(f":SENS:CURR:RANG {amps:.6e};:SENS:AZER:ONCE;:SENS:CURR:RANG?")
        if found * _REACH < abs(amps):
            self.check_errors()
            raise InstrumentError(f"{amps:g} A is beyond its largest range", where=self._where())

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
        self.write(f":SOUR:VOLT 0;:SOUR:VOLT:ILIM {self._most_amps:.6e};:OUTP ON")
        self._level = 0.0

    def output_off(self) -> None:
        """Level to 0 V, output off, and its own word that it is off: relays may move after this.

        Raises InstrumentError if it does not answer or says that the output is still on.
        """
        said = self.ask(":ABOR;:SOUR:VOLT 0;:OUTP OFF;:OUTP?")
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
        """Whether the output is at its limit now, as the instrument reports it."""
        return self.ask_flag(":SOUR:VOLT:ILIM:TRIP?")

    def read(self) -> Reading:
        """One measurement at the present level."""
        cmd = f":READ? {_ELEMENTS}"
        return self._readings(cmd, self.ask(cmd), [self._level])[0]

    def pulse(self, volts: float, seconds: float) -> Reading:
        """0 V, `volts` for `seconds`, 0 V; returns the measurement at the end of the top.

        Raises InstrumentError if the pulse is shorter than the instrument can make and measure.
        """
        delay = seconds - self.shortest_pulse_seconds
        if delay < -1e-9 * seconds:
            raise InstrumentError(
                f"a pulse of {seconds:g} s is shorter than its {self.shortest_pulse_seconds:g} s",
                where=self._where(),
                remedy="Lengthen the pulse or shorten the integration time",
            )
        return self._swept([volts], max(delay, 0.0))[0]

    def read_levels(self, volts: Sequence[float]) -> list[Reading]:
        """A list sweep; raises InstrumentError if there are more levels than `most_levels`."""
        if len(volts) > self.most_levels:
            raise InstrumentError(
                f"{len(volts)} levels are more than the {self.most_levels} that one list holds",
                where=self._where(),
                remedy="Read them in parts",
            )
        return self._swept(volts, 0.0) if volts else []

    def _swept(self, volts: Sequence[float], delay_seconds: float) -> list[Reading]:
        """Measure at each level with the output as it is; the level after the last one is 0 V."""
        count, levels = len(volts), (*volts, 0.0)
        for begin in range(0, len(levels), _IN_ONE_COMMAND):
            listed = ",".join(f"{level:.6e}" for level in levels[begin : begin + _IN_ONE_COMMAND])
            self.write(f":SOUR:LIST:VOLT{':APP' if begin else ''} {listed}")
        # the sweep command makes a list of configurations; its own trigger model would switch the output off at the end
        model = (
            f':SOUR:SWE:VOLT:LIST 1;:TRIG:LOAD "Empty";:TRIG:BLOC:BUFF:CLE 1,"defbuffer1";'
            f":TRIG:BLOC:CONF:REC 2,{_LIST},1;:TRIG:BLOC:DEL:CONS 3,{delay_seconds:.6e};"
            f':TRIG:BLOC:MEAS 4,"defbuffer1";:TRIG:BLOC:CONF:NEXT 5,{_LIST}'
        )
        repeat = f";:TRIG:BLOC:BRAN:COUN 6,{count},3" if count > 1 else ""
        cmd = f":TRAC:DATA? 1,{count},{_ELEMENTS}"
        try:
            with self.patience(count * (self.shortest_pulse_seconds + delay_seconds)):
                return self._readings(cmd, self.ask(f"{model}{repeat};:INIT;*WAI;{cmd}"), volts)
        finally:
            self.write(f":ABOR;:SOUR:VOLT 0;:SOUR:VOLT:RANG {self._volts_range:.6e}")

    @property
    def most_levels(self) -> int:
        """A list of 2500, the last of which is the 0 V that the sweep ends with."""
        return _MOST_LISTED - 1

    def sense_remotely(self, is_remote: bool) -> None:
        """Four-wire or two-wire; raises InstrumentError if the output is on."""
        if self.is_output_on():
            raise InstrumentError("the way of sensing cannot be changed with the output on", where=self._where())
        self.four_wire(is_remote)

    @property
    def shortest_pulse_seconds(self) -> float:
        """Two integrations, of current and source, and what surrounds them: the top of the pulse is measured."""
        return 2 * self._power_cycles / self._line_hertz + self._settle_seconds + _OVERHEAD_SECONDS

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
                "reports " + "; ".join(found), where=self._where(), remedy="See the 2450 Reference Manual, section 6"
            )

    def _readings(self, cmd: str, reply: str, levels: Sequence[float | None]) -> list[Reading]:
        """One reading for each level, plausible at that where it is known."""
        numbers = [value for part in reply.split(",") if (value := number(part)) is not None]
        if len(numbers) != 3 * len(levels) or reply.count(",") != len(numbers) - 1:
            raise self._not_understood(cmd, reply)
        try:
            found = [_reading(*numbers[k : k + 3]) for k in range(0, len(numbers), 3)]
        except ValueError as error:
            raise self._not_understood(cmd, reply) from error
        if not all(is_plausible(r, v, self._most_amps) for r, v in zip(found, levels, strict=True)):
            raise self._not_understood(cmd, reply)
        return found


def _reading(volts: float, amps: float, status: float) -> Reading:
    if not (0 <= status < _STATUS_END and status.is_integer()):
        raise ValueError(f"no status: {status}")
    limited = bool(int(status) & (_BIT_LIMITING | _BIT_PROTECTING))
    return Reading(volts, amps, in_compliance=limited, is_overflow=abs(amps) > _OVERFLOW)

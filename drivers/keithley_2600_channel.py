"""One channel of a Keithley Series 2600B SourceMeter (TSP), playing SourceMeasureUnit.

Facts from the Series 2600B Reference Manual (2600BS-901-01).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qcodes import validators as vals
from qcodes.instrument import InstrumentChannel
from qcodes.parameters import create_on_off_val_mapping

from mtjlab.errors import InstrumentError
from mtjlab.nouns import Reading
from mtjlab.roles import Identity, SourceMeasureUnit

from .checked_visa import TSP_WATCH, flag, number
from .keithley_2600_answers import readings
from .keithley_2600_scripts import UPLOAD, VERSION
from .plausible_readings import is_plausible

if TYPE_CHECKING:
    from qcodes.parameters import Parameter

    from .keithley_2600 import Keithley2600

_LEAST_CYCLES, _MOST_CYCLES = 0.001, 25.0
_OUTPUT_SECONDS = 50e-6
"""From a level to a settled output (data sheet: typically less)."""
_READING_SECONDS = 110e-6
"""What a triggered reading needs beside its aperture (assumed)."""
_MOST_LEVELS = 1000
"""Levels of one list: what a message may reasonably hold; the instrument's buffers take more."""
_REACH = 1.02


class Keithley2600Channel(InstrumentChannel["Keithley2600"], SourceMeasureUnit):
    """Channel a or b, sourcing volts and measuring amps.

    Pulses are made by the trigger model with timers: exact to some microseconds, measured on their top. The shortest
    one lasts the integration time and some 160 us; with 0.001 power line cycles that is 180 us.
    """

    def __init__(self, parent: Keithley2600, letter: str) -> None:
        super().__init__(parent, letter)
        self._smu = f"smu{letter}"
        self._line_hertz = 50.0
        self._power_cycles = 1.0
        self._level: float | None = None
        self.most_amps = math.inf
        self.is_prepared = False
        self._add_source_parameters()
        self._add_sense_parameters()

    def _add_source_parameters(self) -> None:
        smu = self._smu
        self.volts: Parameter[float, Keithley2600Channel] = self.add_parameter(
            "volts",
            get_cmd=f"print({smu}.source.levelv)",
            set_cmd=f"{smu}.source.levelv = {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(-202, 202),
            unit="V",
            label="Source level",
            docstring="Programmed source voltage; reading it does not measure.",
        )
        self.volts_range: Parameter[float, Keithley2600Channel] = self.add_parameter(
            "volts_range",
            get_cmd=f"print({smu}.source.rangev)",
            set_cmd=f"{smu}.source.rangev = {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(0, 202),
            unit="V",
            label="Source range",
            docstring="Fixed source range: the instrument takes the smallest one that covers the value.",
        )
        self.amps_limit: Parameter[float, Keithley2600Channel] = self.add_parameter(
            "amps_limit",
            get_cmd=f"print({smu}.source.limiti)",
            set_cmd=f"{smu}.source.limiti = {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(1e-10, 3.03),
            unit="A",
            label="Compliance",
            docstring="Current limit of the voltage source.",
        )
        self.output: Parameter[bool, Keithley2600Channel] = self.add_parameter(
            "output",
            get_cmd=f"print({smu}.source.output)",
            set_cmd=f"{smu}.source.output = {{}}",
            get_parser=lambda reply: str(int(float(reply))),
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Output",
            docstring="Output relay, as the instrument reports it.",
        )

    def _add_sense_parameters(self) -> None:
        smu = self._smu
        self.amps_range: Parameter[float, Keithley2600Channel] = self.add_parameter(
            "amps_range",
            get_cmd=f"print({smu}.measure.rangei)",
            set_cmd=f"{smu}.measure.rangei = {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(0, 3.06),
            unit="A",
            label="Measuring range",
            docstring="Fixed current range that covers the value. Below the compliance it limits the output.",
        )
        self.power_cycles: Parameter[float, Keithley2600Channel] = self.add_parameter(
            "power_cycles",
            get_cmd=f"print({smu}.measure.nplc)",
            set_cmd=f"{smu}.measure.nplc = {{:.6g}}",
            get_parser=float,
            vals=vals.Numbers(_LEAST_CYCLES, _MOST_CYCLES),
            unit="PLC",
            label="Integration time",
            docstring="In power line cycles.",
        )
        self.settle_seconds: Parameter[float, Keithley2600Channel] = self.add_parameter(
            "settle_seconds",
            get_cmd=f"print({smu}.source.delay)",
            set_cmd=f"{smu}.source.delay = {{:.6e}}",
            get_parser=float,
            vals=vals.Numbers(0, 9999),
            unit="s",
            label="Source delay",
            docstring="From the level to the start of the measurement.",
        )
        self.four_wire: Parameter[bool, Keithley2600Channel] = self.add_parameter(
            "four_wire",
            get_cmd=f"print({smu}.sense)",
            set_cmd=f"{smu}.sense = {{}}",
            get_parser=lambda reply: str(int(float(reply))),
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Remote sense",
            docstring="Whether volts are regulated at the sense terminals; set it with the output off. "
            "The guard terminals are always driven.",
        )

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is no 2600B of this kind."""
        return self.parent.identity()

    def prepare(self, *, volts_range: float, amps_limit: float, amps_range: float, power_cycles: float) -> None:
        """Reset this channel, program range, compliance, integration; leaves the output off at 0 V."""
        self.forget()
        smu = self._smu
        cmd = (
            f"errorqueue.clear() {TSP_WATCH} "
            f"{smu}.reset() {smu}.source.func = {smu}.OUTPUT_DCVOLTS {smu}.source.levelv = 0 "
            f"{smu}.source.rangev = {volts_range:.6e} {smu}.source.limiti = {amps_limit:.6e} "
            f"{smu}.measure.rangei = {amps_range:.6e} {smu}.measure.nplc = {power_cycles:.6g} "
            # auto zero would take turns with readings; once it is taken for this range and integration time
            f"{smu}.source.delay = 0 {smu}.measure.delay = 0 {smu}.measure.autozero = {smu}.AUTOZERO_ONCE "
            f"print(localnode.linefreq, mtjlab ~= nil and mtjlab.version)"
        )
        reply = self.ask(cmd)
        hertz, _, version = reply.partition("\t")
        found = number(hertz)
        if found not in (50.0, 60.0):
            raise self.parent.not_understood(cmd, reply)
        self._line_hertz = found
        self.most_amps = amps_limit
        self._power_cycles = power_cycles
        if version.strip() != VERSION:
            self.write(UPLOAD)
        self.check_errors()
        self.parent.is_watched = True
        self.check_status()
        self.is_prepared = True

    def forget(self) -> None:
        """Nobody knows any more how it is set up."""
        self.is_prepared = False
        self._level = None

    def set_amps_range(self, amps: float) -> None:
        """Smallest fixed range that covers `amps`; raises InstrumentError if there is none."""
        smu = self._smu
        found = self.parent.ask_number(
            f"{smu}.measure.rangei = {amps:.6e} {smu}.measure.autozero = {smu}.AUTOZERO_ONCE "
            f"print({smu}.measure.rangei)"
        )
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
        if not self.is_prepared:
            raise InstrumentError("output refused: no compliance was programmed", where=self.parent.where)
        smu = self._smu
        # again the compliance: had the power failed meanwhile, it would be another
        self._level = None
        self.write(f"{smu}.source.levelv = 0 {smu}.source.limiti = {self.most_amps:.6e} {smu}.source.output = 1")
        self._level = 0.0

    def output_off(self) -> None:
        """Level to 0 V, output off, and its own word that it is off: relays may move after this.

        Raises InstrumentError if it does not answer or says that the output is still on.
        """
        smu = self._smu
        said = self.ask(f"{smu}.source.levelv = 0 {smu}.source.output = 0 print({smu}.source.output)")
        if not _is_zero(said):
            raise InstrumentError(
                f"was told to switch its output {self.short_name} off and reports '{said}'",
                where=self.parent.where,
                remedy="Switch it off at its front panel before touching the bench",
            )

    def is_output_on(self) -> bool:
        """Read back from the instrument."""
        return self.parent.ask_flag(f"print({self._smu}.source.output)")

    def is_limiting(self) -> bool:
        """Whether the output is at its limit now, as the instrument reports it."""
        return self.parent.ask_flag(f"print({self._smu}.source.compliance)")

    def read(self) -> Reading:
        """One measurement at the present level."""
        smu = self._smu
        cmd = (
            f"local i, v = {smu}.measure.iv() "
            f'print(string.format("%.7e,%.7e,%s", v, i, tostring({smu}.source.compliance)))'
        )
        reply = self.ask(cmd)
        told = reply.split(",")
        numbers = [value for part in told[:2] if (value := number(part)) is not None]
        limiting = flag(told[-1])
        if len(told) != 3 or len(numbers) != 2 or limiting is None:
            raise self.parent.not_understood(cmd, reply)
        found = readings([[*numbers, 64.0 if limiting else 0.0]])[0]
        if not is_plausible(found, self._level, self.most_amps):
            raise self.parent.not_understood(cmd, reply)
        return found

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
        wait = seconds - self._integration_seconds - _READING_SECONDS
        call = f"mtjlab.pulsed({self._smu}, {volts:.6e}, {seconds:.6e}, {wait:.6e})"
        return self._measured(call, [volts], seconds)[0]

    def read_levels(self, volts: Sequence[float]) -> list[Reading]:
        """A list sweep of the trigger model; raises InstrumentError if there are more levels than `most_levels`."""
        if len(volts) > self.most_levels:
            raise InstrumentError(
                f"{len(volts)} levels are more than the {self.most_levels} that one list holds",
                where=self.parent.where,
                remedy="Read them in parts",
            )
        if not volts:
            return []
        lines = [",".join(f"{level:.6e}" for level in volts[k : k + 20]) for k in range(0, len(volts), 20)]
        each = self._integration_seconds + (self.settle_seconds.cache.get(get_if_invalid=False) or 0.0) + 1e-3
        return self._measured(f"mtjlab.levels({self._smu}, {{\n" + ",\n".join(lines) + "})", volts, each * len(volts))

    def _measured(self, call: str, levels: Sequence[float], seconds: float) -> list[Reading]:
        found = readings(self.parent.called(call, seconds).values)
        is_good = len(found) == len(levels) and all(
            is_plausible(reading, level, self.most_amps) for reading, level in zip(found, levels, strict=True)
        )
        if not is_good:
            raise self.parent.not_understood(call[:40], f"{len(found)} readings")
        return found

    @property
    def most_levels(self) -> int:
        """What one message may reasonably hold."""
        return _MOST_LEVELS

    def sense_remotely(self, is_remote: bool) -> None:
        """Four-wire or two-wire; raises InstrumentError if the output is on."""
        if self.is_output_on():
            raise InstrumentError("the way of sensing cannot be changed with the output on", where=self.parent.where)
        self.four_wire(is_remote)

    @property
    def shortest_pulse_seconds(self) -> float:
        """One integration and what surrounds it: the top of the pulse is measured."""
        return self._integration_seconds + _READING_SECONDS + _OUTPUT_SECONDS

    @property
    def _integration_seconds(self) -> float:
        return self._power_cycles / self._line_hertz

    @property
    def reading_seconds(self) -> float:
        """What one level and its reading take, roughly."""
        settle = self.settle_seconds.cache.get(get_if_invalid=False) or 0.0
        return self._integration_seconds + settle + 1e-3

    def check_errors(self) -> None:
        """Drain the instrument's error queue; raises InstrumentError quoting every entry."""
        self.parent.check_errors()

    def check_status(self) -> None:
        """See SourceMeasureUnit."""
        self.parent.check_status()

    def recover(self) -> None:
        """Device clear: abort what the instrument is doing, scripts included."""
        self.parent.recover()


def _is_zero(reply: str) -> bool:
    try:
        return float(reply) == 0
    except ValueError:
        return False

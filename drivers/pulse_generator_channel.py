"""One output of a pulse or waveform generator, playing PulseSource.

A channel rests at 0 V as a burst that waits for its trigger. The level it rests at never moves while the output is on:
a pulse changes the other level only, and another polarity is set up behind an open output. Levels are set and checked
in one transaction, pulses made in a second one that also says whether the output is still on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qcodes import validators as vals
from qcodes.instrument import InstrumentChannel
from qcodes.parameters import create_on_off_val_mapping

from mtjlab.errors import InstrumentError
from mtjlab.roles import Identity, PulseSource

from .pulse_bounds import SOURCE_OHMS, PulseBounds

if TYPE_CHECKING:
    from qcodes.parameters import Parameter

    from .pulse_generator import PulseGenerator

_POWER_ON, _FAULTS = 128, 60
"""Bits of the standard event status register: switched on; query, device, execution and command errors."""


class PulseGeneratorChannel(InstrumentChannel["PulseGenerator"], PulseSource):
    """One output; see PulseSource.

    Attributes:
        is_prepared: whether `prepare` has programmed limits, and nothing has undone it since.
        width, period, high, low, load, volts_limit: settings as the instrument reports them.
    """

    width: Parameter[float, PulseGeneratorChannel]
    period: Parameter[float, PulseGeneratorChannel]
    high: Parameter[float, PulseGeneratorChannel]
    low: Parameter[float, PulseGeneratorChannel]
    load: Parameter[float, PulseGeneratorChannel]
    volts_limit: Parameter[float, PulseGeneratorChannel]

    def __init__(self, parent: PulseGenerator, number: int) -> None:
        super().__init__(parent, str(number))
        self.number = number
        self._dialect = parent.dialect
        self._bounds = PulseBounds(parent.shortest_seconds, parent.shortest_edge_seconds)
        self._wanted_edge: float | None = None
        self.is_prepared = self._is_on = self._is_opened = False
        self._present: dict[str, str] = {}
        self._add_parameters()

    def _header(self, header: str) -> str:
        return header.format(n=self.number)

    def _add_parameters(self) -> None:
        self.edge: Parameter[float, PulseGeneratorChannel] = self.add_parameter(
            "edge",
            get_cmd=self._header(self._dialect.edge_told) + "?",
            set_cmd=self._set_edge,
            get_parser=float,
            vals=vals.Numbers(self._bounds.edge, 1e-6),
            unit="s",
            label="Edge",
            docstring="Rise and fall time, 10 to 90 %; kept by `prepare`, which without it takes the shortest.",
        )
        volts = self._dialect.volts
        self.width = self._told("width", self._dialect.width, "s", "Width", "At half of the amplitude.")
        self.period = self._told("period", self._dialect.period, "s", "Period", "From pulse to pulse.")
        self.high = self._told("high", f"{volts}:HIGH", "V", "High level", "Across the load it was told.")
        self.low = self._told("low", f"{volts}:LOW", "V", "Low level", "Across the load it was told.")
        self.load = self._told("load", ":OUTP{n}:LOAD", "ohm", "Load", "What levels are for; 9.9e37 is an open end.")
        self.volts_limit = self._told("volts_limit", f"{volts}:LIM:HIGH", "V", "Limit", "The instrument's own limit.")
        self.output: Parameter[bool, PulseGeneratorChannel] = self.add_parameter(
            "output",
            get_cmd=self._header(":OUTP{n}?"),
            set_cmd=False,
            val_mapping=create_on_off_val_mapping(on_val="1", off_val="0"),
            label="Output",
            docstring="Output relay, as the instrument reports it.",
        )

    def _told(
        self, name: str, header: str, unit: str, label: str, docstring: str
    ) -> Parameter[float, PulseGeneratorChannel]:
        """A parameter that is only read: `prepare` and `pulse` set it."""
        return self.add_parameter(
            name,
            get_cmd=self._header(header) + "?",
            set_cmd=False,
            get_parser=float,
            unit=unit,
            label=label,
            docstring=f"{docstring} As the instrument reports it.",
        )

    def identity(self) -> Identity:
        """See PulseSource."""
        return self.parent.identity()

    def prepare(self, *, volts_limit: float, load_ohms: float) -> None:
        """Output off; pulse burst on trigger, shortest or chosen edges, limits inside the instrument.

        The instrument is reset unless its other channel is in use. Raises InstrumentError if it cannot reach
        `volts_limit` across this load, or not come down to it.
        """
        self.forget()
        if not (load_ohms > 0 and volts_limit > 0):
            raise InstrumentError(f"a load of {load_ohms} ohm and a limit of {volts_limit} V", where=self._where())
        is_open = load_ohms > self._dialect.most_load_ohms
        scale = 1 + SOURCE_OHMS / load_ohms if is_open and math.isfinite(load_ohms) else 1.0
        self.parent.write(self._set_up("INF" if is_open else f"{load_ohms:.5e}"))
        self._bounds = bounds = self._learn(volts_limit, scale)
        if not bounds.reaches_limit:
            raise InstrumentError(
                f"cannot be limited to {volts_limit:g} V into {load_ohms:g} ohm: it makes "
                f"{bounds.least_volts:.3g} to {bounds.most_volts:.3g} V",
                where=self._where(),
                remedy="Choose another limit or another instrument",
            )
        volts, least, most = self._header(self._dialect.volts), f"{bounds.least_told:.6e}", volts_limit * scale
        self._check_status(
            f"{volts}:HIGH {least};{volts}:LOW 0;{volts}:LIM:HIGH {most:.6e};{volts}:LIM:LOW {-most:.6e};"
            f"{volts}:LIM:STAT ON;"
        )
        self._present["level"] = least
        self.is_prepared = True

    def _set_up(self, load: str) -> str:
        """From whatever it was to the smallest pulse burst that waits, output off."""
        volts, edge = self._header(self._dialect.volts), self._header(self._dialect.edge)
        width, period = self._header(self._dialect.width), self._header(self._dialect.period)
        reset = "" if self._is_other_in_use() else "*RST;"
        commands = [
            f"{reset}*CLS",
            self._header(":OUTP{n} OFF"),
            f"{volts}:LIM:STAT OFF",
            self._header(self._dialect.set_up),
            self._header(":OUTP{n}:POL NORM"),
            f"{self._header(':OUTP{n}:LOAD')} {load}",
            f"{volts} MIN",
            f"{volts}:OFFS 0",
            f"{edge} MIN;{width} MIN;{period} 1e-3;{width} 1e-4",
        ]
        if self._wanted_edge is not None:
            commands.append(f"{edge} {self._wanted_edge:.4e}")
        return ";".join(commands)

    def _is_other_in_use(self) -> bool:
        """Whether another output is prepared, and still is what it was prepared to."""
        others = [channel for channel in self.parent.outputs if channel is not self]
        if any(channel.is_prepared for channel in others) and int(self.parent.ask_numbers("*ESR?")[0]) & _POWER_ON:
            self.parent.forget()
        return any(channel.is_prepared for channel in others)

    def forget(self) -> None:
        """Its settings are not what they were: it must be prepared anew."""
        self.is_prepared = self._is_on = self._is_opened = False
        self._present.clear()

    def _learn(self, volts_limit: float, scale: float) -> PulseBounds:
        """Ask the instrument for its own bounds."""
        volts = self._header(self._dialect.volts)
        width, period = self._header(self._dialect.width), self._header(self._dialect.period)
        edge = self._header(self._dialect.edge_told)
        told = self.parent.ask_numbers(f"{width}? MIN;{period}? MIN;{edge}?;{volts}? MIN;{volts}:HIGH? MAX")
        narrowest, shortest_period, edge_seconds, least, most = told
        return PulseBounds(narrowest, edge_seconds, shortest_period, least, most, volts_limit, scale)

    def output_on(self) -> None:
        """Connect the output at 0 V; raises InstrumentError if `prepare` did not come first."""
        if not self.is_prepared:
            raise InstrumentError("output refused: it was not prepared, no limit was programmed", where=self._where())
        self._check_status()
        if self.parent.ask(self._header(":OUTP{n} ON;:OUTP{n}?")).strip() != "1":
            self.parent.check_errors()
            raise InstrumentError(
                "was told to switch its output on and does not", where=self._where(), remedy="Look at its front panel"
            )
        self._is_on = True

    def output_off(self) -> None:
        """Off at once: at rest it is at 0 V, and in any other state an open output is the safest one."""
        self._is_on = self._is_opened = False
        said = self.parent.ask(self._header(":OUTP{n} OFF;:OUTP{n}?"))
        if said.strip() != "0":
            raise InstrumentError(
                f"was told to switch its output off and reports '{said}'",
                where=self._where(),
                remedy="Switch it off at its front panel before touching the bench",
            )

    def is_output_on(self) -> bool:
        """Read back from the instrument."""
        return self.parent.ask_number(self._header(":OUTP{n}?")) != 0

    def pulse(self, volts: float, seconds: float, *, count: int = 1, period_seconds: float | None = None) -> None:
        """See PulseSource; the first pulse of another polarity opens and closes the output relay."""
        period = self._bounds.least_period(seconds) if period_seconds is None else period_seconds
        complaint = self._bounds.complaint(volts, seconds, count, period)
        if not self._is_on:
            complaint = "a pulse needs the output on"
        if complaint:
            raise InstrumentError(complaint, where=self._where(), remedy="Change the pulse, or prepare anew")
        self._bring_to(volts * self._bounds.scale, seconds, count, period)
        self._fire()

    def _bring_to(self, volts: float, seconds: float, count: int, period: float) -> None:
        """Send what differs from what is set, and make sure that it was taken."""
        commands = [*self._level_commands(volts), *self._time_commands(seconds, period)]
        if self._present.get("count") != str(count):
            commands.append(f"{self._header(self._dialect.cycles)} {count}")
        if not commands:
            return
        self._present.clear()
        self._check_status(";".join(commands) + ";")
        self._present.update(count=str(count), level=f"{volts:.6e}", times=f"{seconds:.9e} {period:.9e}")

    def _level_commands(self, volts: float) -> list[str]:
        header, level = self._header(self._dialect.volts), f"{volts:.6e}"
        known = self._present.get("level")
        if known == level:
            return []
        side, rest = ("HIGH", "LOW") if volts > 0 else ("LOW", "HIGH")
        if known is not None and (float(known) > 0) == (volts > 0):
            return [f"{header}:{side} {level}"]
        self._is_opened = True
        polarity = "NORM" if volts > 0 else "INV"
        return [
            self._header(":OUTP{n} OFF"),
            self._header(f":OUTP{{n}}:POL {polarity}"),
            f"{header}:{rest} {'-' if volts > 0 else ''}{self._bounds.least_told:.6e}",
            f"{header}:{side} {level}",
            f"{header}:{rest} 0",
        ]

    def _time_commands(self, seconds: float, period: float) -> list[str]:
        """The width is at its shortest while the period changes, so that it always fits."""
        if self._present.get("times") == f"{seconds:.9e} {period:.9e}":
            return []
        width = self._header(self._dialect.width)
        return [
            f"{width} {self._bounds.shortest:.9e}",
            f"{self._header(self._dialect.period)} {period:.9e}",
            f"{width} {seconds:.9e}",
        ]

    def _fire(self) -> None:
        closing = self._header(":OUTP{n} ON;*WAI;") if self._is_opened else ""
        self._is_opened = False
        said = self.parent.ask(f"{closing}{self._header(self._dialect.trigger)};*OPC?;{self._header(':OUTP{n}?')}")
        if said.replace(" ", "").strip() != "1;1":
            self._present.clear()
            self._is_on = False
            raise InstrumentError(
                f"made no pulse: its output has gone off (it answered '{said}'{_quoted(self.parent.errors())})",
                where=self._where(),
                remedy="Look for a short or a voltage from outside; prepare it anew",
            )

    def _check_status(self, commands: str = "") -> None:
        """Send these and ask for faults; raises InstrumentError with what the instrument says, nothing having fired."""
        status = int(self.parent.ask_numbers(f"{commands}*ESR?")[0])
        if status & _POWER_ON:
            self.parent.forget()
            raise InstrumentError(
                "has been switched off and on and has lost its settings", where=self._where(), remedy="Prepare it anew"
            )
        if status & _FAULTS:
            self.parent.check_errors()
            raise InstrumentError(f"reports event status {status}", where=self._where())

    def _set_edge(self, seconds: float) -> None:
        if self._is_on:
            raise InstrumentError("the edge cannot be changed with the output on", where=self._where())
        self._wanted_edge = seconds
        self.is_prepared = False

    @property
    def shortest_pulse_seconds(self) -> float:
        """What the instrument told when it was prepared; the family's best before that."""
        return self._bounds.shortest

    @property
    def edge_seconds(self) -> float:
        """What the instrument told when it was prepared; the family's best before that."""
        return self._bounds.edge

    def check_errors(self) -> None:
        """See PulseSource; the queue is the whole instrument's."""
        self.parent.check_errors()

    def recover(self) -> None:
        """Device clear; what is set is not known any more."""
        self._present.clear()
        self.parent.recover()

    def _where(self) -> str:
        return f"{self.full_name} ({self.parent.address})"


def _quoted(errors: list[str]) -> str:
    return f"; it reports {'; '.join(errors)}" if errors else ""

"""The output of a GS200, its programs, and the conditions that it reports: what the model's class builds on."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod

from .accuracy import UnitErrors
from .circuit import Source
from .coil import Coil
from .scpi_errors import ScpiError
from .scpi_instrument import ScpiInstrument
from .timing import YOKOGAWA_GS200 as TIMING
from .yokogawa_gs200_monitor import Monitor
from .yokogawa_gs200_program import ProgramRun
from .yokogawa_gs200_settings import Settings, SourceState, Step

END_OF_MEASURE, OVER_RANGE, END_OF_TRACE, END_OF_FILE, NO_SAMPLING_ERROR, SOURCE_CHANGE = 1, 2, 4, 8, 16, 32
END_OF_STEP, END_OF_PROGRAM, READY_FOR_PROGRAM, LOW_LIMITING, HIGH_LIMITING, TRIPPED = 64, 128, 256, 1024, 2048, 4096
"""Bits of the extended event register (user's manual, section 13.3.4)."""
_CALM = END_OF_MEASURE | END_OF_FILE | NO_SAMPLING_ERROR
_MOST_STEPS = 10_000
_STEP_SECONDS = 1e-3
"""From the end of a measurement to the step that it triggers (assumed)."""


class Gs200Output(ScpiInstrument):
    """Source and program of a GS200.

    Attributes:
        settings: all that *RST resets.
        is_editing: whether levels go to the program's steps instead of the output.
        edited: where the steps being edited are programmed from.
        run: the program under way.
        monitor: what measures the quantity that is not sourced.
    """

    settings: Settings
    is_editing: bool
    edited: SourceState
    run: ProgramRun
    monitor: Monitor
    _source: Source | Coil
    _volts: UnitErrors
    _amps: UnitErrors
    _is_tripped = False
    _polls_of_program = 0

    @property
    @abstractmethod
    def is_beyond_range(self) -> bool:
        """Whether the last reading was beyond the monitor's range."""

    def apply_output(self) -> None:
        """Bring the world to what is set."""
        self._let_time_pass()
        self._drive()

    def _drive(self) -> None:
        settings, source = self.settings, self.settings.source
        self._source.sense_remotely(settings.is_on and settings.monitor.is_remote)
        if not settings.is_on:
            self._source.disconnect()
        elif source.function == "VOLT":
            self._source.drive_volts(self._volts.applied(source.level, source.range), settings.amps_limit)
        else:
            self._source.drive_amps(self._amps.applied(source.level, source.range), settings.volts_limit)
        self._note_condition()

    def switch_output(self, is_on: bool) -> None:
        """OUTPut; switching off ends a program."""
        self._let_time_pass()
        if not is_on:
            self.run.stop()
        self._take_time(TIMING.output_seconds)
        self.settings.is_on = is_on
        self._is_tripped = False
        self.apply_output()
        if is_on:
            self.monitor.source_ready(self.world.seconds)

    def source_changed(self) -> None:
        """Function, range or level of the output changed; a program that runs is broken off."""
        self._let_time_pass()
        self.run.stop()
        self._drive()
        self.note(SOURCE_CHANGE)
        if self.settings.is_on:
            self.monitor.source_ready(self.world.seconds)

    @property
    def programmed(self) -> SourceState:
        """What SOURce commands act on: the output, or the step being edited."""
        return self.edited if self.is_editing else self.settings.source

    def start_editing(self) -> None:
        """PROGram:EDIT:STARt: forget the steps; those that follow are written into the program."""
        self._let_time_pass()
        self.run.stop()
        self.is_editing = True
        self.edited = copy.copy(self.settings.source)
        self.settings.program.steps = []

    def end_editing(self) -> None:
        """PROGram:EDIT:END."""
        self.is_editing = False
        self.settings.program.position = 1
        self._note_condition()

    def add_step(self) -> None:
        """A level was given while editing."""
        if len(self.settings.program.steps) >= _MOST_STEPS:
            raise ScpiError(-223)
        self.settings.program.steps.append(Step(self.edited.function, self.edited.range, self.edited.level))

    def write_program(self, text: str) -> None:
        """PROGram:MEMory: all steps at once, one a line."""
        lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
        if len(lines) > _MOST_STEPS:
            raise ScpiError(-223)
        steps = [Step.read(line) for line in lines]
        self._let_time_pass()
        self.run.stop()
        self.settings.program.steps, self.settings.program.position = steps, 1

    def start_program(self, *, only_one_step: bool = False) -> None:
        """PROGram:RUN, or STEP; raises ScpiError -221 without steps, with the output off or while editing."""
        program = self.settings.program
        is_measuring = self.settings.monitor.is_on
        if not program.steps or not self.settings.is_on or self.is_editing:
            raise ScpiError(-221)
        if program.trigger == "MEND" and not is_measuring:
            raise ScpiError(-221)
        self._let_time_pass()
        first = min(program.position, len(program.steps)) - 1
        steps = program.steps[: first + 1] if only_one_step else program.steps
        program.position = 1 + (first + 1) % len(program.steps) if only_one_step else 1
        is_by_measurement = program.trigger == "MEND"
        measured = program.slope + self.monitor.measuring_seconds + _STEP_SECONDS
        seconds = measured if is_by_measurement else program.interval
        self._polls_of_program = 0
        self.run.run(
            steps,
            first,
            slope=program.slope,
            interval=seconds,
            is_repeating=program.is_repeating and not only_one_step,
            now=self.world.seconds,
        )
        self._note_condition()

    def pause(self) -> None:
        """PROGram:PAUSe."""
        self._let_time_pass()
        self.run.hold(self.world.seconds)

    def resume(self) -> None:
        """PROGram:CONTinue."""
        self._let_time_pass()
        self.run.resume(self.world.seconds)

    def _begin_step(self, step: Step) -> float:
        source = self.settings.source
        origin = source.level if source.function == step.function else 0.0
        source.function, source.range, source.level = step.function, step.range, origin
        return min(max(origin, -source.most), source.most)

    def _go_to(self, level: float) -> None:
        self.settings.source.level = level
        self._drive()

    def _level_reached(self) -> None:
        self.note(SOURCE_CHANGE)
        self.monitor.source_ready(self.world.seconds)

    def _finished(self, is_program: bool) -> None:
        self.note(END_OF_PROGRAM if is_program else END_OF_STEP)

    def note(self, event: int) -> None:
        """Latch an event of the extended event register."""
        self.status.groups["extended"].event |= event
        self._note_condition()

    def _condition(self) -> int:
        condition = _CALM | READY_FOR_PROGRAM
        if not self.monitor.is_storing:
            condition |= END_OF_TRACE
        if math.isfinite(self.monitor.due):
            condition &= ~END_OF_MEASURE
        if self.is_beyond_range:
            condition |= OVER_RANGE
        if self._is_tripped:
            condition |= TRIPPED
        if self.settings.is_on:
            point = self._source.point()
            if point.is_limiting:
                is_high = point.volts > 0 if self.settings.source.function == "CURR" else point.amps > 0
                condition |= HIGH_LIMITING if is_high else LOW_LIMITING
        return condition

    def _note_condition(self) -> None:
        self.status.groups["extended"].set_condition(self._condition())

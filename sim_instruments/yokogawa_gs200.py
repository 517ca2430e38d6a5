"""A simulated Yokogawa GS200 (GS210) DC source with monitor option.

A program that polls asks for the status between sleeps that nobody can see: while a program runs, every such question
lets `POLL_SECONDS` pass, so that the end is reached as on the bench.
"""

from __future__ import annotations

import copy
import math
from typing import ClassVar

from .accuracy import UnitErrors
from .accuracy_yokogawa import GS200_AMPS, GS200_MONITOR_AMPS, GS200_MONITOR_VOLTS, GS200_VOLTS, MONITOR_NOISE
from .bench_file import InstrumentSpec
from .coil import Coil, CoilSpec
from .faults import FaultPlan
from .scpi import CommandTree
from .scpi_errors import ScpiError
from .scpi_instrument import ScpiInstrument
from .status_488 import Status488
from .timing import YOKOGAWA_GS200 as TIMING
from .wire_instrument import HostClock
from .world import World
from .yokogawa_gs200_commands import COMMANDS
from .yokogawa_gs200_program import ProgramRun
from .yokogawa_gs200_settings import Settings, SourceState, Step

POLL_SECONDS = 0.1
"""The instrument's program clock runs at 10 Hz."""
_REGISTERS = {2: "extended"}
_ERROR_AVAILABLE = 4
END_OF_MEASURE, OVER_RANGE, SOURCE_CHANGE, END_OF_STEP, END_OF_PROGRAM = 1, 2, 32, 64, 128
READY_FOR_PROGRAM, LOW_LIMITING, HIGH_LIMITING = 256, 1024, 2048
NO_READING = "+9.999990E+37"


class SimYokogawaGS200(ScpiInstrument):
    """One GS200; a source at the node `<name>.hi`, or on a coil that makes the world's field.

    Attributes:
        settings: all that *RST resets.
        is_editing: whether levels go to the program's steps instead of the output.
        edited: where the steps being edited are programmed from.
        run: the program under way.
        measured: the last reading of the monitor, None if there is none.
        files: saved programs by upper-case name.
        loaded: name of the program file that was last saved or loaded.
    """

    tree: ClassVar[CommandTree] = CommandTree(COMMANDS)
    command_seconds: ClassVar[float] = TIMING.command_seconds

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        serial: str = "0000000",
        coil: CoilSpec | None = None,
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        status = Status488(_REGISTERS, error_bit=_ERROR_AVAILABLE, queue_capacity=31)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.serial = serial
        self.settings = Settings()
        self.is_editing = False
        self.edited = SourceState()
        self.measured: float | None = None
        self.files: dict[str, list[Step]] = {}
        self.loaded = ""
        self._saved: dict[int, Settings] = {}
        self._rng = world.rng(name)
        self._volts = UnitErrors(GS200_VOLTS, self._rng)
        self._amps = UnitErrors(GS200_AMPS, self._rng)
        self._monitor_volts = UnitErrors((GS200_MONITOR_VOLTS,), self._rng)
        self._monitor_amps = UnitErrors((GS200_MONITOR_AMPS,), self._rng)
        self._source = Coil(coil, world) if coil else world.add_source(name, f"{name}.hi")
        self.run = ProgramRun(world.processes, self._begin_step, self._go_to, self._finished)
        self._note_condition()

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimYokogawaGS200:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, serial=spec.serial, coil=spec.coil, has_end=spec.has_end, faults=faults)

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"YOKOGAWA,GS210,{self.serial},1.05"

    def reset(self) -> None:
        """*RST."""
        self.run.stop()
        self.settings = Settings()
        self.is_editing = False
        self.measured = None
        self.apply_output()

    def save(self, location: int) -> None:
        """*SAV 1 to 4."""
        if not 1 <= location <= 4:
            raise ScpiError(-222)
        self._saved[location] = copy.deepcopy(self.settings)

    def recall(self, location: int) -> None:
        """*RCL 1 to 4; the output comes back off."""
        if location not in self._saved:
            raise ScpiError(-222)
        self.run.stop()
        self.settings = copy.deepcopy(self._saved[location])
        self.settings.is_on = False
        self.apply_output()

    def apply_output(self) -> None:
        """Bring the world to what is set."""
        self._let_time_pass()
        self._drive()

    def _drive(self) -> None:
        settings, source = self.settings, self.settings.source
        if not settings.is_on:
            self._source.disconnect()
        elif source.function == "VOLT":
            self._source.drive_volts(self._volts.applied(source.level, source.range), settings.amps_limit)
        else:
            self._source.drive_amps(self._amps.applied(source.level, source.range), settings.volts_limit)
        self._note_condition()

    def switch_output(self, is_on: bool) -> None:
        """OUTPut; switching off ends a program."""
        if not is_on:
            self.run.stop()
        self._take_time(TIMING.output_seconds)
        self.settings.is_on = is_on
        self.apply_output()

    def source_changed(self) -> None:
        """Function, range or level of the output changed; a program that runs is broken off."""
        self.run.stop()
        self.apply_output()
        self.note(SOURCE_CHANGE)

    @property
    def programmed(self) -> SourceState:
        """What SOURce commands act on: the output, or the step being edited."""
        return self.edited if self.is_editing else self.settings.source

    def start_editing(self) -> None:
        """PROGram:EDIT:STARt: forget the steps; those that follow are written into the program."""
        self.run.stop()
        self.is_editing = True
        self.edited = copy.copy(self.settings.source)
        self.settings.program.steps = []

    def end_editing(self) -> None:
        """PROGram:EDIT:END."""
        self.is_editing = False
        self._note_condition()

    def add_step(self) -> None:
        """A level was given while editing."""
        if len(self.settings.program.steps) >= 10_000:
            raise ScpiError(-223)
        self.settings.program.steps.append(Step(self.edited.function, self.edited.range, self.edited.level))

    def start_program(self, *, only_one_step: bool = False) -> None:
        """PROGram:RUN, or STEP; raises ScpiError -221 without steps, with the output off or while editing."""
        program = self.settings.program
        if not program.steps or not self.settings.is_on or self.is_editing:
            raise ScpiError(-221)
        self._let_time_pass()
        first = min(program.position, len(program.steps)) - 1
        steps = program.steps[: first + 1] if only_one_step else program.steps
        program.position = 1 + (first + 1) % len(program.steps) if only_one_step else 1
        self.run.run(
            steps,
            first,
            slope=program.slope,
            interval=program.interval,
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

    def _finished(self, is_program: bool) -> None:
        self.note(END_OF_PROGRAM if is_program else END_OF_STEP)

    def note(self, event: int) -> None:
        """Latch an event of the extended event register."""
        self.status.groups["extended"].event |= event
        self._note_condition()

    def _note_condition(self) -> None:
        condition = READY_FOR_PROGRAM if self.settings.program.steps and not self.run.is_running else 0
        if self.settings.is_on:
            point = self._source.point()
            if point.is_limiting:
                condition |= HIGH_LIMITING if point.volts * point.amps >= 0 and point.amps >= 0 else LOW_LIMITING
        self.status.groups["extended"].set_condition(condition)

    def poll_condition(self) -> None:
        """The host looks at the status: while a program runs it is taken to have slept a little (see the module)."""
        self._let_time_pass()
        if self.run.is_running:
            self.world.wait(POLL_SECONDS)
        self._note_condition()

    def measure(self) -> str:
        """One reading of the monitor: volts when amperes are sourced, amperes when volts are."""
        settings = self.settings
        monitor, source = settings.monitor, settings.source
        if not monitor.is_on or not settings.is_on or (source.function == "VOLT" and source.full_scale < 1.0):
            return NO_READING
        cycles = monitor.cycles / self.world.line_hertz
        self._take_time(monitor.delay_milliseconds * 1e-3 + cycles)
        self._let_time_pass()
        point = self._source.point()
        is_volts = source.function == "CURR"
        errors = self._monitor_volts if is_volts else self._monitor_amps
        noise = MONITOR_NOISE * errors.ranges[0].full_scale / math.sqrt(monitor.cycles)
        true = point.volts if is_volts else point.amps
        seen = errors.applied(true, 0) + noise * float(self._rng.standard_normal())
        self.measured = errors.rounded(seen, 0)
        self.note(END_OF_MEASURE)
        return self.tell_measured()

    def tell_measured(self) -> str:
        """FETCh?: the last reading, less the null value."""
        if self.measured is None:
            return NO_READING
        monitor = self.settings.monitor
        return f"{self.measured - (monitor.null if monitor.is_null_on else 0.0):+.6E}"

    def trigger(self) -> None:
        """*TRG: a step of the program if one is paused or waiting, otherwise a measurement."""
        if self.run.is_held:
            self.resume()
        elif self.settings.monitor.is_on:
            self.measure()

    def _cleared(self) -> None:
        self.is_editing = False

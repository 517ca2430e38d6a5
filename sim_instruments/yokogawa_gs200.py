"""A simulated Yokogawa GS200 (GS210) DC source with monitor option.

A program that polls asks for the status between sleeps that nobody can see: while a program runs, every such question
lets time pass, longer and longer, so that the end is reached as on the bench.
"""

from __future__ import annotations

import copy
import datetime
import math
from typing import ClassVar

from .accuracy import UnitErrors
from .accuracy_yokogawa import GS200_AMPS, GS200_MONITOR_AMPS, GS200_MONITOR_VOLTS, GS200_VOLTS, MONITOR_NOISE
from .bench_file import InstrumentSpec
from .coil import Coil, CoilSpec
from .faults import FaultPlan
from .scpi import CommandTree
from .scpi_errors import ScpiError
from .status_488 import Status488
from .timing import YOKOGAWA_GS200 as TIMING
from .wire_instrument import HostClock
from .world import World
from .yokogawa_gs200_commands import COMMANDS
from .yokogawa_gs200_monitor import NO_READING, Monitor
from .yokogawa_gs200_output import END_OF_MEASURE, TRIPPED, Gs200Output
from .yokogawa_gs200_program import ProgramRun
from .yokogawa_gs200_settings import Settings, SourceState, Step

POLL_SECONDS, _PATIENCE, _MOST_PATIENCE = 0.1, 1.3, 15
"""What the first poll of a running program lets pass, how much more each of those that follow, and how many."""
_MOST_WAITS = 100_000
_REGISTERS = {2: "extended"}
_ERROR_AVAILABLE = 4
_POWER_ON = datetime.datetime(2026, 1, 1)
_ZERO_SECONDS = 0.1
"""What zeroing the monitor takes (assumed)."""


class SimYokogawaGS200(Gs200Output):
    """One GS200; a source at the node `<name>.hi`, or on a coil that makes the world's field.

    Attributes:
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
        self.files: dict[str, list[Step]] = {}
        self.loaded = ""
        self._saved: dict[int, Settings] = {}
        self._clock_ahead = datetime.timedelta()
        self._rng = world.rng(name)
        self._volts = UnitErrors(GS200_VOLTS, self._rng)
        self._amps = UnitErrors(GS200_AMPS, self._rng)
        self._monitor_volts = UnitErrors((GS200_MONITOR_VOLTS,), self._rng)
        self._monitor_amps = UnitErrors((GS200_MONITOR_AMPS,), self._rng)
        self._source = Coil(coil, world) if coil else world.add_source(name, f"{name}.hi")
        self.monitor = Monitor(world.processes, self._look, 1 / world.line_hertz, self._note_condition)
        self.monitor.settings = self.settings.monitor
        self.run = ProgramRun(world.processes, self._begin_step, self._go_to, self._level_reached, self._finished)
        self.status.groups["extended"].condition = self._condition()

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
        self._take_settings(Settings())

    def _take_settings(self, settings: Settings) -> None:
        self._let_time_pass()
        self.run.stop()
        self.settings = settings
        self.is_editing = False
        self._is_tripped = False
        self.monitor.settings = settings.monitor
        self.monitor.latest = None
        self.monitor.store(False, self.world.seconds)
        self._drive()

    def save(self, location: int) -> None:
        """*SAV 1 to 4."""
        if not 1 <= location <= 4:
            raise ScpiError(-222)
        self._saved[location] = copy.deepcopy(self.settings)

    def recall(self, location: int) -> None:
        """*RCL 1 to 4; the output comes back off."""
        if location not in self._saved:
            raise ScpiError(-222)
        settings = copy.deepcopy(self._saved[location])
        settings.is_on = False
        self._take_settings(settings)

    def _output_tripped(self, error: ScpiError) -> None:
        """The output dropped by itself: it reads back as off, and the event register says why."""
        self.switch_output(False)
        self._is_tripped = True
        self.note(TRIPPED)
        self.status.report(error)

    @property
    def is_beyond_range(self) -> bool:
        """Whether the last reading was beyond the monitor's range."""
        latest = self.monitor.latest
        return latest is not None and math.isinf(latest)

    def poll_condition(self) -> None:
        """The host looks at the status: while a program runs it is taken to have slept a little (see the module)."""
        self._let_time_pass()
        if self.run.is_running:
            self.world.wait(self._slept_seconds())
        self._note_condition()

    def _slept_seconds(self) -> float:
        """What the host is taken to have slept since its last poll of a running program."""
        patience = _PATIENCE ** min(self._polls_of_program, _MOST_PATIENCE)
        self._polls_of_program += 1
        return min(POLL_SECONDS * patience, self.run.remaining_seconds(self.world.seconds))

    def serial_poll(self) -> int:
        """The status byte with RQS; a poll of a running program lets time pass like any other."""
        if self.run.is_running:
            self._host.wait(self._slept_seconds())
        self._note_condition()
        return super().serial_poll()

    def await_service(self, timeout_seconds: float | None) -> None:
        """The host waits for SRQ, which a program may bring about; raises NoReply if it does not come in time."""
        left = math.inf if timeout_seconds is None else timeout_seconds
        for _ in range(_MOST_WAITS):
            if left <= 0 or self.requests_service or not self.run.is_running:
                break
            self._host.wait(min(POLL_SECONDS, left))
            left -= POLL_SECONDS
        super().await_service(None if timeout_seconds is None else max(left, 0.0))

    @property
    def can_measure(self) -> bool:
        """Whether the monitor works: it does not on voltage ranges below 1 V, nor with the output off."""
        settings, source = self.settings, self.settings.source
        return settings.monitor.is_on and settings.is_on and not (source.function == "VOLT" and source.full_scale < 1.0)

    def _look(self) -> float | None:
        """A reading at this moment: volts when amperes are sourced, amperes when volts are; infinite beyond range."""
        if not self.can_measure:
            return None
        point = self._source.point()
        is_volts = self.settings.source.function == "CURR"
        errors = self._monitor_volts if is_volts else self._monitor_amps
        scale = errors.ranges[0].full_scale
        noise = MONITOR_NOISE * scale / math.sqrt(self.settings.monitor.cycles)
        seen = errors.applied(point.volts if is_volts else point.amps, 0) + noise * float(self._rng.standard_normal())
        self.note(END_OF_MEASURE)
        return math.copysign(math.inf, seen) if abs(seen) > scale * 1.2 else errors.rounded(seen, 0)

    def measure(self) -> str:
        """MEASure?, READ?: trigger a reading, wait for it, tell it."""
        self.begin_measurement()
        return self.tell_measured()

    def begin_measurement(self) -> None:
        """INITiate: one reading, after delay and integration."""
        if not self.can_measure:
            self.monitor.latest = None
            return
        self._take_time(self.monitor.measuring_seconds)
        self._let_time_pass()
        self.monitor.keep(self._look())
        self._note_condition()

    def tell_measured(self) -> str:
        """FETCh?: the last reading, or the one under way once it is there, less the null value."""
        self._let_time_pass()
        if math.isfinite(self.monitor.due):
            self.world.wait(self.monitor.due - self.world.seconds)
        self.monitor.catch_up(self.world.seconds)
        return self.told(self.monitor.latest)

    def told(self, reading: float | None) -> str:
        """A reading in ASCII, less the null value."""
        if reading is None or math.isinf(reading):
            return NO_READING
        monitor = self.settings.monitor
        return f"{reading - (monitor.null if monitor.is_null_on else 0.0):+.6E}"

    def monitor_changed(self) -> None:
        """The monitor was switched or set anew."""
        self._let_time_pass()
        self.monitor.begin(self.world.seconds)
        self.apply_output()

    @property
    def _now(self) -> datetime.datetime:
        return _POWER_ON + datetime.timedelta(seconds=math.fmod(self.world.seconds, 1e10)) + self._clock_ahead

    def date_text(self) -> str:
        """SYSTem:CLOCk:DATE?."""
        return self._now.strftime("%Y/%m/%d")

    def time_text(self) -> str:
        """SYSTem:CLOCk:TIME?."""
        return self._now.strftime("%H:%M:%S")

    def set_clock(self, text: str, form: str) -> None:
        """Set date or time of day; raises ScpiError -222 if the text is neither."""
        now = self._now
        try:
            given = datetime.datetime.strptime(text, form)
        except ValueError:
            raise ScpiError(-222) from None
        fields = {"year": given.year, "month": given.month, "day": given.day}
        if "%H" in form:
            fields = {"hour": given.hour, "minute": given.minute, "second": given.second}
        self._clock_ahead += now.replace(**fields) - now  # type: ignore[arg-type]

    def zero(self) -> None:
        """SENSe:ZERO:EXECute; the zero itself is exact here."""
        self._take_time(_ZERO_SECONDS)

    def store(self, is_on: bool) -> None:
        """TRACe: begin to store readings, or stop."""
        self._let_time_pass()
        self.monitor.store(is_on, self.world.seconds)
        self._note_condition()

    def trigger(self) -> None:
        """*TRG: a step of the program if one is paused or waiting, otherwise a measurement."""
        if self.run.is_held:
            self.resume()
        elif self.settings.monitor.is_on:
            self.begin_measurement()

    def _cleared(self) -> None:
        self.is_editing = False

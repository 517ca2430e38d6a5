"""A simulated Keithley 2400 SourceMeter: SCPI as in the Series 2400 User's Manual (2400S-900-01), sections 10 to 18."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import ClassVar

from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keithley_2400_calc import Calculations
from .keithley_2400_calc_commands import CALC_COMMANDS
from .keithley_2400_data_commands import DATA_COMMANDS
from .keithley_2400_digital import DigitalPort
from .keithley_2400_errors import refused
from .keithley_2400_link import TriggerLink
from .keithley_2400_memory import SourceMemory
from .keithley_2400_readings import SmuReading, formatted
from .keithley_2400_run import Event, TriggerModel
from .keithley_2400_sense import SENSE_COMMANDS
from .keithley_2400_settings import AMPS_RANGES, KeptSettings, LineSettings, Settings
from .keithley_2400_source import SOURCE_COMMANDS
from .keithley_2400_sourcing import SourcingInstrument
from .keithley_2400_status import ChosenErrors, OperationBit
from .keithley_2400_system import SYSTEM_COMMANDS
from .keithley_2400_trigger import TRIGGER_COMMANDS
from .scpi import CommandTree, Reply
from .scpi_errors import ScpiError
from .status_488 import Status488
from .timing import KEITHLEY_2400 as TIMING
from .trigger_wires import Connection
from .wire_instrument import HostClock
from .wired_instrument import WiredInstrument
from .world import World

_FIRMWARE = "C30   Mar 17 2006 09:29:29/A02  /K/J"
_ERROR_AVAILABLE = 4
_QUEUED_ERRORS = 10
_REGISTERS = {1: "measurement", 8: "questionable", 128: "operation"}
_SAVED_SETUPS = 5
_CLOCK_WRAP_SECONDS = 99999.999


class SimKeithley2400(WiredInstrument, SourcingInstrument):
    """One 2400; its HI terminal is the node `<name>.hi`, sense HI is `<name>.sense_hi`, LO is the common ground.

    Front and rear terminals are taken to be wired alike. Its trigger link and start-of-test line are driven by trigger
    wires and by `event_from_outside`, its output enable line by `is_enable_asserted`.

    Attributes:
        line: the power line frequency it was told or found.
        memory: the source memory, which *RST leaves alone.
        calculations: math and limit tests, with the digital output port.
        readings: the sample buffer: what the last READ?, INITiate or MEASure? produced.
        kept: the setup after power-on and what else is kept.
        last_key: code of the front-panel key pressed last.
    """

    tree: ClassVar[CommandTree] = CommandTree(
        (*SOURCE_COMMANDS, *SENSE_COMMANDS, *CALC_COMMANDS, *TRIGGER_COMMANDS, *DATA_COMMANDS, *SYSTEM_COMMANDS)
    )
    command_seconds: ClassVar[float] = TIMING.command_seconds

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        status = Status488(_REGISTERS, error_bit=_ERROR_AVAILABLE, queue_capacity=_QUEUED_ERRORS)
        status.errors = self.errors = ChosenErrors(_QUEUED_ERRORS)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.serial = serial
        self.line = LineSettings()
        self.memory = SourceMemory()
        self.calculations: Calculations = Calculations(DigitalPort(world))
        self.model = TriggerModel(self)
        self.link = TriggerLink(self)
        self.readings: list[SmuReading] = []
        self.kept = KeptSettings()
        self.last_key = 0
        self._saved: dict[int, Settings] = {}
        self._time_zero = world.seconds
        self._zeros: list[float] = [self.settings.cycles]
        status.groups["operation"].set_condition(OperationBit.IDLE)

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeithley2400:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, serial=spec.serial, has_end=spec.has_end, faults=faults)

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"KEITHLEY INSTRUMENTS INC.,MODEL 2400,{self.serial},{_FIRMWARE}"

    @property
    def is_waiting(self) -> bool:
        """Whether the trigger model is out of idle, waiting for an event or at what one started."""
        return self.model.is_busy

    @property
    def now_seconds(self) -> float:
        """World time at which what is being done now ends."""
        return self.world.seconds + self._owed_seconds

    @property
    def timestamp(self) -> float:
        """Time since power-on or the last time stamp reset; it starts over after 99,999.999 s."""
        return (self.now_seconds - self._time_zero) % _CLOCK_WRAP_SECONDS

    def reset_time(self) -> None:
        """SYSTem:TIME:RESet."""
        self._time_zero = self.now_seconds

    def spend(self, seconds: float) -> None:
        """Account for time that something takes."""
        self._take_time(seconds)

    def catch_up(self) -> None:
        """Let the accounted time pass in the world."""
        self._let_time_pass()

    def reset(self) -> None:
        """*RST: output off and settings to their defaults; buffer, memories, status and terminals stay."""
        self._take_over(Settings(terminals=self.settings.terminals))

    def preset(self) -> None:
        """SYSTem:PRESet: as *RST, but for the byte order."""
        self.reset()
        self.settings.format.border = "SWAP"

    def save(self, location: int) -> None:
        """*SAV 0 to 4."""
        if location >= _SAVED_SETUPS:
            raise ScpiError(-222)
        self._saved[location] = copy.deepcopy(self.settings)

    def recall(self, location: int) -> None:
        """*RCL 0 to 4; the output comes back off."""
        if location >= _SAVED_SETUPS:
            raise ScpiError(-222)
        self._take_over(copy.deepcopy(self._saved.get(location, Settings())))

    def _take_over(self, settings: Settings) -> None:
        self._drop_pending()
        settings.is_output_on = False
        self.settings = settings
        self.level = settings.source.level
        self.calculations.is_null_wanted = False
        self.calculations.clear(settings)
        self.meter.restart_filter()
        self.apply_output()

    def recall_location(self, location: int) -> None:
        """SOURce:MEMory:RECall, also during a memory sweep; the output is not touched before the next source action."""
        cycles = self.settings.cycles
        self.memory.recall(location, self.settings)
        if self.settings.cycles != cycles:
            self.acquire_zero()
        calc = self.settings.calc
        if self.calculations.catalogue.expression(calc.math_name) is None:
            calc.math_name = "POWER"
            self.status.report(refused(809))

    def _power_on(self) -> None:
        super()._power_on()
        self.errors.enabled = ChosenErrors(0).enabled
        setup = self.kept.power_on_setup
        if setup == "PRES":
            self.preset()
        elif setup.startswith("SAV"):
            self.recall(int(setup[3:]))

    def initiate(self) -> None:
        """INITiate: take the programmed readings, as far as nothing is to be waited for."""
        self.require_output()
        self.model.initiate()

    def require_output(self) -> None:
        """Raises ScpiError +803 if the output is off and does not come on by itself, +802 if it may not."""
        if self.settings.is_output_on:
            return
        if not self.settings.is_auto_clear:
            raise refused(803)
        if not self.may_switch_on:
            raise refused(802)

    def read(self) -> Reply | None:
        """READ?; if events are waited for, the reply comes after them."""
        if math.isinf(self.settings.arm.count):
            raise refused(830)
        self.initiate()
        return self.when_idle(self._fetch_made)

    def _fetch_made(self) -> Reply:
        """The readings just made, of which each but the last was made ready during the next one's integration."""
        hidden = min(self.measuring_seconds(), TIMING.format_seconds)
        self._take_time(TIMING.format_seconds + (len(self.readings) - 1) * (TIMING.format_seconds - hidden))
        return formatted(self.readings, self.settings.format)

    def fetch(self) -> Reply:
        """FETCh?: the latest readings again."""
        if not self.readings:
            raise ScpiError(-230)
        self._take_time(len(self.readings) * TIMING.format_seconds)
        return formatted(self.readings, self.settings.format)

    def fetch_latest(self) -> Reply:
        """DATA:LATest?: the last reading."""
        if not self.readings:
            raise ScpiError(-230)
        self._take_time(TIMING.format_seconds)
        return formatted(self.readings[-1:], self.settings.format)

    def delay_seconds(self) -> float:
        """The source delay, set or automatic."""
        if not self.settings.is_auto_delay:
            return self.settings.delay_seconds
        is_volts = self.settings.function == "VOLT"
        index = self.settings.sense_amps.range if is_volts else self.settings.amps.range
        return TIMING.auto_delay(AMPS_RANGES[index])

    def measuring_seconds(self) -> float:
        """Time that the conversions of one reading take."""
        settings = self.settings
        conversions = 2 if "RES" in settings.functions else max(len(settings.functions), 1)
        if settings.is_auto_zero:
            conversions += TIMING.conversions_per_reading - 1
        averaged = settings.filter.count if settings.filter.is_on and settings.filter.kind == "REP" else 1.0
        return conversions * averaged * self._integration_seconds

    @property
    def _integration_seconds(self) -> float:
        return self.settings.cycles / (self.line.hertz or self.world.line_hertz)

    def acquire_zero(self) -> None:
        """Zero and reference for a changed integration time, unless they are cached (user's manual, section 3)."""
        cycles = self.settings.cycles
        if not self.settings.is_zero_cached or cycles not in self._zeros:
            self._take_time((TIMING.conversions_per_reading - 1) * self._integration_seconds)
        self.cached_zeros = [*(known for known in self._zeros if known != cycles), cycles]

    @property
    def cached_zeros(self) -> list[float]:
        """Integration times, power line cycles, whose zero and reference are known; the ten latest."""
        return self._zeros

    @cached_zeros.setter
    def cached_zeros(self, cycles: list[float]) -> None:
        self._zeros = cycles[-10:]

    def trigger(self) -> None:
        """*TRG or a group execute trigger."""
        if not self.model.occur(Event("BUS")):
            self.status.report(ScpiError(-211))
        self._settle_debts()

    def event_from_outside(self, kind: str, line: int = 0) -> None:
        """A pulse on trigger link line 1 to 4 (TLIN), a start-of-test edge (NST low, PST high), the TRIG key (MAN)."""
        self._occupy(lambda: self._happen(Event(kind, line)))

    def _happen(self, event: Event) -> None:
        try:
            self.model.occur(event)
        except ScpiError as error:
            self.status.report(error)
        self._settle_debts()

    def notice(self, event: Event) -> None:
        """The same from a trigger wire; what it starts goes on beside all else."""
        if self.model.takes(event):
            self.react(lambda: self._happen(event))
        else:
            self.model.occur(event)

    def trigger_terminals(self) -> Mapping[str, Connection]:
        """See WiredInstrument: tlink.1 to tlink.4 and sot."""
        return self.link.terminals

    def abort(self) -> None:
        """ABORt: back to idle; a reply that still waits for a trigger is not sent."""
        self._forget_answers()
        self.model.abort()

    def _cleared(self) -> None:
        self._drop_pending()

    def _drop_pending(self) -> None:
        self._forget_messages()
        self.abort()

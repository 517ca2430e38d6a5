"""A simulated Agilent 34980A switch/measure unit: SCPI as in the 34980A Programmer's Reference.

The nodes of the modules are told in keysight_34934a.py, keysight_34932a.py and keysight_34921a.py; every name begins
with `<name>.`. A card is named in a bench file with its configuration, for example 34934A-8x64; DMM among the `options`
puts the internal DMM in.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keysight_34921a import MULTIPLEXERS, Multiplexer
from .keysight_34932a import BusMatrix
from .keysight_34934a import Matrix34934A
from .keysight_34980a_commands import COMMANDS
from .keysight_34980a_dmm import InternalDmm
from .keysight_34980a_measuring import Measuring
from .keysight_34980a_modules import (
    IN_SCAN,
    NO_SUCH_CHANNEL,
    NO_SUCH_SLOT,
    UNSUPPORTED,
    Module,
    is_bus,
)
from .keysight_34980a_readings import ReadingMemory
from .keysight_34980a_sequences import Sequences
from .keysight_34980a_settings import Settings34980, Setups
from .keysight_34980a_triggers import TriggerConnectors
from .relay_bank import RelayBank
from .scpi import CommandTree
from .scpi_errors import ScpiError
from .scpi_switch import ScpiSwitch
from .status_488 import OPERATION_COMPLETE, Status488
from .switching_tables import KEYSIGHT_34980A as TIMING
from .trigger_wires import Connection
from .wire_instrument import HostClock
from .wired_instrument import WiredInstrument
from .world import World

_REGISTERS = {2: "alarm", 8: "questionable", 128: "operation"}
_ERROR_AVAILABLE = 4
_REVISIONS = "2.43-2.40-2.14-0.00"


class SimKeysight34980A(WiredInstrument, ScpiSwitch):
    """One 34980A.

    Attributes:
        modules: slot -> module.
        default_protection: row protection mode that *RST sets, by SYSTem:MODule:ROW:PROTection DEFault.
        labels: user-defined channel labels, which *RST leaves alone.
        clock: what SYSTem:DATE and SYSTem:TIME were set to.
        settings: all that *RST resets apart from the relays.
        sequences: stored commands, which *RST leaves alone.
        measuring: what scans and measures.
        connectors: its trigger connectors.
    """

    tree: ClassVar[CommandTree] = CommandTree(COMMANDS)
    command_seconds: ClassVar[float] = TIMING.command_seconds
    slots: ClassVar[int] = 8

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        cards: Sequence[str | None],
        serial: str = "MY44000000",
        has_dmm: bool = False,
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        status = Status488(_REGISTERS, error_bit=_ERROR_AVAILABLE, queue_capacity=20)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.serial = serial
        self.modules: dict[int, Module] = {
            slot: _module(name, world, slot, card) for slot, card in enumerate(cards, start=1) if card is not None
        }
        self.default_protection = "AUTO100"
        self.labels: dict[int, str] = {}
        self.setups = Setups()
        self.clock: dict[str, str] = {}
        self.sequences = Sequences(self)
        self._settles_at: dict[int, float] = {}
        self.connectors = TriggerConnectors(self)
        self.settings = Settings34980()
        self.measuring = Measuring(self, InternalDmm(name, world, self.wait_for) if has_dmm else None)

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeysight34980A:
        """The instrument of a bench file's entry."""
        return cls(
            spec.name,
            world,
            host,
            cards=spec.cards,
            serial=spec.serial,
            has_dmm="DMM" in spec.options,
            has_end=spec.has_end,
            faults=faults,
        )

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"Agilent Technologies,34980A,{self.serial},{_REVISIONS}"

    def module_serial(self, slot: int) -> str:
        """Ten digits that are a module's own."""
        return f"MY{zlib.crc32(f'{self.serial}.{slot}'.encode()) % 10**8:08d}"

    def module(self, slot: int) -> Module:
        """The module in a slot; raises ScpiError 111 if there is none."""
        if slot not in self.modules:
            raise ScpiError(*NO_SUCH_SLOT)
        return self.modules[slot]

    @property
    def channels(self) -> list[int]:
        """Every channel number, slot included, in order."""
        return [slot * 1000 + number for slot, module in sorted(self.modules.items()) for number in module.channels]

    def check(self, channel: int) -> int:
        """The channel; raises ScpiError 111 or 112 if it does not exist."""
        if channel % 1000 not in self.module(channel // 1000).channels:
            raise ScpiError(*NO_SUCH_CHANNEL)
        return channel

    def is_closed(self, channel: int) -> bool:
        """Whether a channel is closed."""
        return channel % 1000 in self.modules[channel // 1000].relays.closed

    def paired(self, channel: int) -> tuple[int, int]:
        """A high channel and its low one; raises ScpiError 303 if it has none."""
        pair = self.modules[channel // 1000].channels[channel % 1000].pair
        if not pair:
            raise ScpiError(*UNSUPPORTED)
        return channel, channel // 1000 * 1000 + pair

    def reset(self) -> None:
        """*RST: all channels open, row protection at its default mode, scan list empty; labels and sequences stay."""
        self.measuring.scanner.abort()
        self.settings = Settings34980()
        self.measuring.memory = ReadingMemory()
        self.measuring.report_alarms()
        self.power_on(self.modules)

    def preset(self) -> None:
        """SYSTem:PRESet: as *RST, but limits and what channels measure stay."""
        measurements, limits = self.settings.measurements, self.measuring.memory.limits
        self.reset()
        self.settings.measurements, self.measuring.memory.limits = measurements, limits

    def power_on(self, slots: Iterable[int]) -> None:
        """SYSTem:CPON."""
        for slot in slots:
            self.bring_to(slot, ())
            module = self.modules[slot]
            if isinstance(module, Matrix34934A):
                cannot = self.default_protection == "ISO" and not module.can_isolate()
                self.set_protection(slot, "AUTO100" if cannot else self.default_protection)

    def save(self, location: int) -> None:
        """*SAV 0 to 5."""
        present = {slot: (getattr(m, "protection", ""), m.relays.closed) for slot, m in self.modules.items()}
        self.setups.save(location, present)

    def recall(self, location: int) -> None:
        """*RCL 0 to 5."""
        setup = self.setups.get(location)
        self.measuring.scanner.abort()
        for slot, (protection, closed) in setup.items():
            self.set_protection(slot, protection)
            self.bring_to(slot, closed)

    def close_channels(self, channels: Iterable[int], *, is_exclusive: bool = False) -> None:
        """ROUTe:CLOSe; exclusive: everything else on the modules named opens. Raises ScpiError 305 beyond the limit."""
        wanted = self._by_slot(channels)
        for slot, numbers in wanted.items():
            self._refuse_if_in_scan(slot, numbers)
        targets = {
            slot: numbers if is_exclusive else numbers | self.modules[slot].relays.closed
            for slot, numbers in wanted.items()
        }
        for slot, numbers in targets.items():
            self.modules[slot].check(numbers)
        for slot, numbers in targets.items():
            self.bring_to(slot, numbers)

    def _refuse_if_in_scan(self, slot: int, numbers: Iterable[int]) -> None:
        """Banks with channels in the scan list belong to the scan, analog bus relays of their module too."""
        banks = self.modules[slot].channels
        scanned = {banks[c % 1000].bank for c in self.settings.scan_list if c // 1000 == slot}
        if scanned and any(is_bus(number) or banks[number].bank in scanned for number in numbers):
            raise ScpiError(*IN_SCAN)

    def open_channels(self, channels: Iterable[int]) -> None:
        """ROUTe:OPEN."""
        for slot, numbers in self._by_slot(channels).items():
            self.bring_to(slot, self.modules[slot].relays.closed - numbers)

    def open_buses(self, buses: Iterable[int]) -> None:
        """ROUTe:OPEN:ABUS."""
        buses = list(buses)
        for slot, module in self.modules.items():
            self.bring_to(slot, module.relays.closed - module.bus_channels(buses))

    def open_banks(self, channels: Iterable[int]) -> None:
        """Open everything in the banks that these channels are in."""
        for slot, numbers in self._by_slot(channels).items():
            banks, closed = self.modules[slot].channels, self.modules[slot].relays.closed
            used = {banks[number].bank for number in numbers}
            self.bring_to(slot, {number for number in closed if banks[number].bank not in used})

    def open_all(self, slots: Iterable[int]) -> None:
        """ROUTe:OPEN:ALL."""
        for slot in slots:
            self.bring_to(slot, ())

    def set_protection(self, slot: int, mode: str) -> None:
        """Row protection mode; raises ScpiError 303 if the module does not have it."""
        module = self.modules[slot]
        if not isinstance(module, Matrix34934A):
            return
        module.check_protection(mode)
        module.protection = mode
        self.bring_to(slot, module.relays.closed)

    @staticmethod
    def _by_slot(channels: Iterable[int]) -> dict[int, frozenset[int]]:
        found: dict[int, set[int]] = {}
        for channel in channels:
            found.setdefault(channel // 1000, set()).add(channel % 1000)
        return {slot: frozenset(numbers) for slot, numbers in found.items()}

    def bring_to(self, slot: int, wanted: Iterable[int]) -> None:
        """Move a module's relays so that exactly these channels are closed, once what was still moving has settled."""
        self.settle([slot])
        for bank, closed in self.modules[slot].moves(wanted):
            if self.settings.is_overlapped and bank is self.modules[slot].relays:
                self._begin(slot, bank, closed)
            else:
                self.move(bank, closed)

    def _begin(self, slot: int, bank: RelayBank[Any], closed: frozenset[Any]) -> None:
        """Move relays while the next commands are carried out already."""
        if closed == bank.closed:
            return
        self.settle([slot])
        self._let_time_pass()
        self._settles_at[slot] = self.world.seconds + bank.begin(closed)

    def is_busy(self, slots: Iterable[int]) -> bool:
        """Whether relays of these modules are still moving."""
        self._let_time_pass()
        return any(self._settles_at.get(slot, 0.0) > self.world.seconds for slot in slots)

    def settle(self, slots: Iterable[int]) -> None:
        """Let time pass until the relays of these modules have settled."""
        if not self._settles_at:
            return
        self._let_time_pass()
        for slot in slots:
            self.wait_for(self._settles_at.pop(slot, 0.0) - self.world.seconds)

    def wait_for(self, seconds: float) -> None:
        """Let seconds pass, in the world, at once."""
        self._take_time(max(seconds, 0.0))
        self._let_time_pass()

    def completed(self) -> str:
        """*OPC?: once all relays have settled; no answer while a scan waits for a signal."""
        self.settle(list(self.modules))
        return "1"

    def report_completion(self) -> None:
        """*OPC: the event comes once all relays have settled."""
        self.settle(list(self.modules))
        self.status.event_status |= OPERATION_COMPLETE

    def trigger(self) -> None:
        """*TRG or a group execute trigger: a trigger or a channel advance."""
        self.signal("BUS")

    def external_trigger(self) -> None:
        """A pulse at the trigger input: a trigger or a channel advance."""
        self._occupy(lambda: self.signal("EXT"))

    def trigger_terminals(self) -> Mapping[str, Connection]:
        """See WiredInstrument: external_trigger and channel_closed."""
        return self.connectors.terminals

    def signal(self, source: str) -> None:
        """A trigger or a channel advance, BUS or EXT."""
        try:
            self.measuring.scanner.signal(source)
        except ScpiError as error:
            self.status.report(error)

    def _cleared(self) -> None:
        self.measuring.scanner.abort()


def _module(name: str, world: World, slot: int, card: str) -> Module:
    model, _, configuration = card.partition("-")
    if configuration:
        return Matrix34934A(name, world, slot, configuration)
    return Multiplexer(name, world, slot, model) if model in MULTIPLEXERS else BusMatrix(name, world, slot, model)

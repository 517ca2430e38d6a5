"""A simulated Agilent 34980A switch/measure unit with matrix modules: SCPI as in the 34980A Programmer's Reference.

There is no internal DMM. The nodes of the modules are told in keysight_34934a.py and keysight_34932a.py; every name
begins with `<name>.`. A card is named in a bench file with its configuration, for example 34934A-8x64.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import ClassVar

from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keysight_34932a import Matrix34932A
from .keysight_34934a import MOST_CLOSED, Matrix34934A
from .keysight_34980a_commands import COMMANDS
from .scpi import CommandTree
from .scpi_errors import ScpiError
from .scpi_switch import ScpiSwitch
from .status_488 import Status488
from .switching_tables import KEYSIGHT_34980A as TIMING
from .wire_instrument import HostClock
from .world import World

Module = Matrix34934A | Matrix34932A
_REGISTERS = {8: "questionable", 128: "operation"}
_ERROR_AVAILABLE = 4
_SETUPS = 6
_REVISIONS = "2.43-2.40-2.14-0.00"
NO_SUCH_CHANNEL = 112, "Channel list: channel number out of range"
NO_SUCH_SLOT = 111, "Channel list: slot number out of range"
TOO_MANY_CLOSED = 305, "Maximum number of closed channels exceeded"
UNSUPPORTED = 303, "Module not able to perform requested operation"


class SimKeysight34980A(ScpiSwitch):
    """One 34980A.

    Attributes:
        modules: slot -> module.
        default_protection: row protection mode that *RST sets, by SYSTem:MODule:ROW:PROTection DEFault.
        labels: user-defined channel labels, which *RST leaves alone.
        delays: channel delays; they act in scans only.
        scan_list: channels of ROUTe:SCAN.
        text: what the display shows.
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
        self.delays: dict[int, float] = {}
        self.scan_list: list[int] = []
        self.text = ""
        self._setups: dict[int, dict[int, tuple[str, frozenset[int]]]] = {}

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeysight34980A:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, cards=spec.cards, serial=spec.serial, has_end=spec.has_end, faults=faults)

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
        """*RST: all channels open, row protection at its default mode, scan list empty; labels stay."""
        self.power_on(self.modules)
        self.scan_list = []
        self.delays.clear()
        self.text = ""

    def power_on(self, slots: Iterable[int]) -> None:
        """SYSTem:CPON."""
        for slot in slots:
            self._bring_to(slot, ())
            module = self.modules[slot]
            if isinstance(module, Matrix34934A):
                cannot = self.default_protection == "ISO" and not module.can_isolate()
                self.set_protection(slot, "AUTO100" if cannot else self.default_protection)

    def save(self, location: int) -> None:
        """*SAV 0 to 5."""
        self._check_setup(location)
        self._setups[location] = {slot: (m.protection, m.relays.closed) for slot, m in self.modules.items()}

    def recall(self, location: int) -> None:
        """*RCL 0 to 5."""
        self._check_setup(location)
        if location not in self._setups:
            raise ScpiError(-221)
        for slot, (protection, closed) in self._setups[location].items():
            self.set_protection(slot, protection)
            self._bring_to(slot, closed)

    @staticmethod
    def _check_setup(location: int) -> None:
        if location >= _SETUPS:
            raise ScpiError(-222)

    def close_channels(self, channels: Iterable[int], *, is_exclusive: bool = False) -> None:
        """ROUTe:CLOSe; exclusive: everything else on the modules named opens. Raises ScpiError 305 beyond the limit."""
        wanted = self._by_slot(channels)
        targets = {
            slot: numbers if is_exclusive else numbers | self.modules[slot].relays.closed
            for slot, numbers in wanted.items()
        }
        for slot, numbers in targets.items():
            if isinstance(self.modules[slot], Matrix34934A) and len(numbers) > MOST_CLOSED:
                raise ScpiError(*TOO_MANY_CLOSED)
        for slot, numbers in targets.items():
            self._bring_to(slot, numbers)

    def open_channels(self, channels: Iterable[int]) -> None:
        """ROUTe:OPEN."""
        for slot, numbers in self._by_slot(channels).items():
            self._bring_to(slot, self.modules[slot].relays.closed - numbers)

    def open_buses(self, buses: Iterable[int]) -> None:
        """ROUTe:OPEN:ABUS."""
        buses = list(buses)
        for slot, module in self.modules.items():
            if isinstance(module, Matrix34932A):
                self._bring_to(slot, module.relays.closed - module.bus_channels(buses))

    def open_all(self, slots: Iterable[int]) -> None:
        """ROUTe:OPEN:ALL."""
        for slot in slots:
            self._bring_to(slot, ())

    def set_protection(self, slot: int, mode: str) -> None:
        """Row protection mode; raises ScpiError 303 if the module does not have it."""
        module = self.modules[slot]
        if not isinstance(module, Matrix34934A):
            return
        if mode == "ISO" and not module.can_isolate():
            raise ScpiError(*UNSUPPORTED)
        module.protection = mode
        self._bring_to(slot, module.relays.closed)

    @staticmethod
    def _by_slot(channels: Iterable[int]) -> dict[int, frozenset[int]]:
        found: dict[int, set[int]] = {}
        for channel in channels:
            found.setdefault(channel // 1000, set()).add(channel % 1000)
        return {slot: frozenset(numbers) for slot, numbers in found.items()}

    def _bring_to(self, slot: int, wanted: Iterable[int]) -> None:
        module = self.modules[slot]
        if isinstance(module, Matrix34932A):
            for step in module.steps(wanted):
                self.move(module.relays, step.channels)
            return
        for step in module.steps(wanted):
            self.move(module.bypassing, step.bypassing)
            self.move(module.protecting, step.protecting)
            self.move(module.relays, step.channels)


def _module(name: str, world: World, slot: int, card: str) -> Module:
    _, _, configuration = card.partition("-")
    return Matrix34934A(name, world, slot, configuration) if configuration else Matrix34932A(name, world, slot)

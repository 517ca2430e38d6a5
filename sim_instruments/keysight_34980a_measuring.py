"""How a 34980A scans and measures: which channels it closes for an entry of the scan list, and where readings go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keysight_34921a import bus_channel
from .keysight_34980a_dmm import InternalDmm
from .keysight_34980a_modules import EMPTY_SCAN_LIST, is_bus
from .keysight_34980a_readings import UNITS, ReadingMemory
from .keysight_34980a_scan import Scanner
from .scpi_errors import ScpiError

if TYPE_CHECKING:
    from .keysight_34980a import SimKeysight34980A


class Measuring:
    """The part of a mainframe that scans.

    Attributes:
        dmm: the internal DMM; None if there is none.
        memory: readings, limits and alarms.
        scanner: what runs the scans.
    """

    def __init__(self, unit: SimKeysight34980A, dmm: InternalDmm | None) -> None:
        self._unit = unit
        self.dmm = dmm
        self.memory = ReadingMemory()
        self._began = 0.0
        self._closed: tuple[int, frozenset[int]] | None = None
        operation = unit.status.groups["operation"]
        self.scanner = Scanner(
            lambda: unit.settings.scan,
            self._entries,
            self._close,
            self._store,
            unit.wait_for,
            operation.set_condition,
        )

    @property
    def is_dmm_in_use(self) -> bool:
        """Whether the internal DMM measures, and not an external instrument."""
        return self.dmm is not None and self._unit.settings.is_dmm_enabled

    def initiate(self) -> None:
        """INITiate; raises ScpiError 113 for an empty scan list without a DMM, -213 while a scan runs."""
        if not self._unit.settings.scan_list and not self.is_dmm_in_use:
            raise ScpiError(*EMPTY_SCAN_LIST)
        if not self.scanner.is_running:
            self.scanner.measures = self.is_dmm_in_use
        self.scanner.initiate()

    def _entries(self) -> list[int | None]:
        """What is scanned; the banks that are scanned open first."""
        unit = self._unit
        self._began = unit.world.seconds
        self.memory.readings.clear()
        scanned = unit.settings.scan_list
        unit.open_banks(scanned)
        return list(scanned) or [None] * int(unit.settings.scan.samples)

    def _close(self, channel: int | None) -> None:
        """Open what the last entry of the scan list closed, and close this one with what it takes to measure it."""
        unit = self._unit
        if self._closed is not None:
            slot, closed = self._closed
            unit.bring_to(slot, unit.modules[slot].relays.closed - closed)
            self._closed = None
        if channel is None:
            return
        slot, numbers = channel // 1000, self._path(channel)
        unit.bring_to(slot, unit.modules[slot].relays.closed | numbers)
        unit.settle([slot])
        self._closed = slot, numbers
        unit.wait_for(unit.settings.delays.get(channel, 0.0))
        unit.connectors.channel_is_closed()

    def _path(self, channel: int) -> frozenset[int]:
        """The channels that connect one to the DMM; that one alone without it."""
        number = channel % 1000
        if not self.scanner.measures:
            return frozenset({number})
        point = self._unit.modules[channel // 1000].channels[number]
        path = {number, bus_channel(point.bank, 1)}
        if self._unit.settings.measurement_of(channel).function == "FRES":
            path |= {point.pair, bus_channel(2, 2)}
        return frozenset(path)

    def can_measure(self, channel: int, function: str) -> bool:
        """Whether the DMM can measure this on a channel: multiplexers only, in four wires only their bank 1."""
        module = self._unit.modules[channel // 1000]
        is_right = module.can_scan and not is_bus(channel)
        return is_right and (function != "FRES" or bool(module.channels[channel % 1000].pair))

    def _store(self, channel: int | None) -> None:
        unit = self._unit
        assert self.dmm is not None, "a scan measures only with the DMM"
        unit.wait_for(unit.settings.trigger_delay_seconds)
        what = unit.settings.measurement if channel is None else unit.settings.measurement_of(channel)
        value = self.dmm.measure(what)
        self.memory.add(value, UNITS[what.function], channel or 0, unit.world.seconds - self._began)
        self.report_alarms()

    def report_alarms(self) -> None:
        """Tell the alarm register."""
        self._unit.status.groups["alarm"].set_condition(self.memory.alarm_bits)

"""What is public in a client's class, and a stand-in for a driver that remembers what was used of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pymeasure.instruments import Channel, Instrument
from pymeasure.instruments.keithley.keithley2600 import Channel as Keithley2600Channel
from qcodes.instrument import InstrumentBase

DRIVERS = (InstrumentBase, Instrument, Channel, Keithley2600Channel)
OF_DRIVERS = ("qcodes.instrument_drivers.", "pymeasure.instruments.")
FRAMEWORK_MODULES = tuple(f"pymeasure.instruments.{name}" for name in ("instrument", "common_base", "channel"))
FRAMEWORK_PARAMETERS = {"IDN", "timeout"}


def surface(driver: Any) -> frozenset[str]:
    """Every public parameter, property and method of a driver by its name, and of its parts as "<class>.<name>".

    What the client's framework itself gives to every driver (write, ask, snapshot, ...) is left out.
    """
    return frozenset(prefix + name for prefix, part in _parts(driver) for name in _members(part))


def _parts(driver: Any) -> Iterator[tuple[str, Any]]:
    yield "", driver
    for child in _children(driver):
        for _, part in _parts(child):
            yield f"{type(part).__name__}.", part


def _children(driver: Any) -> list[Any]:
    if isinstance(driver, InstrumentBase):
        return list(driver.submodules.values())
    return [child for child in vars(driver).values() if isinstance(child, Channel | Keithley2600Channel)]


def _members(part: Any) -> set[str]:
    of_classes = {
        name
        for cls in type(part).__mro__
        if cls.__module__.startswith(OF_DRIVERS) and cls.__module__ not in FRAMEWORK_MODULES
        for name, value in vars(cls).items()
        if isinstance(value, property | staticmethod) or (callable(value) and not isinstance(value, type))
    }
    parameters = {*part.parameters, *part.functions} if isinstance(part, InstrumentBase) else set()
    return {name for name in of_classes | parameters if not name.startswith("_")} - FRAMEWORK_PARAMETERS


@dataclass
class Record:
    """What of a client's class is public, and what of it was used."""

    public: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def of(self, driver: Any) -> Any:
        """The driver, put on record."""
        self.public |= surface(driver)
        return Used(driver, self.used, "")

    def of_part(self, part: Any) -> Any:
        """A part of a driver that a call returned, put on record."""
        return Used(part, self.used, f"{type(part).__name__}.")


class Used:
    """Stands in for a driver; what is read from it, set on it or called is put on record."""

    def __init__(self, driver: Any, record: set[str], prefix: str) -> None:
        object.__setattr__(self, "_driver", driver)
        object.__setattr__(self, "_record", record)
        object.__setattr__(self, "_prefix", prefix)

    def __getattr__(self, name: str) -> Any:
        self._record.add(self._prefix + name)
        value = getattr(self._driver, name)
        return Used(value, self._record, f"{type(value).__name__}.") if isinstance(value, DRIVERS) else value

    def __setattr__(self, name: str, value: Any) -> None:
        self._record.add(self._prefix + name)
        setattr(self._driver, name, value)

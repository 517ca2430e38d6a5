"""Source and measure configuration lists of a 2450 (Reference Manual, "Configuration lists")."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, overload

from mtjlab.nouns import Floats, Ints

from .keithley_2450_settings import SenseSettings, Settings, SourceSettings, show_number
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Number, Text

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_MOST_POINTS = 300_000
_SEPARATORS = {1: ",", 2: ";", 3: "\n"}
_FUNCTIONS = {"VOLT": "smu.FUNC_DC_VOLTAGE", "CURR": "smu.FUNC_DC_CURRENT", "RES": "smu.FUNC_RESISTANCE"}


class ListPoint(ABC):
    """One point of a configuration list."""

    @abstractmethod
    def restore(self, settings: Settings) -> None:
        """Set what was stored; the output stays on or off."""

    @abstractmethod
    def told(self) -> list[str]:
        """As the TSP commands that would set it; which of them the instrument tells is assumed."""


@dataclass
class SourcePoint(ListPoint):
    """One point of a source list."""

    function: str
    settings: SourceSettings

    @classmethod
    def of(cls, settings: Settings) -> SourcePoint:
        """What is set now."""
        return cls(settings.function, copy.deepcopy(settings.source))

    def restore(self, settings: Settings) -> None:
        """Set what was stored; the output stays on or off."""
        settings.function = self.function
        settings.sources[self.function] = replace(self.settings, user_delays=list(self.settings.user_delays))

    def told(self) -> list[str]:
        """As the TSP commands that would set it; which of them the instrument tells is assumed."""
        s = self.settings
        limit = "ilimit" if self.function == "VOLT" else "vlimit"
        return [
            f"smu.source.func = {_FUNCTIONS[self.function]}",
            f"smu.source.level = {show_number(s.level)}",
            f"smu.source.{limit}.level = {show_number(s.limit)}",
            f"smu.source.autorange = {_switch(s.is_auto_range)}",
            f"smu.source.autodelay = {_switch(s.is_auto_delay)}",
            f"smu.source.delay = {show_number(s.delay_seconds)}",
            f"smu.source.readback = {_switch(s.is_read_back)}",
            f"smu.source.highc = {_switch(s.is_high_capacitance)}",
        ]


class SweepPoints(Sequence[ListPoint]):
    """The points of a sweep: each has what `base` has, and a level and a source range of its own.

    Args:
        base: function and settings.
        levels, ranges: (points,) levels, volts or amperes, and indices of source ranges.
    """

    def __init__(self, base: SourcePoint, levels: Floats, ranges: Ints) -> None:
        self._base, self._levels, self._ranges = base, levels, ranges

    def __len__(self) -> int:
        return self._levels.size

    @overload
    def __getitem__(self, index: int) -> ListPoint: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ListPoint]: ...
    def __getitem__(self, index: int | slice) -> ListPoint | Sequence[ListPoint]:
        if isinstance(index, slice):
            return SweepPoints(self._base, self._levels[index], self._ranges[index])
        level, place = float(self._levels[index]), int(self._ranges[index])
        return SourcePoint(self._base.function, replace(self._base.settings, level=level, range=place))


@dataclass
class MeasurePoint(ListPoint):
    """One point of a measure list."""

    function: str
    terminals: str
    settings: SenseSettings

    @classmethod
    def of(cls, settings: Settings) -> MeasurePoint:
        """What is set now."""
        return cls(settings.sense_function, settings.terminals, copy.deepcopy(settings.sense))

    def restore(self, settings: Settings) -> None:
        """Set what was stored."""
        settings.sense_function = self.function
        settings.terminals = self.terminals
        settings.senses[self.function] = copy.deepcopy(self.settings)

    def told(self) -> list[str]:
        """As the TSP commands that would set it; which of them the instrument tells is assumed."""
        s = self.settings
        return [
            f"smu.measure.func = {_FUNCTIONS[self.function]}",
            f"smu.measure.autorange = {_switch(s.is_auto_range)}",
            f"smu.measure.range = {show_number(s.range)}",
            f"smu.measure.nplc = {show_number(s.cycles)}",
            f"smu.measure.autozero.enable = {_switch(s.is_auto_zero)}",
            f"smu.measure.sense = {'smu.SENSE_4WIRE' if s.is_remote_sense else 'smu.SENSE_2WIRE'}",
            f"smu.measure.filter.enable = {_switch(s.filter.is_on)}",
            f"smu.measure.rel.enable = {_switch(s.is_relative)}",
        ]


def _switch(is_on: bool) -> str:
    return "smu.ON" if is_on else "smu.OFF"


def _missing() -> ScpiError:
    return ScpiError(2790, "Configuration list, error, does not exist")


class ConfigurationLists:
    """All lists; a name belongs to one list of either kind.

    Attributes:
        source, measure: the lists of each kind by name.
    """

    def __init__(self) -> None:
        self.source: dict[str, Sequence[ListPoint]] = {}
        self.measure: dict[str, Sequence[ListPoint]] = {}
        self._told = {"source": 0, "measure": 0}

    def copy(self) -> ConfigurationLists:
        """The same lists; neither a list nor a point ever changes, they are replaced."""
        made = ConfigurationLists()
        made.source, made.measure = dict(self.source), dict(self.measure)
        return made

    def _kind(self, kind: str) -> dict[str, Sequence[ListPoint]]:
        return self.source if kind == "source" else self.measure

    def points(self, name: str) -> Sequence[ListPoint]:
        """The list of that name, of either kind; raises ScpiError 2790 if there is none."""
        return self.of("source" if name in self.source else "measure", name)

    def point(self, name: str, index: int) -> ListPoint:
        """A point by its index from 1; raises ScpiError 2790 if there is none."""
        points = self.points(name)
        if not 1 <= index <= len(points):
            raise _missing()
        return points[index - 1]

    def create(self, kind: str, name: str) -> None:
        """CREate; raises ScpiError 1115 if the name is taken."""
        if name in self.source or name in self.measure:
            raise ScpiError(1115, f"Parameter error, configuration list {name} already exists")
        self._kind(kind)[name] = ()

    def of(self, kind: str, name: str) -> Sequence[ListPoint]:
        """The list of that kind and name; raises ScpiError 2790 if there is none."""
        found = self._kind(kind).get(name)
        if found is None:
            raise _missing()
        return found

    def delete(self, kind: str, name: str, index: int | None) -> None:
        """DELete: a list, or one point of it."""
        points = self.of(kind, name)
        if index is None:
            del self._kind(kind)[name]
        elif index <= len(points):
            self._kind(kind)[name] = [*points[: index - 1], *points[index:]]
        else:
            raise _missing()

    def store(self, kind: str, name: str, index: int | None, point: ListPoint) -> None:
        """STORe: at the end, or in the place of another point."""
        points = self.of(kind, name)
        place = len(points) + 1 if index is None else index
        if place > len(points) + 1:
            raise _missing()
        if place > _MOST_POINTS:
            raise ScpiError(-223)
        self._kind(kind)[name] = [*points[: place - 1], point, *points[place:]]

    def next_name(self, kind: str) -> str:
        """CATalog?: one name each time, and then an empty one."""
        names = sorted(self._kind(kind))
        place = self._told[kind]
        self._told[kind] = place + 1 if place < len(names) else 0
        return names[place] if place < len(names) else ""


def _store(i: SimKeithley2450, kind: str, name: str, index: float | None) -> None:
    made: ListPoint = SourcePoint.of(i.settings) if kind == "source" else MeasurePoint.of(i.settings)
    i.lists.store(kind, name, None if index is None else int(index), made)


def _recall(
    i: SimKeithley2450, kind: str, name: str, index: float | None, other: str | None, other_index: float | None
) -> None:
    i.lists.of(kind, name)
    number = int(index or 1)
    pairs = [(name, number)]
    if other is not None:
        i.lists.of("measure" if kind == "source" else "source", other)
        pairs.append((other, int(other_index or number)))
    for wanted, place in pairs:
        i.lists.point(wanted, place)
    for wanted, place in sorted(pairs, key=lambda pair: pair[0] not in i.lists.source):
        i.elapse(i.recall_point(wanted, place))


class _OptionalText(Text):
    is_optional = True


_INDEX = Number("", 1, _MOST_POINTS, is_integer=True)
_OPTIONAL_INDEX = Number("", 1, _MOST_POINTS, is_integer=True, is_optional=True)
_SEPARATOR = Number("", 1, 3, 1, is_integer=True, is_optional=True)


def _list_commands(before: str, kind: str) -> tuple[Command, ...]:
    node = f"{before}:CONFiguration:LIST"

    def query(i: SimKeithley2450, name: str, index: float, separator: float | None) -> str:
        points = i.lists.of(kind, name)
        if index > len(points):
            raise _missing()
        return _SEPARATORS[int(separator or 1)].join(points[int(index) - 1].told())

    def named(act: Callable[..., None]) -> Callable[..., None]:
        return lambda i, *arguments: act(i, kind, *arguments)

    return (
        Command(f"{node}:CATalog", query=lambda i: i.lists.next_name(kind)),
        Command(f"{node}:CREate", write=lambda i, name: i.lists.create(kind, name), takes=(Text(),)),
        Command(
            f"{node}:DELete",
            write=lambda i, name, index: i.lists.delete(kind, name, None if index is None else int(index)),
            takes=(Text(), _OPTIONAL_INDEX),
        ),
        Command(f"{node}:QUERy", query=query, asks=(Text(), _INDEX, _SEPARATOR)),
        Command(
            f"{node}:RECall",
            write=named(_recall),
            takes=(Text(), _OPTIONAL_INDEX, _OptionalText(), _OPTIONAL_INDEX),
        ),
        Command(f"{node}:SIZE", query=lambda i, name: str(len(i.lists.of(kind, name))), asks=(Text(),)),
        Command(f"{node}:STORe", write=named(_store), takes=(Text(), _OPTIONAL_INDEX)),
    )


LIST_COMMANDS: tuple[Command, ...] = (
    *_list_commands(":SOURce[1]", "source"),
    *_list_commands("[:SENSe[1]]", "measure"),
)
"""How configuration lists are made and recalled."""

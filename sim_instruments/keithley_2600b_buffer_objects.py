"""Reading buffers as scripts see them, and printbuffer (reference manual, "Reading buffers")."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from .keithley_2600b_buffer import COLUMNS, FILL_WINDOW, OVERFLOW, Buffer2600, Reading
from .tsp_engine import TspEngine, TspError, is_table, number_argument

MOST_READINGS = 1_000_000
"""Largest buffer that can be made (assumed; the instrument's memory bounds it)."""
_ASCII, _REAL32 = 1, 2
_MISMATCH = 1401, "Parameter {} is invalid"


class BufferObjects:
    """Makes Lua objects of buffers and finds the buffers again when scripts hand those objects over.

    Args:
        engine: whose objects they are.
        first_number: buffers are numbered from here; apart from those of any other instrument.
        elsewhere: the same of the instruments on the TSP-Link.
    """

    def __init__(
        self, engine: TspEngine, first_number: int = 1, elsewhere: Callable[[], Iterable[BufferObjects]] = tuple
    ) -> None:
        self._engine = engine
        self._elsewhere = elsewhere
        self._numbers = count(first_number)
        self._buffers: WeakValueDictionary[int, Buffer2600] = WeakValueDictionary()
        self._columns = ("readings", "timestamps", *(name for name in COLUMNS if name != "readings"))

    def find(self, value: Any, place: int = 1) -> tuple[Buffer2600, str]:
        """The buffer and column behind a script's argument; raises TspError if it is none.

        Args:
            value: the argument.
            place: which argument it is, from 1.
        """
        identifier = value["view_id"] if is_table(value) else None
        if not isinstance(identifier, int):
            raise TspError(_MISMATCH[0], _MISMATCH[1].format(place))
        number, column = divmod(identifier, len(self._columns))
        everyone = (self, *self._elsewhere())
        buffer = next((b for b in (one._buffers.get(number) for one in everyone) if b is not None), None)
        if buffer is None:
            raise TspError(4903, "Reading buffer expired")
        return buffer, self._columns[column]

    def optional(self, value: Any) -> Buffer2600 | None:
        """The buffer behind an argument that may be missing."""
        return None if value is None else self.find(value)[0]

    def make(self, buffer: Buffer2600) -> Any:
        """The Lua object of a buffer; the buffer lives as long as scripts hold it."""
        number = next(self._numbers)
        self._buffers[number] = buffer
        views = {name: self._view(buffer, number, k) for k, name in enumerate(self._columns)}
        getters: dict[str, Callable[[], Any]] = {
            "n": lambda: len(buffer.stored),
            "next": lambda: len(buffer.stored) + 1,
            "capacity": lambda: buffer.capacity,
            "appendmode": lambda: int(buffer.is_appending),
            "collecttimestamps": lambda: int(buffer.keeps_times),
            "collectsourcevalues": lambda: int(buffer.keeps_source),
            "fillmode": lambda: buffer.fill_mode,
            "fillcount": lambda: buffer.fill_count,
            "cachemode": lambda: buffer.cache_mode,
            "basetimestamp": lambda: buffer.stored[0].seconds if buffer.stored else 0.0,
            "timestampresolution": lambda: buffer.resolution_seconds,
            "timestamps": lambda: views["timestamps"] if buffer.keeps_times else None,
            "sourcevalues": lambda: views["sourcevalues"] if buffer.keeps_source else None,
        }
        always = {name: view for name, view in views.items() if name not in ("timestamps", "sourcevalues")}
        return self._engine.object(
            {**always, "view_id": number * len(self._columns), "FILL_ONCE": 0, "FILL_WINDOW": 1},
            functions={"clear": buffer.clear, "clearcache": lambda *_: None},
            getters=getters,
            setters=_setters(buffer),
            kind="reading_buffer",
            item=lambda index: buffer.item("readings", index),
        )

    def _view(self, buffer: Buffer2600, number: int, column: int) -> Any:
        name = self._columns[column]
        identifier = number * len(self._columns) + column
        return self._engine.view(lambda index: buffer.item(name, index), lambda: len(buffer.stored), identifier)

    def make_buffer(self, capacity: object) -> Any:
        """smuX.makebuffer."""
        return self.make(Buffer2600(int(number_argument(capacity, 1, MOST_READINGS)), is_dedicated=False))

    def statistics(self, buffer: Any) -> Any:
        """smuX.buffer.getstats: a snapshot of a buffer's statistics."""
        found = self.find(buffer)[0]
        statistics = found.statistics
        made = self._engine.table({"n": statistics.n})
        if statistics.lowest is None or statistics.highest is None:
            return made
        made["mean"], made["stddev"] = statistics.mean, statistics.deviation
        made["min"], made["max"] = self._entry(found, statistics.lowest), self._entry(found, statistics.highest)
        return made

    def _entry(self, buffer: Buffer2600, reading: Reading) -> Any:
        content = {
            name.removesuffix("es" if name == "statuses" else "s"): get(reading) for name, get in COLUMNS.items()
        }
        if not buffer.keeps_source:
            del content["sourcevalue"]
        if buffer.keeps_times:
            content["timestamp"] = buffer.time_of(reading) if buffer.stored else 0.0
        return self._engine.table(content)

    def recalculate(self, buffer: Any) -> None:
        """smuX.buffer.recalculatestats."""
        self.find(buffer)[0].recalculate()

    def print_buffer(self, first: object, last: object, *columns: object) -> None:
        """printbuffer(first, last, column, ...): entries of the columns in turn, as `format` says.

        Entries beyond the readings print as 9.91e37, with error 5038.
        """
        start, stop = int(number_argument(first, 1, MOST_READINGS)), int(number_argument(last, 1, MOST_READINGS))
        if not columns:
            raise TspError(-109)
        found = [self.find(column, k) for k, column in enumerate(columns, 3)]
        values = [buffer.item(name, k) for k in range(start, stop + 1) for buffer, name in found]
        self._emit(values)
        if None in values:
            raise TspError(5038, "Index exceeds maximum reading")

    def _emit(self, values: list[Any]) -> None:
        data, byte_order, precision = self._engine.number_style()
        if data == _ASCII:
            self._engine.emit(", ".join(_texts(values, precision)))
            return
        numbers = [float(value) if isinstance(value, int | float) else OVERFLOW for value in values]
        code = f"{'<' if byte_order == 1 else '>'}{len(numbers)}{'f' if data == _REAL32 else 'd'}"
        self._engine.emit("#0" + struct.pack(code, *numbers).decode("latin-1"), has_bytes=True)


def _setters(buffer: Buffer2600) -> dict[str, Callable[[Any], None]]:
    def append(value: Any) -> None:
        buffer.is_appending = number_argument(value, 0, 1) == 1

    def collect(name: str) -> Callable[[Any], None]:
        return lambda value: buffer.set_collecting(name, number_argument(value, 0, 1) == 1)

    def fill(value: Any) -> None:
        buffer.fill_mode = int(number_argument(value, 0, FILL_WINDOW))

    def fill_count(value: Any) -> None:
        buffer.fill_count = int(number_argument(value, 1, buffer.capacity))

    def cache(value: Any) -> None:
        buffer.cache_mode = int(number_argument(value, 0, 1))

    def resolve(value: Any) -> None:
        if buffer.stored:
            raise TspError(5032, "Cannot change this setting unless buffer is cleared")
        wanted = number_argument(value, 0, 1e3)
        if wanted < 1e-6:
            raise TspError(5047, "Minimum timestamp resolution is 1us")
        buffer.resolution_seconds = wanted

    return {
        "appendmode": append,
        "collecttimestamps": collect("times"),
        "collectsourcevalues": collect("source"),
        "fillmode": fill,
        "fillcount": fill_count,
        "cachemode": cache,
        "timestampresolution": resolve,
    }


def _texts(values: list[Any], precision: int) -> Iterator[str]:
    for value in values:
        yield value if isinstance(value, str) else f"{OVERFLOW if value is None else value:.{precision - 1}e}"

"""The front panel of TSP instruments as scripts see it: it keeps its text, and nobody stands before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tsp_attributes import Attributes, kept_switch, remembered
from .tsp_engine import PARAMETER_ERROR, TspEngine, TspError, number_argument, text_argument

_CONSTANTS = {
    "SMUA": 0, "SMUB": 1, "SMUA_SMUB": 2, "USER": 3, "MEASURE_DCAMPS": 0, "MEASURE_DCVOLTS": 1, "MEASURE_OHMS": 2,
    "MEASURE_WATTS": 3, "DIGITS_4_5": 4, "DIGITS_5_5": 5, "DIGITS_6_5": 6, "LOCK": 1, "UNLOCK": 0, "ENABLE": 1,
    "DISABLE": 0, "NUMERIC": 0, "TEXT": 1, "LIMIT_IV": 0, "LIMIT_P": 1, "SAVE": 1, "DONT_SAVE": 0, "KEY_NONE": 0,
    "KEY_RANGEUP": 65, "KEY_MODEB": 67, "KEY_RELB": 69, "KEY_FILTERB": 70, "KEY_RUN": 71, "KEY_DISPLAY": 72,
    "KEY_AUTO": 73, "KEY_EXIT": 75, "KEY_FILTERA": 77, "KEY_RECALL": 85, "KEY_RIGHT": 78, "KEY_LEFT": 104,
    "KEY_SPEEDB": 94, "KEY_TRIG": 92, "KEY_OUTPUTA": 88, "KEY_OUTPUTB": 96, "KEY_LIMITB": 83, "KEY_MENU": 68,
    "KEY_MODEA": 99, "KEY_RELA": 101, "KEY_SRCA": 76, "KEY_SRCB": 74, "KEY_STORE": 86, "KEY_SPEEDA": 79,
    "KEY_LIMITA": 93, "KEY_ENTER": 82, "KEY_CONFIG": 80, "KEY_RANGEDOWN": 81, "KEY_LOAD": 95, "KEY_DIGITSA": 87,
    "KEY_DIGITSB": 84, "WHEEL_ENTER": 97, "WHEEL_LEFT": 107, "WHEEL_RIGHT": 114,
}  # fmt: skip
"""Names from the reference manual; the numbers of keys partly assumed."""
_ROWS = (20, 32)
"""Characters in the upper and in the lower line."""


class FrontPanel:
    """Text and cursor of the display."""

    def __init__(self) -> None:
        self.clear()
        self.screen = 2
        self.key = 0

    def clear(self) -> None:
        """display.clear()."""
        self._lines = ["".ljust(width) for width in _ROWS]
        self._row, self._column = 1, 1

    def put(self, text: object) -> None:
        """display.settext: $N goes to the next line, other $ codes only change how characters look."""
        left = str(text)[:500]
        while left:
            if left[0] == "$" and len(left) > 1:
                code, left = left[1], left[2:]
                if code in "Nn":
                    self._row, self._column = 2, 1
                elif code == "$":
                    self._character("$")
                continue
            self._character(left[0])
            left = left[1:]

    def _character(self, sign: str) -> None:
        line = self._lines[self._row - 1]
        if self._column <= len(line):
            self._lines[self._row - 1] = line[: self._column - 1] + sign + line[self._column :]
            self._column += 1

    def text(self, _: object = None, row: object = None, first: object = 1, last: object = 99) -> str:
        """display.gettext: both lines, or a part of one."""
        if row is None:
            return "$N".join(self._lines)
        line = self._lines[int(number_argument(row, 1, 2)) - 1]
        return line[int(number_argument(first, 1, 32)) - 1 : int(number_argument(last, 1, 99))]

    def cursor(self) -> tuple[int, int, int]:
        """display.getcursor(): row, column, style."""
        return self._row, self._column, 0

    def move(self, row: object, column: object, _: object = 0) -> None:
        """display.setcursor."""
        wanted = int(number_argument(row, 1, 2))
        if number_argument(column, -99, 999) > _ROWS[wanted - 1]:
            raise TspError(1700, "Display area boundary exceeded")
        self._row, self._column = wanted, int(number_argument(column, 1, 99))


def display(engine: TspEngine, trigger: Any, channels: tuple[str, ...] = ()) -> Any:
    """The `display` object; `channels` are those of a SourceMeter that it shows."""
    panel = FrontPanel()
    a = Attributes()
    a.whole("screen", lambda: panel, "screen", 0, 3)
    for name, default in {"locallockout": 0, "numpad": 1}.items():
        a.add(name, *kept_switch(default))

    def press(key: object) -> None:
        panel.key = int(number_argument(key, 0, 200))

    def ignore(*_: object) -> None:
        return None

    functions: dict[str, Callable[..., Any]] = {
        "settext": panel.put, "gettext": panel.text, "clear": panel.clear, "setcursor": panel.move,
        "getcursor": panel.cursor, "sendkey": press, "getlastkey": lambda: panel.key, "waitkey": lambda: panel.key,
        "menu": ignore, "inputvalue": ignore, "prompt": ignore, "getannunciators": lambda: 0,
    }  # fmt: skip
    parts = {name: _channel(engine) for name in channels}
    return a.made(engine, {**_CONSTANTS, **parts, "loadmenu": _menus(engine), "trigger": trigger}, functions)


def _menus(engine: TspEngine) -> Any:
    items: dict[str, str] = {}

    def add(name: object, code: object, _: object = None) -> None:
        if text_argument(name) in items:
            raise TspError(1109, "Menu name already exists")
        if len(items) >= 100:
            raise TspError(-225, "Out of Memory or TSP Memory allocation error")
        items[text_argument(name)] = text_argument(code)

    def delete(name: object) -> None:
        if items.pop(text_argument(name), None) is None:
            raise TspError(1108, "Menu name does not exist")

    def catalog() -> Any:
        left = iter(list(items.items()))
        return engine.function(lambda *_: next(left, None))

    return engine.object(functions={"add": add, "delete": delete, "catalog": catalog})


def _channel(engine: TspEngine) -> Any:
    parts = {"measure": remembered(engine, {"func": 1}), "limit": remembered(engine, {"func": 0})}
    a = Attributes()
    state = {"digits": 5}

    def set_digits(value: object) -> None:
        if value not in (4, 5, 6):
            raise TspError(PARAMETER_ERROR, "Parameter error")
        state["digits"] = int(number_argument(value, 4, 6))

    a.add("digits", lambda: state["digits"], set_digits)
    return a.made(engine, parts)

"""Front panel, digital lines, interfaces and logs of a 2600B: accepted and remembered, with nothing behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .keithley_2600b_trigger_tree import TriggerTree
from .tsp_attributes import Attributes, remembered
from .tsp_engine import TspEngine, TspError, number_argument, text_argument

DIGITAL_LINES, LINK_LINES, LAN_LINES = 14, 3, 8
_DISPLAY = {
    "SMUA": 0, "SMUB": 1, "SMUA_SMUB": 2, "USER": 3, "MEASURE_DCAMPS": 0, "MEASURE_DCVOLTS": 1, "MEASURE_OHMS": 2,
    "MEASURE_WATTS": 3, "DIGITS_4_5": 4, "DIGITS_5_5": 5, "DIGITS_6_5": 6, "LOCK": 1, "UNLOCK": 0, "ENABLE": 1,
    "DISABLE": 0, "KEY_NONE": 0, "KEY_EXIT": 75, "KEY_ENTER": 82, "KEY_TRIG": 92, "KEY_RUN": 71, "KEY_OUTPUTA": 88,
    "KEY_OUTPUTB": 96, "NUMERIC": 0, "TEXT": 1, "CALIBRATE": 1,
}  # fmt: skip


def display(engine: TspEngine) -> Any:
    """display: keeps its text; nobody presses keys or enters values."""
    text = {"line": ""}

    def set_text(value: object) -> None:
        text["line"] = str(value)[:100]

    def clear() -> None:
        text["line"] = ""

    def ignore(*_: object) -> None:
        return None

    functions: dict[str, Callable[..., Any]] = {
        "settext": set_text, "gettext": lambda *_: text["line"], "clear": clear, "setcursor": ignore,
        "getcursor": lambda: (1, 1, 0), "sendkey": ignore, "getlastkey": lambda: 0, "waitkey": lambda: 0,
        "menu": ignore, "inputvalue": ignore, "prompt": ignore, "getannunciators": lambda: 0,
    }  # fmt: skip
    channels = {f"smu{letter}": _channel_display(engine) for letter in "ab"}
    kept = {"screen": 2, "locallockout": 0, "numpad": 1}
    menus = engine.object(functions={"add": ignore, "delete": ignore, "catalog": lambda: None})
    trigger = engine.object({"EVENT_ID": 0}, functions={"clear": ignore, "wait": lambda _: False})
    fixed = {**_DISPLAY, **channels, "loadmenu": menus, "trigger": trigger}
    return remembered(engine, kept, fixed, functions)


def _channel_display(engine: TspEngine) -> Any:
    def limit() -> Any:
        return remembered(engine, {"func": 0})

    parts = {"measure": remembered(engine, {"func": 1}), "limit": limit(), "source": limit()}
    return remembered(engine, {"digits": 5}, parts)


def digital_io(engine: TspEngine, triggers: TriggerTree) -> Any:
    """digio: fourteen lines with pull-ups and nothing connected."""
    state = {"port": (1 << DIGITAL_LINES) - 1, "protected": 0}

    def bit(line: object) -> int:
        number = number_argument(line, -(2**31), 2**31)
        if not 1 <= number <= DIGITAL_LINES:
            raise TspError(1801, "Invalid digital I/O Line")
        return 1 << (int(number) - 1)

    def write_bit(line: object, value: object) -> None:
        mask = bit(line) & ~state["protected"]
        is_high = number_argument(value, 0, 1) == 1
        state["port"] = state["port"] | mask if is_high else state["port"] & ~mask

    def write_port(value: object) -> None:
        wanted = int(number_argument(value, 0, (1 << DIGITAL_LINES) - 1))
        state["port"] = (state["port"] & state["protected"]) | (wanted & ~state["protected"])

    def protect(value: object) -> None:
        state["protected"] = int(number_argument(value, 0, (1 << DIGITAL_LINES) - 1))

    constants = {
        "TRIG_BYPASS": 0, "TRIG_FALLING": 1, "TRIG_RISING": 2, "TRIG_EITHER": 3, "TRIG_SYNCHRONOUSA": 4,
        "TRIG_SYNCHRONOUS": 5, "TRIG_SYNCHRONOUSM": 6, "TRIG_RISINGA": 7, "TRIG_RISINGM": 8,
    }  # fmt: skip
    lines = engine.object({k: triggers.line() for k in range(1, DIGITAL_LINES + 1)})
    a = Attributes()
    a.add("writeprotect", lambda: state["protected"], protect)
    functions: dict[str, Callable[..., Any]] = {
        "readbit": lambda line: int(bool(state["port"] & bit(line))),
        "writebit": write_bit,
        "readport": lambda: state["port"],
        "writeport": write_port,
    }
    return a.made(engine, {**constants, "trigger": lines}, functions)


def event_log(engine: TspEngine) -> Any:
    """eventlog: empty."""
    fixed = {"count": 0, "DISABLE": 0, "ENABLE": 1, "DISCARD_NEWEST": 0, "DISCARD_OLDEST": 1}
    functions: dict[str, Callable[..., Any]] = {"all": lambda: None, "next": lambda: None, "clear": lambda: None}
    return remembered(engine, {"enable": 1, "overwritemethod": 1}, fixed, functions)


def setups(engine: TspEngine, reset: Callable[[], None]) -> Any:
    """setup: recalling any setup is a reset; saving is accepted."""

    def recall(_: object) -> None:
        reset()

    return engine.object(functions={"recall": recall, "save": lambda *_: None})


def interfaces(engine: TspEngine, triggers: TriggerTree) -> dict[str, Any]:
    """gpib, lan, serial, comm, fs, userstring: what scripts look at now and then."""
    lines = engine.object({k: triggers.line() for k in range(1, LAN_LINES + 1)})
    strings: dict[str, str] = {}

    def add(name: object, value: object) -> None:
        strings[text_argument(name)] = text_argument(value)

    def delete(name: object) -> None:
        strings.pop(text_argument(name), None)

    user = engine.object(functions={"add": add, "get": lambda name: strings.get(text_argument(name)), "delete": delete})
    files = engine.object(
        functions={"is_file": lambda _: False, "is_dir": lambda _: False, "exists": lambda _: False, "cwd": lambda: "/"}
    )
    return {
        "gpib": remembered(engine, {"address": 26}),
        "lan": engine.object({"trigger": lines}, functions={"reset": lambda: None, "applysettings": lambda: None}),
        "serial": remembered(engine, {"baud": 9600, "databits": 8, "parity": "none", "flowcontrol": "none"}),
        "userstring": user,
        "fs": files,
    }

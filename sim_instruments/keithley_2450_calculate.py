"""Math and limit tests of a 2450: what becomes of a measured value, and the CALCulate commands.

Reference Manual, "Calculations": relative offset first, then math, then limit tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .keithley_2450_buffer import OVERFLOW
from .keithley_2450_settings import FUNCTIONS, LimitTest, MathSettings, SenseSettings, show_number
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Parameter, Switch

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_LIMIT_BITS = ({"LOW": 64, "HIGH": 128}, {"LOW": 16, "HIGH": 32})
"""Bits of the STATus element, for limit tests 1 and 2."""
_NODES = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}
_FACTOR = Number("", -1e12, 1e12, 0)
_SCALE = Number("", -1e12, 1e12, 1)
_LOW = Number("", -9.99999e11, 9.99999e11, -1)
_HIGH = Number("", -9.99999e11, 9.99999e11, 1)


def calculated(value: float, math: MathSettings) -> float:
    """A value after the math operation; overflow stays, and so does a division by zero."""
    if not math.is_on or abs(value) >= OVERFLOW:
        return value
    if math.operation == "MXB":
        return math.scale * value + math.offset
    divisor = math.reference if math.operation == "PERC" else value
    if divisor == 0.0:
        return OVERFLOW
    return (value - divisor) / divisor * 100 if math.operation == "PERC" else 1 / value


def tested(value: float, sense: SenseSettings) -> int:
    """Run the limit tests on a value; returns their bits of the STATus element."""
    bits = 0
    for test, bit_of in zip(sense.tests, _LIMIT_BITS, strict=True):
        if test.is_on:
            failed = _failures(value, test)
            test.failed = failed if test.is_auto_cleared else test.failed | failed
            bits |= sum(bit_of[name] for name in failed)
    return bits


def _failures(value: float, test: LimitTest) -> frozenset[str]:
    failed = set()
    if value < test.low:
        failed.add("LOW")
    if value > test.high:
        failed.add("HIGH")
    return frozenset(failed)


def _show_failures(test: LimitTest) -> str:
    if len(test.failed) == 2:
        return "BOTH"
    return next(iter(test.failed), "NONE")


_Part = Callable[[SenseSettings, tuple[int, ...]], Any]


def _math(sense: SenseSettings, numbers: tuple[int, ...]) -> MathSettings:
    return sense.math


def _test(sense: SenseSettings, numbers: tuple[int, ...]) -> LimitTest:
    if numbers[0] not in (1, 2):
        raise ScpiError(-114)
    return sense.tests[numbers[0] - 1]


def _setting(
    before: str, after: str, part: _Part, name: str, parameter: Parameter, show: Callable[[Any], str]
) -> tuple[Command, ...]:
    """The command for each measure function, and for all of them at once where no function is named."""

    def made(node: str, functions: tuple[str, ...]) -> Command:
        def write(i: SimKeithley2450, *arguments: Any) -> None:
            *numbers, value = arguments
            for function in functions:
                setattr(part(i.settings.senses[function], tuple(numbers)), name, value)

        def query(i: SimKeithley2450, *arguments: Any) -> str:
            numbers = arguments[:-1] if isinstance(parameter, Number) else arguments
            if isinstance(parameter, Number) and arguments[-1] is not None:
                return show(arguments[-1])
            function = functions[0] if len(functions) == 1 else i.settings.sense_function
            return show(getattr(part(i.settings.senses[function], tuple(numbers)), name))

        asks = (Extreme(parameter),) if isinstance(parameter, Number) else ()
        return Command(f"{before}{node}{after}", write=write, query=query, takes=(parameter,), asks=asks)

    return (*(made(f":{node}", (function,)) for function, node in _NODES.items()), made("", FUNCTIONS))


def _show_switch(value: bool) -> str:
    return str(int(value))


def _limit_actions(node: str, functions: tuple[str, ...]) -> tuple[Command, ...]:
    before = f":CALCulate2{node}:LIMit<n>"

    def clear(i: SimKeithley2450, n: int) -> None:
        for function in functions:
            _test(i.settings.senses[function], (n,)).failed = frozenset()

    def show(i: SimKeithley2450, n: int) -> str:
        function = functions[0] if len(functions) == 1 else i.settings.sense_function
        return _show_failures(_test(i.settings.senses[function], (n,)))

    return (Command(f"{before}:CLEar[:IMMediate]", write=clear), Command(f"{before}:FAIL", query=show))


_MATH_NODE, _LIMIT_NODE = ":CALCulate[1]", ":CALCulate2"

CALCULATE_COMMANDS: tuple[Command, ...] = (
    *_setting(_MATH_NODE, ":MATH:STATe", _math, "is_on", Switch(), _show_switch),
    *_setting(_MATH_NODE, ":MATH:FORMat", _math, "operation", Choice("MXB", "PERCent", "RECiprocal"), str),
    *_setting(_MATH_NODE, ":MATH:MMFactor", _math, "scale", _SCALE, show_number),
    *_setting(_MATH_NODE, ":MATH:MBFactor", _math, "offset", _FACTOR, show_number),
    *_setting(_MATH_NODE, ":MATH:PERCent", _math, "reference", _SCALE, show_number),
    *_setting(_LIMIT_NODE, ":LIMit<n>:STATe", _test, "is_on", Switch(), _show_switch),
    *_setting(_LIMIT_NODE, ":LIMit<n>:LOWer[:DATA]", _test, "low", _LOW, show_number),
    *_setting(_LIMIT_NODE, ":LIMit<n>:UPPer[:DATA]", _test, "high", _HIGH, show_number),
    *_setting(_LIMIT_NODE, ":LIMit<n>:AUDible", _test, "audible", Choice("NONE", "FAIL", "PASS"), str),
    *_setting(_LIMIT_NODE, ":LIMit<n>:CLEar:AUTO", _test, "is_auto_cleared", Switch(), _show_switch),
    *(
        command
        for node, functions in (*((f":{node}", (function,)) for function, node in _NODES.items()), ("", FUNCTIONS))
        for command in _limit_actions(node, functions)
    ),
)
"""Math and limit tests."""

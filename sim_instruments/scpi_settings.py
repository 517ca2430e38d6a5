"""Commands that set and tell one setting, made from where the setting is kept and what it may be."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from .scpi import Command
from .scpi_parameters import Choice, Extreme, Number, Parameter, Switch, Text

After = Callable[[Any], None]


def show_number(value: float) -> str:
    """NR3 with seven digits."""
    return f"{value:.6E}"


def show_integer(value: float) -> str:
    """NR1; infinity as SCPI's 9.9E37."""
    return str(int(value)) if value < 9e37 else "9.900000E+37"


def show_switch(value: bool) -> str:
    """1 or 0."""
    return "1" if value else "0"


def show_text(value: str) -> str:
    """A string in double quotes."""
    return '"' + value.replace('"', '""') + '"'


def _no_more(_: Any) -> None:
    """Nothing else changes with this setting."""


def setting(pattern: str, path: str, parameter: Parameter, *, after: After = _no_more, show: Any = None) -> Command:
    """Command and query for the attribute `path` (dotted) of an instrument.

    Args:
        pattern: the command's header.
        path: for example "settings.volts.level".
        parameter: what the setting may be.
        after: called with the instrument once the setting has changed.
        show: how the query tells the value; by default as fits the parameter.
    """
    owner, _, name = path.rpartition(".")
    own, get = attrgetter(owner), attrgetter(path)
    tell = show or _teller(parameter)

    def write(instrument: Any, value: Any) -> None:
        setattr(own(instrument), name, value)
        after(instrument)

    if isinstance(parameter, Number):
        return Command(
            pattern,
            write=write,
            query=lambda i, extreme: tell(get(i) if extreme is None else extreme),
            takes=(parameter,),
            asks=(Extreme(parameter),),
        )
    return Command(pattern, write=write, query=lambda i: tell(get(i)), takes=(parameter,))


def _teller(parameter: Parameter) -> Callable[[Any], str]:
    if isinstance(parameter, Number):
        return show_integer if parameter.is_integer else show_number
    if isinstance(parameter, Switch):
        return show_switch
    if isinstance(parameter, Text):
        return show_text
    if isinstance(parameter, Choice):
        return str
    raise TypeError(f"no way to show a {type(parameter).__name__}")

"""Attributes of TSP objects: collects getters and setters that read and write Python attributes within limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .tsp_engine import TspEngine, TspError, number_argument

Get = Callable[[], Any]
Put = Callable[[Any], None]


def as_choice(value: object, *choices: int) -> int:
    """A number that is one of the choices; raises TspError for anything else."""
    wanted = number_argument(value, min(choices), max(choices))
    if wanted not in choices:
        raise TspError(-224, "Illegal Parameter Value")
    return int(wanted)


def kept_switch(default: int) -> tuple[Get, Put]:
    """A setting that is 0 or 1 and changes nothing."""
    kept = [default]
    return lambda: kept[0], lambda value: kept.__setitem__(0, int(as_switch(value)))


def kept_number(default: int, low: int, high: int) -> tuple[Get, Put]:
    """A whole number that changes nothing."""
    kept = [default]
    return lambda: kept[0], lambda value: kept.__setitem__(0, int(number_argument(value, low, high)))


def as_switch(value: object) -> bool:
    """A boolean, or 0 or 1; raises TspError for anything else."""
    return value if isinstance(value, bool) else as_choice(value, 0, 1) == 1


class Attributes:
    """Attributes of one object.

    Attributes:
        getters, setters: by name.
    """

    def __init__(self) -> None:
        self.getters: dict[Any, Get] = {}
        self.setters: dict[Any, Put] = {}

    def add(self, name: Any, get: Get, put: Put | None = None) -> None:
        """An attribute with its own functions; read-only without `put`."""
        self.getters[name] = get
        if put is not None:
            self.setters[name] = put

    def number(
        self,
        name: str,
        owner: Callable[[], Any],
        field: str,
        low: float,
        high: float,
        then: Callable[[], None] | None = None,
    ) -> None:
        """A number within limits, kept in `field` of `owner()`; `then` is called after each change."""
        self._keep(name, owner, field, lambda value: number_argument(value, low, high), then)

    def whole(self, name: Any, owner: Callable[[], Any], field: str, low: int, high: int) -> None:
        """A whole number within limits."""
        self._keep(name, owner, field, lambda value: int(number_argument(value, low, high)), None)

    def choice(
        self, name: str, owner: Callable[[], Any], field: str, *choices: int, then: Callable[[], None] | None = None
    ) -> None:
        """One of some constants."""
        self._keep(name, owner, field, lambda value: as_choice(value, *choices), then)

    def switch(self, name: str, owner: Callable[[], Any], field: str) -> None:
        """A boolean that scripts read as true or false."""
        self._keep(name, owner, field, as_switch, None)

    def switch_number(self, name: str, owner: Callable[[], Any], field: str) -> None:
        """A boolean that scripts read as 0 or 1."""
        self.add(name, lambda: int(getattr(owner(), field)), lambda value: setattr(owner(), field, as_switch(value)))

    def _keep(
        self,
        name: Any,
        owner: Callable[[], Any],
        field: str,
        parse: Callable[[Any], Any],
        then: Callable[[], None] | None,
    ) -> None:
        def put(value: Any) -> None:
            setattr(owner(), field, parse(value))
            if then is not None:
                then()

        self.add(name, lambda: getattr(owner(), field), put)

    def made(
        self,
        engine: TspEngine,
        values: Mapping[Any, Any] | None = None,
        functions: Mapping[str, Callable[..., Any]] | None = None,
    ) -> Any:
        """The object, with constants, sub-objects and functions."""
        return engine.object(values, functions=functions, getters=self.getters, setters=self.setters)


def fixed_items(engine: TspEngine, items: Mapping[int, Any]) -> Any:
    """An array of objects, such as `trigger.timer`."""
    return engine.object(items)


def remembered(
    engine: TspEngine,
    values: Mapping[str, Any],
    fixed: Mapping[str, Any] | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Any:
    """An object whose attributes take any value and tell it again, with constants and functions."""
    kept = dict(values)
    a = Attributes()
    for name in kept:
        a.add(name, *_kept(kept, name))
    return a.made(engine, fixed, functions)


def _kept(values: dict[str, Any], name: str) -> tuple[Get, Put]:
    return lambda: values[name], lambda value: values.__setitem__(name, value)

"""smuX.trigger as scripts see it (reference manual, "Triggering" and "Sweep operation")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .accuracy_keithley_2600b import SOURCE_REACH
from .keithley_2600b_sweep import ASYNC, DISABLE, ENABLE, HOLD, IDLE, TriggerModel
from .tsp_attributes import Attributes
from .tsp_engine import PARAMETER_ERROR, TspEngine, TspError, is_table, number_argument
from .tsp_events import Detector
from .tsp_trigger_tree import Functions, TriggerTree

if TYPE_CHECKING:
    from .keithley_2600b import SimKeithley2600B

MOST_POINTS = 100_000
_MOST_EVENTS = 100_000


def as_levels(table: Any) -> list[float]:
    """The numbers of a Lua list; raises TspError for anything else."""
    if not is_table(table):
        raise TspError(PARAMETER_ERROR, "Parameter error")
    values = [number_argument(value, -1e38, 1e38) for value in list(table.values())]
    if len(values) > MOST_POINTS:
        raise TspError(-223, "Too Much Data")
    return values


def _linear(start: object, stop: object, points: object) -> Sequence[float]:
    ends = number_argument(start, -1e38, 1e38), number_argument(stop, -1e38, 1e38)
    return [float(v) for v in np.linspace(*ends, int(number_argument(points, 1, MOST_POINTS)))]


def _logarithmic(start: object, stop: object, points: object, asymptote: object = 0) -> Sequence[float]:
    zero = number_argument(asymptote, -1e38, 1e38)
    ends = number_argument(start, -1e38, 1e38) - zero, number_argument(stop, -1e38, 1e38) - zero
    if ends[0] * ends[1] <= 0:
        raise TspError(-224, "Illegal Parameter Value")
    many = int(number_argument(points, 1, MOST_POINTS))
    return [float(v) + zero for v in np.copysign(np.geomspace(abs(ends[0]), abs(ends[1]), many), ends[0])]


class ChannelTriggerTree:
    """Builds smuX.trigger."""

    def __init__(self, instrument: SimKeithley2600B, model: TriggerModel, tree: TriggerTree) -> None:
        self._instrument = instrument
        self._engine: TspEngine = instrument.engine
        self._model = model
        self._tree = tree

    def made(self) -> Any:
        """The whole object."""
        model = self._model
        a = Attributes()
        a.whole("count", lambda: model, "count", 0, _MOST_EVENTS)
        a.choice("autoclear", lambda: model, "is_autoclear", 0, 1)
        arm = Attributes()
        arm.whole("count", lambda: model, "arm_count", 0, _MOST_EVENTS)
        self._tree.add_stimulus(arm, model.arm)
        numbers = {f"{name}_EVENT_ID": number for name, number in model.numbers.items()}
        parts = {
            "arm": arm.made(self._engine, functions=self._set(model.arm)),
            "source": self._source(),
            "measure": self._measure(),
            "endpulse": self._ending("endpulse_action", model.endpulse),
            "endsweep": self._ending("endsweep_action", None),
        }
        return a.made(self._engine, {**numbers, **parts}, {"initiate": self._initiate})

    def _initiate(self) -> None:
        self._instrument.let_time_pass()
        self._model.initiate()

    def _set(self, detector: Detector) -> Functions:
        def see() -> None:
            self._instrument.catch_up()
            detector.see()
            self._instrument.settle_triggers()

        return {"set": see}

    def _source(self) -> Any:
        a = Attributes()
        a.choice("action", lambda: self._model, "source_action", DISABLE, ENABLE)
        self._tree.add_stimulus(a, self._model.source)
        functions = self._set(self._model.source)
        for quantity in "iv":
            self._add_levels(a, functions, quantity)
        return a.made(self._engine, {"LIMIT_AUTO": 0}, functions)

    def _add_levels(self, a: Attributes, functions: Functions, quantity: str) -> None:
        model = self._model
        _, ranges = model.channel.side(quantity)

        def limit(value: Any) -> None:
            wanted = number_argument(value, 0, ranges[-1].full_scale * SOURCE_REACH)
            model.limits[quantity] = wanted or None

        def configure_list(table: Any) -> None:
            model.configure(quantity, as_levels(table))

        def configure_linear(start: object, stop: object, points: object) -> None:
            model.configure(quantity, _linear(start, stop, points))

        def configure_logarithmic(start: object, stop: object, points: object, asymptote: object = 0) -> None:
            model.configure(quantity, _logarithmic(start, stop, points, asymptote))

        a.add(f"limit{quantity}", lambda: model.limits[quantity] or 0, limit)
        functions[f"list{quantity}"] = configure_list
        functions[f"linear{quantity}"] = configure_linear
        functions[f"log{quantity}"] = configure_logarithmic

    def _measure(self) -> Any:
        a = Attributes()
        a.choice("action", lambda: self._model, "measure_action", DISABLE, ENABLE, ASYNC)
        self._tree.add_stimulus(a, self._model.measure)
        functions = self._set(self._model.measure)
        for kinds in ("i", "v", "r", "p", "iv"):
            functions[kinds] = self._measuring(kinds)
        return a.made(self._engine, functions=functions)

    def _measuring(self, kinds: str) -> Callable[..., None]:
        def configure(first: object, second: object = None) -> None:
            find = self._instrument.buffer_objects.optional
            self._model.kinds, self._model.buffers = kinds, (find(first), find(second))

        return configure

    def _ending(self, field: str, detector: Detector | None) -> Any:
        a = Attributes()
        a.choice("action", lambda: self._model, field, IDLE, HOLD)
        functions: Functions = {}
        if detector is not None:
            self._tree.add_stimulus(a, detector)
            functions = self._set(detector)
        return a.made(self._engine, functions=functions)

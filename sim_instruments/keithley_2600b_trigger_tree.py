"""smuX.trigger and trigger as scripts see them (reference manual, "Triggering")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .keithley_2600b_events import Detector
from .keithley_2600b_sweep import ASYNC, DISABLE, ENABLE, HOLD, IDLE, TriggerModel
from .keithley_2600b_trigger import Blender, Timer, TriggerSystem
from .tsp_attributes import Attributes, as_switch, remembered
from .tsp_engine import PARAMETER_ERROR, TspEngine, TspError, is_table, number_argument

if TYPE_CHECKING:
    from .keithley_2600b import SimKeithley2600B

MOST_POINTS = 100_000
_MOST_EVENTS = 100_000
_LONGEST_SECONDS = 100_000.0


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
        raise TspError(PARAMETER_ERROR, "Parameter error")
    many = int(number_argument(points, 1, MOST_POINTS))
    return [float(v) + zero for v in np.copysign(np.geomspace(abs(ends[0]), abs(ends[1]), many), ends[0])]


class TriggerTree:
    """Builds the trigger objects."""

    def __init__(self, instrument: SimKeithley2600B, system: TriggerSystem) -> None:
        self._instrument = instrument
        self._engine: TspEngine = instrument.engine
        self._system = system

    def of_channel(self, model: TriggerModel) -> Any:
        """smuX.trigger."""
        a = Attributes()
        a.whole("count", lambda: model, "count", 0, _MOST_EVENTS)
        a.choice("autoclear", lambda: model, "is_autoclear", 0, 1)
        arm = Attributes()
        arm.whole("count", lambda: model, "arm_count", 0, _MOST_EVENTS)
        self._add_stimulus(arm, model.arm)
        functions: dict[str, Callable[..., Any]] = {"initiate": lambda: self._initiate(model)}
        numbers = {f"{name}_EVENT_ID": number for name, number in model.numbers.items()}
        parts = {
            "arm": arm.made(self._engine, functions=self._set(model.arm)),
            "source": self._source(model),
            "measure": self._measure(model),
            "endpulse": self._ending(model, "endpulse_action", model.endpulse),
            "endsweep": self._ending(model, "endsweep_action", None),
        }
        return a.made(self._engine, {**numbers, **parts}, functions)

    def _initiate(self, model: TriggerModel) -> None:
        self._instrument.let_time_pass()
        model.initiate()

    def _add_stimulus(self, a: Attributes, detector: Detector) -> None:
        a.whole("stimulus", detector.itself, "stimulus", 0, 10**6)

    def _set(self, detector: Detector) -> dict[str, Callable[..., Any]]:
        def see() -> None:
            detector.see()
            self._instrument.settle_triggers()

        return {"set": see}

    def _source(self, model: TriggerModel) -> Any:
        a = Attributes()
        a.choice("action", lambda: model, "source_action", DISABLE, ENABLE)
        self._add_stimulus(a, model.source)
        functions: dict[str, Callable[..., Any]] = self._set(model.source)
        for quantity in "iv":
            self._add_levels(a, functions, model, quantity)
        return a.made(self._engine, {"LIMIT_AUTO": 0}, functions)

    def _add_levels(
        self, a: Attributes, functions: dict[str, Callable[..., Any]], model: TriggerModel, quantity: str
    ) -> None:
        def limit(value: Any) -> None:
            wanted = number_argument(value, 0, 200.0)
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

    def _measure(self, model: TriggerModel) -> Any:
        a = Attributes()
        a.choice("action", lambda: model, "measure_action", DISABLE, ENABLE, ASYNC)
        self._add_stimulus(a, model.measure)
        functions: dict[str, Callable[..., Any]] = self._set(model.measure)
        for kinds in ("i", "v", "r", "p", "iv"):
            functions[kinds] = self._measuring(model, kinds)
        return a.made(self._engine, functions=functions)

    def _measuring(self, model: TriggerModel, kinds: str) -> Callable[..., None]:
        def configure(first: object, second: object = None) -> None:
            find = self._instrument.buffer_objects.optional
            model.kinds, model.buffers = kinds, (find(first), find(second))

        return configure

    def _ending(self, model: TriggerModel, field: str, detector: Detector | None) -> Any:
        a = Attributes()
        a.choice("action", lambda: model, field, IDLE, HOLD)
        functions: dict[str, Callable[..., Any]] = {}
        if detector is not None:
            self._add_stimulus(a, detector)
            functions = self._set(detector)
        return a.made(self._engine, functions=functions)

    def of_instrument(self) -> Any:
        """trigger: timers, blenders, generators and the event of the bus."""
        system, engine = self._system, self._engine
        timers = {k: self._timer(timer) for k, timer in enumerate(system.timers, 1)}
        blenders = {k: self._blender(blender) for k, blender in enumerate(system.blenders, 1)}
        generators = {k: self.line(event) for k, event in enumerate(system.generators, 1)}
        return engine.object(
            {
                "EVENT_ID": system.bus,
                "timer": engine.object(timers),
                "blender": engine.object(blenders),
                "generator": engine.object(generators),
            },
            functions={
                "clear": system.bus_detector.clear,
                "wait": lambda seconds: self._wait(system.bus_detector, seconds),
            },
        )

    def _wait(self, detector: Detector, seconds: object) -> bool:
        self._instrument.settle_triggers()
        timeout = number_argument(seconds, 0, _LONGEST_SECONDS)
        if not detector.is_latched:
            self._instrument.take_time(timeout)
            return False
        detector.clear()
        return True

    def _watched(self, event: int) -> dict[str, Callable[..., Any]]:
        """clear and wait of something that gives this event."""
        detector = self._system.events.detector()
        detector.stimulus = event
        return {"clear": detector.clear, "wait": lambda seconds: self._wait(detector, seconds)}

    def _timer(self, timer: Timer) -> Any:
        a = Attributes()

        def one_delay(value: Any) -> None:
            timer.delays = [number_argument(value, 0, _LONGEST_SECONDS)]

        def delays(value: Any) -> None:
            timer.delays = as_levels(value) or timer.delays

        a.add("delay", lambda: timer.delays[0], one_delay)
        a.add("delaylist", lambda: self._engine.list_of(list(timer.delays)), delays)
        a.whole("count", lambda: timer, "count", 0, 1_048_575)
        a.switch("passthrough", lambda: timer, "passes_through")
        a.add("overrun", lambda: timer.has_overrun)
        self._add_stimulus(a, timer.detector)
        functions = self._watched(timer.event)
        return a.made(self._engine, {"EVENT_ID": timer.event}, functions | {"clear": timer.clear, "reset": timer.reset})

    def _blender(self, blender: Blender) -> Any:
        a = Attributes()
        a.add("orenable", lambda: blender.is_or, lambda value: setattr(blender, "is_or", as_switch(value)))
        a.add("overrun", lambda: False)
        stimuli = Attributes()
        for k, detector in enumerate(blender.stimuli, 1):
            stimuli.whole(k, detector.itself, "stimulus", 0, 10**6)
        functions = self._watched(blender.event)
        values = {"EVENT_ID": blender.event, "stimulus": stimuli.made(self._engine)}
        return a.made(self._engine, values, functions | {"clear": blender.clear, "reset": blender.reset})

    def line(self, event: int | None = None) -> Any:
        """A generator, or a digital, LAN or TSP-Link trigger line with nothing connected to it."""
        number = self._system.events.number() if event is None else event
        kept: dict[str, Any] = {"mode": 0, "pulsewidth": 10e-6, "stimulus": 0, "connected": False}

        def assert_line() -> None:
            self._system.events.fire(number)
            self._instrument.settle_triggers()

        functions = self._watched(number)
        extra: dict[str, Callable[..., Any]] = {
            "assert": assert_line, "release": lambda: None, "reset": lambda: None, "connect": lambda: None,
            "disconnect": lambda: None,
        }  # fmt: skip
        return remembered(self._engine, kept, {"EVENT_ID": number, "overrun": False}, functions | extra)

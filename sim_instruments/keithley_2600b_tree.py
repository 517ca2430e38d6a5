"""smua and smub as scripts see them: source, measure, contact, buffers (reference manual, "TSP command reference")."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from .accuracy_keithley_2600b import MEASURE_REACH, SOURCE_REACH
from .keithley_2600b_buffer import Buffer2600
from .keithley_2600b_channel import SmuChannel
from .keithley_2600b_contact import check_contact, contact_ohms
from .keithley_2600b_output import range_for
from .keithley_2600b_settings import CONSTANTS, MeasureSide, SmuSettings
from .tsp_attributes import Attributes, as_choice
from .tsp_engine import TspEngine, TspError, number_argument

if TYPE_CHECKING:
    from .keithley_2600b import SimKeithley2600B

_LONGEST_SECONDS = 500e3


class SmuTree:
    """Builds the object of one channel."""

    def __init__(self, instrument: SimKeithley2600B, channel: SmuChannel) -> None:
        self._instrument = instrument
        self._channel = channel
        self._buffers = instrument.buffer_objects
        self._engine: TspEngine = instrument.engine

    def made(self, trigger: Any) -> Any:
        """The whole object; `trigger` is its trigger object."""
        channel, instrument = self._channel, self._instrument
        attributes = Attributes()
        attributes.choice("sense", self._settings, "sense", 0, 1, 3)
        nvbuffers = {f"nvbuffer{k}": self._buffers.make(buffer) for k, buffer in enumerate(channel.buffers, 1)}
        return attributes.made(
            self._engine,
            {**CONSTANTS, **nvbuffers, "source": self._source(), "measure": self._measure(), "trigger": trigger,
             "contact": self._contact(), "cal": self._engine.object({"state": 0, "date": 0, "due": 0, "adjustdate": 0}),
             "channel_letter": channel.letter},
            {
                "reset": lambda: instrument.reset_channel(channel),
                "abort": lambda: instrument.abort(channel),
                "makebuffer": self._buffers.make_buffer,
                "savebuffer": lambda buffer: self._buffers.find(buffer) and None,
                "measurevandstep": lambda level: self._measure_and_step("v", level),
                "measureiandstep": lambda level: self._measure_and_step("i", level),
                "measurerandstep": lambda level: self._measure_and_step("r", level),
                "measurepandstep": lambda level: self._measure_and_step("p", level),
                "measureivandstep": lambda level: self._measure_and_step("iv", level),
            },
        )  # fmt: skip

    def _settings(self) -> SmuSettings:
        return self._channel.settings

    def _source(self) -> Any:
        channel, settings = self._channel, self._settings
        a = Attributes()
        a.add("func", lambda: settings().function, lambda v: channel.select_function(as_choice(v, 0, 1)))
        a.add("output", lambda: int(settings().is_on), lambda v: channel.switch(as_choice(v, 0, 1, 2)))
        a.add("compliance", channel.compliance)
        for quantity in "iv":
            self._add_source(a, quantity)
        a.choice("offmode", settings, "off_mode", 0, 1, 2, then=channel.apply)
        a.choice("offfunc", settings, "off_function", 0, 1, then=channel.apply)
        smu = channel.smu
        a.number("offlimiti", settings, "offlimit_amps", smu.smallest_limit_amps, 3.0, channel.apply)
        a.number("offlimitv", settings, "offlimit_volts", smu.smallest_limit_volts, 200.0, channel.apply)
        a.choice("outputenableaction", settings, "output_enable_action", 0, 1)
        a.choice("highc", settings, "is_high_capacitance", 0, 1)
        a.choice("settling", settings, "settling", 0, 1, 2, 3, 4, 128)
        a.choice("sink", settings, "is_sink", 0, 1)
        a.number("delay", settings, "source_delay", -1, _LONGEST_SECONDS)
        return a.made(self._engine)

    def _add_source(self, a: Attributes, quantity: str) -> None:
        channel = self._channel
        ranges = channel.side(quantity)[1]
        reach = ranges[-1].full_scale * SOURCE_REACH

        def level(value: Any) -> None:
            channel.set_level(quantity, _plain(value))

        def lowest(value: Any) -> None:
            side = channel.side(quantity)[0]
            side.lowest = range_for(number_argument(value, 0, reach), ranges, SOURCE_REACH)
            if side.is_auto:
                side.index = max(side.index, side.lowest)

        limit = "limit_volts" if quantity == "v" else "limit_amps"
        a.add(f"level{quantity}", lambda: channel.side(quantity)[0].level, level)
        a.add(
            f"limit{quantity}",
            lambda: getattr(channel.settings, limit),
            lambda value: channel.set_limit(quantity, _plain(value)),
        )
        a.add(
            f"range{quantity}",
            lambda: ranges[channel.side(quantity)[0].index].full_scale,
            lambda value: channel.set_source_range(quantity, _plain(value)),
        )
        a.add(
            f"autorange{quantity}",
            lambda: int(channel.side(quantity)[0].is_auto),
            lambda value: channel.set_source_auto(quantity, as_choice(value, 0, 1) == 1),
        )
        a.add(f"lowrange{quantity}", lambda: ranges[channel.side(quantity)[0].lowest].full_scale, lowest)

    def _measure(self) -> Any:
        settings = self._settings
        a = Attributes()
        for quantity in "iv":
            self._add_measure_range(a, quantity)
        a.number("nplc", settings, "cycles", 0.001, 25)
        a.choice("autozero", settings, "autozero", 0, 1, 2)
        a.whole("count", settings, "count", 1, 65_535)
        a.number("interval", settings, "interval", 0, _LONGEST_SECONDS)
        a.number("delay", settings, "measure_delay", -1, _LONGEST_SECONDS)
        a.number("delayfactor", settings, "delay_factor", 0, 1e6)
        functions: dict[str, Callable[..., Any]] = {}
        for kinds in ("i", "v", "r", "p", "iv"):
            functions[kinds] = self._measuring(kinds)
            functions[f"overlapped{kinds}"] = self._overlapped(kinds)
            functions[f"{kinds}andstep"] = partial(self._measure_and_step, kinds)
        return a.made(self._engine, {"filter": self._filter(), "rel": self._rel()}, functions)

    def _add_measure_range(self, a: Attributes, quantity: str) -> None:
        channel = self._channel
        ranges = channel.measure_side(quantity)[1]
        reach = ranges[-1].full_scale * MEASURE_REACH

        def in_force() -> float:
            output = channel.output
            index = output.volts_range(channel.settings) if quantity == "v" else output.amps_range(channel.settings)
            return ranges[index].full_scale

        def lowest(value: Any) -> None:
            side = channel.measure_side(quantity)[0]
            side.lowest = range_for(number_argument(value, 0, reach), ranges, MEASURE_REACH)

        a.add(f"range{quantity}", in_force, lambda value: channel.set_measure_range(quantity, _plain(value)))
        a.add(
            f"autorange{quantity}",
            lambda: channel.measure_side(quantity)[0].auto,
            lambda value: channel.set_measure_auto(quantity, as_choice(value, 0, 1, 2)),
        )
        a.add(f"lowrange{quantity}", lambda: ranges[channel.measure_side(quantity)[0].lowest].full_scale, lowest)

    def _filter(self) -> Any:
        a = Attributes()
        a.choice("enable", self._settings, "is_filtering", 0, 1)
        a.whole("count", self._settings, "filter_count", 1, 100)
        a.choice("type", self._settings, "filter_type", 0, 1, 2)
        return a.made(self._engine)

    def _rel(self) -> Any:
        a = Attributes()
        names = {"i": "measure_amps", "v": "measure_volts", "r": "ohms", "p": "watts"}
        for quantity, field in names.items():
            self._add_rel(a, quantity, field)
        return a.made(self._engine)

    def _add_rel(self, a: Attributes, quantity: str, field: str) -> None:
        def side() -> MeasureSide:
            found = getattr(self._channel.settings, field)
            assert isinstance(found, MeasureSide)
            return found

        def enable(value: Any) -> None:
            side().is_relative = as_choice(value, 0, 1) == 1

        a.add(f"enable{quantity}", lambda: int(side().is_relative), enable)
        a.number(f"level{quantity}", side, "offset", -9.99e20, 9.99e20)

    def _measuring(self, kinds: str) -> Callable[..., Any]:
        def measure(first: object = None, second: object = None) -> Any:
            self._instrument.settle_triggers()
            values = self._channel.measure(kinds, self._found(first, second))
            return values[0] if len(values) == 1 else values

        return measure

    def _overlapped(self, kinds: str) -> Callable[..., None]:
        def measure(first: object = None, second: object = None) -> None:
            buffers = self._found(first, second)
            if buffers[0] is None:
                raise TspError(-109)
            self._instrument.overlap(lambda: self._channel.measure(kinds, buffers))

        return measure

    def _found(self, *buffers: object) -> tuple[Buffer2600 | None, ...]:
        return tuple(self._buffers.optional(buffer) for buffer in buffers)

    def _measure_and_step(self, kinds: str, level: object) -> Any:
        values = self._measuring(kinds)()
        self._channel.set_level("v" if self._settings().is_volts_source else "i", _plain(level))
        return values

    def _contact(self) -> Any:
        a = Attributes()
        a.choice("speed", self._settings, "contact_speed", 0, 1, 2)
        a.number("threshold", self._settings, "contact_threshold", 0, 1e3)
        functions: dict[str, Callable[..., Any]] = {
            "check": lambda: check_contact(self._channel),
            "r": lambda: contact_ohms(self._channel),
            "calibratelo": lambda *_: None,
            "calibratehi": lambda *_: None,
        }
        return a.made(self._engine, functions=functions)


def _plain(value: object) -> float:
    return number_argument(value, -1e38, 1e38)

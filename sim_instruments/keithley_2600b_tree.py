"""smua and smub as scripts see them: source, measure, contact, buffers (reference manual, "TSP command reference")."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from .accuracy_keithley_2600b import MEASURE_REACH, SOURCE_REACH
from .keithley_2600b_buffer import Buffer2600
from .keithley_2600b_channel import SmuChannel
from .keithley_2600b_contact import ContactCheck
from .keithley_2600b_meter import Meter2600
from .keithley_2600b_output import range_for
from .keithley_2600b_settings import CONSTANTS, MeasureSide, SmuSettings
from .tsp_attributes import Attributes, as_choice
from .tsp_engine import TspEngine, TspError, number_argument, text_argument

if TYPE_CHECKING:
    from .keithley_2600b import SimKeithley2600B

_LONGEST_SECONDS = 500e3


class SmuTree:
    """Builds the object of one channel."""

    def __init__(self, instrument: SimKeithley2600B, channel: SmuChannel, meter: Meter2600) -> None:
        self._instrument = instrument
        self._channel = channel
        self._meter = meter
        self._buffers = instrument.buffer_objects
        self._engine: TspEngine = instrument.engine

    def made(self, trigger: Any) -> Any:
        """The whole object; `trigger` is its trigger object."""
        channel, instrument = self._channel, self._instrument
        attributes = Attributes()
        attributes.add("sense", lambda: channel.settings.sense, lambda v: channel.set_sense(self._sense(v)))
        nvbuffers = {f"nvbuffer{k}": self._buffers.make(buffer) for k, buffer in enumerate(channel.buffers, 1)}
        return attributes.made(
            self._engine,
            {**CONSTANTS, **nvbuffers, "source": self._source(), "measure": self._measure(), "trigger": trigger,
             "contact": self._contact(), "cal": self._calibration(), "buffer": self._statistics(),
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

    def _sense(self, value: object) -> int:
        mode = as_choice(value, 0, 1, 3)
        if mode == 3:
            raise self._channel.error(5011, "Operation not permitted while cal is locked")
        return mode

    def _statistics(self) -> Any:
        return self._engine.object(
            functions={"getstats": self._buffers.statistics, "recalculatestats": self._buffers.recalculate}
        )

    def _calibration(self) -> Any:
        """smuX.cal: locked, and the password is not known."""
        error = self._channel.error

        def refuse(*_: object) -> None:
            raise error(5011, "Operation not permitted while cal is locked")

        def unlock(password: object) -> None:
            text_argument(password)
            raise error(5019, "Cannot unlock - invalid password")

        a = Attributes()
        for name in ("date", "due", "adjustdate"):
            a.add(name, lambda: 0, refuse)
        a.add("polarity", lambda: 0, refuse)
        a.add("password", lambda: None, refuse)
        a.add("state", lambda: 0)
        return a.made(
            self._engine, functions={"unlock": unlock, "lock": lambda: None, "save": refuse, "restore": refuse}
        )

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
        a.number("offlimiti", settings, "offlimit_amps", smu.smallest_limit_amps, smu.dc_amps, channel.apply)
        a.number("offlimitv", settings, "offlimit_volts", smu.smallest_limit_volts, smu.most("v"), channel.apply)
        a.choice("outputenableaction", settings, "output_enable_action", 0, 1)
        a.add(
            "highc",
            lambda: settings().is_high_capacitance,
            lambda value: channel.set_high_capacitance(as_choice(value, 0, 1) == 1),
        )
        a.choice("settling", settings, "settling", 0, 1, 2, 3, 4, 128)
        a.choice("sink", settings, "is_sink", 0, 1)
        a.add("delay", lambda: settings().source_delay, self._put_delay("source_delay"))
        functions = {f"calibrate{quantity}": self._refuse_calibration for quantity in "vi"}
        return a.made(self._engine, functions=functions)

    def _refuse_calibration(self, *_: object) -> None:
        raise self._channel.error(5011, "Operation not permitted while cal is locked")

    def _put_delay(self, field: str) -> Callable[[Any], None]:
        def put(value: Any) -> None:
            wanted = number_argument(value, -1, _LONGEST_SECONDS)
            if -1 < wanted < 0:
                raise TspError(1102, "Parameter too small")
            setattr(self._settings(), field, wanted)

        return put

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
        a.add("autozero", lambda: settings().autozero, self._zero)
        a.whole("count", settings, "count", 1, 65_535)
        a.number("interval", settings, "interval", 0, 1.0)
        a.add("delay", lambda: settings().measure_delay, self._put_delay("measure_delay"))
        a.number("delayfactor", settings, "delay_factor", 0, 1e6)
        functions: dict[str, Callable[..., Any]] = {f"calibrate{q}": self._refuse_calibration for q in "vi"}
        for kinds in ("i", "v", "r", "p", "iv"):
            functions[kinds] = self._measuring(kinds)
            functions[f"overlapped{kinds}"] = self._overlapped(kinds)
            functions[f"{kinds}andstep"] = partial(self._measure_and_step, kinds)
        return a.made(self._engine, {"filter": self._filter(), "rel": self._rel()}, functions)

    def _zero(self, value: object) -> None:
        """measure.autozero: ONCE measures zero and reference now and never again."""
        mode = as_choice(value, 0, 1, 2)
        if mode == 1:
            self._instrument.take_time(2 * self._meter.seconds_of_one())
        self._settings().autozero = mode

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
        meter = self._meter

        def put_count(value: Any) -> None:
            wanted = int(number_argument(value, 1, 100))
            if wanted > 1 and self._settings().count > 1:
                raise self._channel.error(5025, "Cannot set filter.count > 1 when measure.count > 1")
            self._settings().filter_count = wanted
            meter.reset()

        a.choice("enable", self._settings, "is_filtering", 0, 1, then=meter.reset)
        a.add("count", lambda: self._settings().filter_count, put_count)
        a.choice("type", self._settings, "filter_type", 0, 1, 2, then=meter.reset)
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
            values = self._meter.measure(kinds, self._found(first, second))
            return values[0] if len(values) == 1 else values

        return measure

    def _overlapped(self, kinds: str) -> Callable[..., None]:
        def measure(first: object = None, second: object = None) -> None:
            buffers = self._found(first, second)
            if buffers[0] is None:
                raise TspError(-109)
            if len(buffers) > 1 and buffers[0] is buffers[1]:
                raise self._channel.error(5040, "Cannot use same reading buffer for multiple overlapped measurements")
            self._instrument.overlap(lambda: self._meter.measure(kinds, buffers))

        return measure

    def _found(self, *buffers: object) -> tuple[Buffer2600 | None, ...]:
        return tuple(self._buffers.optional(buffer) for buffer in buffers)

    def _measure_and_step(self, kinds: str, level: object) -> Any:
        values = self._measuring(kinds)()
        self._channel.set_level("v" if self._settings().is_volts_source else "i", _plain(level))
        return values

    def _contact(self) -> Any:
        contact = ContactCheck(self._channel)
        a = Attributes()
        a.choice("speed", self._settings, "contact_speed", 0, 1, 2)
        a.number("threshold", self._settings, "contact_threshold", 0, 1e3)
        functions: dict[str, Callable[..., Any]] = {
            "check": contact.is_good,
            "r": contact.ohms,
            "calibratelo": self._refuse_calibration,
            "calibratehi": self._refuse_calibration,
        }
        return a.made(self._engine, functions=functions)


def _plain(value: object) -> float:
    return number_argument(value, -1e38, 1e38)

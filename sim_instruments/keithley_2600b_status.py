"""The status model of a 2600B (reference manual, "Status model"): what sets its bits, and its objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .keithley_2600b_output import Sample
from .status_488 import Status488
from .tsp_engine import TspEngine
from .tsp_status import INST, Condition, TspRegister, TspStatus

if TYPE_CHECKING:
    from .keithley_2600b_channel import SmuChannel

VLMT, ILMT, ROF, BAV, SWE, TRGOVR, OE, OTEMP = 1, 2, 128, 256, 8, 1024, 2048, 4096
CHANNEL_BITS = {"SMUA": 2, "SMUB": 4}
_MEASUREMENT = {
    "VOLTAGE_LIMIT": VLMT, "VLMT": VLMT, "CURRENT_LIMIT": ILMT, "ILMT": ILMT, "READING_OVERFLOW": ROF, "ROF": ROF,
    "BUFFER_AVAILABLE": BAV, "BAV": BAV,
}  # fmt: skip
_TOP_MEASUREMENT = {
    **_MEASUREMENT, "OUTPUT_ENABLE": OE, "OE": OE, "INTERLOCK": OE, "INT": OE, "INSTRUMENT_SUMMARY": INST, "INST": INST,
}  # fmt: skip
_OPERATION = {
    "CALIBRATING": 1, "CAL": 1, "SWEEPING": SWE, "SWE": SWE, "MEASURING": 16, "MEAS": 16, "TRIGGER_OVERRUN": TRGOVR,
    "TRGOVR": TRGOVR,
}  # fmt: skip
_QUESTIONABLE = {
    "CALIBRATION": 256, "CAL": 256, "UNSTABLE_OUTPUT": 512, "UO": 512, "OVER_TEMPERATURE": OTEMP, "OTEMP": OTEMP,
}  # fmt: skip
_SUMMARY = {"INSTRUMENT_SUMMARY": INST, "INST": INST}
_SOURCES = {
    "TRIGGER_BLENDER": 1024, "TRGBLND": 1024, "TRIGGER_TIMER": 2048, "TRGTMR": 2048, "DIGITAL_IO": 4096, "DIGIO": 4096,
    "TSPLINK": 8192, "LAN": 16384,
}  # fmt: skip
_DETECTORS = {"ARM": 2, "SRC": 4, "MEAS": 8, "ENDP": 16}


class StatusModel(TspStatus):
    """The register sets of one 2600B.

    Args:
        status: the instrument's status byte and queues.
        sweeping: the condition of `status.operation.sweeping` when asked.
        overruns: channel name -> the condition of its `trigger_overrun`.
        lines: name of a trigger object's kind -> the condition of its `trigger_overrun`.
    """

    def __init__(
        self,
        status: Status488,
        sweeping: Condition,
        overruns: Callable[[], dict[str, int]],
        lines: Callable[[], dict[str, int]],
    ) -> None:
        super().__init__(status)
        self._sweeping = sweeping
        self._overruns = overruns
        self._lines = lines
        self._summaries = {bit: self.lower(self.measurement, bit) for bit in (VLMT, ILMT, ROF, BAV)}
        self._instrument = self.lower(self.measurement, INST)
        self._channels = {name: self.lower(self._instrument, bit) for name, bit in CHANNEL_BITS.items()}
        self._hot = self.lower(self.questionable, OTEMP)
        self._doubtful = self.lower(self.questionable, INST)
        self._doubts = {name: self.lower(self._doubtful, bit) for name, bit in CHANNEL_BITS.items()}

    def note_limits(self, channel: SmuChannel, is_limiting: bool) -> None:
        """A measurement or a query of the compliance has found whether the channel limits."""
        is_volts_source = channel.settings.is_volts_source
        self._note(channel, VLMT, is_limiting and not is_volts_source)
        self._note(channel, ILMT, is_limiting and is_volts_source)

    def note_sample(self, channel: SmuChannel, sample: Sample, has_overflow: bool) -> None:
        """A measurement has been made."""
        self.note_limits(channel, sample.is_limiting and channel.settings.is_on)
        self._note(channel, ROF, has_overflow)
        self._note(channel, BAV, any(buffer.stored for buffer in channel.buffers))

    def note_heat(self, name: str) -> None:
        """A channel has been too hot for a moment and has switched itself off."""
        bit = CHANNEL_BITS[name.upper()]
        for is_hot in (True, False):
            self._doubts[name.upper()].set_bit(OTEMP, is_hot)
            self._hot.set_bit(bit, is_hot)

    def note_output_enable(self) -> None:
        """The output enable line or the interlock has opened for a moment."""
        for is_open in (True, False):
            self.measurement.set_bit(OE, is_open)

    def _note(self, channel: SmuChannel, bit: int, is_set: bool) -> None:
        name = channel.name.upper()
        register = self._channels[name]
        if bool(register.condition & bit) != is_set:
            register.set_bit(bit, is_set)
            self._summaries[bit].set_bit(CHANNEL_BITS[name], is_set)

    def parts(self, engine: TspEngine) -> dict[str, Any]:
        """The register sets that hang from the `status` object."""
        parts = super().parts(engine)
        return parts | {
            "measurement": self._measurement_tree(engine),
            "questionable": self._questionable_tree(engine),
        }

    def _measurement_tree(self, engine: TspEngine) -> Any:
        names = {"voltage_limit": VLMT, "current_limit": ILMT, "reading_overflow": ROF, "buffer_available": BAV}
        parts = {name: self.object(engine, self._summaries[bit], CHANNEL_BITS) for name, bit in names.items()}
        channels = {name.lower(): self.object(engine, r, _MEASUREMENT) for name, r in self._channels.items()}
        parts["instrument"] = self.object(engine, self._instrument, {**CHANNEL_BITS, **channels})
        return self.object(engine, self.measurement, {**_TOP_MEASUREMENT, **parts})

    def operation_tree(
        self, engine: TspEngine, values: Mapping[str, Any] | None = None, condition: Condition | None = None
    ) -> Any:
        """status.operation."""
        del values, condition
        sweep = self.lower(self.operation, SWE)
        instrument = self.lower(self.operation, INST)
        overrun = self.lower(self.operation, TRGOVR)
        parts = {
            "sweeping": self.object(engine, sweep, CHANNEL_BITS, self._sweeping),
            "calibrating": self.object(engine, self.lower(self.operation, 1), CHANNEL_BITS),
            "measuring": self.object(engine, self.lower(self.operation, 16), CHANNEL_BITS),
            "trigger_overrun": self.object(engine, overrun, {**CHANNEL_BITS, **_SOURCES}, self._any_overrun),
            "instrument": self.object(engine, instrument, self._operating_channels(engine, instrument)),
        }

        def refreshed() -> int:
            sweep.set_condition(self._sweeping())
            overrun.set_condition(self._any_overrun())
            return self.operation.condition

        return super().operation_tree(engine, {**_OPERATION, **_SUMMARY, **parts}, refreshed)

    def _any_overrun(self) -> int:
        channels = sum(CHANNEL_BITS[name.upper()] for name, bits in self._overruns().items() if bits)
        return channels | sum(_SOURCES[name] for name, bits in self._lines().items() if bits)

    def _operating_channels(self, engine: TspEngine, instrument: TspRegister) -> dict[str, Any]:
        made: dict[str, Any] = {**CHANNEL_BITS, **_SOURCES}
        for name, bit in CHANNEL_BITS.items():
            channel = self.lower(instrument, bit)
            overrun = self.lower(channel, TRGOVR)
            part = self.object(engine, overrun, _DETECTORS, partial(self._overrun_of, name.lower()))
            values = {**_OPERATION, "trigger_overrun": part}
            made[name.lower()] = self.object(engine, channel, values, partial(self._sweeping_of, bit))
        for name in ("TRIGGER_BLENDER", "TRIGGER_TIMER", "DIGIO", "TSPLINK", "LAN"):
            part_register = self.lower(instrument, _SOURCES[name])
            below = self.lower(part_register, TRGOVR)
            lines = self.object(engine, below, _line_bits(name), partial(self._overrun_lines, name))
            bits = {"TRIGGER_OVERRUN": TRGOVR, "TRGOVR": TRGOVR}
            made[name.lower()] = self.object(engine, part_register, {**bits, "trigger_overrun": lines})
        return made

    def _overrun_of(self, channel: str) -> int:
        return self._overruns().get(channel, 0)

    def _sweeping_of(self, bit: int) -> int:
        return SWE if self._sweeping() & bit else 0

    def _overrun_lines(self, name: str) -> int:
        return self._lines().get(name, 0)

    def _questionable_tree(self, engine: TspEngine) -> Any:
        channels = {name.lower(): self.object(engine, r, _QUESTIONABLE) for name, r in self._doubts.items()}
        parts = {
            "calibration": self.object(engine, self.lower(self.questionable, 256), CHANNEL_BITS),
            "unstable_output": self.object(engine, self.lower(self.questionable, 512), CHANNEL_BITS),
            "over_temperature": self.object(engine, self._hot, CHANNEL_BITS),
            "instrument": self.object(engine, self._doubtful, {**CHANNEL_BITS, **channels}),
        }
        return self.object(engine, self.questionable, {**_QUESTIONABLE, **_SUMMARY, **parts})


def _line_bits(name: str) -> dict[str, int]:
    prefix, many = {
        "TRIGGER_BLENDER": ("BLND", 6), "TRIGGER_TIMER": ("TMR", 8), "DIGIO": ("LINE", 14), "TSPLINK": ("LINE", 3),
        "LAN": ("LAN", 8),
    }[name]  # fmt: skip
    return {f"{prefix}{k}": 1 << k for k in range(1, many + 1)}

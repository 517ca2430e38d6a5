"""How long things take on the simulated bench: buses, command processing, settling; each number with its source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BusTiming:
    """What moving bytes costs.

    Attributes:
        message_seconds: addressing and driver overhead of one message, either way.
        byte_seconds: one byte on the bus.
        poll_seconds: one serial poll, device clear or trigger.
    """

    message_seconds: float
    byte_seconds: float
    poll_seconds: float


GPIB = BusTiming(200e-6, 2e-6, 300e-6)
"""Assumed: a USB or PCI controller with an instrument that takes some 500 kB/s."""
USB = BusTiming(125e-6, 0.1e-6, 125e-6)
"""Assumed: one high-speed microframe per transfer."""
LAN = BusTiming(300e-6, 0.1e-6, 300e-6)
"""Assumed: one round trip on a laboratory network."""
SERIAL = BusTiming(0.0, 10 / 9600, 0.0)
"""9600 baud, one start, eight data and one stop bit."""


@dataclass(frozen=True)
class SmuTiming:
    """A SourceMeter's own delays.

    Attributes:
        command_seconds: parsing and acting on one command that does not touch the output.
        source_seconds: from receipt of a level to the output's change, fixed range.
        autorange_seconds: extra when the source range is automatic, and per range step of an autoranging measurement.
        output_seconds: output relay on or off.
        trigger_seconds: overhead of one source-measure cycle.
        conversions_per_reading: A/D conversions with auto zero on (signal, zero, reference).
        auto_delay_seconds: automatic source delay by smallest current range.
        step_seconds: extra of a cycle that goes to another level of a sweep.
        recall_seconds: extra of a cycle that recalls a source memory location.
        test_seconds: extra of a cycle with limit tests.
        format_seconds: making one reading ready for the bus, while the next one is integrated.
    """

    command_seconds: float
    source_seconds: float
    autorange_seconds: float
    output_seconds: float
    trigger_seconds: float
    conversions_per_reading: int
    auto_delay_seconds: tuple[tuple[float, float], ...]
    step_seconds: float = 0.0
    recall_seconds: float = 0.0
    test_seconds: float = 0.0
    format_seconds: float = 0.0

    def auto_delay(self, amps_range: float) -> float:
        """Automatic source delay on this current range."""
        for limit, seconds in self.auto_delay_seconds:
            if amps_range <= limit * 1.001:
                return seconds
        return self.auto_delay_seconds[-1][1]


KEITHLEY_2400 = SmuTiming(
    command_seconds=2e-3,  # assumed
    source_seconds=7e-3,  # data sheet: command processing time 7 ms, 10 ms with auto range
    autorange_seconds=3e-3,  # the difference of the two above
    output_seconds=5e-3,  # assumed
    trigger_seconds=290e-6,  # data sheet: 2030 readings/s to memory at 0.01 PLC and 50 Hz; 225 us of it are latency
    conversions_per_reading=3,  # user's manual, section 3: auto zero measures signal, zero and reference
    auto_delay_seconds=((1e-6, 3e-3), (10e-6, 2e-3), (1.0, 1e-3)),  # user's manual, section 3; to be checked
    # The data sheet's other rates at 0.01 PLC and 50 Hz, to be checked: 1515 source-measure operations/s, 162 with the
    # source memory, 900 with limit tests, 1210 readings/s to GPIB.
    step_seconds=165e-6,
    recall_seconds=5.5e-3,
    test_seconds=450e-6,
    format_seconds=530e-6,
)


@dataclass(frozen=True)
class MatrixTiming:
    """A switching mainframe's delays.

    Attributes:
        command_seconds: processing of one message.
        relay_seconds: actuation and settling of one relay, opening or closing.
    """

    command_seconds: float
    relay_seconds: float


KEITHLEY_707B = MatrixTiming(
    command_seconds=500e-6,  # assumed
    relay_seconds=4e-3,  # assumed for the 7174A: the longest among comparable latching and reed cards
)


@dataclass(frozen=True)
class GeneratorTiming:
    """A waveform generator's delays.

    Attributes:
        command_seconds: parsing and acting on one command.
    """

    command_seconds: float


KEYSIGHT_GENERATOR = GeneratorTiming(command_seconds=1e-3)  # assumed: of the order of data sheets' "set level"


@dataclass(frozen=True)
class DcSourceTiming:
    """A DC source's delays.

    Attributes:
        command_seconds: parsing and acting on one command.
        output_seconds: output relay on or off.
    """

    command_seconds: float
    output_seconds: float


YOKOGAWA_GS200 = DcSourceTiming(command_seconds=1e-3, output_seconds=10e-3)  # assumed


KEYSIGHT_B2900 = SmuTiming(
    command_seconds=500e-6,  # assumed
    source_seconds=0.0,  # a level takes effect within the command's time
    autorange_seconds=0.0,  # assumed: range changes are hidden in the measurement's overhead
    output_seconds=2e-3,  # assumed
    trigger_seconds=100e-6,  # assumed
    conversions_per_reading=1,  # assumed: offsets are cancelled outside the aperture
    auto_delay_seconds=((3.0, 50e-6),),  # assumed
)
KEITHLEY_2450 = SmuTiming(
    command_seconds=500e-6,  # assumed
    source_seconds=0.0,  # a level takes effect within the command's time
    autorange_seconds=1e-3,  # assumed
    output_seconds=5e-3,  # assumed
    trigger_seconds=160e-6,  # data sheet: 2800 readings/s to memory at 0.01 PLC and 50 Hz; to be checked
    conversions_per_reading=3,  # auto zero measures signal, zero and reference
    step_seconds=260e-6,  # data sheet: 1600 source-measure operations/s at 0.01 PLC and 50 Hz; to be checked
    auto_delay_seconds=(
        (10e-9, 150e-3),
        (100e-9, 100e-3),
        (1e-6, 3e-3),
        (10e-6, 2e-3),
        (1.0, 1e-3),
    ),  # reference manual, "source delay": to be checked
)

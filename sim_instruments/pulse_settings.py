"""What can be set on one channel of a pulse or waveform generator, and how levels are told for a load and a unit.

Levels are kept as the open-circuit voltage (twice what 50 ohm would see): changing the assumed load changes only what
is displayed, as on the instruments.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

from .accuracy_keysight_pulse import SOURCE_OHMS
from .scpi_errors import ScpiError

_RMS_PER_PEAK_TO_PEAK = {
    "SIN": 0.5 / math.sqrt(2),
    "SQU": 0.5,
    "PULS": 0.5,
    "PRBS": 0.5,
    "RAMP": 0.5 / math.sqrt(3),
    "TRI": 0.5 / math.sqrt(3),
    "NOIS": 1 / 6.6,
}


MODULATIONS = ("AM", "FM", "PM", "FSK", "BPSK", "PWM", "SUM")


@dataclass
class Modulation:
    """One way of modulating a carrier.

    Attributes:
        source: INT, EXT, CH1 or CH2.
        function, hertz: of the internal modulating wave.
        amount: per cent (AM, SUM), hertz of deviation (FM) or of the other frequency (FSK), degrees (PM, BPSK) or
            seconds (PWM).
        is_suppressed: whether AM suppresses the carrier.
    """

    is_on: bool = False
    source: str = "INT"
    function: str = "SIN"
    hertz: float = 10.0
    amount: float = 100.0
    is_suppressed: bool = False


@dataclass
class Modulations:
    """All of them; reset values of the 33500 series' help file, from memory, to be checked."""

    am: Modulation = field(default_factory=lambda: Modulation(hertz=100.0))
    fm: Modulation = field(default_factory=lambda: Modulation(amount=100.0))
    pm: Modulation = field(default_factory=lambda: Modulation(amount=180.0))
    fsk: Modulation = field(default_factory=lambda: Modulation(amount=100.0))
    bpsk: Modulation = field(default_factory=lambda: Modulation(amount=180.0))
    pwm: Modulation = field(default_factory=lambda: Modulation(amount=10e-6))
    sum: Modulation = field(default_factory=lambda: Modulation(hertz=100.0, amount=0.1))

    def of(self, kind: str) -> Modulation:
        """One by its name in capitals."""
        found = getattr(self, kind.lower())
        assert isinstance(found, Modulation)
        return found

    def items(self) -> list[tuple[str, Modulation]]:
        """Names in capitals, and the modulations."""
        return [(kind, self.of(kind)) for kind in MODULATIONS]


@dataclass
class SweepSettings:
    """Frequency sweep."""

    is_on: bool = False
    spacing: str = "LIN"
    seconds: float = 1.0
    hold_seconds: float = 0.0
    return_seconds: float = 0.0
    start_hertz: float = 100.0
    stop_hertz: float = 1e3
    marker_hertz: float = 500.0
    is_marker_on: bool = False
    mode: str = "CW"

    def hertz_at(self, fraction: float) -> float:
        """Frequency after this fraction of the sweep time."""
        if self.spacing == "LOG":
            return float(self.start_hertz * (self.stop_hertz / self.start_hertz) ** fraction)
        return self.start_hertz + (self.stop_hertz - self.start_hertz) * fraction

    @property
    def centre_hertz(self) -> float:
        """Middle of start and stop."""
        return (self.start_hertz + self.stop_hertz) / 2

    @property
    def span_hertz(self) -> float:
        """Stop less start."""
        return self.stop_hertz - self.start_hertz

    def place(self, centre: float, span: float) -> None:
        """Start and stop about a centre; negative spans go downwards."""
        self.start_hertz = max(centre - span / 2, 1e-6)
        self.stop_hertz = max(centre + span / 2, 1e-6)


@dataclass
class ChannelSettings:
    """All that *RST resets on one channel; defaults of the 33500 series.

    Attributes:
        high, low: open-circuit volts.
        load: ohms that displayed levels are meant for; infinite for high impedance.
        width: seconds at half amplitude.
        leading, trailing: edge seconds, 10 % to 90 %.
        cycles: cycles of a burst; may be infinite.
        burst_period: seconds between internally started bursts.
        arb_rate: samples per second.
        double_delay: seconds from one pulse to the second in the same period; None if there is none.
        noise_hertz: bandwidth of noise.
        list_hertz, list_dwell: frequencies of a list, and how long each lasts.
        source_ohms: output impedance.
        is_pattern, pattern, pattern_format: whether pulses are bits (0 or 1), NRZ or RZ.
        is_trailing_automatic: whether the trailing edge is as the leading one.
        is_external_width: whether the pulse is as long as the signal at the trigger input.
    """

    function: str = "SIN"
    hertz: float = 1e3
    high: float = 0.1
    low: float = -0.1
    unit: str = "VPP"
    load: float = 50.0
    polarity: str = "NORM"
    is_on: bool = False
    phase: float = 0.0
    square_duty: float = 50.0
    symmetry: float = 100.0
    width: float = 100e-6
    duty: float = 10.0
    hold: str = "WIDT"
    leading: float = 10e-9
    trailing: float = 10e-9
    delay: float = 0.0
    double_delay: float | None = None
    bit_rate: float = 1e3
    bit_edge: float = 10e-9
    prbs_length: int = 7
    noise_hertz: float = 100e3
    is_burst: bool = False
    burst_mode: str = "TRIG"
    cycles: float = 1.0
    burst_phase: float = 0.0
    burst_period: float = 10e-3
    gate_polarity: str = "NORM"
    trigger_source: str = "IMM"
    trigger_slope: str = "POS"
    trigger_delay: float = 0.0
    trigger_count: float = 1.0
    trigger_timer: float = 1.0
    trigger_level: float = 1.0
    is_initiated_forever: bool = True
    is_limited: bool = False
    limit_high: float = 10.0
    limit_low: float = -10.0
    is_auto_range: bool = True
    arb: str = "EXP_RISE"
    arb_rate: float = 40e3
    arb_advance: str = "SRAT"
    arb_filter: str = "NORM"
    output_mode: str = "NORM"
    is_sync_on: bool = True
    sync_mode: str = "NORM"
    sync_polarity: str = "NORM"
    is_trigger_out_on: bool = False
    trigger_out_slope: str = "POS"
    sync_marker_point: float = 10.0
    is_complement_on: bool = False
    source_ohms: float = SOURCE_OHMS
    list_hertz: tuple[float, ...] = (100.0, 1000.0, 550.0)
    list_dwell: float = 1.0
    feed: str = "NONE"
    is_pattern: bool = False
    pattern: tuple[float, ...] = ()
    pattern_format: str = "NRZ"
    is_trailing_automatic: bool = True
    is_external_width: bool = False
    sweep: SweepSettings = field(default_factory=SweepSettings)
    modulations: Modulations = field(default_factory=Modulations)
    told_only: dict[str, str] = field(default_factory=dict)
    """Settings that are kept and told but change nothing that the world could notice, by name."""

    def copy(self) -> ChannelSettings:
        """The same settings, independent of these."""
        return copy.deepcopy(self)

    @property
    def period(self) -> float:
        """Seconds of one cycle."""
        return 1 / self.hertz

    @property
    def turn(self) -> float:
        """Degrees into the cycle at which it begins: the phase, less the pulse delay."""
        return self.phase - 360 * self.delay * self.hertz

    @property
    def displayed(self) -> float:
        """Displayed volts per open-circuit volt."""
        return 1.0 if math.isinf(self.load) else self.load / (self.load + self.source_ohms)

    @property
    def amplitude(self) -> float:
        """Displayed volts, peak to peak."""
        return (self.high - self.low) * self.displayed

    @property
    def offset(self) -> float:
        """Displayed offset volts."""
        return (self.high + self.low) / 2 * self.displayed

    def set_amplitude(self, volts: float) -> None:
        """Displayed volts, peak to peak, about the offset."""
        self._place(volts, self.offset)

    def set_offset(self, volts: float) -> None:
        """Displayed offset volts."""
        self._place(self.amplitude, volts)

    def set_levels(self, low: float, high: float) -> None:
        """Displayed low and high level, volts."""
        self._place(high - low, (high + low) / 2)

    def _place(self, amplitude: float, offset: float) -> None:
        self.high = (offset + amplitude / 2) / self.displayed
        self.low = (offset - amplitude / 2) / self.displayed

    def told(self, volts_peak_to_peak: float) -> float:
        """Volts peak to peak in the selected unit; raises ScpiError where there is none."""
        if self.unit == "VPP":
            return volts_peak_to_peak
        rms = volts_peak_to_peak * _RMS_PER_PEAK_TO_PEAK.get(self.function, 0.5)
        if self.unit == "VRMS":
            return rms
        return round(10 * math.log10(max(rms**2 / self._finite_load() * 1e3, 1e-30)), 9) + 0.0

    def peak_to_peak(self, value: float, unit: str) -> float:
        """Volts peak to peak of an amplitude in this unit; raises ScpiError for power into high impedance."""
        if unit == "VPP":
            return value
        if unit == "DBM":
            # beyond any generator, and any float: the range check that follows refuses it
            value = math.sqrt(10.0 ** min(value / 10, 100.0) * 1e-3 * self._finite_load())
        return value / _RMS_PER_PEAK_TO_PEAK.get(self.function, 0.5)

    def _finite_load(self) -> float:
        if math.isinf(self.load):
            raise ScpiError(-221, "Settings conflict; not able to set dBm units with output load infinity")
        return self.load

    def set_period(self, seconds: float) -> None:
        """Seconds of one cycle; the pulse keeps its width or its duty cycle, as HOLD says."""
        self.hertz = 1 / seconds
        if self.hold == "DCYC":
            self.width = seconds * self.duty / 100
        else:
            self.duty = 100 * self.width / seconds

    def set_width(self, seconds: float) -> None:
        """Seconds at half amplitude."""
        self.width = seconds
        self.duty = 100 * seconds / self.period

    def set_duty(self, percent: float) -> None:
        """Pulse width as a percentage of the period."""
        self.duty = percent
        self.width = self.period * percent / 100

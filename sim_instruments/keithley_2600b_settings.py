"""Settings of one channel of a 2600B with their defaults (reference manual, "TSP command reference")."""

from __future__ import annotations

from dataclasses import dataclass, field

from .accuracy_keithley_2600b import Smu2600

AMPS, VOLTS = 0, 1
"""Values of `source.func`."""
NORMAL, ZERO, HIGH_Z = 0, 1, 2
"""Values of `source.offmode`."""
OFF, ON, FOLLOW_LIMIT = 0, 1, 2
MOVING, REPEAT, MEDIAN = 0, 1, 2
"""Values of `measure.filter.type`."""
LOCAL, REMOTE = 0, 1
"""Values of `sense`."""

CONSTANTS: dict[str, int] = {
    "OUTPUT_DCAMPS": AMPS, "OUTPUT_DCVOLTS": VOLTS, "OUTPUT_OFF": 0, "OUTPUT_ON": 1, "OUTPUT_HIGH_Z": HIGH_Z,
    "OUTPUT_NORMAL": NORMAL, "OUTPUT_ZERO": ZERO, "AUTORANGE_OFF": OFF, "AUTORANGE_ON": ON,
    "AUTORANGE_FOLLOW_LIMIT": FOLLOW_LIMIT, "AUTOZERO_OFF": 0, "AUTOZERO_ONCE": 1, "AUTOZERO_AUTO": 2,
    "SENSE_LOCAL": LOCAL, "SENSE_REMOTE": REMOTE, "SENSE_CALA": 3, "FILTER_OFF": 0, "FILTER_ON": 1,
    "FILTER_MOVING_AVG": MOVING, "FILTER_REPEAT_AVG": REPEAT, "FILTER_MEDIAN": MEDIAN, "REL_OFF": 0, "REL_ON": 1,
    "DELAY_OFF": 0, "DELAY_AUTO": -1, "SETTLE_SMOOTH": 0, "SETTLE_FAST_RANGE": 1, "SETTLE_FAST_POLARITY": 2,
    "SETTLE_DIRECT_IRANGE": 3, "SETTLE_SMOOTH_100NA": 4, "SETTLE_FAST_ALL": 128, "OE_NONE": 0, "OE_OUTPUT_OFF": 1,
    "DISABLE": 0, "ENABLE": 1, "ASYNC": 2, "SOURCE_IDLE": 0, "SOURCE_HOLD": 1, "CONTACT_FAST": 0,
    "CONTACT_MEDIUM": 1, "CONTACT_SLOW": 2, "FAST": 0, "SLOW": 1, "CAL_AUTO": 0, "CAL_POSITIVE": 1, "CAL_NEGATIVE": 2,
    "CALSTATE_LOCKED": 0, "CALSTATE_CALIBRATING": 1, "CALSTATE_UNLOCKED": 2, "CALSET_NOMINAL": 0, "CALSET_FACTORY": 1,
    "CALSET_DEFAULT": 2, "CALSET_PREVIOUS": 3, "LIMIT_AUTO": 0, "FILL_ONCE": 0, "FILL_WINDOW": 1,
}  # fmt: skip
"""Constants of `smua` and `smub`."""


@dataclass
class SourceSide:
    """One source function's level, range and limit: `index` is that of the range in force."""

    level: float = 0.0
    index: int = 0
    lowest: int = 0
    is_auto: bool = True


@dataclass
class MeasureSide:
    """One measured quantity's range."""

    index: int = 0
    lowest: int = 0
    auto: int = ON
    offset: float = 0.0
    is_relative: bool = False


@dataclass
class SmuSettings:
    """Everything that a reset sets back; `volts` and `amps` hold what is about that quantity."""

    limit_volts: float
    limit_amps: float
    measure_delay: float
    offlimit_volts: float
    source_volts: SourceSide
    source_amps: SourceSide
    measure_volts: MeasureSide
    measure_amps: MeasureSide
    ohms: MeasureSide = field(default_factory=MeasureSide)
    watts: MeasureSide = field(default_factory=MeasureSide)
    function: int = VOLTS
    is_on: bool = False
    off_mode: int = NORMAL
    off_function: int = VOLTS
    offlimit_amps: float = 1e-3
    output_enable_action: int = 0
    is_high_capacitance: int = 0
    settling: int = 0
    is_sink: int = 0
    source_delay: float = 0.0
    sense: int = LOCAL
    cycles: float = 1.0
    autozero: int = 2
    count: int = 1
    interval: float = 0.0
    delay_factor: float = 1.0
    is_filtering: int = 0
    filter_count: int = 1
    filter_type: int = REPEAT
    contact_threshold: float = 50.0
    contact_speed: int = 0

    @property
    def is_volts_source(self) -> bool:
        """Whether volts are sourced."""
        return self.function == VOLTS

    @property
    def source(self) -> SourceSide:
        """The side of the selected source function."""
        return self.source_volts if self.is_volts_source else self.source_amps


def default_settings(smu: Smu2600) -> SmuSettings:
    """What smuX.reset() sets."""
    top_volts, top_amps = len(smu.source_volts) - 1, len(smu.source_amps) - 1
    return SmuSettings(
        limit_volts=smu.default_limit_volts,
        limit_amps=smu.default_limit_amps,
        measure_delay=smu.default_measure_delay,
        offlimit_volts=smu.default_limit_volts,
        source_volts=SourceSide(index=0),
        source_amps=SourceSide(index=0),
        measure_volts=MeasureSide(index=min(1, top_volts)),
        measure_amps=MeasureSide(index=top_amps - 6),
    )

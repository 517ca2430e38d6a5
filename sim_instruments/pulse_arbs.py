"""DATA and FUNCtion:ARBitrary of the 33500 and 33600 series: waveforms and sequences in volatile memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mtjlab.nouns import Floats

from .pulse_channel import PulseChannel
from .pulse_levels import amplitude_reach
from .pulse_memory import Segment
from .pulse_parameters import choice, quantity, show, show_volts
from .pulse_samples import Samples, WaveformName, bare_name, scaled
from .pulse_setting_commands import accepted, stored
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Block, Choice

_DAC_FULL_SCALE = 32767
_DEFAULT = "EXP_RISE"
_CONTROLS = ("ONCE", "ONCEWAITTRIG", "REPEAT", "REPEATINF", "REPEATTILTRIG")
_FIELDS = 5
"""Of one part of a sequence: waveform, repeats, play control, marker mode, marker point."""
_MOST_PARTS = 1024
_UNKNOWN = ScpiError(785, "Specified arb waveform does not exist")  # number assumed
_KNOWN_ALREADY = ScpiError(786, "Specified arb waveform already exists")  # number assumed


def load(i: Any, c: int, name: str, samples: Floats) -> None:
    """Put a waveform into a channel's memory; raises ScpiError for what does not fit or is there already."""
    limits, memory = i.channel(c).limits, i.waveforms
    if samples.size < limits.samples_least:
        raise ScpiError(788, f"Specified arb waveform must have at least {limits.samples_least} points")
    if samples.size + _used(i, c) > limits.samples_most:
        raise ScpiError(781, "Not enough memory to load arb waveform")
    if name in memory.volatile[c] or name in memory.sequences[c]:
        raise _KNOWN_ALREADY
    memory.volatile[c][name] = samples


def _used(i: Any, c: int) -> int:
    return sum(samples.size for samples in i.waveforms.volatile[c].values())


def _store(i: Any, c: int, name: str, given: list[float] | bytes, full_scale: float) -> None:
    i.channel(c)
    load(i, c, name, scaled(given, full_scale=full_scale, border=i.border))


def _store_both(i: Any, c: int, name: str, given: list[float] | bytes, full_scale: float) -> None:
    """DATA:ARBitrary2: samples of both channels, first all of one (AABB) or in turns (ABAB)."""
    i.channel(c)
    samples = scaled(given, full_scale=full_scale, border=i.border)
    if samples.size % 2:
        raise ScpiError(-161)
    half = samples.size // 2
    is_mixed = i.stored.get("arb2 format", "AABB") == "ABAB"
    for number, part in (
        (1, samples[::2] if is_mixed else samples[:half]),
        (2, samples[1::2] if is_mixed else samples[half:]),
    ):
        load(i, number, name, part)


def _clear(i: Any, c: int) -> None:
    channel = i.channel(c)
    i.waveforms.clear_volatile(c)
    if not i.waveforms.is_known(c, channel.settings.arb):
        channel.settings.arb = _DEFAULT
        i.changed(channel)


def built_in_path(name: str) -> str:
    r"""Where a built-in waveform is, for example INT:\BUILTIN\SINC.ARB."""
    return f"INT:\\BUILTIN\\{name}.ARB"


def shown_name(i: Any, name: str) -> str:
    """A waveform's name in quotes, with its path if it is built in."""
    return f'"{built_in_path(name) if name in i.waveforms.built_in else name}"'


def _catalog(i: Any, c: int) -> str:
    i.channel(c)
    loaded = [*i.waveforms.volatile[c], *i.waveforms.sequences[c]]
    return ",".join([shown_name(i, _DEFAULT), *(f'"{name}"' for name in loaded)])


def _samples(i: Any, c: int, name: str | None) -> Floats:
    channel = i.channel(c)
    name = name or channel.settings.arb
    if not i.waveforms.is_known(c, name):
        raise _UNKNOWN
    found = i.waveforms.samples(c, name)
    assert isinstance(found, np.ndarray)
    return found


def attribute_commands(node: str, samples: Any = _samples) -> tuple[Command, ...]:
    """DATA:ATTRibute: average, crest factor, points and peak-to-peak of a waveform, between -1 and 1."""

    def of(name: str, measure: Any) -> Command:
        return Command(
            f"{node}:ATTRibute:{name}",
            query=lambda i, c, arb: measure(2 * samples(i, c, arb) - 1),
            asks=(WaveformName(is_optional=True),),
        )

    return (
        of("AVERage", lambda values: show(float(values.mean()))),
        of("CFACtor", lambda values: show(_crest_factor(values))),
        of("POINts", lambda values: f"+{values.size}"),
        of("PTPeak", lambda values: show(float(np.ptp(values)))),
    )


def _crest_factor(values: Floats) -> float:
    rms = float(np.sqrt(np.mean(values**2)))
    return float(np.abs(values).max()) / rms if rms else 0.0


def _write_sequence(i: Any, c: int, block: bytes) -> None:
    """DATA:SEQuence: name, then for each part waveform, repeats, play control, marker mode, marker point."""
    i.channel(c)
    name, *fields = [field.strip().strip('"') for field in block.decode("latin-1").split(",")]
    if not name or not fields or len(fields) % _FIELDS:
        raise ScpiError(-161)
    parts = [_segment(*fields[begin : begin + 3]) for begin in range(0, len(fields), _FIELDS)]
    name = bare_name(name)
    if len(parts) > _MOST_PARTS:
        raise ScpiError(-223)
    if any(i.waveforms.find(c, part.name) is None for part in parts):
        raise _UNKNOWN
    if name in i.waveforms.sequences[c] or name in i.waveforms.volatile[c]:
        raise _KNOWN_ALREADY
    i.waveforms.sequences[c][name] = parts


def _segment(name: str, repeats: str, control: str) -> Segment:
    word = control.upper()
    if word not in _CONTROLS:
        raise ScpiError(-224)
    try:
        count = float(int(repeats)) if repeats else 1.0
    except ValueError as error:
        raise ScpiError(-121) from error
    times = math.inf if word == "REPEATINF" else max(count, 1.0) if word == "REPEAT" else 1.0
    return Segment(bare_name(name), times, "TRIG" in word)


class KnownName(WaveformName):
    """Name of a waveform that the instrument has."""

    def parse(self, token: str, instrument: Any) -> str:
        """The name; raises ScpiError if no channel has it."""
        name = super().parse(token, instrument)
        if not any(instrument.waveforms.is_known(c.number, name) for c in instrument.channels):
            raise _UNKNOWN
        return name


def _select(i: Any, c: int, name: str) -> None:
    channel = i.channel(c)
    if not i.waveforms.is_known(c, name):
        raise _UNKNOWN
    channel.settings.arb = name
    i.changed(channel)


def _points(channel: PulseChannel) -> int:
    return max(len(channel.arb_samples), 1)


def _rate_like(pattern: str, units: tuple[str, ...], of_rate: Any, to_rate: Any) -> Command:
    """The sample rate, or what amounts to it; `of_rate` and `to_rate` take a number and the number of points."""

    def reach(channel: PulseChannel) -> tuple[float, float, float]:
        ends = [of_rate(rate, _points(channel)) for rate in (1e-6, channel.limits.hertz_samples, 40e3)]
        return min(ends[:2]), max(ends[:2]), ends[2]

    def put(channel: PulseChannel, value: float) -> None:
        channel.settings.arb_rate = to_rate(value, _points(channel))

    return quantity(pattern, units, lambda c: float(of_rate(c.settings.arb_rate, _points(c))), put, reach)


def _selection(node: str) -> tuple[Command, ...]:
    return (
        Command(
            node,
            write=_select,
            query=lambda i, c: shown_name(i, i.channel(c).settings.arb),
            takes=(KnownName(),),
        ),
        _rate_like(f"{node}:SRATe", ("SA/S", "HZ", ""), lambda rate, n: rate, lambda rate, n: rate),
        _rate_like(f"{node}:FREQuency", ("HZ",), lambda rate, n: rate / n, lambda hertz, n: hertz * n),
        _rate_like(f"{node}:PERiod", ("S",), lambda rate, n: n / rate, lambda seconds, n: n / seconds),
        Command(f"{node}:POINts", query=lambda i, c: f"+{_points(i.channel(c))}"),
        quantity(
            f"{node}:PTPeak",
            ("V", "VPP"),
            lambda c: float(c.settings.amplitude),
            lambda c, volts: c.settings.set_amplitude(volts),
            amplitude_reach,
            show_volts,
        ),
        choice(
            f"{node}:ADVance",
            Choice("TRIGger", "SRATe"),
            lambda channel: channel.settings.arb_advance,
            lambda channel, word: setattr(channel.settings, "arb_advance", word),
        ),
        stored(f"{node}:FILTer", "arb_filter", Choice("NORMal", "STEP", "OFF")),
        Command(f"{node}:SYNChronize", write=lambda i, c: i.apply_all()),
    )


def arb_commands(prefix: str) -> tuple[Command, ...]:
    """DATA and FUNCtion:ARBitrary; `prefix` holds the channel's number, for example `:SOURce<c>`."""
    data, takes = f"{prefix}:DATA", (WaveformName(), Samples())
    return (
        Command(f"{data}:ARBitrary[1]", write=lambda i, c, n, v: _store(i, c, n, v, 1.0), takes=takes),
        Command(f"{data}:ARBitrary[1]:DAC", write=lambda i, c, n, v: _store(i, c, n, v, _DAC_FULL_SCALE), takes=takes),
        Command(f"{data}:ARBitrary2", write=lambda i, c, n, v: _store_both(i, c, n, v, 1.0), takes=takes),
        Command(
            f"{data}:ARBitrary2:DAC", write=lambda i, c, n, v: _store_both(i, c, n, v, _DAC_FULL_SCALE), takes=takes
        ),
        Command(
            f"{data}:ARBitrary2:FORMat",
            write=lambda i, c, word: i.stored.__setitem__("arb2 format", word),
            query=lambda i, c: i.stored.get("arb2 format", "AABB"),
            takes=(Choice("AABB", "ABAB"),),
        ),
        Command(f"{data}:VOLatile:CLEar", write=_clear),
        Command(f"{data}:VOLatile:CATalog", query=_catalog),
        Command(f"{data}:VOLatile:FREE", query=lambda i, c: f"+{i.channel(c).limits.samples_most - _used(i, c)}"),
        Command(f"{data}:SEQuence", write=_write_sequence, takes=(Block(),)),
        *attribute_commands(data),
        *_selection(f"{prefix}:FUNCtion:ARBitrary"),
        Command(f"{prefix}:PHASe:ARBitrary", write=accepted, query=lambda i, c: show(0.0), takes=(Samples(),)),
    )

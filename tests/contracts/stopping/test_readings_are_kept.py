"""What was read before a write ended is in its map: readings of rows, of doubtful cells, between pulses, of scans."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mtjlab.crossbar_around import CrossbarAround
from mtjlab.errors import InstrumentError
from mtjlab.interrupts import stop_on_signals
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Line, Lines, Reading, Site, State
from mtjlab.protocols.write_verify import WriteSettings, write_verify
from mtjlab.roles import Crossbar, HeardRead, LineRead, not_heard

MakeRig = Callable[[], Any]
SHAPE = (3, 3)


def both_states(die: Any) -> ArrayMap:
    """A map of both states as they are, nothing read."""
    side = round(die.siemens_p.size**0.5)
    p, ap = (g.reshape(side, side)[:3, :3] for g in (die.siemens_p, die.siemens_p / (1 + die.tmr)))
    blank, unknown = np.full(SHAPE, np.nan), np.full(SHAPE, State.UNKNOWN, dtype=np.int8)
    return ArrayMap(blank, p, ap, unknown, np.full(SHAPE, CellStatus.OK, dtype=np.int8), blank, Conditions(0.1))


TARGET = (np.indices(SHAPE).sum(axis=0) % 2).astype(np.int8)


@dataclass
class Taken(CrossbarAround):
    """Passes everything on and keeps the last current of every cell, less that at 0 V, and who was pulsed since."""

    inner: Crossbar
    noise: Callable[[], float] = lambda: 0.0
    zeros: dict[Site, float] = field(default_factory=dict)
    siemens: dict[Site, list[float]] = field(default_factory=dict)

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        found = self.inner.measure(lines, sense)
        noisy = [Reading(one.volts, one.amps + self.noise() * bool(lines.row_volts.any())) for one in found]
        for line, reading in zip(sense, noisy, strict=True):
            self._note(lines, line, reading.amps)
        return noisy

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """Readings of the same lines at once, as a board does: told one after the other when all are taken."""
        found: dict[int, Reading] = {}
        for lines in {id(read.lines): read.lines for read in reads}.values():
            numbers = [number for number, read in enumerate(reads) if read.lines is lines]
            taken = self.measure(lines, [reads[number].sense for number in numbers])
            for number, reading in zip(numbers, taken, strict=True):
                found[number] = reading
                heard(number, reading)
        return [found[number] for number in range(len(reads))]

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        return self.inner.pulse(lines, seconds)

    def _note(self, lines: Lines, line: Line, amps: float) -> None:
        rows = np.flatnonzero(np.nan_to_num(lines.row_volts))
        if not rows.size:
            self.zeros |= {Site(row, line.number): amps for row in range(SHAPE[0])}
            return
        site = Site(int(rows[0]), line.number)
        volts = float(lines.row_volts[site.row])
        self.siemens.setdefault(site, []).append((amps - self.zeros[site]) / volts)


def assert_kept(taken: Taken, found: ArrayMap) -> None:
    """The last reading of every cell is in the map, by itself or in a mean of several."""
    for site, values in taken.siemens.items():
        means = [np.mean(values[-count:]) for count in range(1, len(values) + 1)]
        assert any(found.siemens[site] == pytest.approx(mean, rel=1e-9) for mean in means), (site, values)


@pytest.mark.parametrize("kind", ["memory"], indirect=True)
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("is_noisy", [False, True])
def test_asked_to_stop_anywhere_every_reading_is_in_the_map(
    kind: tuple[str, MakeRig], by_row: bool, is_noisy: bool
) -> None:
    """Noise as large as half the distance of the states makes many readings doubtful."""
    _, make_rig = kind

    def run(most: int | None) -> tuple[Taken, int, bool]:
        rig, rng, asked = make_rig(), np.random.default_rng(0), 0
        known = both_states(rig.die())
        step = float(np.median(known.siemens_p - known.siemens_ap)) * 0.1
        taken = Taken(rig.crossbar, lambda: 0.3 * step * rng.standard_normal() if is_noisy else 0.0)

        def is_stopped() -> bool:
            nonlocal asked
            asked += 1
            return most is not None and asked > most

        settings = WriteSettings(by_row=by_row, passes=2, doubt=0.4, doubt_readings=3)
        done = write_verify(taken, TARGET, known, settings=settings, is_stopped=is_stopped)
        assert_kept(taken, done.written)
        return taken, asked, done.written.is_partial

    whole, asked, _ = run(None)
    assert is_noisy is any(len(values) > 6 for values in whole.siemens.values())
    for most in range(0, asked - 1, 1 if asked < 80 else 3):
        assert run(most)[2]


@pytest.mark.parametrize("kind", ["passive15", "linked15"], indirect=True)
@pytest.mark.parametrize("way", ["signal", "fault"])
def test_readings_that_a_bench_has_taken_are_in_the_map(kind: tuple[str, MakeRig], way: str) -> None:
    """What the listener of a bench was told is what has been read; a signal may come in any message of it."""
    _, make_rig = kind

    def run(at: int | None) -> int:
        rig, kept = make_rig(), list[ArrayMap]()
        zeros, tops = set[Line](), dict[Site, float]()

        def listen(what: str, lines: Lines, sense: Sequence[Line], readings: Sequence[Reading]) -> None:
            if what != "read":
                return
            rows = np.flatnonzero(np.nan_to_num(lines.row_volts))
            zeros.update(sense if not rows.size else ())
            if rows.size:
                tops[Site(int(rows[0]), sense[0].number)] = readings[0].amps

        rig.crossbar._listener = listen
        rig.trap.at = at
        rig.trap.spring = (lambda _: signal.raise_signal(signal.SIGTERM)) if way == "signal" else rig.fail
        with rig.until_shut():
            try:
                with stop_on_signals():
                    write_verify(rig.crossbar, TARGET, both_states(rig.die()), keep=kept.append)
            except (KeyboardInterrupt, InstrumentError):
                pass
        known = {site for site in tops if Line("col", site.col) in zeros}
        assert {site for site in known if not np.isfinite(kept[0].siemens[site])} == set()
        for site in known:
            assert kept[0].siemens[site] == pytest.approx(abs(tops[site]) / 0.1, rel=0.05)
        return int(rig.trap.count)

    transactions = run(None)
    for at in np.linspace(1, transactions - 1, 12 if transactions > 30 else transactions - 1, dtype=int):
        run(int(at))


@pytest.mark.parametrize("kind", ["linked15"], indirect=True)
def test_a_series_that_takes_several_transactions_keeps_what_the_first_ones_gave(kind: tuple[str, MakeRig]) -> None:
    _, make_rig = kind
    rig = make_rig()
    unit = rig.crossbar._scanner._unit
    scan, given = unit.scan, list[int]()

    def broken(points: Sequence[Any], **how: Any) -> list[Reading]:
        if len(given) == 2:
            raise InstrumentError("broke down", where="smu")
        found: list[Reading] = scan(points, **how)
        given.append(len(found))
        return found

    lines = Lines.grounded(*SHAPE)
    lines.row_volts[1] = 0.1
    reads = [
        LineRead(Lines(np.roll(lines.row_volts, row), lines.col_volts), Line("col", col))
        for row in range(3)
        for col in range(3)
    ]
    heard: dict[int, Reading] = {}
    with pytest.MonkeyPatch.context() as patch, rig.until_shut():
        patch.setattr(type(unit), "most_points", property(lambda self: 3))
        patch.setattr(unit, "scan", broken)
        with pytest.raises(InstrumentError, match="broke down"):
            rig.crossbar.measure_each(reads, heard=lambda number, reading: heard.update({number: reading}))
    assert given == [3, 3] and len(heard) == 6
    assert rig.is_off

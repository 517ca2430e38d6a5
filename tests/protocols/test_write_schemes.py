"""Schemes, rows, widths, fields and looks: what write_verify does with an array, by the true states of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Ints, Line, Lines, Reading, Site, State
from mtjlab.protocols.readout import nearest_state
from mtjlab.protocols.write_field import FieldStart
from mtjlab.protocols.write_lines import WriteScheme, volts_across
from mtjlab.protocols.write_settings import WriteSettings
from mtjlab.protocols.write_verify import write_verify
from mtjlab.roles import Capabilities, FieldSource, HeardWrite, Identity, LineWrite, WriteOutcome, not_heard

SHAPE = (6, 6)
PASSIVE = [scheme for scheme in WriteScheme if scheme != WriteScheme.GATED]


def known_of(world: Any) -> ArrayMap:
    """The map that a perfect survey would give, of the die as it is now."""
    die = world.die
    p, ap = (np.reshape(g, SHAPE) for g in (die.siemens_p, die.siemens_p / (1 + die.tmr)))
    status = np.full(SHAPE, CellStatus.OK, dtype=np.int8)
    now = np.where(die.is_parallel.reshape(SHAPE), p, ap)
    made = ArrayMap(now, p, ap, np.zeros(SHAPE, dtype=np.int8), status, np.full(SHAPE, 1e-7), Conditions(0.1))
    return replace(made, state=nearest_state(now, made))


def true_state(world: Any) -> Ints:
    return np.asarray(world.die.is_parallel.reshape(SHAPE), dtype=np.int8)


def random_target(seed: int) -> Ints:
    return np.random.default_rng(100 + seed).integers(0, 2, SHAPE).astype(np.int8)


@pytest.mark.parametrize("scheme", PASSIVE)
@pytest.mark.parametrize("by_row", [False, True])
def test_every_scheme_writes_cell_by_cell_and_by_rows(
    make_world: Any, watched: Any, scheme: WriteScheme, by_row: bool
) -> None:
    world, crossbar = make_world(3)
    spy, known, target = watched(crossbar), known_of(world), random_target(3)
    result = write_verify(spy, target, known, settings=WriteSettings(scheme=scheme, by_row=by_row, most_volts=1.0))
    assert (true_state(world) == target).all()
    assert result.scheme == scheme
    assert result.fidelity == 1.0
    assert max(lines.largest_cell_volts for lines in spy.pulses) <= 1.0
    sizes = [np.abs(volts_across(lines, scheme)) for lines in spy.pulses]
    most = max(int((size > 0.75 * size.max()).sum()) for size in sizes)
    assert (most > 1) == by_row
    assert world.incidents == []


def test_thirds_disturb_less_than_halves_and_take_more_energy(make_world: Any) -> None:
    mended, joules = {}, {}
    for scheme in (WriteScheme.HALF, WriteScheme.THIRD):
        for seed in range(4):
            world, crossbar = make_world(seed, delta=33.0)
            settings = WriteSettings(scheme=scheme, by_row=False)
            result = write_verify(crossbar, random_target(seed), known_of(world), settings=settings)
            mended[scheme] = mended.get(scheme, 0) + result.mended
            joules[scheme] = joules.get(scheme, 0.0) + result.joules / max(result.cost.pulses, 1)
    assert mended[WriteScheme.THIRD] < mended[WriteScheme.HALF]
    assert joules[WriteScheme.THIRD] > 1.3 * joules[WriteScheme.HALF]


def test_longer_pulses_do_what_higher_ones_do(make_world: Any, watched: Any) -> None:
    world, crossbar = make_world(5)
    widths: list[float] = []

    class Timed(watched):  # type: ignore[misc]
        def pulse(self, lines: Lines, seconds: float) -> Reading:
            widths.append(seconds)
            return super().pulse(lines, seconds)  # type: ignore[no-any-return]

    settings = WriteSettings(
        grows="width", set_volts=0.46, reset_volts=0.58, pulse_seconds=2e-5, width_factor=4.0, by_row=False
    )
    spy, target = Timed(crossbar), random_target(5)
    result = write_verify(spy, target, known_of(world), settings=settings)
    assert (true_state(world) == target).all()
    assert result.fidelity == 1.0
    assert set(np.round(np.log(np.array(widths) / 2e-5) / np.log(4), 6)) >= {0.0, 1.0, 2.0}
    assert max(widths) <= settings.most_seconds


def test_only_exposed_cells_are_read_again(make_world: Any) -> None:
    world, crossbar = make_world(0)
    target = true_state(world)
    target[2, 3] = 1 - target[2, 3]
    result = write_verify(crossbar, target, known_of(world), settings=WriteSettings(by_row=False))
    assert (true_state(world) == target).all()
    others_on_its_lines = 10
    assert result.cost.readings == 2 * 36 + 1 + result.cost.pulses + 2 * others_on_its_lines


def test_without_passes_neighbours_are_not_read_again_and_that_is_said(make_world: Any) -> None:
    world, crossbar = make_world(1, delta=30.0)
    target = random_target(1)
    result = write_verify(crossbar, target, known_of(world), settings=WriteSettings(passes=0, by_row=False))
    wrong = true_state(world) != target
    assert wrong.sum() > 0
    assert result.fidelity > 1 - wrong.sum() / 36, "it cannot know"
    assert {tuple(site) for site in np.argwhere(wrong & (result.written.state == target))} <= set(result.unverified)
    assert "without another look" in result.reason


@pytest.mark.parametrize("near", [False, True])
def test_a_reading_in_doubt_is_made_again_several_times(make_world: Any, near: bool) -> None:
    world, crossbar = make_world(0)
    known, site = known_of(world), Site(4, 1)
    shift = 0.95 if near else 0.5
    p, ap = known.siemens_p.copy(), known.siemens_ap.copy()
    p[site], ap[site] = known.siemens[site] * shift * 1.4, known.siemens[site] * shift / 1.4
    target = true_state(world)
    target[site] = State.AP if near else State.P
    settings = WriteSettings(doubt=0.2, doubt_readings=3)
    result = write_verify(crossbar, target, replace(known, siemens_p=p, siemens_ap=ap), settings=settings)
    assert result.cost.readings - 2 * 36 == (2 * 3 if near else 0)
    assert result.cost.pulses == 0


def test_cells_that_refuse_in_company_are_tried_alone(make_world: Any, watched: Any) -> None:
    class Shared(watched):  # type: ignore[misc]
        """What pulses several cells of a row together is too weak for them, as with a limit on a line's current."""

        def pulse(self, lines: Lines, seconds: float) -> Reading:
            is_weak = (lines.col_volts == 0).sum() > 1
            scale = 0.3 if is_weak else 1.0
            top = super().pulse(Lines(lines.row_volts * scale, lines.col_volts * scale), seconds)
            self.pulses[-1] = lines
            return top  # type: ignore[no-any-return]

    world, crossbar = make_world(2)
    spy, target = Shared(crossbar), random_target(2)
    result = write_verify(spy, target, known_of(world), settings=WriteSettings(by_row=True))
    assert (true_state(world) == target).all()
    assert result.unwritten == ()
    together = [int((lines.col_volts == 0).sum()) for lines in spy.pulses]
    assert max(together) > 1
    assert together.count(1) >= 5


class WorldField(FieldSource):
    """Sets the world's field at once; keeps what it was told."""

    def __init__(self, world: Any) -> None:
        self.world, self.told = world, list[float]()

    def identity(self) -> Identity:
        return Identity("mtjlab", "field", "0", "0")

    def prepare(self, *, tesla_limit: float) -> None:
        del tesla_limit

    def set_tesla(self, tesla: float) -> None:
        self.told.append(tesla)
        self.world.field_tesla = tesla

    def tesla(self) -> float:
        return float(self.world.field_tesla)

    def output_off(self) -> None:
        self.set_tesla(0.0)

    def is_output_on(self) -> bool:
        return True

    def check_errors(self) -> None:
        return

    def recover(self) -> None:
        return


def test_a_field_does_most_of_the_work(make_world: Any) -> None:
    world, crossbar = make_world(0)
    target = np.ones(SHAPE, dtype=np.int8)
    target[1, 2] = target[5, 0] = State.AP
    field = WorldField(world)
    settings = WriteSettings(by_row=False)
    result = write_verify(crossbar, target, known_of(world), settings=settings, field_start=FieldStart(field, 0.4))
    assert (true_state(world) == target).all()
    assert field.told == [0.4, 0.0]
    assert result.cost.pulses <= 6
    assert not world.is_live


def test_a_field_that_saves_nothing_is_left_off(make_world: Any) -> None:
    world, crossbar = make_world(0)
    target = true_state(world)
    target[0, 0] = 1 - target[0, 0]
    field = WorldField(world)
    write_verify(crossbar, target, known_of(world), field_start=FieldStart(field, 0.4))
    assert field.told == []
    assert (true_state(world) == target).all()


def test_a_field_is_off_again_if_what_it_is_for_fails(make_world: Any, watched: Any) -> None:
    world, crossbar = make_world(0)
    field = WorldField(world)
    with pytest.raises(KeyboardInterrupt):
        write_verify(
            watched(crossbar, interrupt_at=72),
            np.ones(SHAPE, dtype=np.int8),
            known_of(world),
            field_start=FieldStart(field, 0.4),
        )
    assert field.told == [0.4, 0.0]
    assert world.field_tesla == 0.0


def test_instruments_that_write_by_themselves_are_given_whole_series(make_world: Any, watched: Any) -> None:
    series: list[int] = []

    class Scanning(watched):  # type: ignore[misc]
        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(3, 1, 1e-3, can_float=True, scans_itself=True)

        def write_each(
            self, writes: Sequence[LineWrite], seconds: float, *, heard: HeardWrite = not_heard
        ) -> list[WriteOutcome]:
            series.append(len(writes))
            return super().write_each(writes, seconds, heard=heard)  # type: ignore[no-any-return]

        def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
            assert len(sense) == 1
            return super().measure(lines, sense)  # type: ignore[no-any-return]

    world, crossbar = make_world(2)
    target, before = random_target(2), true_state(world)
    result = write_verify(Scanning(crossbar), target, known_of(world))
    assert (true_state(world) == target).all()
    assert series == [int((before != target).sum())]
    assert result.joules > 0
    assert result.unverified == ()

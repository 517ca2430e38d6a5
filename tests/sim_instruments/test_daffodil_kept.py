"""What a simulated Daffodil board keeps from one event to the next never shows: as if all was worked out anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.daffodil_bias import Bias, Point
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip
from mtjlab.sim_instruments.daffodil_events import BoardSettings
from mtjlab.sim_instruments.daffodil_parts import Adc

RATES = {"short": 0.02, "open": 0.02, "stuck_p": 0.01, "stuck_ap": 0.01}


def made() -> SimDaffodilBoard:
    board = SimDaffodilBoard(DaffodilChip.draw(seed=3, defect_rates=RATES), seed=4, settings=BoardSettings())
    board.setrefopamp(board.dac_invertvout(1.8))
    board.set_dpot_D(board.invert_dpot_rout(2e3))
    board.setrowdacs([board.dac_invertvout(1.75)] * 25)
    board.setcoldacs([board.dac_invertvout(1.8)] * 25)
    board.setgatedacs([board.dac_invertvout(5.0)] * 25)
    return board


def forget(board: SimDaffodilBoard) -> None:
    for kept in (board.events._biases, board.events._outputs, board.events._harmless, board._known_outputs):
        kept.clear()
    board._known_ohms = None
    for kernel in board.chip.kernels[:2]:
        for found in (kernel._points, kernel._seen, kernel._totals):
            found.clear()
        kernel._solved_run = None


def step(board: SimDaffodilBoard, what: str, rng: np.random.Generator) -> None:
    """One thing that a client may do; `rng` says with which values."""
    line, volts = int(rng.integers(25)), float(rng.uniform(1.71, 1.9))
    if what in ("row", "col"):
        set_channel = board.setrowdac_channel if what == "row" else board.setcoldac_channel
        set_channel(board.dac_invertvout(volts), line)
    elif what == "gate":
        board.setgatedac_channel(board.dac_invertvout(float(rng.choice([1.71, 5.0]))), line)
    elif what == "enable":
        enables = board.ROW_EN_tobe if rng.random() < 0.5 else board.COL_EN_tobe
        enables[line] = 1 - enables[line]
    elif what == "reference":
        board.setrefopamp(board.dac_invertvout(volts))
    elif what == "feedback":
        board.set_dpot_D(board.invert_dpot_rout(float(rng.choice([2e3, 8e3, 30e3]))))
    elif what == "kernel":
        board.set_kernel(int(rng.integers(2)))
    elif what == "cell":
        board.chip.kernels[0].die.is_parallel[25 * line] ^= True
    elif what == "gain":
        board.adcs[2].gain = 1 - board.adcs[2].gain
    else:
        getattr(board, what)()


STEPS = ("row", "col", "gate", "enable", "reference", "feedback", "kernel", "cell", "gain")
MODES = ("config_forward_pass", "config_backward_pass", "config_outerproduct")


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_settings_and_events(seed: int) -> None:
    boards = made(), made()
    outcomes: tuple[list[Any], list[Any]] = ([], [])
    for board, found in zip(boards, outcomes, strict=True):
        rng = np.random.default_rng(seed)
        for number in range(60):
            for what in rng.choice(STEPS, 2):
                step(board, str(what), rng)
            if number % 5 == 0:
                step(board, str(rng.choice(MODES)), rng)
            for _ in range(2):
                if board is boards[0]:
                    forget(board)
                board.event()
                point = board.events.point
                assert point is not None
                found.append((board.retrievecurrents(), point.cell_amps.copy(), board.seconds))
    assert len({tuple(codes) for codes, _, _ in outcomes[0]}) > 20
    for (codes, amps, seconds), (others, other_amps, other_seconds) in zip(*outcomes, strict=True):
        assert codes == others
        assert np.array_equal(amps, other_amps)
        assert seconds == other_seconds
    assert boards[0].incidents == boards[1].incidents
    for kernel, other in zip(boards[0].chip.kernels, boards[1].chip.kernels, strict=True):
        assert np.array_equal(kernel.die.is_parallel, other.die.is_parallel)


@pytest.mark.parametrize("seed", range(40))
def test_a_point_is_harmless_where_the_checks_have_nothing_to_say(seed: int) -> None:
    """One of the values, at random, is somewhat below or above its limit."""
    board, rng = made(), np.random.default_rng(seed)
    description, settings = board.chip.kernels[0].die.description, board.settings
    rows, cols = np.full(25, 0.1), np.full(25, np.nan)
    bias = Bias(rows, cols, np.full((25, 25), 3.2), np.full(25, 2.0), np.zeros(25))
    point = Point(*(np.zeros((25, 25)) for _ in range(3)), np.zeros(25), np.zeros(25))
    values, limit = [
        (point.junction_volts, description.limit_volts),
        (point.cell_amps, description.limit_amps),
        (point.row_amps, settings.line_amps),
        (point.col_amps, settings.line_amps),
        (bias.row_volts, 0.01),
        (bias.over_source_volts, 3.31),
    ][seed % 6]
    sign = {4: -1.0, 5: 1.0}.get(seed % 6, float(rng.choice([-1.0, 1.0])))
    alive = np.flatnonzero(board.chip.kernels[0].die.is_tunnelling)
    where = int(rng.choice(alive)) if values.size == 625 else int(rng.integers(25))
    is_beyond = seed % 4 < 2
    values.ravel()[where] = sign * limit * (1.001 if is_beyond else 0.999)
    board.events._check(bias, point)
    assert (len(board.incidents) > 0) == is_beyond
    assert board.events._is_harmless(bias, point) == (not is_beyond)


def test_transistors_are_those_of_the_law() -> None:
    kernel, rng = made().chip.kernels[3], np.random.default_rng(1)
    bias = Bias.of(rng.uniform(0, 2, 25), rng.uniform(0, 2, 25), rng.uniform(0, 5, 25))
    connected, gate = kernel._connected(bias), bias.over_source_volts.ravel()
    assert 0 < np.count_nonzero(connected.saturation_amps) < 625
    assert np.array_equal(connected.saturation_amps, kernel.access.saturation_amps(gate))
    assert np.array_equal(connected.on_ohms, kernel.access.on_ohms(gate))


def test_many_values_are_converted_as_each_by_itself() -> None:
    volts = np.concatenate([np.linspace(-0.2, 5.3, 2001), (np.arange(4096) + 0.5) * 5 / 4096])
    for gain in (0, 1):
        adc = Adc(gain=gain)
        single = [min(max(adc.invert_voltage(value, gain), 0), 4095) for value in volts.tolist()]
        assert adc.codes_of(volts) == single
        assert max(single) == 4095 and min(single) == 0

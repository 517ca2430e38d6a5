"""Dies drawn from statistics have them; dies put together anew hold measured cells only, clusters and lines whole."""
# ruff: noqa: E402, for PyTorch is optional

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mtjlab.die_maps import DieMaps
from mtjlab.engine.cell_states import CellStates
from mtjlab.engine.die_sampling import BootstrappedDies, DefectStatistics, FittedDies, fit_statistics
from mtjlab.engine.placement import CellPair
from mtjlab.engine.tiling import CellIndex, plain_tiling
from mtjlab.errors import InputError
from mtjlab.nouns import CellStatus

from .chip_maps import RATES, RATIO, RATIO_SPREAD, SHORT_SPREAD, SHORT_WEIGHT, SPREAD, chip_maps

pytestmark = pytest.mark.usefixtures("one_thread")
NONE = {"short": 0.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


STATISTICS = DefectStatistics(
    short=0.004,
    open=0.006,
    stuck_p=0.008,
    stuck_ap=0.010,
    rate_spread=0.0,
    short_weight=6.0,
    short_spread=0.1,
    ap_weight=0.8,
    on_off_ratio=2.25,
    spread=0.08,
    ratio_spread=0.04,
)


def test_known_rates_spreads_and_shorts_are_found() -> None:
    maps = chip_maps(8)
    found = fit_statistics(maps)
    cells = maps.siemens.size
    for name, rate in RATES.items():
        assert getattr(found, name) == pytest.approx(rate, abs=4 * np.sqrt(rate / cells))
    assert found.on_off_ratio == pytest.approx(RATIO, rel=0.002)
    assert found.ap_weight == pytest.approx(1 / (RATIO - 1), rel=0.005)
    assert found.spread == pytest.approx(SPREAD, rel=0.02)
    assert found.ratio_spread == pytest.approx(RATIO_SPREAD, rel=0.02)
    assert found.short_weight == pytest.approx(SHORT_WEIGHT, rel=4 * SHORT_SPREAD / np.sqrt(RATES["short"] * cells))
    assert found.short_spread == pytest.approx(SHORT_SPREAD, rel=0.25)
    assert found.rate_spread < 0.2  # rates are the same on all dies
    assert set(found.as_dict()) == set(DefectStatistics.__dataclass_fields__)


def test_dies_that_differ_in_their_rates_are_told_from_dies_that_do_not() -> None:
    good, bad = (chip_maps(6, rates={"short": rate}, seed=k) for k, rate in enumerate((0.002, 0.010)))
    found = fit_statistics(DieMaps.joined([good, bad]))
    assert found.short == pytest.approx(0.006, rel=0.05)
    # half the dies at a third, half at five thirds of the mean: standard deviation 2/3, with Bessel's correction
    assert found.rate_spread == pytest.approx(2 / 3 * np.sqrt(12 / 11), rel=0.1)


def test_what_no_die_has_counts_half_a_defect() -> None:
    maps = chip_maps(2, rates=NONE)
    found = fit_statistics(maps)
    assert found.open == found.short == pytest.approx(0.5 / maps.siemens.size)
    healthiest = float((maps.siemens_p / maps.on_off_siemens()[:, None, None, None]).max())
    assert found.short_weight == pytest.approx(10 * healthiest) and found.rate_spread == 0.0


def test_line_defects_count_and_dies_without_a_healthy_cell_are_refused() -> None:
    maps = chip_maps(2, rates=NONE)
    maps.status[0, 0, 3, :] = CellStatus.LINE_OPEN
    maps.status[1, 0, :, 5] = CellStatus.LINE_SHORT
    found = fit_statistics(maps)
    assert found.open == found.short == pytest.approx(25 / maps.siemens.size)
    maps.status[1] = CellStatus.OPEN
    with pytest.raises(InputError, match=r"no healthy cell on 1 of 2 dies: W \(1, 0\)"):
        fit_statistics(maps)


def test_drawn_dies_have_the_statistics_they_are_drawn_from() -> None:
    layers = FittedDies(STATISTICS, ((200, 100), (50, 40))).draw(20, seeded())
    assert [tuple(layer.off.shape) for layer in layers] == [(20, 200, 100), (20, 50, 40)]
    off, swing = (part.numpy().ravel() for part in layers[0])
    fixed, cells = swing == 0, off.size
    total = STATISTICS.short + STATISTICS.open + STATISTICS.stuck_p + STATISTICS.stuck_ap
    assert fixed.mean() == pytest.approx(total, rel=0.03)
    is_short, is_open = fixed & (off > 3.5), fixed & (off == 0)
    assert is_short.sum() / cells == pytest.approx(STATISTICS.short, rel=0.1)
    assert is_open.sum() / cells == pytest.approx(STATISTICS.open, rel=0.1)
    assert np.median(off[is_short]) == pytest.approx(6.0, rel=0.02)
    assert np.log(off[is_short]).std() == pytest.approx(0.1, rel=0.1)
    stuck = off[fixed & ~is_short & ~is_open]
    in_p = stuck > 0.8 * np.sqrt(2.25)
    assert in_p.sum() / cells == pytest.approx(STATISTICS.stuck_p, rel=0.1)
    assert np.median(stuck[in_p]) == pytest.approx(0.8 * 2.25, rel=0.01)
    assert np.median(stuck[~in_p]) == pytest.approx(0.8, rel=0.01)
    healthy = off[~fixed], swing[~fixed]
    assert np.median(healthy[0]) == pytest.approx(0.8, rel=0.005)
    assert np.log(healthy[0]).std() == pytest.approx(0.08, rel=0.01)
    ratio = 1 + healthy[1] / healthy[0]
    assert np.log(ratio).mean() == pytest.approx(np.log(2.25), abs=0.001)
    assert np.log(ratio).std() == pytest.approx(0.04, rel=0.01)


def test_rates_differ_between_drawn_dies_by_the_spread_and_are_shared_by_the_layers() -> None:
    spread = replace(STATISTICS, rate_spread=0.5)
    layers = FittedDies(spread, ((100, 100), (100, 100))).draw(400, seeded(1))
    rates = [(layer.swing == 0).float().mean(dim=(1, 2)).numpy() for layer in layers]
    assert np.concatenate(rates).mean() == pytest.approx(0.028, rel=0.08)
    assert np.corrcoef(rates[0], rates[1])[0, 1] > 0.9
    both = (rates[0] + rates[1]) / 2
    counting = both.mean() / 20_000
    assert np.sqrt(both.var() - counting) / both.mean() == pytest.approx(0.5, rel=0.2)


def test_statistics_fitted_to_drawn_dies_are_those_drawn_from() -> None:
    """Round trip through measured maps."""
    assert STATISTICS.times(0.0).short == 0.0 and STATISTICS.times(1000.0).stuck_ap == 1.0
    doubled = STATISTICS.times(2.0)
    assert (doubled.open, doubled.spread) == (0.012, STATISTICS.spread)
    first = fit_statistics(chip_maps(6))
    off, swing = FittedDies(replace(first, rate_spread=0.0), ((400, 400),)).draw(1, seeded(2))[0]
    assert float((swing == 0).float().mean()) == pytest.approx(sum(RATES.values()), rel=0.06)
    assert float(off.median()) == pytest.approx(first.ap_weight, rel=0.01)


def test_the_generator_alone_decides() -> None:
    source = FittedDies(STATISTICS, ((30, 20),))
    one, same, other = (source.draw(3, seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(one.off, same.off) and torch.equal(one.swing, same.swing)
    assert not torch.equal(one.off, other.off)


def marked(dies: int, kernels: int, rows: int, cols: int) -> CellPair:
    """Every cell conducts a value of its own that tells die, kernel, row and column."""
    number = np.arange(dies * kernels * rows * cols, dtype=np.float64).reshape(dies, kernels, rows, cols)
    return CellPair(number, number + 0.5)


def test_dies_put_together_anew_hold_measured_cells_each_once_from_one_die() -> None:
    dies, kernels, rows, cols = 3, 4, 5, 6
    index = plain_tiling([5, 4, 2], kernels=kernels, kernel_shape=(rows, cols)).layers
    source = BootstrappedDies(marked(dies, kernels, rows, cols), [layer.cells for layer in index])
    layers = source.draw(40, seeded())
    values = np.concatenate([layer.off.reshape(40, -1).numpy() for layer in layers], axis=1).astype(int)
    for drawn in values:
        assert len(set(drawn)) == drawn.size
        assert len(set(drawn // (kernels * rows * cols))) == 1
    assert len({int(drawn[0]) // (kernels * rows * cols) for drawn in values}) == dies
    assert all(torch.equal(layer.swing, torch.full_like(layer.swing, 0.5)) for layer in layers)


def test_cells_of_a_line_stay_on_one_line() -> None:
    """A column that conducts nothing stays a column; what sat together in a kernel stays in one."""
    rows, cols = 5, 6
    ap, p = np.ones((2, 3, rows, cols)), np.full((2, 3, rows, cols), 2.0)
    ap[:, 1, :, 2] = p[:, 1, :, 2] = 0.0
    kernel, row, col = np.meshgrid(np.arange(3), np.arange(rows), np.arange(cols), indexing="ij")
    index = [CellIndex(*(each[k] for each in (kernel, row, col))) for k in range(3)]
    layers = BootstrappedDies(CellPair(ap, p), index).draw(30, seeded(3))
    dead = torch.stack([layer.off for layer in layers], dim=1) == 0  # (dies, kernels, rows, cols)
    assert (dead.sum(dim=(1, 2, 3)) == rows).all()
    assert (dead.all(dim=2).sum(dim=(1, 2)) == 1).all()
    places = {tuple(place[1:].tolist()) for place in dead.all(dim=2).nonzero()}
    assert len(places) > 8  # of 18: lines go anywhere


def test_bootstrapped_dies_of_maps_keep_the_unit_of_their_die_and_know_no_nan() -> None:
    maps = chip_maps(2, kernels=2)
    maps.siemens_ap[0, 0, 0, 0] = maps.siemens_p[0, 0, 0, 0] = np.nan
    maps.status[0, 0, 0, 0] = CellStatus.UNREAD
    index = [layer.cells for layer in plain_tiling([20, 10, 5], kernels=2, kernel_shape=(25, 25)).layers]
    layers = BootstrappedDies.of(maps, index).draw(6, seeded())
    assert all(bool(torch.isfinite(part).all()) for layer in layers for part in layer)
    assert float(layers[0].swing.median()) == pytest.approx(1.0, abs=0.05)
    doubled = BootstrappedDies.of(maps, index, unit=2 * maps.on_off_siemens()).draw(6, seeded())
    torch.testing.assert_close(doubled[0].off, layers[0].off / 2)
    assert isinstance(layers[0], CellStates)
    with pytest.raises(InputError, match="no cell of these dies has a known conductance"):
        BootstrappedDies(CellPair(np.full((1, 1, 2, 2), np.nan), np.ones((1, 1, 2, 2))), [])

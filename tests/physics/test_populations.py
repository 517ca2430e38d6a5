"""Drawn dies and wafers have the statistics that their description states."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.physics.die_description import DefectRates, DieDescription, Flaw, FlawRates, Kind, LineDefect
from mtjlab.physics.populations import Clusters, LineDefectRates, Spread, WaferDescription, draw_die

NONE = Spread()
CLEAN = DefectRates(short=0, open=0, stuck_p=0, stuck_ap=0)
FLAT = {"die_to_die": NONE, "radial": NONE, "within_die": NONE, "rate_spread": 0.0, "edge_rate": 1.0}
PLAIN = {"conductance_spread": 0.0, "tmr_spread": 0.0, "delta_spread": 0.0, "volts_c0_spread": 0.0}


def wafer(**changes: object) -> WaferDescription:
    die = DieDescription(**{**PLAIN, "diameters_nm": [50.0], "defect_rates": CLEAN, **changes.pop("die", {})})  # type: ignore[dict-item]
    return WaferDescription(**{"wafer": "w", "die": die, **FLAT, **changes})  # type: ignore[arg-type]


def test_a_die_does_not_depend_on_which_others_are_drawn() -> None:
    described = WaferDescription(wafer="w", radius_mm=20)
    alone = described.draw(1, -2, seed=3)
    drawn = {(die.x, die.y): made for die, made in described.draw_all(seed=3).items()}
    assert drawn[1, -2].siemens_p == pytest.approx(alone.siemens_p, rel=0)
    assert (drawn[1, -1].siemens_p != alone.siemens_p).all()
    assert (described.draw(1, -2, seed=4).siemens_p != alone.siemens_p).all()


def test_places_fill_the_circle_or_are_the_nearest() -> None:
    described = wafer(pitch_mm=(5, 10), radius_mm=20)
    assert (4, 0) in described.places and (0, 2) in described.places
    assert (4, 1) not in described.places and (0, 3) not in described.places
    assert described.places == sorted(described.places, key=lambda place: (place[1], place[0]))
    few = wafer(radius_mm=90, dies=36)
    assert len(few.places) == 36 and (0, 0) in few.places


def test_dies_differ_as_stated_and_not_within() -> None:
    described = wafer(die_to_die=Spread(conductance=0.04), radius_mm=95)
    logs = np.log([made.siemens_p for made in described.draw_all(1).values()])
    assert np.ptp(logs, axis=1).max() < 1e-12
    assert logs[:, 0].std() == pytest.approx(0.04, rel=0.1)


def test_the_edge_differs_from_the_centre_as_the_square_of_the_radius() -> None:
    described = wafer(radial=Spread(tmr=-0.1), radius_mm=20)
    centre, half, edge = (float(described.draw(x, 0, 1).tmr[0]) for x in (0, 2, 4))
    assert np.log(edge / centre) == pytest.approx(-0.1)
    assert np.log(half / centre) == pytest.approx(-0.025)


def test_the_smooth_part_has_its_spread_and_length() -> None:
    described = wafer(
        within_die=Spread(conductance=0.05), correlation_cells=3.0, die={"rows": 40, "cols": 40}, radius_mm=60
    )
    maps = np.log([made.siemens_p.reshape(40, 40) for made in described.draw_all(2).values()])
    maps -= np.log(described.draw(0, 0, 0).siemens_p.mean() * 0 + 1)
    maps -= maps.mean()
    assert maps.std() == pytest.approx(0.05, rel=0.1)
    beside = float((maps[:, :, 1:] * maps[:, :, :-1]).mean() / maps.var())
    apart = float((maps[:, :, 12:] * maps[:, :, :-12]).mean() / maps.var())
    assert beside == pytest.approx(np.exp(-1 / 36), abs=0.02)
    assert abs(apart) < 0.1


def test_defect_rates_vary_from_die_to_die_about_their_mean() -> None:
    described = wafer(
        die={"rows": 50, "cols": 50, "defect_rates": DefectRates(short=0.02, open=0, stuck_p=0, stuck_ap=0)},
        rate_spread=0.7,
        radius_mm=60,
    )
    rates = np.array([(made.kind == Kind.SHORT).mean() for made in described.draw_all(5).values()])
    assert rates.mean() == pytest.approx(0.02, rel=0.12)
    assert rates.std() / rates.mean() == pytest.approx(0.7, rel=0.2)


def test_the_edge_has_more_defects() -> None:
    described = wafer(
        die={"rows": 60, "cols": 60, "defect_rates": DefectRates(short=0, open=0.01, stuck_p=0, stuck_ap=0)},
        edge_rate=4.0,
        radius_mm=20,
    )
    centre = np.mean([(described.draw(0, 0, seed).kind == Kind.OPEN).mean() for seed in range(10)])
    edge = np.mean([(described.draw(4, 0, seed).kind == Kind.OPEN).mean() for seed in range(10)])
    assert edge / centre == pytest.approx(4, rel=0.2)


def test_clusters_stay_together() -> None:
    described = wafer(
        die={"rows": 60, "cols": 60}, clusters=[Clusters(per_die=1.0, radius_cells=1.0, cells=6, kind="short")]
    )
    for seed in range(30):
        sites = np.argwhere(described.draw(0, 0, seed).kind.reshape(60, 60) == Kind.SHORT)
        if 2 <= len(sites) <= 6:
            assert np.ptp(sites, axis=0).max() <= 10
            return
    raise AssertionError("no die with a single cluster was drawn")


def test_line_defects_are_as_frequent_as_stated_and_do_what_they_say() -> None:
    described = wafer(lines=LineDefectRates(row_open=0.1, col_short=0.05), radius_mm=60)
    dies = described.draw_all(3).values()
    opens = [d for made in dies for d in made.line_defects if d.kind == "open"]
    shorts = [d for made in dies for d in made.line_defects if d.kind == "short"]
    assert len(opens) == pytest.approx(0.1 * 15 * len(dies), rel=0.2)
    assert len(shorts) == pytest.approx(0.05 * 14 * len(dies), rel=0.3)
    assert {d.axis for d in opens} == {"row"} and {d.axis for d in shorts} == {"col"}


def test_what_lies_beyond_a_break_is_open() -> None:
    broken = [
        LineDefect(axis="row", line=2, kind="open", after_cells=4),
        LineDefect(axis="col", line=1, kind="open", after_cells=3),
        LineDefect(axis="row", line=5, kind="open"),
    ]
    made = draw_die(DieDescription(defect_rates=CLEAN, line_defects=broken), np.random.default_rng(0))
    grid = made.kind.reshape(15, 15)
    assert (grid[2, 4:] == Kind.OPEN).all() and (grid[2, 2:4] == Kind.JUNCTION).all()
    assert (grid[:12, 1] == Kind.OPEN).all() and (grid[12:, 1] == Kind.JUNCTION).all()
    assert np.isinf(made.contact_ohms[5]) and np.isfinite(np.delete(made.contact_ohms, 5)).all()


def test_a_line_defect_off_the_array_is_refused() -> None:
    for wrong in (LineDefect(axis="row", line=14, kind="short"), LineDefect(axis="col", line=15, kind="open")):
        with pytest.raises(ValueError, match="line defect at"):
            DieDescription(line_defects=[wrong])


def test_the_shipped_wafers_can_be_drawn(tmp_path: Path) -> None:
    folder = files("mtjlab.physics") / "wafers"
    passive = WaferDescription.load(Path(str(folder / "passive15.yaml")))
    assert passive.draw(0, 0, 1).kind.shape == (225,)
    chips = WaferDescription.load(Path(str(folder / "cmos20k.yaml")))
    assert len(chips.places) == 36
    bad = tmp_path / "w.yaml"
    bad.write_text("wafer: w\nradius_mm: 20\nedge_rat: 3\n", encoding="utf-8")
    with pytest.raises(InputError, match="edge_rat"):
        WaferDescription.load(bad)


def test_flawed_junctions_are_as_frequent_and_as_weak_as_stated() -> None:
    rates = FlawRates(low_tmr=0.05, telegraph=0.06, soft=0.07)
    described = wafer(die={"rows": 100, "cols": 100, "flaw_rates": rates, "defect_rates": DefectRates(short=0.1)})
    made = described.draw(0, 0, 1)
    assert made.flaws is not None
    assert not made.flaws[made.kind != Kind.JUNCTION].any()
    for flaw, rate in ((Flaw.LOW_TMR, 0.05), (Flaw.TELEGRAPH, 0.06), (Flaw.SOFT, 0.07)):
        assert (made.flaws == flaw).mean() == pytest.approx(0.9 * rate, rel=0.2)
    low, telegraph, soft = (made.flaws == flaw for flaw in (Flaw.LOW_TMR, Flaw.TELEGRAPH, Flaw.SOFT))
    assert np.median(made.tmr[low]) == pytest.approx(0.3, rel=0.05)
    assert (made.tmr[~low] == 1.0).all()
    assert np.median(made.delta[telegraph]) == pytest.approx(16, rel=0.02)
    assert np.median(made.set_volts[soft]) == pytest.approx(0.45 * 0.75, rel=0.02)
    assert (made.set_volts[soft] / made.reset_volts[soft]) == pytest.approx(0.75 / 0.95)


def test_dies_without_flaws_are_drawn_as_ever() -> None:
    plain = wafer(die={"conductance_spread": 0.05}).draw(0, 0, 1)
    flawed = wafer(die={"conductance_spread": 0.05, "flaw_rates": FlawRates(soft=0.5)}).draw(0, 0, 1)
    assert plain.flaws is not None
    assert not plain.flaws.any()
    assert (plain.siemens_p == flawed.siemens_p).all()

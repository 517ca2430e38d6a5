"""How maps, results and benches print themselves, and what a map's plot shows."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, to_rgba
from matplotlib.figure import Figure

from mtjlab.bench import MatrixCrossbar
from mtjlab.errors import InputError
from mtjlab.figures import STATUS_STYLE
from mtjlab.map_plot import QUANTITIES, plot_map
from mtjlab.map_words import map_html, map_line, summary_of
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId, LayerPlan, State
from mtjlab.short_words import in_short
from mtjlab.sim_instruments.simulated_bench import bench_path, sim_bench
from mtjlab.station import open_station
from mtjlab.wiring import load_wiring


def known() -> ArrayMap:
    """3 x 4 cells: P 200 uS, AP 100 uS; a short, an open, one cell stuck in P."""
    p, ap = np.full((3, 4), 200e-6), np.full((3, 4), 100e-6)
    status = np.full((3, 4), CellStatus.OK, dtype=np.int8)
    for site, kind, siemens in (((0, 1), CellStatus.SHORT, 5e-3), ((2, 3), CellStatus.OPEN, -1e-9)):
        p[site] = ap[site] = siemens
        status[site] = kind
    ap[1, 1], status[1, 1] = 200e-6, CellStatus.STUCK_P
    state = np.zeros((3, 4), dtype=np.int8)
    state[0] = State.P
    conditions = Conditions(0.1, "V/2", kelvin=300.0)
    return ArrayMap(np.where(state == 1, p, ap), p, ap, state, status, 0.01 * p, conditions, DieId("W1", 3, -2))


def raw() -> ArrayMap:
    """What `readout` gives when it was stopped in the last row: nothing but readings."""
    one = known()
    unknown, found = np.full((3, 4), np.nan), one.siemens.copy()
    found[2, 1:] = np.nan
    nothing = np.zeros((3, 4), dtype=np.int8)
    return replace(
        one, siemens=found, siemens_p=unknown, siemens_ap=unknown, status=nothing, state=nothing - 1, is_partial=True
    )


def axes() -> Axes:
    return Figure().subplots()


def test_a_map_is_one_line_with_what_matters() -> None:
    assert repr(known()) == (
        "ArrayMap(3 x 4, die W1 (3, -2), P 200 uS, AP 100 uS, TMR 100%, 9 ok, 1 short, 1 open, 1 stuck P, "
        "read at 0.1 V, V/2, 300 K)"
    )
    assert map_line(raw()).startswith("ArrayMap(3 x 4, die W1 (3, -2), G 200 uS, 3 not read, read at 0.1 V")
    assert map_line(raw()).endswith(", PARTIAL)")
    repr(known()).encode("ascii")


def test_defects_do_not_spoil_the_medians() -> None:
    found = summary_of(known())
    assert (found.siemens_p, found.siemens_ap, found.tmr) == pytest.approx((200e-6, 100e-6, 1.0))
    assert found.counts == {"ok": 9, "short": 1, "open": 1, "stuck P": 1}


@pytest.mark.parametrize("shape", [(1, 1), (2, 0), (0, 0)])
def test_a_map_of_which_nothing_is_known_prints_too(shape: tuple[int, int]) -> None:
    unknown, nothing = np.full(shape, np.nan), np.zeros(shape, dtype=np.int8)
    one = ArrayMap(unknown, unknown, unknown, nothing, nothing, unknown, Conditions(0.1))
    assert "G not measured" in repr(one)


def test_the_table_of_a_notebook_says_the_same_and_has_a_picture() -> None:
    html = known()._repr_html_()
    for words in ("W1 (3, -2)", "200 µS", "100 µS", "100%", "1 stuck P", "at 0.1 V, V/2, 300 K"):
        assert words in html
    (png,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    assert base64.b64decode(png).startswith(b"\x89PNG")
    assert "stopped before the whole array was covered" in map_html(raw())
    strange = replace(known(), die=DieId("<b>W</b>", 0, 0))
    assert "<b>" not in map_html(strange)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_every_quantity_can_be_drawn(quantity: str) -> None:
    place = axes()
    assert known().plot(quantity, axes=place) is place
    assert QUANTITIES[quantity] in place.get_title("left")
    plot_map(raw(), quantity, axes=axes())


def test_conductances_have_a_logarithmic_scale_of_the_healthy_cells() -> None:
    mesh = known().plot("siemens_ap", axes=axes()).collections[0]
    norm = mesh.norm
    assert isinstance(norm, LogNorm) and norm.vmin is not None and norm.vmax is not None
    assert 90 < norm.vmin < 100 < norm.vmax < 110, "µS; the short does not widen it"
    values = mesh.get_array()
    assert values is not None
    assert mesh.to_rgba(values).reshape(3, 4, 4)[0, 1] == pytest.approx(to_rgba("#d55e00"))


def test_before_anything_is_classified_what_is_far_off_does_not_set_the_scale() -> None:
    one = raw()
    many = np.full((20, 20), 150e-6)
    many[:, ::2] = 100e-6
    many[0, 0], many[0, 1], many[0, 2] = 9e-3, 1e-9, 200e-6
    blank, nothing = np.full(many.shape, np.nan), np.zeros(many.shape, dtype=np.int8)
    found = ArrayMap(many, blank, blank, nothing - 1, nothing, blank, one.conditions)
    norm = found.plot(axes=axes()).collections[0].norm
    assert isinstance(norm, LogNorm) and norm.vmin is not None and norm.vmax is not None
    assert 30 < norm.vmin < 100 and 200 < norm.vmax < 300, "µS: a cell a third beyond the others is on the scale"


def test_unknown_cells_are_hatched_and_defects_lettered() -> None:
    place = raw().plot(axes=axes())
    shown = place.collections[0].get_array()
    assert shown is not None and np.ma.getmaskarray(shown).sum() == 3 and place.patch.get_hatch()
    whole = known().plot("status", axes=axes())
    assert not whole.patch.get_hatch()
    assert sorted(text.get_text() for text in whole.texts) == ["O", "P", "S"]
    legend = whole.get_legend()
    assert legend is not None
    words = [text.get_text() for text in legend.get_texts()]
    assert words == [f"{STATUS_STYLE[one][2]}: {n}" for one, n in ((1, 9), (2, 1), (3, 1), (4, 1))]  # type: ignore[index]


def test_without_axes_there_is_a_figure_of_its_own() -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    place = known().plot()
    assert pyplot.gcf() is place.figure
    pyplot.close(place.figure)


def test_a_quantity_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="siemens_p"):
        known().plot("siemens_pp", axes=axes())


@dataclass(frozen=True, eq=False)
class Result:
    values: object
    words: str = "done"

    __repr__ = in_short


def test_results_print_arrays_by_shape_and_long_lists_by_their_beginning() -> None:
    assert repr(Result(np.zeros((3, 4)))) == "Result(values=<float64 3 x 4>, words='done')"
    assert repr(Result(tuple(range(9)))) == "Result(values=(0, 1, 2, 3, ... 9 in all), words='done')"
    assert repr(Result({1: np.zeros(2)})) == "Result(values={1: <float64 2>}, words='done')"
    assert len(repr(Result(1, "x" * 500))) < 200
    plan = LayerPlan("hidden", np.arange(3), np.arange(4), np.zeros((3, 4), dtype=np.int8), np.zeros(2))
    assert repr(plan).startswith("LayerPlan(name='hidden', rows=<int64 3>") and "\n" not in repr(plan)


def test_a_bench_prints_what_is_on_it() -> None:
    wiring_file = bench_path("passive15").with_name("passive15.wiring.yaml")
    wiring = load_wiring(wiring_file)
    opened = open_station(wiring_file.with_name("passive15.station.yaml"), wiring_file, wiring)
    crossbar = MatrixCrossbar(opened.smus, opened.matrix, wiring)
    assert repr(crossbar).startswith("MatrixCrossbar(15 x 15, 0 readings, 0 pulses, ")
    assert "drive at GPIB0::24::INSTR" in repr(opened) and "matrix at GPIB0::16::INSTR" in repr(opened)
    assert repr(sim_bench("passive15")).startswith("SimBench('passive15': drive, half_select, sense, matrix; ")
    assert repr(opened.matrix) == "<Keithley707B: matrix>"
    opened.close()

"""A matrix in single-route mode cannot drive several rows from one source: refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import LayerPlan
from mtjlab.protocols.infer import infer_layer
from mtjlab.protocols.infer_columns import calibrate_columns
from mtjlab.protocols.readout import readout
from mtjlab.protocols.write_verify import WriteSettings, write_verify

MakeRig = Callable[[], Any]
LEVELS = np.array([[3, -1, 2], [0, 1, 1]])


def plan(rows: list[int]) -> LayerPlan:
    return LayerPlan("layer", np.array(rows), np.array([1, 0]), np.zeros((len(rows), 2), dtype=np.int8), np.zeros(1))


@pytest.mark.parametrize("kind", ["biased15"], indirect=True)
def test_what_needs_joined_lines_is_refused_before_anything_is_sent(kind: tuple[str, MakeRig]) -> None:
    _, make_rig = kind
    rig = make_rig()
    with rig.until_shut():
        known = readout(rig.crossbar)
        rig.crossbar.idle()
        sent = rig.trap.count
        assert not rig.crossbar.capabilities.joins_lines
        with pytest.raises(InputError, match=r"up to 3 rows from one source.*allows_free_rule: true"):
            infer_layer(rig.crossbar, plan([0, 2, 1]), LEVELS, 2)
        with pytest.raises(InputError, match="allows_free_rule: true"):
            calibrate_columns(rig.crossbar, known)
        with pytest.raises(InputError, match="Write cell by cell, or set 'allows_free_rule: true'"):
            write_verify(rig.crossbar, np.zeros((3, 3), dtype=np.int8), known, settings=WriteSettings(by_row=True))
        assert rig.trap.count == sent
    assert rig.is_off


@pytest.mark.parametrize("kind", ["biased15"], indirect=True)
def test_a_single_row_goes_as_ever(kind: tuple[str, MakeRig]) -> None:
    _, make_rig = kind
    rig = make_rig()
    with rig.until_shut():
        found = infer_layer(rig.crossbar, plan([2]), LEVELS[:, :1], 2)
        true = rig.die().siemens(0.1).reshape(3, 3)[2, [1, 0]]
        assert found.siemens_sums[0] == pytest.approx(true, rel=0.05)
    assert rig.incidents == []


@pytest.mark.parametrize("kind", ["memory", "board", "passive15", "linked15"], indirect=True)
def test_all_others_join_lines(kind: tuple[str, MakeRig]) -> None:
    _, make_rig = kind
    rig = make_rig()
    assert rig.crossbar.capabilities.joins_lines


@pytest.mark.parametrize("kind", ["biased15"], indirect=True)
def test_under_the_free_rule_inference_runs(kind: tuple[str, MakeRig]) -> None:
    """As with `allows_free_rule: true` in the station file, set before the bench is prepared."""
    _, make_rig = kind
    rig = make_rig()
    matrix = rig.crossbar._matrix
    with pytest.MonkeyPatch.context() as patch, rig.until_shut():
        patch.setattr(matrix, "_rule", "FREE")
        patch.setattr(matrix.connection_rule, "vals", None)
        rig.crossbar.start()
        assert rig.crossbar.capabilities.joins_lines
        found = infer_layer(rig.crossbar, plan([0, 2, 1]), LEVELS, 2)
        true = rig.die().siemens(0.1).reshape(3, 3)[[0, 2, 1]][:, [1, 0]]
        assert found.siemens_sums == pytest.approx(LEVELS / 3 @ true, rel=0.05, abs=3e-6)
    assert rig.incidents == []

"""Every protocol on every kind of Crossbar, stopped at any transaction: nothing stays on, what was measured is kept."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mtjlab.errors import MtjlabError
from mtjlab.interrupts import stop_on_signals
from mtjlab.nouns import (
    ArrayMap,
    CellStatus,
    Conditions,
    Floats,
    LayerPlan,
    Pulse,
    Site,
    State,
)
from mtjlab.physics.deembed import Wires
from mtjlab.protocols.characterize_bias import tmr_against_bias
from mtjlab.protocols.characterize_breakdown import breakdown_ramp
from mtjlab.protocols.characterize_endurance import endurance
from mtjlab.protocols.characterize_loops import field_loop, pulsed_loop, quasi_static_loop, staircase
from mtjlab.protocols.characterize_read_disturb import read_disturb
from mtjlab.protocols.characterize_retention import retention
from mtjlab.protocols.characterize_switching import switching_adaptively, switching_on_grid
from mtjlab.protocols.characterize_telegraph import telegraph
from mtjlab.protocols.characterize_wires import LineResistance, line_resistance
from mtjlab.protocols.characterize_write_errors import write_errors
from mtjlab.protocols.classify import classify
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.infer import infer_layer
from mtjlab.protocols.readout import check_contact, readout
from mtjlab.protocols.readout_array import read_array
from mtjlab.protocols.readout_wires import measure_wires
from mtjlab.protocols.write_verify import write_verify

LINES = 3
SHAPE = (LINES, LINES)
SITE, OTHER = Site(1, 2), Site(0, 1)
EXAMPLES = {"memory": 8, "board": 4, "passive15": 3, "linked15": 2, "biased15": 3}
MakeRig = Callable[[], Any]

# what is run, and what of its result is compared

Trace = Callable[[Any], Floats]


@dataclass(frozen=True)
class Case:
    """A protocol.

    Attributes:
        run: starts it on a rig, with `keep`, `progress` and, where it has that, `is_stopped`.
        traces: by the stage that progress tells of, what the result holds of each of its units; NaN where nothing.
        can_be_asked: whether it has `is_stopped`.
        returns_partial: whether it keeps a result however it ends.
    """

    run: Callable[..., Any]
    traces: dict[str, Trace]
    can_be_asked: bool = True
    returns_partial: bool = True


def counted(number: Callable[[Any], int]) -> Trace:
    return lambda result: np.ones(int(number(result)))


def cells_read(found: ArrayMap) -> Floats:
    """Of cells that are read again after they have changed."""
    return counted(lambda f: np.isfinite(f.siemens).sum())(found)


def by_line(result: LineResistance) -> Floats:
    reads = result.reads
    found = np.hstack([reads.between_rows, reads.transfer])  # sensed rows, then sensed columns
    with np.errstate(all="ignore"):
        return np.where(np.isnan(found).all(axis=0), np.nan, np.nansum(found, axis=0))


def truth(rig: Any) -> ArrayMap:
    """Both states as they are, nothing read."""
    die = rig.die()
    side = round(die.siemens_p.size**0.5)
    p, ap = (g.reshape(side, side)[:LINES, :LINES] for g in (die.siemens_p, die.siemens_p / (1 + die.tmr)))
    blank, unknown = np.full(SHAPE, np.nan), np.full(SHAPE, State.UNKNOWN, dtype=np.int8)
    return ArrayMap(blank, p, ap, unknown, np.full(SHAPE, CellStatus.OK, dtype=np.int8), blank, Conditions(0.1))


def checkerboard() -> Any:
    return (np.indices(SHAPE).sum(axis=0) % 2).astype(np.int8)


PLAN = LayerPlan("layer", np.array([0, 2, 1]), np.array([1, 0]), np.zeros((3, 2), dtype=np.int8), np.zeros(1))
PULSES = [Pulse(0.5, 5e-3), Pulse(-0.6, 5e-3)]


def siemens(found: ArrayMap) -> Floats:
    return found.siemens.ravel()


CASES: dict[str, Case] = {
    "quasi-static loop": Case(
        lambda r, **how: quasi_static_loop(r.crossbar, SITE, staircase(0.4, -0.4, 0.2), **how),
        {"": lambda f: f.siemens},
    ),
    "pulsed loop": Case(
        lambda r, **how: pulsed_loop(r.crossbar, SITE, staircase(0.4, -0.4, 0.2), **how), {"": lambda f: f.siemens}
    ),
    "field loop": Case(
        lambda r, **how: field_loop(r.crossbar, SITE, r.field, staircase(0.1, -0.1, 0.05), **how),
        {"": lambda f: f.siemens},
    ),
    "TMR against bias": Case(
        lambda r, **how: tmr_against_bias(r.crossbar, SITE, [0.05, 0.1, 0.2], **how),
        {"": lambda f: np.concatenate([f.siemens_ap, f.siemens_p])},
    ),
    "switching, chosen pulses": Case(
        lambda r, **how: switching_adaptively(r.crossbar, SITE, State.P, [0.35, 0.4], [5e-3], most_pulses=6, **how),
        {"": counted(lambda f: f.counts.given.sum())},
    ),
    "switching on a grid": Case(
        lambda r, **how: switching_on_grid(r.crossbar, SITE, State.AP, [0.45, 0.6], [5e-3], 3, **how),
        {"": counted(lambda f: f.counts.given.sum())},
    ),
    "write errors": Case(
        lambda r, **how: write_errors(r.crossbar, SITE, PULSES, most_writes=3, **how),
        {"": counted(lambda f: sum(c.writes for c in f.counts))},
    ),
    "read disturb": Case(
        lambda r, **how: read_disturb(r.crossbar, SITE, [0.1, -0.1], readings=3, **how),
        {"": counted(lambda f: sum(c.readings for c in f.counts))},
    ),
    "retention": Case(
        lambda r, **how: retention(r.crossbar, [SITE, OTHER], State.P, [1.0, 2.0, 3.0], wait=r.wait, **how),
        {"": counted(lambda f: len(f.waits))},
    ),
    "telegraph noise": Case(lambda r, **how: telegraph(r.crossbar, SITE, 8, **how), {"": lambda f: f.siemens}),
    "endurance": Case(lambda r, **how: endurance(r.crossbar, SITE, 4, **how), {"": counted(lambda f: f.cycles)}),
    "breakdown ramp": Case(
        lambda r, **how: breakdown_ramp(r.crossbar, [SITE, OTHER], [0.5, 0.6], 5e-3, may_destroy=[SITE, OTHER], **how),
        {"": counted(lambda f: len(f.cells))},
    ),
    "line resistance": Case(lambda r, **how: line_resistance(r.crossbar, read_volts=0.1, **how), {"": by_line}),
    "readout": Case(lambda r, **how: readout(r.crossbar, **how), {"reading": siemens}, can_be_asked=False),
    "read with uncertainty": Case(
        lambda r, **how: read_array(r.crossbar, **how), {"reading": siemens}, can_be_asked=False
    ),
    "survey": Case(
        lambda r, **how: survey(r.crossbar, **how),
        {"reading": siemens, "writing both states": lambda f: f.siemens_p.ravel()},
        can_be_asked=False,
    ),
    "classify": Case(
        lambda r, **how: classify(r.crossbar, **how).known,
        {"looking, as found": cells_read, "exercising": lambda f: f.siemens_p.ravel()},
        can_be_asked=False,
    ),
    "write and verify": Case(
        lambda r, **how: write_verify(r.crossbar, checkerboard(), truth(r), **how).written,
        {"reading": cells_read},
        can_be_asked=False,
    ),
    "infer": Case(
        lambda r, **how: infer_layer(r.crossbar, PLAN, np.array([[3, -1, 2], [0, 1, 1], [1, 0, -3]]), 2, **how),
        {"": lambda f: f.siemens_sums[:, 0]},
    ),
    "wires and contacts": Case(
        lambda r, keep, **how: measure_wires(
            r.crossbar, Wires(2.0, 5.0, 5.0), line_sigma_ohms=2.0, segment_sigma_ohms=0.2, **how
        ),
        {},
        can_be_asked=False,
        returns_partial=False,
    ),
    "contact check": Case(
        lambda r, keep, **how: check_contact(r.crossbar, **how), {}, can_be_asked=False, returns_partial=False
    ),
}


SCANNING = (
    "pulsed loop",
    "write errors",
    "line resistance",
    "readout",
    "read with uncertainty",
    "survey",
    "classify",
    "write and verify",
    "infer",
    "wires and contacts",
)
"""What the instruments of a bench that scans do by themselves, and two that they do not."""
HOLDING = ("quasi-static loop", "TMR against bias", "write and verify")
"""What puts lines at other levels than a matrix that holds them likes best."""
ONLY = {"linked15": SCANNING, "biased15": HOLDING}
"""Benches whose single cells go the same way as those of others."""


@dataclass
class Whole:
    """A run that nobody stopped."""

    transactions: int
    kept: list[Any]
    done: dict[str, int]


def begin(rig: Any, case: Case, **how: Any) -> tuple[list[Any], dict[str, int], Callable[[], Any]]:
    kept: list[Any] = []
    done: dict[str, int] = {}

    def told(what: str, units: int, total: int) -> None:
        del total
        done[what] = units

    return kept, done, lambda: case.run(rig, keep=kept.append, progress=told, **how)


def whole_run(make_rig: MakeRig, case: Case) -> Whole:
    rig = make_rig()
    kept, done, act = begin(rig, case)
    with rig.until_shut():
        act()
        return Whole(rig.trap.count, kept, done)


def is_partial(result: Any) -> bool:
    return bool(result.ending.is_partial if hasattr(result, "ending") else result.is_partial)


def check_kept(case: Case, whole: Whole, kept: Sequence[Any], done: dict[str, int]) -> None:
    """The result holds every unit that had been told as done, each as a whole run finds it."""
    assert kept, "nothing was kept"
    stages = [stage for stage in case.traces if any(what.startswith(stage) for what in done)]
    if not stages:
        return
    stage = stages[-1]
    trace = case.traces[stage]
    found, expected = trace(kept[-1]), trace(whole.kept[len(kept) - 1])
    units = next(units for what, units in done.items() if what.startswith(stage))
    assert np.isfinite(found).sum() >= min(units, expected.size) - np.isnan(expected).sum()
    both = np.isfinite(found) & np.isfinite(expected[: found.size])
    assert found[both] == pytest.approx(expected[: found.size][both], rel=0.05)


PARAMETERS = [pytest.param(kind, name, id=f"{kind}-{name}") for kind in EXAMPLES for name in ONLY.get(kind, CASES)]


@pytest.mark.parametrize(("kind", "name"), PARAMETERS, indirect=["kind"])
def test_a_protocol_stopped_anywhere_leaves_nothing_on_and_keeps_what_it_has(
    kind: tuple[str, MakeRig], name: str
) -> None:
    case, (kind_name, make_rig) = CASES[name], kind
    whole = whole_run(make_rig, case)
    ways = ["signal", "fault", *(["asked"] if case.can_be_asked else [])]

    @settings(derandomize=True, database=None, deadline=None, phases=[Phase.generate], max_examples=EXAMPLES[kind_name])
    @given(st.integers(0, whole.transactions - 1), st.sampled_from(ways))
    def stopped(at: int, way: str) -> None:
        rig = make_rig()
        how = {"is_stopped": lambda: rig.trap.count >= at} if way == "asked" else {}
        kept, done, act = begin(rig, case, **how)
        rig.trap.at = at
        rig.trap.spring = {
            "asked": lambda _: None,
            "signal": lambda _: signal.raise_signal(signal.SIGTERM),
            "fault": rig.fail,
        }[way]
        error: BaseException | None = None
        with rig.until_shut():
            try:
                with stop_on_signals():
                    act()
            except (KeyboardInterrupt, MtjlabError) as caught:
                error = caught
            # an instrument that does not listen cannot be switched off before the bench's own end makes it listen
            assert rig.is_off or rig.was_idle_asked or (way == "fault" and rig.may_hang)
            assert not rig.field.is_output_on()
        assert rig.is_off
        assert rig.incidents == []
        assert isinstance(error, KeyboardInterrupt) == (way == "signal")
        assert error is None or way != "asked"
        if case.returns_partial:
            check_kept(case, whole, kept, done)
            assert is_partial(kept[-1]) or done == whole.done
            assert not is_partial(kept[-1]) or error is not None or way == "asked"

    stopped()

"""Every protocol as it is run for the table of their costs: what it is given, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtjlab.nouns import ArrayMap, LayerPlan, Pulse, Site, State
from mtjlab.physics.deembed import Scheme, Wires
from mtjlab.protocols.characterize_bias import tmr_against_bias
from mtjlab.protocols.characterize_breakdown import breakdown_ramp
from mtjlab.protocols.characterize_endurance import endurance
from mtjlab.protocols.characterize_loops import field_loop, pulsed_loop, quasi_static_loop, staircase
from mtjlab.protocols.characterize_read_disturb import read_disturb
from mtjlab.protocols.characterize_retention import retention
from mtjlab.protocols.characterize_switching import switching_adaptively, switching_on_grid
from mtjlab.protocols.characterize_telegraph import telegraph
from mtjlab.protocols.characterize_wires import line_resistance
from mtjlab.protocols.characterize_write_errors import write_errors
from mtjlab.protocols.classify import classify
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.infer import infer_layer
from mtjlab.protocols.readout import check_contact, readout
from mtjlab.protocols.readout_array import read_array
from mtjlab.protocols.readout_settings import SCHEME_NAMES, ReadSettings
from mtjlab.protocols.readout_wires import measure_wires
from mtjlab.protocols.write_verify import write_verify
from mtjlab.roles import FieldSource, Identity

from ._protocol_tally import Tally

SITE, LAST = Site(1, 2), Site(3, 3)
_WIDTH = 5e-3
_PULSES = (Pulse(0.5, _WIDTH), Pulse(-0.6, _WIDTH))


@dataclass(frozen=True)
class Asked:
    """What a protocol is run with.

    Attributes:
        crossbar: counts what it is asked.
        known: map of both states.
        repeats: how often pulses, readings and cycles are repeated.
    """

    crossbar: Tally
    known: ArrayMap
    repeats: int


Run = Callable[[Asked], Any]


class NoField(FieldSource):
    """A field source that takes no time: it stands on no packaged bench of an array."""

    def identity(self) -> Identity:
        """None."""
        return Identity("", "", "", "")

    def prepare(self, *, tesla_limit: float) -> None:
        """Nothing to do."""

    def set_tesla(self, tesla: float) -> None:
        """Nothing happens."""

    def tesla(self) -> float:
        """Always zero."""
        return 0.0

    def output_off(self) -> None:
        """Nothing is on."""

    def is_output_on(self) -> bool:
        """Never."""
        return False

    def check_errors(self) -> None:
        """There are none."""

    def recover(self) -> None:
        """Nothing to do."""


def _read(scheme: Scheme) -> Run:
    return lambda a: read_array(a.crossbar, ReadSettings(scheme=scheme))


def _write(asked: Asked) -> Any:
    target = (np.indices(asked.crossbar.shape).sum(axis=0) % 2).astype(np.int8)
    return write_verify(asked.crossbar, target, asked.known)


def _infer(asked: Asked) -> Any:
    """A layer of the largest size that leaves two lines over, samples of five bits."""
    rows, cols = asked.crossbar.shape[0] - 2, (asked.crossbar.shape[1] - 2) // 2 * 2
    plan = LayerPlan("layer", np.arange(rows), np.arange(cols), np.zeros((rows, cols), np.int8), np.zeros(cols // 2))
    levels = np.random.default_rng(5).integers(-31, 32, (4, rows))
    return infer_layer(asked.crossbar, plan, levels, 5)


def _wires(asked: Asked) -> Any:
    return measure_wires(asked.crossbar, Wires(2.0, 5.0, 5.0), line_sigma_ohms=2.0, segment_sigma_ohms=0.2)


def _chosen(asked: Asked) -> Any:
    volts = np.geomspace(0.25, 0.7, 60).tolist()
    most = 2 * asked.repeats
    return switching_adaptively(asked.crossbar, SITE, State.P, volts, [_WIDTH, 2e-2], most_pulses=most)


def _grid(asked: Asked) -> Any:
    volts = np.linspace(0.35, 0.5, 4).tolist()
    return switching_on_grid(asked.crossbar, SITE, State.P, volts, [_WIDTH], asked.repeats // 2)


def _retention(asked: Asked) -> Any:
    return retention(asked.crossbar, [SITE, LAST], State.P, [1.0, 10.0], wait=asked.crossbar.wait)


def _breakdown(asked: Asked) -> Any:
    return breakdown_ramp(asked.crossbar, [LAST], [0.5, 0.7, 0.9], _WIDTH, may_destroy=[LAST])


CASES: dict[str, Run] = {
    "contact check": lambda a: check_contact(a.crossbar),
    "read, fast": lambda a: readout(a.crossbar),
    **{f"read, {SCHEME_NAMES[scheme]}": _read(scheme) for scheme in Scheme},
    "wires and contacts": _wires,
    "survey": lambda a: survey(a.crossbar),
    "classify": lambda a: classify(a.crossbar),
    "write and verify": _write,
    "infer, 4 samples": _infer,
    "quasi-static loop": lambda a: quasi_static_loop(a.crossbar, SITE, staircase(0.6, -0.75, 0.05)),
    "pulsed loop": lambda a: pulsed_loop(a.crossbar, SITE, staircase(0.6, -0.75, 0.05)),
    "field loop": lambda a: field_loop(a.crossbar, SITE, NoField(), staircase(0.1, -0.1, 0.01)),
    "TMR against bias": lambda a: tmr_against_bias(a.crossbar, SITE, [0.05, 0.1, -0.1, 0.2, -0.2]),
    "switching, chosen": _chosen,
    "switching, grid": _grid,
    "write errors": lambda a: write_errors(a.crossbar, SITE, _PULSES, most_writes=a.repeats),
    "read disturb": lambda a: read_disturb(a.crossbar, SITE, [0.1], readings=2 * a.repeats),
    "retention, 11 s": _retention,
    "endurance": lambda a: endurance(a.crossbar, SITE, a.repeats),
    "telegraph noise": lambda a: telegraph(a.crossbar, SITE, 5 * a.repeats),
    "line resistance": lambda a: line_resistance(a.crossbar),
    "breakdown ramp": _breakdown,
}
"""The one that destroys cells is the last."""

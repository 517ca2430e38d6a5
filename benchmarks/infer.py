"""Networks run on simulated arrays: accuracy beside prediction and software, with and without calibration and tuning.

Digits (64-16-10) on kernels of the Daffodil board, all inputs at once; Wine (13-6-3) on one array of SMU benches, bit
by bit. Cells are put into their states without pulses: writing is not what is measured here. Maps are read by the same
bench; the wires that are taken off them on the board have known mean resistances. Columns of the board are calibrated
against a map that an instrument without errors has read, and predicted from it. Layers lie on the first cells there
are, whatever those are like: of the chip with defects as many shorts are in the layers as chance has it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.drivers.daffodil_port import BoardPort
from mtjlab.drivers.daffodil_settings import DaffodilSettings
from mtjlab.engine.perceptron import accuracy
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, CellStatus, TiledWeightPlan
from mtjlab.protocols.infer_columns import ColumnCalibration, calibrate_columns
from mtjlab.protocols.infer_network import NetworkSettings, infer_network
from mtjlab.protocols.infer_plans import LabelledSamples
from mtjlab.protocols.infer_prediction import without_row_read_wires
from mtjlab.protocols.infer_result import NetworkRun
from mtjlab.protocols.readout import readout
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip
from mtjlab.sim_instruments.daffodil_events import BoardSettings

from ._benches import KINDS, BenchKind, Rig, crossbar_of, rig_of
from ._infer_networks import Trained, digits, laid, put, wine

_NONE = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}
_NO_DEFECTS = f"defect_rates: {_NONE}"
_SMU_BENCHES = ("2400s + 707B", "2400s + 707B, relays at 0 V", "2602B + 707B, TSP-Link")
"""A B2201A in single-route mode cannot connect a source to several rows, which inference has to."""
_PERFECT = BoardSettings(
    end_ohms=100e3, gain_spread=0.0, wiper_ohms=(50.0, 50.0), offset_volts=0.0, dac_error_volts=0.0, noise_volts=0.0
)
_SIDE = 25
_SHORT = 4
"""A cell that conducts so many times the median counts as a short."""
_HEADINGS = [
    "bench",
    "variant",
    "on chip",
    "95 %",
    "predicted",
    "same class",
    "largest diff",
    "software",
    "s/sample",
    "readings/sample",
    "transactions/sample",
]


def _software(trained: Trained, samples: LabelledSamples) -> float:
    """Of the same samples as the arrays are judged by."""
    picked = replace(trained.data, features=samples.features, labels=samples.labels)
    outputs = replace(trained, data=picked).software_outputs[samples.evaluation]
    return float(accuracy(outputs, samples.labels[samples.evaluation]))


def _figures(run: NetworkRun, software: float, seconds: float, messages: int) -> dict[str, Any]:
    judged = int(run.done.sum())
    return {
        "on_chip": round(run.accuracy.value, 4),
        "interval": [round(run.accuracy.low, 4), round(run.accuracy.high, 4)],
        "predicted": round(run.predicted_accuracy.value, 4),
        "software": round(software, 4),
        "same_class": round(run.agreement.value, 4),
        "largest_difference": round(run.largest_difference, 3),
        "rms_difference": round(float(np.sqrt(np.nanmean((run.outputs - run.predicted) ** 2))), 4),
        "siemens_norms": [float(f"{siemens:.3g}") for siemens in run.siemens_norms],
        "bench_seconds_per_sample": float(f"{seconds / judged:.3g}"),
        "readings_per_sample": round(run.cost.readings / judged, 1),
        "transactions_per_sample": round(messages / judged, 1),
        "samples": judged,
        "saturated": run.saturated,
        "scheme": str(run.schemes[0][0]),
    }


# the board


def _board(seed: int, plan: TiledWeightPlan, **die: Any) -> tuple[SimDaffodilBoard, list[DaffodilCrossbar]]:
    board = SimDaffodilBoard(DaffodilChip.draw(seed=seed, **die), seed=seed)
    crossbars = _kernels(board, 1 + max(tile.array for layer in plan.layers for tile in layer.tiles))
    for array in range(len(crossbars)):
        put(board.chip.kernels[array].die, plan, array)
    return board, crossbars


def _kernels(board: SimDaffodilBoard, count: int) -> list[DaffodilCrossbar]:
    port = BoardPort(board, board.wait, DaffodilSettings())
    limits = DeviceLimits()
    return [
        DaffodilCrossbar(port, kernel=number, limits=limits, wait=board.wait, clock=board.clock)
        for number in range(count)
    ]


def _calibrated(
    crossbars: list[DaffodilCrossbar], maps: list[ArrayMap], plan: TiledWeightPlan
) -> dict[int, ColumnCalibration]:
    found = {}
    for array, crossbar in enumerate(crossbars):
        tiles = [tile for layer in plan.layers for tile in layer.tiles if tile.array == array]
        cols = np.unique(np.concatenate([tile.plan.cols for tile in tiles]))
        found[array] = calibrate_columns(crossbar, maps[array], cols=cols.tolist(), others_conduct=False)
    return found


def _on_board(seed: int, trained: Trained, samples: LabelledSamples, **die_changes: Any) -> dict[str, dict[str, Any]]:
    plan = laid(trained.network, 32, (_SIDE, _SIDE))
    board, crossbars = _board(seed, plan, **die_changes)
    raw = [_with_shorts_marked(readout(crossbar)) for crossbar in crossbars]
    better = SimDaffodilBoard(board.chip, settings=_PERFECT)
    true = [_with_shorts_marked(readout(crossbar)) for crossbar in _kernels(better, len(raw))]
    die = board.chip.kernels[0].die.description
    free, known = (
        [without_row_read_wires(one, die.segment_ohms, die.contact_ohms) for one in maps] for maps in (raw, true)
    )
    unit = trained.g * _unit(raw)
    calibrations = _calibrated(crossbars, known, plan)
    settings = NetworkSettings(precision=trained.precision, others_conduct=False)
    untuned = LabelledSamples(samples.features[samples.evaluation], samples.labels[samples.evaluation])
    cases: dict[str, tuple[LabelledSamples, list[ArrayMap], dict[int, ColumnCalibration]]] = {
        "as it is": (untuned, raw, {}),
        "tuned": (samples, raw, {}),
        "tuned, wires known": (samples, free, {}),
        "columns calibrated": (untuned, known, calibrations),
        "columns calibrated, tuned": (samples, known, calibrations),
    }
    found = {}
    for name, (some, maps, columns) in cases.items():
        before = board.seconds, board.transactions
        run = infer_network(crossbars, plan, maps, some, settings=settings, unit_siemens=unit, calibrations=columns)
        spent = board.seconds - before[0], board.transactions - before[1]
        found[name] = _figures(run, _software(trained, some), *spent)
    gains = np.concatenate([one.gain for one in calibrations.values()])
    sigmas = np.concatenate([one.gain_sigma / one.gain for one in calibrations.values()])
    found["columns calibrated"] |= {
        "gain_mean": round(float(gains.mean()), 4),
        "gain_spread": round(float(gains.std()), 4),
        "gain_sigma": round(float(np.median(sigmas)), 4),
        "calibration_seconds": round(sum(one.cost.bench_seconds for one in calibrations.values()), 2),
    }
    if board.incidents:
        raise RuntimeError(f"the board: {board.incidents[0]}")
    return found


def _with_shorts_marked(known: ArrayMap) -> ArrayMap:
    is_short = known.siemens > _SHORT * np.median(known.siemens)
    return replace(known, status=np.where(is_short, CellStatus.SHORT, known.status).astype(np.int8))


def _unit(maps: list[ArrayMap]) -> float:
    """G_P - G_AP of a chip whose cells stand in either state: half of the cells above, half below the middle."""
    siemens = np.concatenate([one.siemens.ravel() for one in maps])
    middle = (np.percentile(siemens, 5) + np.percentile(siemens, 95)) / 2
    return float(np.median(siemens[siemens > middle]) - np.median(siemens[siemens <= middle]))


# benches of SMUs


@contextmanager
def _bench(kind: BenchKind) -> Iterator[tuple[Rig, Any]]:
    with ExitStack() as stack:
        rig = stack.enter_context(rig_of(kind, (15, 15), _NO_DEFECTS))
        yield rig, stack.enter_context(crossbar_of(kind, rig))


def _on_bench(kind: BenchKind, trained: Trained, samples: LabelledSamples) -> dict[str, dict[str, Any]]:
    plan = laid(trained.network, 1, (15, 15))
    found = {}
    with _bench(kind) as (rig, crossbar):
        die = rig.bench.world.die
        put(die, plan, 0)
        for index in range(die.is_parallel.size):
            rig.bench.world.circuit.cell_changed(index)
        known = readout(crossbar)
        unit = trained.g * _unit([known])
        untuned = LabelledSamples(samples.features[samples.evaluation], samples.labels[samples.evaluation])
        for name, some in {"as it is": untuned, "tuned": samples}.items():
            before = rig.bench.host.seconds, rig.messages
            run = infer_network(
                [crossbar],
                plan,
                [known],
                some,
                settings=NetworkSettings(precision=trained.precision),
                unit_siemens=unit,
            )
            spent = rig.bench.host.seconds - before[0], rig.messages - before[1]
            found[name] = _figures(run, _software(trained, some), *spent)
    return found


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    started = time.perf_counter()
    result: dict[str, Any] = {}
    number = digits(quick=quick)
    samples = number.samples(20, 20) if quick else number.samples(50, 200)
    result["Daffodil board, digits"] = _on_board(0, number, samples, defect_rates=_NONE)
    if not quick:
        result["Daffodil board, digits, defects"] = _on_board(0, number, samples)
    wines = wine(quick=quick)
    few = wines.samples(4, 4) if quick else wines.samples(15, 30)
    for kind in KINDS:
        if kind.title in _SMU_BENCHES[: 1 if quick else None]:
            result[f"{kind.title}, Wine"] = _on_bench(kind, wines, few)
    rows: list[list[Any]] = [_HEADINGS]
    for bench, variants in result.items():
        for variant, figures in variants.items():
            rows.append([bench, variant, *_cells(figures)])
    result["seconds"] = round(time.perf_counter() - started, 1)
    return "Networks on simulated arrays", rows, result


def _cells(figures: dict[str, Any]) -> list[str]:
    low, high = figures["interval"]
    return [
        f"{figures['on_chip']:.1%}",
        f"{low:.1%}-{high:.1%}",
        f"{figures['predicted']:.1%}",
        f"{figures['same_class']:.1%}",
        f"{figures['largest_difference']:.2f}",
        f"{figures['software']:.1%}",
        f"{figures['bench_seconds_per_sample']:g}",
        f"{figures['readings_per_sample']:g}",
        f"{figures['transactions_per_sample']:g}",
    ]

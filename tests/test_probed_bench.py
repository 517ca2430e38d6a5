"""The packaged bench with a prober: SMUs read the die under the probes, and nothing moves under bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from mtjlab.bench import MatrixCrossbar
from mtjlab.errors import InputError
from mtjlab.nouns import Lines, Site
from mtjlab.physics.populations import WaferDescription
from mtjlab.prober import Prober, ProberError
from mtjlab.protocols.readout import readout
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench
from mtjlab.station import open_prober, open_station
from mtjlab.wiring import load_wiring

STATION = bench_path("probed15").with_name("probed15.station.yaml")


@dataclass
class Probed:
    bench: SimBench
    prober: Prober
    crossbar: MatrixCrossbar


@pytest.fixture
def probed() -> Iterator[Probed]:
    bench = sim_bench("probed15")
    bench.reset()
    wiring_file = STATION.with_name("probed15.wiring.yaml")
    wiring = load_wiring(wiring_file)
    station = open_station(STATION, wiring_file, wiring)
    prober = open_prober(STATION)
    with MatrixCrossbar(station.smus, station.matrix, wiring, clock=lambda: bench.world.seconds) as crossbar:
        crossbar.start()
        prober.watch_outputs(crossbar.outputs)
        yield Probed(bench, prober, crossbar)
    prober.close()  # type: ignore[attr-defined]
    station.close()
    bench.reset()


def test_a_map_of_each_die_is_that_of_the_die_that_the_wafer_describes(probed: Probed) -> None:
    wafer: WaferDescription = probed.bench.world.under_probes.wafer  # type: ignore[union-attr]
    probed.prober.prepare(overtravel_limit_metres=60e-6)
    medians = []
    for x, y in ((0, 0), (4, -3)):
        probed.prober.to_die(x, -y)  # its numbers grow downwards
        probed.prober.contact()
        found = readout(probed.crossbar)
        probed.crossbar.idle()
        probed.prober.separate()
        drawn = wafer.draw(x, y, 20250)
        truth = drawn.siemens_p / np.where(drawn.is_parallel, 1.0, 1.0 + drawn.tmr)
        medians.append(np.median(found.siemens.ravel() / truth))
    assert medians == pytest.approx([1.0, 1.0], abs=0.1)
    assert probed.bench.world.incidents == []


def test_the_prober_refuses_while_the_bench_drives_and_goes_on_when_it_is_idle(probed: Probed) -> None:
    probed.prober.prepare(overtravel_limit_metres=60e-6)
    probed.prober.contact()
    probed.crossbar.measure(Lines.selecting((15, 15), Site(2, 3), 0.1, np.nan), [])
    with pytest.raises(ProberError, match="output of drive, half_select is on"):
        probed.prober.separate()
    with pytest.raises(ProberError, match="output of drive, half_select is on"):
        probed.prober.to_die(1, 0)
    probed.crossbar.idle()
    probed.prober.separate()
    probed.prober.to_die(1, 0)
    assert probed.bench.world.incidents == []


def test_the_station_without_a_prober_says_so() -> None:
    with pytest.raises(InputError, match="no instrument 'prober'"):
        open_prober(bench_path("passive15").with_name("passive15.station.yaml"))

"""Instruments behind sockets of their own: what one is told must not be overtaken by what another is told next."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest

from mtjlab.bench import MatrixCrossbar
from mtjlab.nouns import Line, Lines, Site
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.tcp_server import TcpServer
from mtjlab.station import open_station
from mtjlab.wiring import load_wiring


@pytest.fixture
def networked(tmp_path: Path) -> Iterator[tuple[SimBench, MatrixCrossbar]]:
    """The packaged bench, every instrument at a socket, reached with PyVISA-py."""
    bench = sim_bench("passive15")
    bench.reset()
    with TcpServer(bench) as server, as_file(files("mtjlab.sim_instruments.benches")) as packaged:
        lines = ["instruments:"]
        for port in server.ports:
            kind = "keithley_707b.Keithley707B" if port.name == "matrix" else "keithley_2400.Keithley2400"
            lines += [f"  {port.name}:", f"    type: mtjlab.drivers.{kind}", f"    address: {port.resource}"]
            lines += ['    init: {visalib: "@py"}']
        station = tmp_path / "station.yaml"
        station.write_text("\n".join(lines), encoding="utf-8")
        wiring_file = packaged / "passive15.wiring.yaml"
        wiring = load_wiring(wiring_file)
        opened = open_station(station, wiring_file, wiring)
        try:
            with MatrixCrossbar(opened.smus, opened.matrix, wiring) as crossbar:
                crossbar.start()
                yield bench, crossbar
        finally:
            opened.close()
    bench.reset()


def test_a_level_is_there_before_another_instrument_is_told_to_measure(
    networked: tuple[SimBench, MatrixCrossbar],
) -> None:
    bench, crossbar = networked
    sites = [Site(k, (5 * k) % 15) for k in range(15)]
    found = [
        crossbar.measure(Lines.selecting((15, 15), s, 0.1, 0.0), [Line("col", s.col)])[0].amps / 0.1 for s in sites
    ]
    crossbar.idle()
    with bench.lock:
        truth = bench.world.die.siemens(0.1).reshape(15, 15)
    wanted = np.array([truth[site] for site in sites])
    is_good = (wanted > 2e-5) & (wanted < 3e-4)
    assert is_good.sum() > 10
    assert np.abs(np.array(found) / wanted - 1)[is_good].max() < 0.25

"""PyMeasure's own Velox driver walks a wafer on the simulated prober, as it is."""

from __future__ import annotations

from pathlib import Path

from pymeasure.instruments.formfactor.velox import Velox

from mtjlab.sim_instruments.simulated_bench import sim_bench

BENCH = """
bench: wafer
seed: 7
line_hertz: 50
wafer: w.yaml
instruments:
  - {name: prober, model: formfactor_velox, address: "GPIB0::28::INSTR"}
"""


def test_it_walks_every_die_until_the_end_of_the_map(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("wafer: w\ndie: {rows: 2, cols: 2}\nradius_mm: 11\n")
    path = tmp_path / "bench.yaml"
    path.write_text(BENCH)
    bench = sim_bench(str(path))
    prober = Velox("GPIB0::28::INSTR", visa_library=f"{path}@mtjlab")
    try:
        seen = []
        here = prober.wafermap.step_first_die()
        while not prober.error_code:
            seen.append(tuple(here[:2]))
            prober.chuck.move_contact()
            assert bench.world.is_touching
            prober.chuck.move_separation()
            here = prober.wafermap.step_next_die()
        assert prober.error_code == 703
        station = bench.by_name["prober"].station  # type: ignore[attr-defined]
        assert seen == [(die.x, die.y) for die in station.route]
        assert station.card.touchdowns == len(seen) == 13
        assert bench.world.incidents == []
    finally:
        prober.adapter.close()
        bench.close()

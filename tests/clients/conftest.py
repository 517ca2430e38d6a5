"""The showroom, new for each test, and a record of what the tests of a client's class have used of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mtjlab.sim_instruments.circuit import Source, SourcePoint
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench

from .lab import Lab, MakeLab
from .matrix import members
from .surface import Record

Conducts = Callable[[str, int | str, int], bool]
Instruments = dict[str, dict[str, Any]]
"""Instruments of the showroom that a class of tests needs, by name, and what is different about them."""
PointOf = Callable[..., SourcePoint]


@pytest.fixture
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The packaged bench with one of each instrument, cut down (it is quicker) to those that the tests name."""
    bench = YAML(typ="safe").load(bench_path("showroom"))
    wanted = getattr(request.cls, "instruments", None) or {request.node.callspec.params["name"]: {}}
    bench["instruments"] = [{**i, **wanted[i["name"]]} for i in bench["instruments"] if i["name"] in wanted]
    bench["cables"] = [cable for cable in bench["cables"] if cable["from"].partition(".")[0] in wanted]
    bench["cables"] += [{"from": "joint.1", "to": "ground"}]
    path = tmp_path / "bench.yaml"
    YAML(typ="safe").dump(bench, path)
    return str(path)


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[MakeLab]:
    """Makes benches of one's own; they are taken down in the end."""
    labs: list[Lab] = []

    def make(instruments: dict[str, dict[str, Any]], cables: list[dict[str, Any]], **sections: Any) -> Lab:
        path = tmp_path / f"lab{len(labs)}.yaml"
        labs.append(Lab(path, instruments, cables, sections))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def bench(spec: str) -> Iterator[SimBench]:
    """The bench."""
    bench = sim_bench(spec)
    yield bench
    bench.close()


@pytest.fixture
def point_of(bench: SimBench) -> PointOf:
    """What an output really does: volts, amperes, whether it limits."""

    def point(name: str, channel: int = 0) -> SourcePoint:
        return bench.world.sources_of(name)[channel].point()

    return point


@pytest.fixture
def conducts(bench: SimBench) -> Conducts:
    """Whether a relay of a matrix joins a row and a column to which nothing else is connected."""
    sources: dict[str, Source] = {}

    def source_at(node: str) -> Source:
        if node not in sources:
            sources[node] = bench.world.add_source(f"probe at {node}", node)
        return sources[node]

    def is_closed(matrix: str, row: int | str, column: int) -> bool:
        probe, ground = source_at(f"{matrix}.row.{row}"), source_at(f"{matrix}.col.{column}")
        probe.drive_amps(1e-6, 1.0)
        ground.drive_volts(0.0, 1.0)
        is_open = probe.point().is_limiting
        probe.disconnect()
        ground.disconnect()
        return not is_open

    return is_closed


@pytest.fixture(scope="class")
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """What the tests of a class use of `client`; in the end that must be all there is, or be listed."""
    record = Record()
    yield record
    if _ran_whole(request):
        client = request.cls.client
        absent = members(client, "not_applicable")
        listed = absent | members(client, "not_simulated") | members(client, "used_elsewhere")
        assert record.public - record.used - listed == set(), "neither used nor listed"
        assert absent & record.used == set(), "used, yet listed as not applicable"
        assert listed | members(client, "defects") <= record.public, "listed, but the class has no such member"


def _ran_whole(request: pytest.FixtureRequest) -> bool:
    ran = {item.originalname for item in request.session.items if isinstance(item, pytest.Function)}
    return all(name in ran for name in vars(request.cls) if name.startswith("test_"))

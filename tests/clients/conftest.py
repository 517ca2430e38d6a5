"""The showroom, new for each test, and a record of what the tests of a client's class have used of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mtjlab.sim_instruments.circuit import SourcePoint
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

from .matrix import entry
from .surface import Record

PointOf = Callable[..., SourcePoint]


@pytest.fixture
def bench() -> Iterator[SimBench]:
    """The packaged bench with one of each instrument."""
    bench = sim_bench("showroom")
    yield bench
    bench.close()


@pytest.fixture
def point_of(bench: SimBench) -> PointOf:
    """What an output really does: volts, amperes, whether it limits."""

    def point(name: str, channel: int = 0) -> SourcePoint:
        return bench.world.sources_of(name)[channel].point()

    return point


@pytest.fixture(scope="class")
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """What the tests of a class use of `client`; in the end that must be all there is, or be listed."""
    record = Record()
    yield record
    if _ran_whole(request):
        listed = {name for group in entry(request.cls.client).get("not_applicable", []) for name in group["members"]}
        assert record.public - record.used - listed == set(), "neither used nor listed as not applicable"
        assert listed & record.used == set(), "used, yet listed as not applicable"
        assert listed - record.public == set(), "listed, but the class has no such member"


def _ran_whole(request: pytest.FixtureRequest) -> bool:
    ran = {item.originalname for item in request.session.items if isinstance(item, pytest.Function)}
    return all(name in ran for name in vars(request.cls) if name.startswith("test_"))

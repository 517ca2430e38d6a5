"""The table of clients and instruments is complete, names tests that exist, and is what the docs say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mtjlab.sim_instruments.simulated_bench import bench_path

from .matrix import PAGE, matrix, page

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CLIENTS = sorted(matrix()["clients"])


def source_of(client: str) -> str:
    """The source of the class that tests a client."""
    for path in HERE.glob("test_*.py"):
        for block in re.split(r"^(?=class |@pytest\.mark\.parametrize)", path.read_text(), flags=re.MULTILINE):
            if f'client = "{client}"' in block:
                return block
    raise AssertionError(f"no class tests {client}")


def test_every_instrument_of_the_showroom_is_listed() -> None:
    bench = YAML(typ="safe").load(bench_path("showroom"))
    assert set(matrix()["instruments"]) == {spec["model"] for spec in bench["instruments"]}


@pytest.mark.parametrize("client", CLIENTS)
def test_every_defect_is_shown_by_a_test(client: str) -> None:
    source = source_of(client)
    listed = {defect["test"] for defect in matrix()["clients"][client].get("defects", [])}
    assert listed == set(re.findall(r"def (test_defect_\w+)", source))


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_used_elsewhere_is(client: str) -> None:
    for group in matrix()["clients"][client].get("used_elsewhere", []):
        path, _, name = group["test"].partition("::")
        body = re.search(rf"^def {name}\(.*?(?=^def |\Z)", (ROOT / path).read_text(), re.MULTILINE | re.DOTALL)
        assert body, group["test"]
        for member in group["members"]:
            assert f".{member.rpartition('.')[2]}" in body[0], member


@pytest.mark.skipif(not PAGE.parent.is_dir(), reason="needs the source tree, not only the wheel")
def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.clients.matrix"

"""A bench of one's own for a program: written to a file, opened by PyVISA as that program would."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pyvisa
from pyvisa.resources import MessageBasedResource
from ruamel.yaml import YAML

from mtjlab.sim_instruments.circuit import SourcePoint
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.world import World

ADDRESSES = {
    "keithley_2400": "GPIB0::24::INSTR",
    "keithley_2450": "GPIB0::18::INSTR",
    "keithley_2602b": "GPIB0::26::INSTR",
    "keithley_2612b": "GPIB0::12::INSTR",
    "keithley_2636b": "GPIB0::27::INSTR",
    "keysight_b2902a": "GPIB0::23::INSTR",
    "keysight_b2912a": "GPIB0::21::INSTR",
    "keithley_707b": "GPIB0::16::INSTR",
    "keithley_708b": "GPIB0::8::INSTR",
    "keithley_7001": "GPIB0::7::INSTR",
    "keysight_b2201a": "GPIB0::22::INSTR",
    "keysight_e5250a": "GPIB0::25::INSTR",
    "keysight_34980a": "GPIB0::9::INSTR",
    "keysight_81160a": "GPIB0::10::INSTR",
    "keysight_33622a": "GPIB0::11::INSTR",
    "yokogawa_gs200": "GPIB0::1::INSTR",
}
ONE_CELL = {"rows": 1, "cols": 1, "defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}
"""A die that is one good cell."""


class Lab:
    """A bench file, its bench, and a resource manager on it.

    Args:
        path: where the file goes.
        instruments: what is different about each, by name; `model` at least.
        cables: as in a bench file.
        sections: other keys of the file, such as `die` or `faults`.
    """

    def __init__(
        self, path: Path, instruments: dict[str, dict[str, Any]], cables: list[dict[str, Any]], sections: dict[str, Any]
    ) -> None:
        listed = [{"name": n, "address": ADDRESSES[i["model"]], **i} for n, i in instruments.items()]
        content = {"bench": path.stem, "seed": 5, "line_hertz": 50, "die": {}, **sections}
        YAML(typ="safe").dump({**content, "instruments": listed, "cables": cables}, path)
        self.library = f"{path}@mtjlab"
        self.manager = pyvisa.ResourceManager(self.library)
        self.bench: SimBench = sim_bench(str(path))

    @property
    def world(self) -> World:
        """The truth."""
        return self.bench.world

    def open(self, name: str, *messages: str, seconds: float = 2.0) -> MessageBasedResource:
        """A session, after some messages."""
        resource = self.manager.open_resource(name, timeout=1000 * seconds)
        assert isinstance(resource, MessageBasedResource)
        for message in messages:
            resource.write(message)
        return resource

    def point(self, name: str, number: int = 0) -> SourcePoint:
        """What an output really does."""
        return self.world.sources_of(name)[number].point()

    def close(self) -> None:
        """End all sessions and take the bench down."""
        self.manager.close()
        self.bench.close()


class MakeLab(Protocol):
    """What the fixture `make_lab` gives."""

    def __call__(self, instruments: dict[str, dict[str, Any]], cables: list[dict[str, Any]], **sections: Any) -> Lab:
        """A lab with these instruments and cables."""


def numbers(reply: str) -> list[float]:
    """The numbers of a reply."""
    return [float(part) for part in reply.replace(",", " ").split()]

"""How ground mode of a B2200 connects input ports to ground (B2200 User's Guide, chapter 3, "Ground Mode")."""

from __future__ import annotations

from collections.abc import Iterable

from .circuit import GROUND
from .relay_bank import RelayBank
from .switching_tables import GROUND_RELAYS
from .world import World

CONNECTOR_LIFTED_PORT, GROUNDED_PORT = 12, 13
"""Chosen as ground port, 12 is grounded inside and its connector left open; 13 is grounded with its connector."""
UNUSED_PORTS = range(1, 9)
"""Inputs that can be grounded while they are unused: the SMU inputs."""
_INPUTS = range(1, 15)


class GroundNet:
    """The relays around the ground port.

    Args:
        name: of the mainframe.
        world: where they conduct.
    """

    def __init__(self, name: str, world: World) -> None:
        self._name = name
        bus = f"{name}.agnd"
        pairs = {
            "connector": (f"{name}.row.{CONNECTOR_LIFTED_PORT}", self.input_node(CONNECTOR_LIFTED_PORT)),
            **{f"ground {port}": (self.input_node(port), GROUND) for port in (CONNECTOR_LIFTED_PORT, GROUNDED_PORT)},
            **{f"port {port}": (self.input_node(port), bus) for port in _INPUTS},
            **{f"unused {port}": (self.input_node(port), bus) for port in UNUSED_PORTS},
        }
        self._relays: RelayBank[str] = RelayBank(world, name, pairs, GROUND_RELAYS)
        self._relays.set({"connector"})

    def input_node(self, port: int) -> str:
        """The node at the matrix end of an input port."""
        end = "input" if port == CONNECTOR_LIFTED_PORT else "row"
        return f"{self._name}.{end}.{port}"

    def needs(self, ports: Iterable[int], unused: Iterable[int]) -> bool:
        """Whether relays have to move for these ground ports and unused inputs."""
        return self._wanted(ports, unused) != self._relays.closed

    def set(self, ports: Iterable[int], unused: Iterable[int]) -> float:
        """Ground these ports, and connect the unused inputs to them; returns the seconds until that has settled."""
        return self._relays.set(self._wanted(ports, unused))

    def _wanted(self, ports: Iterable[int], unused: Iterable[int]) -> frozenset[str]:
        acting = {port for port in ports if port > 0}
        wanted = {f"ground {port}" for port in acting if port in (CONNECTOR_LIFTED_PORT, GROUNDED_PORT)}
        if CONNECTOR_LIFTED_PORT not in acting:
            wanted.add("connector")
        grounded = {port for port in unused if port not in acting}
        if acting and grounded:
            wanted |= {f"port {port}" for port in acting} | {f"unused {port}" for port in grounded}
        return frozenset(wanted)

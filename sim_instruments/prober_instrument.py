"""What simulated probers have in common on the bus: a station that they drive, and no status byte worth the name."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Self

from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .prober_dies import UnderProbes
from .prober_spec import StationSpec
from .prober_thermal import ThermalPhase
from .prober_world import Station
from .wire_instrument import HostClock, WireInstrument
from .world import World

_COMMAND_SECONDS = 5e-3
"""What a prober's control program takes for a command that moves nothing (assumed)."""
_MESSAGE_AVAILABLE = 16
CONTACT_UM, SEPARATION_UM = 12_000.0, 300.0
"""Height of the first touch above the stage's zero, and how far below that it separates (assumed)."""


class SimProber(WireInstrument):
    """A prober's control program.

    Attributes:
        polled: the command by which programs ask whether the chuck is at its temperature.
        reply_end: what its answers end with.
        station: what it drives; also what an operator does there (`station.mend()`).
    """

    polled: ClassVar[bytes]
    reply_end = b"\n"

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        station: Station,
        *,
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        super().__init__(name, world, host, has_end=has_end, faults=faults)
        self.station = station
        self.serial = serial

    @classmethod
    def from_spec(cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None) -> Self:
        """The instrument of a bench file's entry, over the wafer of the bench."""
        under = world.under_probes
        assert isinstance(under, UnderProbes)  # a bench with a prober has a wafer
        station = Station(world, under, spec.prober or StationSpec(), world.rng(spec.name))
        return cls(spec.name, world, host, station, serial=spec.serial, has_end=spec.has_end, faults=faults)

    @abstractmethod
    def _answer(self, message: str) -> str | None:
        """Carry out one command; returns the reply without its end, None if it has none."""

    def _carry_out(self, message: str) -> None:
        self._take_time(_COMMAND_SECONDS)
        self._let_time_pass()
        reply = self._answer(message.strip())
        if reply is not None:
            self._replies.append(reply.encode() + self.reply_end)

    def _run(self, message: bytes) -> None:
        chuck = self.station.chuck
        if self.polled in message and chuck.phase(self.world.seconds) is not ThermalPhase.SETTLED:
            self._host.wait(chuck.seconds_per_question(self.world.seconds))
        super()._run(message)

    def _heat(self, celsius: float) -> None:
        if self.station.is_in_contact:
            self.world.log("chuck heated in contact", f"to {celsius:g} degrees Celsius with the probes down")
        self.station.chuck.go_to(celsius + 273.15, self.world.seconds)

    @property
    def _celsius(self) -> float:
        return self.station.chuck.kelvin(self.world.seconds) - 273.15

    @property
    def _height_um(self) -> float:
        station = self.station
        if not station.is_in_contact:
            return CONTACT_UM - SEPARATION_UM
        return CONTACT_UM + (station.overtravel_um if station.is_overtravel_on else 0.0)

    def status_byte(self) -> int:
        """Only whether there is a message."""
        return _MESSAGE_AVAILABLE if self._has_message else 0

    def serial_poll(self) -> int:
        """Likewise."""
        return self.status_byte()

    @property
    def requests_service(self) -> bool:
        """Never."""
        return False

    def trigger(self) -> None:
        """Without effect."""

    def _nothing_to_say(self) -> None:
        """It keeps silent."""

    def _reply_taken(self) -> None:
        """Nothing depends on it."""

    def _cleared(self) -> None:
        """A motion that has begun comes to its end."""

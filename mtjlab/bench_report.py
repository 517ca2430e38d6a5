"""What a bench tells an operator: how it is set up, what it can do, and how a run ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .roles import Capabilities
from .wiring import Wiring


@dataclass(frozen=True)
class BenchSettings:
    """How the SMUs are set up.

    Attributes:
        volts_range: source range of all SMUs.
        read_amps_range: range of the sensing SMU while reading; the others always cover the device's current limit,
            because a fixed range below the load would limit the output at the end of that range.
        leak_amps_range: range of the sensing SMU while it looks for leakage; also limits what may flow then.
        power_cycles: integration time.
        settle_seconds: wait after relays have moved beside their own settling time, where instruments scan by
            themselves; otherwise messages take longer than that.
    """

    volts_range: float = 2.0
    read_amps_range: float = 1e-3
    leak_amps_range: float = 1e-6
    power_cycles: float = 0.1
    settle_seconds: float = 0.0


@dataclass(frozen=True)
class ShutdownReport:
    """What the end of a run found.

    Attributes:
        outputs_off: per SMU, read back: True off, False still on, None if it did not answer; empty before the end.
        relays_open: read back: True, False, or None if the matrix did not answer.
        problems: what could not be done, in words.
    """

    outputs_off: dict[str, bool | None]
    relays_open: bool | None
    problems: tuple[str, ...]

    @property
    def is_safe(self) -> bool:
        """Whether every output was read back as off and every relay as open."""
        outputs = self.outputs_off.values()
        return bool(outputs) and all(off is True for off in outputs) and self.relays_open is True


def jobs(names: Sequence[str], matrix: str) -> dict[str, str]:
    """What each instrument does on a bench, in words."""
    first, *between, last = names
    found = dict.fromkeys(between, "holds the unselected lines")
    found |= {last: "senses one line at a time", first: "drives the selected lines"}
    return found | {matrix: "connects SMUs to array lines"}


def description(can: Capabilities, wiring: Wiring, scans: str) -> list[str]:
    """What a mix of instruments can do at once, in sentences.

    Args:
        scans: whether and how they scan by themselves, in words.
    """
    smus = len(wiring.smus)
    ground = " and the common ground" if can.levels > smus else ""
    wires = "at the sense terminals (four-wire)" if can.is_four_wire else "at the outputs (two-wire)"
    held = "bias and ground mode of the matrix hold" if can.holds_lines else "relays of their own hold"
    moves = "at 0 V, outputs on" if wiring.relays_move == "at_zero_volts" else "with all outputs off"
    return [
        f"{smus} SMUs{ground} make {can.levels} levels at once, regulated {wires}",
        f"{list(wiring.smus)[-1]} senses one line at a time",
        f"{held} the unselected lines; relays move {moves}",
        f"the shortest pulse that is measured on its top lasts {can.shortest_pulse_seconds * 1e3:.3g} ms",
        scans,
    ]

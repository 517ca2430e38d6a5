"""The trigger model of a 2450: blocks that are run one after another (Reference Manual, "Trigger model").

Predefined models and sweeps are made of the same blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .scpi_errors import ScpiError

_MOST_STEPS = 2_000_000
MOST_BLOCKS = 255


class Host(Protocol):
    """What blocks act on."""

    @property
    def seconds(self) -> float:
        """Time stamp now."""

    def elapse(self, seconds: float) -> None:
        """Let time pass in the world."""

    def clear_buffer(self, name: str) -> None:
        """Empty a reading buffer."""

    def take_readings(self, name: str, count: int) -> None:
        """Measure into a reading buffer."""

    def recall_source(self, name: str, index: int) -> int:
        """Recall a point of a source configuration list; returns the next index."""

    def switch_output(self, is_on: bool) -> None:
        """Output on or off."""

    @property
    def is_limiting(self) -> bool:
        """Whether the output is at its limit."""


@dataclass(frozen=True)
class Block:
    """One building block.

    Attributes:
        kind: what it does.
        text: as :TRIGger:BLOCk:LIST? tells it.
        act: what happens; returns the number of the next block, or None for the one after this.
    """

    kind: str
    text: str
    act: Callable[[Host, TriggerModel], int | None]


@dataclass
class TriggerModel:
    """The blocks, and where a run of them stands.

    Attributes:
        blocks: by number from 1.
        counters: passes of each branch counter since the model began.
        indices: next point of each configuration list.
    """

    blocks: dict[int, Block] = field(default_factory=dict)
    counters: dict[int, int] = field(default_factory=dict)
    indices: dict[str, int] = field(default_factory=dict)
    state: str = "EMPTY"
    position: int = 0

    def clear(self) -> None:
        """No blocks."""
        self.blocks.clear()
        self.state, self.position = "EMPTY", 0

    def put(self, number: int, block: Block) -> None:
        """Set block `number`."""
        if not 1 <= number <= MOST_BLOCKS:
            raise ScpiError(-222)
        self.blocks[number] = block
        self.state = "BUILDING"

    def load(self, blocks: Sequence[Block]) -> None:
        """Replace all blocks."""
        self.clear()
        for number, block in enumerate(blocks, start=1):
            self.put(number, block)
        self.state = "IDLE"

    def listing(self) -> str:
        """All blocks, one a line."""
        return "\n".join(f"{number}) {block.text}" for number, block in sorted(self.blocks.items())) or "EMPTY"

    def run(self, host: Host) -> None:
        """From the first block to the end."""
        if not self.blocks:
            raise ScpiError(4501, "Cannot start trigger model, no blocks defined")
        self.counters.clear()
        self.indices.clear()
        self.position, last = 1, max(self.blocks)
        for _ in range(_MOST_STEPS):
            block = self.blocks.get(self.position)
            following = None if block is None else block.act(host, self)
            if following is None:
                following = self.position + 1
            if not 1 <= following <= last:
                break
            self.position = following
        self.state = "IDLE"


def clear_block(buffer: str) -> Block:
    """Empty a buffer."""
    return Block("BUFFER", f"BUFFER_CLEAR           BUFFER: {buffer}", lambda host, _: host.clear_buffer(buffer))


def measure_block(buffer: str, count: int) -> Block:
    """Take readings."""
    text = f"MEASURE                BUFFER: {buffer} COUNT: {count}"
    return Block("MEASURE", text, lambda host, _: host.take_readings(buffer, count))


def delay_block(seconds: float) -> Block:
    """Wait."""
    return Block("DELAY", f"DELAY_CONSTANT         DELAY: {seconds:.9f}", lambda host, _: host.elapse(seconds))


def output_block(is_on: bool) -> Block:
    """Output on or off."""
    text = f"SOURCE_OUTPUT          OUTPUT: {'ON' if is_on else 'OFF'}"
    return Block("OUTPUT", text, lambda host, _: host.switch_output(is_on))


def nothing_block(kind: str) -> Block:
    """NO_OPERATION, NOTIFY, LOG_EVENT, DIGITAL_IO: nothing on this bench depends on them."""
    return Block(kind, kind, lambda host, _: None)


def recall_block(name: str, index: int) -> Block:
    """Recall one point of a source configuration list."""

    def act(host: Host, model: TriggerModel) -> None:
        model.indices[name] = host.recall_source(name, index)

    return Block("RECALL", f"CONFIG_RECALL          CONFIG_LIST: {name} INDEX: {index}", act)


def next_block(name: str) -> Block:
    """Recall the next point of a source configuration list."""

    def act(host: Host, model: TriggerModel) -> None:
        model.indices[name] = host.recall_source(name, model.indices.get(name, 1))

    return Block("NEXT", f"CONFIG_NEXT            CONFIG_LIST: {name}", act)


def goto_block(target: int) -> Block:
    """Branch always."""
    return Block("GOTO", f"BRANCH_ALWAYS          BRANCH_BLOCK: {target}", lambda host, _: target)


def counter_block(number: int, count: int, target: int) -> Block:
    """Branch to `target` until this block, `number`, has been reached `count` times."""

    def act(_: Host, model: TriggerModel) -> int | None:
        model.counters[number] = model.counters.get(number, 0) + 1
        if model.counters[number] < count:
            return target
        model.counters[number] = 0
        return None

    return Block("COUNT", f"BRANCH_COUNTER         VALUE: {count} BRANCH_BLOCK: {target}", act)


def limit_block(target: int) -> Block:
    """Branch if the source is at its limit."""
    text = f"BRANCH_ON_EVENT        EVENT: SOURCE LIMIT BRANCH_BLOCK: {target}"
    return Block("LIMIT", text, lambda host, _: target if host.is_limiting else None)


def duration_block(seconds: float, target: int) -> Block:
    """Branch to `target` until `seconds` have passed since the model began."""
    begun: list[float] = []

    def act(host: Host, model: TriggerModel) -> int | None:
        if not model.indices.get("duration"):
            begun[:] = [host.seconds]
            model.indices["duration"] = 1
        return target if host.seconds - begun[0] < seconds else None

    return Block("DURATION", f"BRANCH_ON_TIME         DURATION: {seconds} BRANCH_BLOCK: {target}", act)


def simple_loop(count: int, delay_seconds: float, buffer: str) -> list[Block]:
    """The predefined model SimpleLoop."""
    return [
        clear_block(buffer),
        delay_block(delay_seconds),
        measure_block(buffer, 1),
        counter_block(4, count, 2),
    ]


def duration_loop(seconds: float, delay_seconds: float, buffer: str) -> list[Block]:
    """The predefined model DurationLoop."""
    return [
        clear_block(buffer),
        delay_block(delay_seconds),
        duration_block(seconds, 5),
        goto_block(7),
        measure_block(buffer, 1),
        goto_block(2),
    ]


def sweep(name: str, points: int, delay_seconds: float, count: int, *, aborts: bool, buffer: str) -> list[Block]:
    """A sweep over the points of a source configuration list, with the output off afterwards."""
    last = 10
    return [
        recall_block(name, 1),
        output_block(True),
        clear_block(buffer),
        delay_block(delay_seconds),
        measure_block(buffer, 1),
        limit_block(last) if aborts else nothing_block("NO_OPERATION"),
        next_block(name),
        counter_block(8, points * count, 4),
        nothing_block("NO_OPERATION"),
        output_block(False),
    ]

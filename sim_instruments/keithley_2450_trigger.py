"""The trigger model of a 2450: blocks that are run one after another (Reference Manual, "Trigger model").

A run is a sequence of pauses, between which blocks act. A model that ends is run to its end at once, as everything that
an instrument is told; one that does not end, or waits for an event, goes on as a process of the world.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from .keithley_2450_events import MODEL_ABORTED, MODEL_ENDED, MODEL_FAILED, MODEL_STARTED, Event
from .keithley_2450_host import Host
from .processes import Processes
from .scpi_errors import ScpiError

MOST_BLOCKS = 255
_BLOCK_SECONDS = 1e-6
"""What a block takes by itself (assumed)."""
_MOST_OWED_SECONDS = 50e-6
"""As soon as blocks have taken so much by themselves, it passes."""
_MOST_AT_ONCE, _MOST_WAITED_FOR = 50_000, 200_000
"""Pauses that are waited for when a model begins, and when its end is, before it counts as one that goes on."""
_MOST_OF_LOOPS = 5_000
"""The same for a model that may go round without a count."""
_MOST_WHILE_WAITING = 10
"""Pauses of measurements that go on while a block waits, before the rest of them happens in the background."""
_MOST_IN_BACKGROUND = 2_000
"""Blocks that are followed in one wait of the world; a model that would run more of them is behind for a while."""


Pauses = Generator[float, None, int | None]
Act = Callable[[Host, "TriggerModel"], "int | Pauses | None"]


@dataclass(frozen=True)
class Block:
    """One building block.

    Attributes:
        text: as :TRIGger:BLOCk:LIST? tells it.
        act: what happens; gives the number of the next block, or None for the one after this, perhaps after pauses.
        buffer: of a block that measures.
        target: where it may branch to again and again without an end.
        check: raises ScpiError if the block cannot be run.
    """

    text: str
    act: Act
    buffer: str | None = None
    target: int | None = None
    check: Callable[[], None] | None = None


class TriggerModel:
    """The blocks, and where a run of them stands; a process of the world while it goes on.

    Attributes:
        blocks: by number from 1.
        counters: passes of each branch counter.
        indices: present point of each configuration list.
        marks: where the bus was when a block last cleared its memory of events.
        seen: blocks that have been reached, for those that act once.
        endless: measurements that go on beside the blocks until another block measures.
        state: as :TRIGger:STATe? tells it.
        position: block that was last run.
        is_in_background: whether it goes on while other things happen on the bench.
        is_going_on: whether it is being run at once.
    """

    def __init__(self, host: Host, processes: Processes) -> None:
        self._host = host
        self._processes = processes
        self.blocks: dict[int, Block] = {}
        self.counters: dict[int, int] = {}
        self.indices: dict[str, int] = {}
        self.marks: dict[int, int] = {}
        self.seen: set[int] = set()
        self.measured: int | None = None
        self.endless: Iterator[float] | None = None
        self.start_mark = 0
        self.began = 0.0
        self.state = "EMPTY"
        self.position = 0
        self.is_in_background = self.is_going_on = False
        self._pauses: Iterator[float] | None = None
        self._is_waiting = False
        self._due = math.inf
        self._left = 0
        self._until = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a run has not ended."""
        return self._pauses is not None

    def clear(self) -> None:
        """No blocks."""
        self.abort()
        self.blocks.clear()
        self.state, self.position = "EMPTY", 0

    def put(self, number: int, block: Block) -> None:
        """Set block `number`."""
        if self.is_busy:
            raise ScpiError(-221)
        self.blocks[number] = block
        self.state = "BUILDING"

    def load(self, blocks: Sequence[Block]) -> None:
        """Replace all blocks."""
        self.clear()
        self.blocks.update(enumerate(blocks, start=1))
        self.state = "IDLE"

    def listing(self) -> str:
        """All blocks, one a line."""
        return "\n".join(f"{number}) {block.text}" for number, block in sorted(self.blocks.items())) or "EMPTY"

    def initiate(self) -> None:
        """From the first block: to the end, or as far as it gets at once."""
        if not self.blocks:
            raise ScpiError(4501, "Cannot start trigger model, no blocks defined")
        if self.is_busy:
            raise ScpiError(-213)
        for block in self.blocks.values():
            if block.check is not None:
                block.check()
        self._begin()
        self.run_on()

    def _begin(self) -> None:
        self.counters.clear()
        self.indices.clear()
        self.marks.clear()
        self.seen.clear()
        self.measured = None
        self.endless = None
        self.start_mark = self._host.bus.mark
        self.began = self._host.seconds
        self.position = 0
        self.state = "RUNNING"
        self._pauses = self._merged()
        self._host.log(MODEL_STARTED)

    def _run(self) -> Iterator[float]:
        number, last, owed = 1, max(self.blocks), 0.0
        while 1 <= number <= last:
            self.position = number
            block = self.blocks.get(number)
            following = None
            if block is not None:
                outcome = block.act(self._host, self)
                following = (yield from outcome) if isinstance(outcome, Generator) else outcome
                if block.buffer is not None:
                    self.measured = number
            owed += _BLOCK_SECONDS
            if owed > _MOST_OWED_SECONDS:
                yield owed
                owed = 0.0
            number = self.position + 1 if following is None else following

    def _merged(self) -> Iterator[float]:
        """The pauses of the blocks, cut where endless measurements act in between."""
        until_reading = 0.0
        following: Iterator[float] | None = None
        for pause in self._run():
            left = pause
            self._is_waiting = math.isinf(pause)
            while self.endless is not None:
                if following is not self.endless:
                    following, until_reading = self.endless, next(self.endless)
                if until_reading > left:
                    until_reading -= left
                    break
                yield until_reading
                left -= until_reading
                until_reading = next(self.endless)
                if self._is_waiting:
                    left = 0.0
                    break
            yield left

    def run_on(self, *, is_awaited: bool = False) -> None:
        """Go on to the end, or as far as it gets at once; the rest happens in the background."""
        self._leave_background()
        self.is_going_on = True
        try:
            self._run_on(_MOST_WAITED_FOR if is_awaited else _MOST_AT_ONCE)
        finally:
            self.is_going_on = False

    def _run_on(self, most: int) -> None:
        left = _MOST_OF_LOOPS if self._may_loop() else most
        while left > 0:
            pause = self._next_pause()
            if pause is None or math.isinf(pause):
                return
            self._host.elapse(pause)
            left -= most // _MOST_WHILE_WAITING if self._is_waiting else 1
        self._enter_background(0.0)

    def _may_loop(self) -> bool:
        return any(block.target is not None and block.target <= n for n, block in self.blocks.items())

    def _next_pause(self) -> float | None:
        """The next pause; None at the end, infinite if only an event can go on from here."""
        if self._pauses is None:
            return None
        try:
            pause = next(self._pauses, None)
        except ScpiError as error:
            self._end("FAILED", MODEL_FAILED)
            self._host.report(error)
            return None
        if pause is None:
            self._end("IDLE", MODEL_ENDED)
        else:
            self.state = "WAITING" if self._is_waiting else "RUNNING"
        return pause

    def _end(self, state: str, event: Event) -> None:
        self._leave_background()
        self._pauses = self.endless = None
        self.state = state
        self._host.log(event)
        self._host.model_ended()

    def abort(self) -> None:
        """Stop where it is."""
        if self.is_busy:
            self._end("ABORTED", MODEL_ABORTED)

    def pause(self) -> None:
        """TRIGger:PAUSe: nothing happens in the background until `run_on`."""
        if self.is_in_background:
            self._leave_background()
            self.state = "PAUSED"

    def _enter_background(self, pause: float) -> None:
        self.is_in_background = True
        self._due = self._host.seconds + pause
        self._left = _MOST_IN_BACKGROUND
        self._processes.start(self, self._host.seconds)

    def _leave_background(self) -> None:
        self.is_in_background = False
        self._due = math.inf
        self._processes.stop(self)

    def prepare(self, start: float, end: float) -> None:
        """See Process."""
        self._left, self._until = _MOST_IN_BACKGROUND, end

    def next_change(self) -> float:
        """See Process."""
        return self._due

    def change(self, now: float) -> None:
        """See Process: the next block."""
        self._left -= 1
        pause = self._next_pause()
        if pause is None:
            return
        if math.isinf(pause):
            self._leave_background()
            return
        self._due = max(now + pause, math.nextafter(now if self._left > 0 else self._until, math.inf))

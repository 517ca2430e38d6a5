"""Scans of a 707B: steps that follow one another as triggers tell (707B reference manual, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from lupa.lua54 import LuaError

from .channel_list import Channel, ChannelListError, ChannelLists
from .keithley_707b_channels import ChannelTree
from .tsp_attributes import Attributes
from .tsp_engine import PARAMETER_ERROR, TspError, text_argument
from .tsp_events import Detector, Events, Process
from .tsp_trigger_tree import TriggerTree

if TYPE_CHECKING:
    from .keithley_707b import SimKeithley707B

OPEN_ALL, OPEN_SELECTIVE = 0, 1
EVENT_NAMES = ("SCAN_READY", "SCAN_START", "CHANNEL_READY", "SCAN_COMP", "IDLE")
MOST_STEPS = 10_000
"""Steps of a scan list (assumed)."""
_MOST_COUNT = 65_535


class ScanState(IntEnum):
    """What scan.state() returns first."""

    EMPTY = 0
    BUILDING = 1
    RUNNING = 2
    ABORTED = 3
    FAILED = 4
    FAILED_INIT = 5
    SUCCESS = 6


Step = tuple[str, tuple[Channel, ...]]


class Scan:
    """The scan of one mainframe.

    Attributes:
        steps: name and channels of each step.
        mode: what is opened before it.
        is_bypassing: whether the very first step needs no channel trigger.
        count: how often the list is gone through.
        numbers: event numbers by name.
        arm, channel: detectors of the trigger model.
    """

    def __init__(self, instrument: SimKeithley707B, channels: ChannelTree, events: Events) -> None:
        self._instrument = instrument
        self._channels = channels
        self._events = events
        self.numbers = {name: events.number() for name in EVENT_NAMES}
        self.arm, self.channel = events.detector(), events.detector()
        self._process: Process | None = None
        self.reset()

    def reset(self) -> None:
        """scan.reset(): an empty list, and the trigger model at its defaults."""
        self.stop(ScanState.EMPTY)
        self.steps: list[Step] = []
        self.state = ScanState.EMPTY
        self.mode = OPEN_ALL
        self.is_bypassing = True
        self.count = 1
        self.scans_done = self.steps_done = 0
        self.arm.stimulus = 0
        self.channel.stimulus = self.numbers["CHANNEL_READY"]
        self.clear()

    def clear(self) -> None:
        """Forget latched triggers."""
        self.arm.clear()
        self.channel.clear()

    @property
    def is_running(self) -> bool:
        """Whether the trigger model is out of idle."""
        return self._process is not None

    def stop(self, state: ScanState = ScanState.ABORTED) -> None:
        """Back to idle."""
        if self._process is not None:
            self._events.stop(self._process)
            self._process = None
            self.state = state

    def append(self, steps: list[Step]) -> int:
        """More steps; returns how many there are. Raises TspError for channels that may not be closed."""
        if len(self.steps) + len(steps) > MOST_STEPS:
            raise TspError(-223, "Too much data")
        for _, channels in steps:
            self._channels.allowed(channels)
        self.steps += steps
        self.state = ScanState.BUILDING if self.steps else ScanState.EMPTY
        return len(self.steps)

    def start(self) -> None:
        """Leave idle; raises TspError if there is nothing to scan or a scan is running."""
        if not self.steps:
            raise TspError(PARAMETER_ERROR, "Parameter error empty scan list")
        if self._process is not None:
            raise TspError(1114, "Settings conflict a scan is running")
        self.state = ScanState.RUNNING
        self.scans_done = self.steps_done = 0
        self.clear()
        self._process = self._run()
        self._events.start(self._process, is_foreground=self.count > 0)

    def _fire(self, name: str) -> None:
        self._events.fire(self.numbers[name])

    def _run(self) -> Process:
        relays = self._instrument.relays
        used = {channel for _, channels in self.steps for channel in channels}
        kept = frozenset() if self.mode == OPEN_ALL else relays.closed - used
        yield from relays.moves(kept)
        self._fire("SCAN_READY")
        before: tuple[Channel, ...] = ()
        while self.count == 0 or self.scans_done < self.count:
            if self.arm.stimulus:
                yield self.arm
            self._fire("SCAN_START")
            self.scans_done += 1
            for number, (_, channels) in enumerate(self.steps):
                is_first = number == 0 and self.scans_done == 1
                if self.channel.stimulus and not (is_first and self.is_bypassing):
                    yield self.channel
                yield from relays.moves((relays.closed - frozenset(before)) | frozenset(channels))
                before = channels
                self.steps_done = number + 1
                self._fire("CHANNEL_READY")
            self._fire("SCAN_COMP")
        self._process, self.state = None, ScanState.SUCCESS
        self._fire("IDLE")

    def listing(self) -> str:
        """scan.list(): what opens and closes in each step."""
        lines = ["Init) OPEN..."]
        before: tuple[Channel, ...] = ()
        for number, (name, channels) in enumerate(self.steps, 1):
            lines.append(f"{number}) STEP: {name}")
            opening = [channel.name for channel in before if channel not in channels]
            closing = [channel.name for channel in channels if channel not in before]
            lines += [f"\tOPEN: {','.join(opening)}"] * bool(opening)
            lines += [f"\tCLOSE: {','.join(closing)}"] * bool(closing)
            before = channels
        return "\n".join(lines)


class ScanTree:
    """Builds the `scan` object."""

    def __init__(self, instrument: SimKeithley707B, scan: Scan, lists: ChannelLists, tree: TriggerTree) -> None:
        self._instrument = instrument
        self._scan = scan
        self._lists = lists
        self._tree = tree

    def made(self) -> Any:
        """The whole object."""
        scan, engine = self._scan, self._instrument.engine
        a = Attributes()
        a.choice("mode", lambda: scan, "mode", OPEN_ALL, OPEN_SELECTIVE)
        a.switch_number("bypass", lambda: scan, "is_bypassing")
        a.whole("scancount", lambda: scan, "count", 0, _MOST_COUNT)
        a.add("stepcount", lambda: len(scan.steps))
        functions: dict[str, Callable[..., Any]] = {
            "create": self._create, "add": self._add, "addimagestep": self._add_image, "list": scan.listing,
            "execute": self._execute, "background": self._background, "abort": scan.stop, "reset": scan.reset,
            "state": self._state,
        }  # fmt: skip
        states = {state.name: int(state) for state in ScanState}
        modes = {"MODE_OPEN_ALL": OPEN_ALL, "MODE_OPEN_SELECTIVE": OPEN_SELECTIVE, "ON": 1, "OFF": 0}
        return a.made(engine, {**states, **modes, "trigger": self._trigger()}, functions)

    def _trigger(self) -> Any:
        scan, engine = self._scan, self._instrument.engine
        events = {f"EVENT_{name}": number for name, number in scan.numbers.items()}
        layers = {"arm": self._layer(scan.arm), "channel": self._layer(scan.channel)}
        return engine.object({**events, **layers}, functions={"clear": scan.clear})

    def _layer(self, detector: Detector) -> Any:
        a = Attributes()
        self._tree.add_stimulus(a, detector)

        def see() -> None:
            self._instrument.catch_up()
            detector.see()
            self._instrument.settle_triggers()

        return a.made(self._instrument.engine, functions={"clear": detector.clear, "set": see})

    def _steps(self, text: object) -> list[Step]:
        try:
            return self._lists.steps(text_argument(text))
        except ChannelListError as error:
            raise TspError(PARAMETER_ERROR, f"Parameter error {error}") from error

    def _create(self, text: object = None) -> None:
        is_empty = text is None or not text_argument(text).strip()
        steps = [] if is_empty else self._steps(text)
        self._scan.stop()
        self._scan.steps = []
        self._scan.append(steps)

    def _add(self, text: object) -> int:
        return self._scan.append(self._steps(text))

    def _add_image(self, text: object) -> int:
        steps = self._steps(text)
        channels = tuple(dict.fromkeys(channel for _, some in steps for channel in some))
        return self._scan.append([(",".join(name for name, _ in steps), channels)])

    def _execute(self) -> None:
        self._background()
        self._instrument.finish_triggers()
        if self._scan.is_running:
            self._scan.stop()
            raise LuaError("script stopped: scan.execute() waits for a trigger that nothing gives")

    def _background(self) -> None:
        self._instrument.let_time_pass()
        self._scan.start()

    def _state(self) -> tuple[int, int, int]:
        self._instrument.busy_models()
        return int(self._scan.state), self._scan.scans_done, self._scan.steps_done

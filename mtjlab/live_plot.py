"""The map of an array as a protocol measures it, drawn anew every moment: in a notebook, or into a file.

    with LivePlot(crossbar) as live:
        die = readout(live.crossbar, progress=live.progress, keep=live.keep)

In a notebook one picture is replaced by the next (IPython's display alone, no widgets). Elsewhere nothing is shown, and
the picture is there to be saved. Whatever goes wrong with a picture never reaches the measurement.
"""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from .bench_plan import selected_sites
from .crossbar_around import CrossbarAround
from .nouns import ArrayMap, Conditions, Line, Lines, Reading, Site, State
from .roles import Crossbar, HeardPulse, HeardRead, HeardWrite, LineRead, LineWrite, WriteOutcome, not_heard

REDRAW_SECONDS = 0.7
_MOST_SHARE = 0.1
"""Of the time, for drawing: where a picture takes long, the next one waits for ten times as long."""
_DPI = 90

Show = Callable[[bytes], object]
"""Takes a picture (PNG) in place of the one before."""


class LivePlot:
    """Draws what is read on a Crossbar while a protocol runs. Use it as a context manager.

    What is drawn is each cell's conductance from its latest reading, less that at 0 V where there is one: raw, before a
    protocol takes off what sneak paths and wires add. A map that is handed to `keep` replaces it.

    Args:
        crossbar: that the protocol would be given.
        show: takes each picture; None: the notebook that this runs in, or nothing where there is none.
        redraw_seconds: least time between two pictures; more where drawing would take a tenth of the time.
        clock: seconds of this computer.

    Attributes:
        crossbar: to be given to the protocol instead.
        problems: why pictures could not be drawn.
    """

    def __init__(
        self,
        crossbar: Crossbar,
        *,
        show: Show | None = None,
        redraw_seconds: float = REDRAW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.crossbar: Crossbar = _Watched(crossbar, self._heard)
        self.problems: list[str] = []
        self._show = show if show is not None else notebook_display()
        self._redraw_seconds, self._clock = redraw_seconds, clock
        self._siemens = np.full(crossbar.shape, np.nan)
        self._zeros: dict[Line, float] = {}
        self._map: ArrayMap | None = None
        self._read_volts = 0.0
        self._words = ""
        self._next_at = -np.inf

    def __enter__(self) -> LivePlot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._words = f"ended early: {kind.__name__}"
        self.redraw()

    @property
    def map(self) -> ArrayMap:
        """What is drawn now."""
        if self._map is not None:
            return self._map
        unknown, nothing = np.full(self._siemens.shape, np.nan), np.zeros(self._siemens.shape, dtype=np.int8)
        conditions = Conditions(self._read_volts, scheme="raw")
        return ArrayMap(
            self._siemens.copy(), unknown, unknown, nothing + np.int8(State.UNKNOWN), nothing, unknown, conditions
        )

    def progress(self, what: str, done: int, total: int) -> None:
        """Where the protocol is: the `progress` of every protocol."""
        self._words = f"{what}: {done} of {total}"
        self._maybe_redraw()

    def keep(self, one: ArrayMap) -> None:
        """Show this map: the `keep` of protocols that have one."""
        self._map = one
        self.redraw()

    def redraw(self) -> None:
        """Draw it now."""
        if self._show is None:
            return
        began = self._clock()
        try:
            self._show(self.picture())
        except Exception as error:  # a picture is not worth a measurement
            self.problems = [*self.problems[-9:], f"{type(error).__name__}: {error}"]
        ended = self._clock()
        self._next_at = ended + max(self._redraw_seconds, (ended - began) / _MOST_SHARE)

    def picture(self) -> bytes:
        """The present picture, as PNG."""
        from matplotlib.figure import Figure

        from .map_plot import plot_map

        figure, one = Figure(figsize=(5.2, 4.4)), self.map
        axes = plot_map(one, axes=figure.add_axes((0.11, 0.11, 0.7, 0.8)))
        read = int(np.isfinite(one.siemens).sum())
        axes.set_title(self._words or f"{read} of {one.siemens.size} cells read", fontsize=9, loc="left")
        sink = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fonts and layouts; a protocol's caller may turn them into errors
            figure.savefig(sink, format="png", dpi=_DPI)
        return sink.getvalue()

    def save(self, path: Path) -> Path:
        """Write the present picture; returns the path."""
        path.write_bytes(self.picture())
        return path

    def _maybe_redraw(self) -> None:
        if self._clock() >= self._next_at:
            self.redraw()

    def _heard(self, lines: Lines, sense: Line, amps: float, *, is_net: bool = False) -> None:
        """A current; `is_net`: with that at 0 V taken off already."""
        if lines.largest_cell_volts == 0:
            self._zeros[sense] = amps
            return
        cell = _cell_of(lines, sense)
        if cell is None:
            return
        site, volts = cell
        self._map, self._read_volts = None, abs(volts)
        self._siemens[site] = (amps - (0.0 if is_net else self._zeros.get(sense, 0.0))) / abs(volts)
        self._maybe_redraw()


class _Watched(CrossbarAround):
    """Tells of every reading, and leaves how series are done to the Crossbar inside."""

    def __init__(self, inner: Crossbar, heard: Callable[..., None]) -> None:
        super().__init__(inner)
        self._heard = heard

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar."""
        readings = self.inner.measure(lines, sense)
        for line, reading in zip(sense, readings, strict=True):
            self._tell(LineRead(lines, line), reading)
        return readings

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """See Crossbar."""

        def hear(number: int, reading: Reading) -> None:
            heard(number, reading)  # first: what a protocol keeps comes before what is drawn
            self._tell(reads[number], reading)

        return self.inner.measure_each(reads, heard=hear)

    def pulse_each(self, series: Sequence[Lines], seconds: float, *, heard: HeardPulse = not_heard) -> None:
        """See Crossbar."""
        self.inner.pulse_each(series, seconds, heard=heard)

    def write_each(
        self, writes: Sequence[LineWrite], seconds: float, *, heard: HeardWrite = not_heard
    ) -> list[WriteOutcome]:
        """See Crossbar."""

        def hear(number: int, outcome: WriteOutcome) -> None:
            heard(number, outcome)
            if outcome.readings:
                self._tell(writes[number].read, outcome.readings[-1], is_net=True)

        return self.inner.write_each(writes, seconds, heard=hear)

    def _tell(self, read: LineRead, reading: Reading, *, is_net: bool = False) -> None:
        self._heard(read.lines, read.sense, np.inf if reading.is_overflow else reading.amps, is_net=is_net)


def _cell_of(lines: Lines, sense: Line) -> tuple[Site, float] | None:
    """The one cell of the sensed line that is selected, and the volts across it; None where no or several cells are."""
    number = 0 if sense.axis == "row" else 1
    found = [(site, volts) for site, volts in selected_sites(lines) if site[number] == sense.number]
    return found[0] if len(found) == 1 else None


def notebook_display() -> Show | None:
    """What replaces a picture in the notebook that this runs in; None in a script, a console, or without IPython."""
    ipython = sys.modules.get("IPython")  # where IPython was never loaded, this is no notebook
    shell: Any = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    shown_by: Any = import_module("IPython.display")
    handles: list[Any] = []

    def show(png: bytes) -> None:
        image = shown_by.Image(data=png)
        if handles:
            handles[0].update(image)
        else:
            handles.append(shown_by.display(image, display_id=True))

    return show

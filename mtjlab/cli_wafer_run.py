"""What `mtjlab run` and `mtjlab probe` share: a person at the terminal or the page, and what is shown at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .cli_terminal import own_terminal
from .errors import InstrumentError, RecordError
from .run_names import LEDGER

if TYPE_CHECKING:
    from mtjlab.protocols.probe_wafer_parts import WaferBench, WaferOutcome

    from .cli_notify import WaferNotices
    from .nouns import Progress
    from .records import RunStore
    from .run_control import RunChannel

Hands = Callable[["RunStore", "WaferBench"], dict[str, Any]]
STOPPED = 4
"""Exit status of a run that ended with dies left."""
PATIENCE_SECONDS = 1800.0


@dataclass
class Controls:
    """Connects a run to whoever is there: the page, and a person at the terminal; who answers first is heard.

    Attributes:
        progress: told what the run tells.
        patience_seconds: so long a question waits for the page's answer, where nobody is at a terminal.
        channel: of the run that is going on.
        notices: tells people elsewhere of it.
    """

    progress: Progress
    patience_seconds: float = PATIENCE_SECONDS
    channel: RunChannel | None = None
    notices: WaferNotices | None = None

    def __call__(self, store: RunStore, bench: WaferBench) -> dict[str, Any]:
        """`ask`, `should_stop` and `progress` of `probe_wafer`."""
        from mtjlab.protocols.probe_wafer_control import WaferControl

        from .run_control import RunChannel

        self.channel = RunChannel(store.folder)
        control = WaferControl(
            self.channel,
            store,
            bench,
            progress=self.progress,
            patience_seconds=self.patience_seconds,
            terminal=own_terminal(self.progress),
        )
        hands = {"ask": control.ask, "should_stop": control.should_stop, "progress": control.progress}
        return self.notices.attached(hands, store) if self.notices else hands

    def close(self) -> None:
        """The run has ended."""
        if self.channel is not None:
            self.channel.close()


@contextmanager
def told_how_to_go_on(folder: Path, command: str) -> Iterator[None]:
    """What ends a wafer run before its end says where its data are and how it goes on, on stderr."""
    try:
        yield
    except (KeyboardInterrupt, InstrumentError, RecordError) as error:
        if isinstance(error, KeyboardInterrupt):
            typer.echo(f"mtjlab: stopped by {str(error) or 'Ctrl-C'}", err=True)
        if (folder / LEDGER).is_file():
            typer.echo(f"mtjlab: what was measured is in {folder}; {command} --resume {folder} goes on", err=True)
        raise


def finished(folder: Path, outcome: WaferOutcome, began: float, kinds: list[str], *, report: bool) -> dict[str, Any]:
    """Exports and report of a run as it is now; what there is to say of it, as plain values.

    Args:
        began: `time.perf_counter()` when the walk did.
    """
    walked = time.perf_counter() - began
    files = _exported(folder, kinds)
    if report:
        from .wafer_report import write_wafer_report

        files += write_wafer_report(folder)
    return _summary(folder, outcome) | {
        "files": [str(path) for path in files],
        "walk_seconds": round(walked, 2),
        "seconds": round(time.perf_counter() - began, 2),
    }


def _exported(folder: Path, kinds: list[str]) -> list[Path]:
    from .exports import export_run
    from .run_names import EXPORTS

    return [folder / EXPORTS / name for name in export_run(folder, kinds).files] if kinds else []


def _summary(folder: Path, outcome: WaferOutcome) -> dict[str, Any]:
    from .run_summary import RunSummary
    from .store import open_run

    with open_run(folder) as run:
        summary = RunSummary.of(run)
    return {
        "folder": str(folder),
        "run": summary.run_id,
        "state": outcome.state,
        "reason": outcome.reason,
        "dies": summary.dies,
        "dies_left": len(outcome.left),
        "hard_bins": summary.hard_bins,
        "yield": summary.yield_fraction if summary.binned else None,
        "touchdowns": summary.touchdowns,
        "bench_hours": round(summary.bench_seconds / 3600, 4),
    }


def show(result: dict[str, Any], command: str, *, as_json: bool) -> int:
    """Print it; returns the exit status."""
    typer.echo(json.dumps(result) if as_json else _lines(result, command))
    return STOPPED if result["dies_left"] else 0


def _lines(result: dict[str, Any], command: str) -> str:
    ended = result["state"] + (f": {result['reason']}" if result["reason"] else "")
    share = "no bins" if result["yield"] is None else f"yield {result['yield']:.1%}"
    lines = [
        f"{result['folder']}  {result['run']}  {ended}",
        f"dies: {', '.join(f'{count} {state}' for state, count in result['dies'].items())}",
        f"hard bins: {', '.join(f'{count} in {number}' for number, count in result['hard_bins'].items())}",
        f"{share}, {result['touchdowns']} touch-downs, {result['bench_hours']:.2f} bench hours",
        f"{result['walk_seconds']} s for the dies, {result['seconds']} s in all",
        *result["files"],
    ]
    if result["dies_left"]:
        lines.append(f"{result['dies_left']} dies are left: {command} --resume {result['folder']}")
    return "\n".join(lines)

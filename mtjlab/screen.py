"""What the operator sees in the terminal: progress while a run goes on, then one screen of results."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

if TYPE_CHECKING:
    from .bench_check import BenchCheck


class ProgressScreen:
    """One bar per stage, on standard error so that standard output stays clean; silent where that is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("[bold]{task.description:<32}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]left"),
            TimeRemainingColumn(),
            console=self._console,
            refresh_per_second=5,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._what = ""

    def __enter__(self) -> ProgressScreen:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def halt(self) -> None:
        """Draw nothing until `go_on`: somebody is typing."""
        self._progress.stop()

    def go_on(self) -> None:
        """Draw again."""
        self._progress.start()

    def __call__(self, what: str, done: int, total: int) -> None:
        """The `mtjlab.nouns.Progress` callable."""
        if what != self._what:
            self._what = what
            self._task = self._progress.add_task(what, total=total)
            if not self._console.is_terminal:
                self._console.print(f"{what} ...", highlight=False)
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)


def show_result(result: dict[str, Any], report: str) -> None:
    """One screen: accuracies, write fidelity, cost, defects, safety, where the report is."""
    console = Console()
    console.print(_headline(result))
    table = Table.grid(padding=(0, 3))
    for label, value in _lines(result):
        table.add_row(f"[dim]{label}", value)
    console.print(table)
    console.print(f"Report: [bold]{report}", soft_wrap=True, highlight=False)


def _headline(result: dict[str, Any]) -> Panel:
    good = result["status"] == "complete" and result["outputs_off"] and not result["incidents"]
    on_chip = result["accuracy"]["on_chip"]
    text = (
        f"{on_chip:.1%} of 178 wines classified on the array; in software {result['accuracy']['software']:.1%}"
        if on_chip is not None
        else f"{result['status']}: {result['reason']}"
    )
    return Panel(text, style="green" if good else "red", expand=False)


def _lines(result: dict[str, Any]) -> list[tuple[str, str]]:
    accuracy = result["accuracy"]
    counted = ", ".join(f"{count} {name}" for name, count in result["defects"].items() if count)
    defects = counted or ("none" if result["defects"] else "not classified")
    fidelity = result["write_fidelity"]
    return [
        ("accuracy predicted from the map", _percent(accuracy["predicted_from_map"])),
        ("accuracy on the array, untuned", _percent(accuracy["on_chip_untuned"])),
        ("write fidelity", _percent(fidelity, 2)),
        ("pulses, classifying and writing", str(result["write_pulses"])),
        ("defects", defects),
        ("readings", f"{result['readings']}  ({result['visa_writes']} VISA writes, {result['visa_queries']} queries)"),
        ("bench time, simulated", _duration(result["bench_seconds"])),
        ("wall time", f"{result['wall_seconds']:.1f} s"),
        ("incidents", str(len(result["incidents"])) if result["incidents"] else "none"),
        ("outputs read back", "all off" if result["outputs_off"] else "[red]NOT ALL OFF: check the front panels"),
    ]


def show_check(check: BenchCheck) -> None:
    """One screen: what the instruments are, what was measured on each line, and whether all of it is sound."""
    console = Console()
    table = Table(title="Instruments")
    for heading in ("checked", "found", "expected"):
        table.add_column(heading)
    for finding in check.instruments:
        colour = "green" if finding.is_good else "red"
        table.add_row(finding.what, f"[{colour}]{finding.found}", finding.wanted)
    console.print(table)
    table = Table(title="Lines")
    for heading in ("line", "path, ohm", "leak, S", "cells, S", "problem"):
        table.add_column(heading, justify="left" if heading in ("line", "problem") else "right")
    for line in check.lines:
        path = "open" if line.path_ohms is None else f"{line.path_ohms:.3g}"
        values = (path, f"{line.leak_siemens:.1g}", f"{line.cells_siemens:.3g}")
        table.add_row(f"{line.line.axis} {line.line.number}", *values, f"[red]{'; '.join(line.problems)}")
    console.print(table)
    style = "green" if check.is_good else "red"
    console.print(Panel("The bench is sound." if check.is_good else "Not sound: see above.", style=style, expand=False))


def _percent(value: float | None, digits: int = 1) -> str:
    return "not measured" if value is None else f"{value:.{digits}%}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min {rest:02d} s" if hours else f"{minutes} min {rest:02d} s"

"""What the operator sees of a recipe in the terminal: what a run of it found, or what a dry run says it would do."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from .recipe_units import quantity_text


def show_run(result: dict[str, Any], folder: str) -> None:
    """One screen: the bin, what every step found, what it cost, how the bench was left."""
    console = Console()
    console.print(Panel(escape(_headline(result)), style="green" if _is_good(result) else "red", expand=False))
    table = Table(box=None, pad_edge=False)
    for heading in ("step", "found", "bench time", "pulses", "readings"):
        table.add_column(heading, justify="left" if heading in ("step", "found") else "right")
    for step in result["steps"]:
        numbers = "\n".join(f"{name} {text}" for name, text in step["shown"].items() if text != "0")
        cost = (_duration(step["bench_seconds"]), str(step["pulses"]), str(step["readings"]))
        table.add_row(step["name"], escape(f"{numbers or step['reason']}"), *cost)
    console.print(table)
    for warning in result.get("warnings", []):
        console.print(f"[yellow]Mind:[/] {escape(warning)}.", soft_wrap=not console.is_terminal, highlight=False)
    for problem in [*result["problems"], *(f"incident: {one['message']}" for one in result["incidents"])]:
        console.print(f"[red]{escape(problem)}")
    console.print(f"Kept in [bold]{escape(folder)}", soft_wrap=True, highlight=False)


def show_plan(plan: dict[str, Any]) -> None:
    """What would be done: dies, time, transactions, worst case on any cell, what would stop it."""
    console = Console()
    stops = plan["would_stop"]
    headline = "Nothing was found that would stop it" if not stops else "It would be stopped"
    console.print(
        Panel(f"Dry run of '{escape(plan['recipe'])}'. {headline}.", style="red" if stops else "green", expand=False)
    )
    table = Table.grid(padding=(0, 3))
    for label, value in _plan_lines(plan):
        table.add_row(f"[dim]{label}", escape(value))
    console.print(table)
    for stop in stops:
        console.print(f"[red]{escape(stop)}", soft_wrap=not console.is_terminal)
    for note in plan["notes"]:
        console.print(f"[dim]{escape(note)}", soft_wrap=not console.is_terminal)


def _is_good(result: dict[str, Any]) -> bool:
    return bool(result["status"] == "complete" and result["bin"]["is_good"] and not result["incidents"])


def _headline(result: dict[str, Any]) -> str:
    name = f"'{result['recipe']['name']}'"
    if result["status"] != "complete":
        return f"{name} {result['status']}: {result['reason']}"
    sorted_into = result["bin"]
    bins = f"hard bin {sorted_into['hard']}, soft bin {sorted_into['soft']}"
    if sorted_into["is_good"]:
        return f"{name}: good, {bins}"
    return f"{name}: {sorted_into['name']}, {bins}; first to fail: {sorted_into['failed']}"


def _plan_lines(plan: dict[str, Any]) -> list[tuple[str, str]]:
    worst = plan["worst_case"]
    dies = "as many as the prober's map has" if plan["dies"] is None else str(plan["dies"])
    touchdowns = "at most " + str(plan["touchdowns"]) if plan["touchdowns"] is not None else "unknown"
    lines = [("dies", dies), ("touchdowns", touchdowns)]
    if plan["bench_seconds"] is not None:
        lines.append(("estimated bench time", _duration(plan["bench_seconds"])))
        lines += [(f"   {step['name']}", _duration(step["bench_seconds"])) for step in plan["steps"]]
        lines.append(("VISA transactions", str(plan["transactions"])))
        lines.append(("readings and pulses", f"{plan['readings']} and {plan['pulses']}"))
    if worst is None:
        return lines
    return [
        *lines,
        ("reading, any cell", f"at most {quantity_text(worst['read_volts'], 'V')}"),
        ("pulses, any cell", _pulses(worst)),
        ("current of any source", f"limited to {quantity_text(worst['amps'], 'A')} by its compliance"),
        ("pulses on one cell", _counts(worst)),
    ]


def _pulses(worst: dict[str, Any]) -> str:
    if not worst["pulse_seconds"]:
        return "none"
    positive, negative = (quantity_text(worst[name], "V") for name in ("positive_volts", "negative_volts"))
    return f"at most +{positive} and -{negative} for {quantity_text(worst['pulse_seconds'], 's')}"


def _counts(worst: dict[str, Any]) -> str:
    if not worst["pulse_seconds"]:
        return "none"
    seen = worst["rehearsed_pulses"]
    return f"never more than {worst['pulses_per_cell']}" + ("" if seen is None else f"; {seen} in the rehearsal")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min {rest:02d} s" if hours else f"{minutes} min {rest:02d} s"

"""Which client works on which instrument: reads matrix.yaml and writes docs/reference/clients.md.

Run `python -m tests.clients.matrix` after matrix.yaml has changed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "reference" / "clients.md"
FRAMEWORKS = ("QCoDeS", "PyMeasure")
SECTIONS = (
    ("Defects of the drivers", "defects", "what"),
    ("What is not simulated", "not_simulated", "why"),
    ("What does not apply", "not_applicable", "why"),
)
HEAD = """\
# Clients

<!-- Written by `python -m tests.clients.matrix` from tests/clients/matrix.yaml; edit that. -->

Programs that others wrote, unmodified, on the simulated instruments of the bench `showroom`
(`pyvisa.ResourceManager("showroom@mtjlab")`). Every public parameter, property and method of a class is used in
`tests/clients` or `tests/sim_instruments`, or listed below. What is set is read back; outputs, relays and the field are
looked at on the simulated bench. PyVISA means scripts of a manual's main commands, TCP the same scripts through
PyVISA-py and the server of `mtjlab sim serve`.
"""


@cache
def matrix() -> dict[str, Any]:
    """What matrix.yaml says."""
    loaded: dict[str, Any] = YAML(typ="safe").load(HERE / "matrix.yaml")
    return loaded


def entry(client: str) -> dict[str, Any]:
    """What matrix.yaml says of one client class."""
    found: dict[str, Any] = matrix()["clients"][client]
    return found


def members(client: str, kind: str) -> set[str]:
    """Members of a class that are listed as `not_applicable`, `not_simulated` or `used_elsewhere`, or in `defects`."""
    return {name for group in entry(client).get(kind, []) for name in group["members"]}


def page() -> str:
    """The page for users."""
    lines = [HEAD, *_table(), "", *_classes()]
    for section in SECTIONS:
        lines += _section(*section)
    return "\n".join(lines).rstrip() + "\n"


def _table() -> list[str]:
    columns = ["Instrument", *FRAMEWORKS, "PyVISA", "TCP"]
    lines = [_row(columns), _row(["---"] * len(columns))]
    for model, title in matrix()["instruments"].items():
        cells = [_cell(framework, model) for framework in FRAMEWORKS]
        lines.append(_row([title, *cells, "works", "works"]))
    return lines


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(framework: str, model: str) -> str:
    clients = [c for c in matrix()["clients"].values() if c["framework"] == framework and model in c["models"]]
    return "; ".join(_outcome(client) for client in clients) or "no class"


def _outcome(client: dict[str, Any]) -> str:
    exceptions = [
        text
        for key, text in (("defects", "defects of its own"), ("not_simulated", "what is not simulated"))
        if client.get(key)
    ]
    return "works" + (f", but for {' and '.join(exceptions)}" if exceptions else "")


def _classes() -> list[str]:
    lines = ["## The classes", ""]
    for client in matrix()["clients"].values():
        on = ", ".join(matrix()["instruments"][model] for model in client["models"])
        lines.append(f"- {on}: `{client['class']}`")
    return [*lines, ""]


def _section(title: str, kind: str, text: str) -> list[str]:
    lines = [f"## {title}", ""]
    for client in matrix()["clients"].values():
        if client.get(kind):
            lines += [f"`{client['class']}`:", ""]
            lines += [f"- {_names(group['members'])}: {group[text]}" for group in client[kind]]
            lines.append("")
    return lines


def _names(members: list[str]) -> str:
    return ", ".join(f"`{member}`" for member in members)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

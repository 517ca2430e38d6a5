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
HEAD = """\
# Clients

<!-- Written by `python -m tests.clients.matrix` from tests/clients/matrix.yaml; edit that. -->

Programs that others wrote, unmodified, on the simulated instruments of the bench `showroom`
(`pyvisa.ResourceManager("showroom@mtjlab")`). A driver works if every public parameter, property and method of its class was used in
`tests/clients` or `tests/sim_instruments` with the right effect on the simulated bench; exceptions are listed below. PyVISA means
scripts that write a manual's commands to the address; TCP means the same scripts through PyVISA-py and `mtjlab sim serve`.
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


def page() -> str:
    """The page for users."""
    return "\n".join([HEAD, *_table(), "", *_defects(), *_not_applicable()])


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
    names = [
        name
        for name, client in matrix()["clients"].items()
        if client["framework"] == framework and model in client["models"]
    ]
    return "; ".join(_outcome(name) for name in names) or "no class"


def _outcome(name: str) -> str:
    client = entry(name)
    count = len(client.get("defects", []))
    how = f"works, but for {count} of its own defects" if count > 1 else "works, but for a defect of its own"
    return f"`{client['class'].rpartition('.')[2]}`: {how if count else 'works'}"


def _defects() -> list[str]:
    lines = ["## Defects of the drivers", "", "They show on the simulated instruments as they would on real ones.", ""]
    for client in matrix()["clients"].values():
        if client.get("defects"):
            lines += [f"`{client['class']}`:", ""]
            lines += [f"- {_names(defect['members'])}: {defect['what']}" for defect in client["defects"]]
            lines.append("")
    return lines


def _not_applicable() -> list[str]:
    lines = ["## What does not apply", ""]
    for client in matrix()["clients"].values():
        if client.get("not_applicable"):
            lines += [f"`{client['class']}`:", ""]
            lines += [f"- {_names(group['members'])}: {group['why']}" for group in client["not_applicable"]]
            lines.append("")
    return lines


def _names(members: list[str]) -> str:
    return ", ".join(f"`{member}`" for member in members)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()

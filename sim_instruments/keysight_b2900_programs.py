"""Program memory of a B2900A (PROGram): SCPI lines kept under a name and run with variables.

SCPI Command Reference, PROGram subsystem. A program holds commands, no queries; `%1%` to `%100%` stand for variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .keysight_b2900_errors import refusal
from .keysight_b2900_panel import block
from .scpi import Command, CommandTree, split_units, values
from .scpi_errors import ScpiError
from .scpi_parameters import Block, Choice, Number, Parameter, Switch, Text
from .scpi_settings import setting, show_text

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900

MOST_PROGRAMS = 100
_LONGEST_PROGRAM = 100_000
_LONGEST_LINE = 256
_LONGEST_VALUE = 32
_VARIABLES = 100
_NAME = re.compile(r"[A-Za-z0-9_\-]{1,32}\Z")
_VARIABLE = re.compile(r"%(\d+)%")
_UNSUPPORTED = re.compile(r"(?i):?prog(ram)?:|\*rst\b|\*tst|:?mmem")


class ProgramMemory:
    """The programs, the selected one's progress, and the variables.

    Attributes:
        selected: name of the selected program; empty if none is.
        state: STOP or PAUS; a program has run as soon as it was told to.
    """

    def __init__(self) -> None:
        self.programs: dict[str, str] = {}
        self.selected = ""
        self.state = "STOP"
        self.is_running = False
        self.power_on_text = ""
        self.is_run_at_power_on = False
        self.variables = [""] * _VARIABLES
        self._position = 0

    def select(self, name: str) -> None:
        """Raises ScpiError +715 for what cannot be a name."""
        if not _NAME.match(name):
            raise refusal(715)
        self.selected = name
        self.stop()

    def selected_text(self) -> str:
        """Raises ScpiError +704 if no program is selected."""
        if self.selected not in self.programs:
            raise refusal(704)
        return self.programs[self.selected]

    def define(self, text: str, tree: CommandTree) -> None:
        """Give the selected name a program; raises ScpiError 700 to 716."""
        if not self.selected:
            raise refusal(704)
        if self.selected not in self.programs and len(self.programs) >= MOST_PROGRAMS:
            raise refusal(716)
        if len(text) > _LONGEST_PROGRAM:
            raise refusal(700)
        for line in text.splitlines():
            _check(line, tree)
        self.programs[self.selected] = text
        self.stop()

    def append(self, line: str, tree: CommandTree) -> None:
        """Add a line to the selected program."""
        present = self.programs.get(self.selected, "")
        self.define(present + line + "\n", tree)

    def delete(self) -> None:
        """Forget the selected program."""
        self.selected_text()
        del self.programs[self.selected]
        self.stop()

    def start_with(self, name: str) -> None:
        """The program that runs when the unit is switched on; none if the name is empty."""
        if name and name not in self.programs:
            raise refusal(704)
        self.power_on_text = self.programs.get(name, "")

    def delete_all(self) -> None:
        """Forget all programs."""
        self.programs.clear()
        self.selected = ""
        self.stop()

    def stop(self) -> None:
        """Back to the first line."""
        self.state, self._position = "STOP", 0

    def set_variable(self, number: int, value: str) -> None:
        """Raises ScpiError +702 or +711."""
        self._check_variable(number)
        if len(value) > _LONGEST_VALUE:
            raise refusal(711)
        self.variables[number - 1] = value

    def variable(self, number: int) -> str:
        """Raises ScpiError +702."""
        self._check_variable(number)
        return self.variables[number - 1]

    @staticmethod
    def _check_variable(number: int) -> None:
        if not 1 <= number <= _VARIABLES:
            raise refusal(702)

    def run(self, carry_out: Callable[[str], None]) -> None:
        """Carry out the rest of the selected program."""
        if self.is_running:
            raise refusal(705)
        self.is_running = True
        try:
            while self._advance(carry_out):
                pass
        finally:
            self.is_running = False
        self.stop()

    def step(self, carry_out: Callable[[str], None]) -> None:
        """Carry out one line."""
        self.state = "PAUS" if self._advance(carry_out) else "STOP"
        if self.state == "STOP":
            self._position = 0

    def _advance(self, carry_out: Callable[[str], None]) -> bool:
        lines = [line for line in self.selected_text().splitlines() if line.strip()]
        if self._position >= len(lines):
            return False
        line = _VARIABLE.sub(lambda match: self.variable(int(match[1])), lines[self._position])
        self._position += 1
        carry_out(line)
        return self._position < len(lines)


def _check(line: str, tree: CommandTree) -> None:
    """Raises ScpiError for a line that a program cannot hold."""
    if len(line) > _LONGEST_LINE:
        raise refusal(710)
    headers = [header for header, _ in split_units(line)]
    if any(header.endswith("?") for header in headers):
        raise refusal(703)
    if any(_UNSUPPORTED.match(header) for header in headers):
        raise refusal(712)
    if sum("INIT" in header.upper() for header in headers) > 1:
        raise refusal(713)
    path = ""
    for header in headers:
        path = tree.resolve(path, header).path


def carry_out(i: SimKeysightB2900, line: str) -> None:
    """One line of a program; an error in it is reported and ends it."""
    path = ""
    for header, arguments in split_units(line):
        try:
            call = i.tree.resolve(path, header)
            path = call.path
            call.run(i, *call.numbers, *values(call, arguments, i))
        except ScpiError as error:
            i.status.report(error)
            return


def _control(i: SimKeysightB2900, action: str) -> None:
    programs = i.programs
    programs.selected_text()
    if action in ("STOP", "PAUS"):
        programs.stop()
    elif action == "STEP":
        programs.step(lambda line: carry_out(i, line))
    elif action == "CONT" and programs.state != "PAUS":
        raise refusal(709)
    else:
        programs.run(lambda line: carry_out(i, line))
    i.refresh_status()


class _TextOrBlock(Parameter):
    """A string or a block; parses to text."""

    def parse(self, token: str, instrument: Any) -> str:
        if token[:1] == "#":
            return Block().parse(token, instrument).decode("latin-1")
        return Text().parse(token, instrument)


class _Value(Parameter):
    """A variable's value: a string, or anything written without quotes."""

    def parse(self, token: str, instrument: Any) -> str:
        return Text().parse(token, instrument) if token[:1] in "\"'" else token


_SELECTED = ":PROGram[:SELected]"
PROGRAM_COMMANDS: tuple[Command, ...] = (
    Command(":PROGram:CATalog", query=lambda i: ",".join(show_text(name) for name in i.programs.programs) or '""'),
    Command(
        f"{_SELECTED}:NAME",
        write=lambda i, name: i.programs.select(name),
        query=lambda i: show_text(i.programs.selected),
        takes=(Text(),),
    ),
    Command(
        f"{_SELECTED}:DEFine",
        write=lambda i, text: i.programs.define(text, i.tree),
        query=lambda i: block(i.programs.selected_text().encode("latin-1")),
        takes=(_TextOrBlock(),),
    ),
    Command(f"{_SELECTED}:APPend", write=lambda i, line: i.programs.append(line, i.tree), takes=(_TextOrBlock(),)),
    Command(f"{_SELECTED}:DELete[:SELected]", write=lambda i: i.programs.delete()),
    Command(f"{_SELECTED}:DELete:ALL", write=lambda i: i.programs.delete_all()),
    Command(f"{_SELECTED}:EXECute", write=lambda i: _control(i, "RUN")),
    Command(
        f"{_SELECTED}:STATe",
        write=_control,
        query=lambda i: i.programs.state,
        takes=(Choice("RUN", "PAUSe", "CONTinue", "STOP", "STEP"),),
    ),
    Command(f"{_SELECTED}:WAIT", query=lambda i, _: "1", asks=(Number("S", 0, 1e6),)),
    Command(":PROGram:PON:COPY", write=lambda i, name: i.programs.start_with(name), takes=(Text(),)),
    Command(":PROGram:PON:DELete", write=lambda i: i.programs.start_with("")),
    setting(":PROGram:PON:RUN", "programs.is_run_at_power_on", Switch()),
    Command(
        ":PROGram:VARiable<h>",
        write=lambda i, h, value: i.programs.set_variable(h, value),
        query=lambda i, h: show_text(i.programs.variable(h)),
        takes=(_Value(),),
    ),
)
"""Programs and how they are run."""

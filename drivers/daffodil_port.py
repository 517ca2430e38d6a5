"""The surface of a Daffodil board that the driver uses, and the one place that talks to it.

Names and arguments are those of `Daffodil_Base` and its two subclasses in usnistgov/daffodil-lib, Board/controller.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, Protocol, cast

from mtjlab.errors import InputError, InstrumentError

from .daffodil_settings import DaffodilSettings

SIDE = 25
"""Rows, columns and amplifier channels of a kernel."""
_KERNELS, _SUBARRAYS = 32, 4
FORWARD, BACKWARD, OUTER_PRODUCT = "config_forward_pass", "config_backward_pass", "config_outerproduct"


class DaffodilBoard(Protocol):
    """What is used of a board. Voltages are absolute; levels go out and come back as 12-bit register values.

    Attributes:
        vground, vmax: the chip's floated ground and its supply.
        pots: after `set_dpot_D`, feedback of each channel by the board's own table, ohms; its sign does not matter.
        COL_EN_tobe, ROW_EN_tobe: lines that the next event connects, 0 or 1.
        read_pulse_len, write_pulse_len: length of the next event in cycles of the board's clock.
    """

    vground: float
    vmax: float
    pots: list[float]
    COL_EN_tobe: list[int]
    ROW_EN_tobe: list[int]
    read_pulse_len: int
    write_pulse_len: int

    def dac_calcvout(self, x1: int) -> float:
        """Volts of a DAC's register value."""

    def dac_invertvout(self, v: float) -> int:
        """Register value for volts."""

    def adc_predict_voltage(self, registervalue: float) -> float:
        """Volts of an ADC's register value."""

    def setrefopamp(self, refbias: int) -> None:
        """Reference of the amplifiers."""

    def setcoldacs(self, colvoltages: list[int]) -> None:
        """All columns."""

    def setrowdacs(self, rowvoltages: list[int]) -> None:
        """All rows."""

    def setgatedacs(self, gatevoltages: list[int]) -> None:
        """All columns' gates."""

    def setcoldac_channel(self, colvoltage: int, i: int) -> None:
        """One column."""

    def setrowdac_channel(self, rowvoltage: int, i: int) -> None:
        """One row."""

    def setgatedac_channel(self, gatevoltage: int, i: int) -> None:
        """One column's gates."""

    def invert_dpot_rout(self, rout: float) -> Any:
        """Potentiometer positions for ohms, by the board's own table."""

    def set_dpot_D(self, D: Any) -> None:  # noqa: N802, N803 (the library's names)
        """Positions of all potentiometers."""

    def set_kernel(self, kernel: int, swfix_en: bool = False) -> None:
        """Select a kernel."""

    def set_compliance_control(self, bit: int) -> None:
        """0: the gate's voltage limits the current; 1: gates are fully on or off."""

    def config_forward_pass(self) -> None:
        """DACs on columns, amplifiers on rows."""

    def config_backward_pass(self) -> None:
        """DACs on rows, amplifiers on columns."""

    def config_outerproduct(self) -> None:
        """DACs on both."""

    def event(self) -> None:
        """Connect the enabled lines for the preset time; reads if amplifiers are connected."""

    def retrievecurrents(self) -> list[int]:
        """Register values of the ADCs after a reading event."""


def kernels_of(kernel: int | None, subarray: int | None) -> dict[tuple[int, int], int]:
    """Block of 25 rows, block of 25 columns -> number of the kernel there (bits as in the library's set_kernel)."""
    if (kernel is None) == (subarray is None):
        raise InputError("either a kernel or a sub-array is needed", where="daffodil")
    if kernel is not None:
        if kernel not in range(_KERNELS):
            raise InputError(f"there is no kernel {kernel}", where="kernel", remedy=f"Give 0 to {_KERNELS - 1}")
        return {(0, 0): kernel}
    if subarray is None or subarray not in range(_SUBARRAYS):
        raise InputError(f"there is no sub-array {subarray}", where="subarray", remedy=f"Give 0 to {_SUBARRAYS - 1}")
    return {(row, col): 8 * subarray + 4 * col + row for row in range(4) for col in range(2)}


def physical_board() -> DaffodilBoard:
    """The board of this machine, through daffodil-lib. Raises InputError if that is not installed."""
    try:
        with redirect_stdout(StringIO()):  # it prints while it is imported
            controller = importlib.import_module("daffodillib.Board.controller")
    except ImportError as error:
        raise InputError(
            f"daffodil-lib cannot be imported ({error})",
            where="daffodil",
            remedy="Install it from github.com/usnistgov/daffodil-lib on the board's computer, or give a board object",
        ) from error
    return cast(DaffodilBoard, controller.Daffodil_Phys())


class BoardPort:
    """Sends what has changed, in an order that the board accepts, and raises InstrumentError with the board's words.

    Args:
        board: the board.
        wait: lets the time of a write event pass before anything is changed.
        settings: of which the clock that times the events, and whether gates are exchanged, matter here.
    """

    def __init__(self, board: DaffodilBoard, wait: Callable[[float], None], settings: DaffodilSettings) -> None:
        self._board, self._wait = board, wait
        self._clock_hertz, self._swaps_gates = settings.clock_hertz, settings.swaps_gates
        self.volts_per_code = board.dac_calcvout(1) - board.dac_calcvout(0)
        self.lowest_code = self._lowest_code()
        self._sent: dict[str, Any] = {}
        self._adc_volts: dict[int, float] = {}
        self._all_gates: dict[tuple[tuple[int, ...], int], dict[int, int]] = {}

    def _lowest_code(self) -> int:
        """Of the window that lines may be in."""
        code = self._board.dac_invertvout(self._board.vground)
        return code if self.volts(code) >= self._board.vground else code + 1

    def volts(self, code: int) -> float:
        """Absolute volts of a register value."""
        return float(self._board.dac_calcvout(code))

    def steps(self, volts: float) -> int:
        """Steps of the converters in a level; the difference of two levels is then as exact as one level."""
        return round(volts / self.volts_per_code)

    def gate_code(self, volts: float) -> int:
        """Register value of a gate so far above the chip's ground. Raises InputError beyond the chip's supply."""
        if not 0 <= volts <= self._board.vmax - self._board.vground + 1e-9:
            raise InputError(f"a gate cannot be {volts:g} V above the chip's ground", where="gate")
        return max(self._board.dac_invertvout(self._board.vground + volts), self.lowest_code)

    @property
    def lowest_volts(self) -> float:
        """Lowest level of the window, absolute."""
        return self.volts(self.lowest_code)

    @property
    def highest_volts(self) -> float:
        """Highest level of the window, absolute."""
        return self._board.vmax

    @property
    def full_gate_volts(self) -> float:
        """Most that a gate may be above the chip's ground."""
        return self._board.vmax - self._board.vground

    def select(self, kernel: int) -> None:
        """Select a kernel."""
        self._send_once("kernel", kernel, lambda: self._board.set_kernel(kernel, swfix_en=self._swaps_gates))

    def set_feedback(self, ohms: float) -> None:
        """Feedback of all amplifiers near `ohms`."""
        self._send_once("pots", ohms, lambda: self._board.set_dpot_D(self._board.invert_dpot_rout(ohms)))

    @property
    def table_ohms(self) -> list[float]:
        """What the board's own table makes of each feedback that is set."""
        return [abs(float(r)) for r in self._board.pots]

    def configure(self, mode: str, reference_code: int, *, full_gates: bool) -> None:
        """Reference first: the board checks every level against it; then multiplexers, then how gates work."""
        self._send_once("reference", reference_code, lambda: self._board.setrefopamp(reference_code))
        self._send_once("mode", mode, getattr(self._board, mode))
        bit = int(full_gates)
        self._send_once("compliance", bit, lambda: self._board.set_compliance_control(bit))

    def set_rows(self, codes: dict[int, int]) -> None:
        """Register values of some rows."""
        self._set("rows", codes, self._board.setrowdacs, self._board.setrowdac_channel)

    def set_cols(self, codes: dict[int, int]) -> None:
        """Register values of some columns."""
        self._set("cols", codes, self._board.setcoldacs, self._board.setcoldac_channel)

    def set_gates(self, cols: Sequence[int], code: int) -> None:
        """Register value of these columns' gates; all others are at the chip's ground."""
        key = tuple(cols), code
        if key not in self._all_gates:
            self._all_gates[key] = {i: code if i in key[0] else self.lowest_code for i in range(SIDE)}
        whole = self._all_gates[key]
        if self._sent.get("gates") != whole:
            self._set("gates", whole, self._board.setgatedacs, self._board.setgatedac_channel)

    def read(self, rows: Sequence[int], cols: Sequence[int], seconds: float) -> list[float]:
        """One event with these lines connected; returns the volts of all amplifier outputs."""
        self._enable(rows, cols)
        self._board.read_pulse_len = self.cycles(seconds)
        self._ask(self._board.event)
        codes = self._ask(self._board.retrievecurrents)
        known = self._adc_volts
        try:
            return [known[code] for code in codes]
        except KeyError:  # a series of readings asks for few different ones many times
            known.update({code: float(self._board.adc_predict_voltage(code)) for code in codes})
            return [known[code] for code in codes]

    def write(self, rows: Sequence[int], cols: Sequence[int], seconds: float) -> None:
        """One event with these lines connected for `seconds`; returns when it is over."""
        self._enable(rows, cols)
        self._board.write_pulse_len = self.cycles(seconds)
        self._ask(self._board.event)
        self._wait(seconds)

    def cycles(self, seconds: float) -> int:
        """Length in cycles of the board's clock, at least one."""
        return max(round(seconds * self._clock_hertz), 1)

    def release(self) -> None:
        """No line is connected by any further event, gates at the chip's ground, lines at the lowest level."""
        self._enable((), ())
        if "reference" not in self._sent:
            self.configure(OUTER_PRODUCT, self.lowest_code, full_gates=True)
        self.set_gates((), self.lowest_code)
        self.set_rows(dict.fromkeys(range(SIDE), self.lowest_code))
        self.set_cols(dict.fromkeys(range(SIDE), self.lowest_code))

    def _enable(self, rows: Sequence[int], cols: Sequence[int]) -> None:
        # in place: the library keeps lists, and clients may hold them
        for enables, lines in ((self._board.ROW_EN_tobe, rows), (self._board.COL_EN_tobe, cols)):
            bits = [0] * SIDE
            for line in lines:
                bits[line] = 1
            enables[:] = bits

    def _set(
        self,
        kind: str,
        codes: dict[int, int],
        send_all: Callable[[list[int]], None],
        send_one: Callable[[int, int], None],
    ) -> None:
        known: dict[int, int] = self._sent.setdefault(kind, {})
        changed = {i: code for i, code in codes.items() if known.get(i) != code}
        if not changed:
            return
        self._sent[kind] = {i: code for i, code in known.items() if i not in changed}  # unknown if it fails half-way
        if len(changed) == SIDE:
            self._ask(send_all, [codes[i] for i in range(SIDE)])
        else:
            for i, code in changed.items():
                self._ask(send_one, code, i)
        self._sent[kind] |= changed

    def _send_once(self, kind: str, value: Any, send: Callable[[], None]) -> None:
        if self._sent.get(kind) != value:
            self._sent.pop(kind, None)
            self._ask(send)
            self._sent[kind] = value

    def _ask(self, method: Callable[..., Any], *args: Any) -> Any:
        try:
            return method(*args)
        except Exception as error:  # the library raises bare Exception as well
            raise InstrumentError(
                f"the board refused: {error}", where="daffodil", remedy="Check the board's supply and its library"
            ) from error

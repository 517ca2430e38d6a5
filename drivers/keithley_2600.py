"""Keithley Series 2600B SourceMeters (TSP): each channel plays SourceMeasureUnit, the instrument plays ScanUnit.

Facts from the Series 2600B Reference Manual (2600BS-901-01). QCoDeS's stock driver is not used;
docs/decisions/0006-own-drivers.md says why.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from qcodes.instrument import VisaInstrumentKWArgs

from mtjlab.errors import InstrumentError
from mtjlab.nouns import Floats, Reading
from mtjlab.roles import (
    Identity,
    ScanLimits,
    ScanPoint,
    ScanUnit,
    SourceMeasureUnit,
    WriteOutcome,
    WriteTask,
)

from .checked_visa import CheckedVisa
from .keithley_2600_answers import Answer, block_bytes, outcomes, parsed, readings
from .keithley_2600_channel import Keithley2600Channel
from .keithley_2600_scans import (
    MOST_READINGS,
    SHORTEST_SECONDS,
    pulse_text,
    require_within,
    scan_text,
    seconds_of,
    write_text,
)
from .keithley_2600_scripts import UPLOAD
from .plausible_readings import is_plausible

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Keithley2600(CheckedVisa, ScanUnit):
    """A two-channel 2602B, 2604B, 2612B, 2614B, 2634B or 2636B; its channels are the submodules `a` and `b`.

    Args:
        matrix_node: TSP-Link node number of the 707B or 708B that `scan` moves (no link on a 2604B, 2614B, 2634B).
    """

    default_terminator = "\n"
    letters: ClassVar[str] = "ab"
    models: ClassVar[tuple[str, ...]] = ("2602B", "2604B", "2612B", "2614B", "2634B", "2636B")

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        matrix_node: int = 2,
        **kwargs: Unpack[VisaInstrumentKWArgs],
    ) -> None:
        super().__init__(name, address, **kwargs)
        self._matrix_node = matrix_node
        self._scripts: dict[str, str] = {}
        self._smus = tuple(Keithley2600Channel(self, letter) for letter in self.letters)
        for smu in self._smus:
            self.add_submodule(smu.short_name, smu)

    @property
    def where(self) -> str:
        """Name and address, for messages."""
        return self._where()

    def not_understood(self, cmd: str, reply: str) -> InstrumentError:
        """The error for a reply that makes no sense."""
        return self._not_understood(cmd, reply)

    def identity(self) -> Identity:
        """Ask the instrument what it is; raises InstrumentError if it is none of these."""
        return self.identify(*self.models)

    def check_errors(self) -> None:
        """Drain the error queue in one query; raises InstrumentError quoting every entry."""
        cmd = (
            'local s = "" for k = 1, math.min(errorqueue.count, 20) do local c, m = errorqueue.next() '
            's = s .. string.format("%g %s; ", c, m) end print(s)'
        )
        found = self.ask(cmd).strip(" ;\r\n")
        if found:
            raise InstrumentError(
                f"reports {found}", where=self._where(), remedy="See the 2600B manual, 'Error summary list'"
            )

    def reopen(self) -> None:
        """See CheckedVisa; scripts are uploaded again when they are needed, and channels must be prepared again."""
        self._scripts.clear()
        self.is_watched = False
        for smu in self._smus:
            smu.forget()
        super().reopen()

    def run_script(self, name: str, code: str, *, timeout_seconds: float, is_double: bool = True) -> Floats:
        """Run Lua on the instrument and return what it measured; uploaded only if it is not there yet.

        The code says what to return by `answer(count, {column, ...})`, for example
        `answer(n, {smua.nvbuffer1.sourcevalues, smua.nvbuffer1.readings})`: columns of reading buffers, sent as one
        binary block of 8 or 4 byte numbers. If it fails, both outputs go off.

        Args:
            name: of the script on the instrument, a Lua name.
            code: Lua 5.0; it must end by itself.
            timeout_seconds: how long it may take; the answer is waited for as long as usual beyond that.
            is_double: 8 byte numbers; otherwise 4.

        Returns:
            Shape (count, columns).

        Raises InstrumentError quoting the script's error and the error queue; if it did not answer in time it may still
        run: `recover` aborts it, and the outputs must then be switched off.
        """
        text = f"loadscript {name}\nmtjlab.run(function(answer)\n{code}\nend, {str(is_double).lower()})\nendscript"
        before = ""
        if self._scripts.get(name) != text:
            before = f"{name} = nil\n{text}\n" if self._scripts else f"{UPLOAD}\n{name} = nil\n{text}\n"
        missing = 'mtjlab.answer(0, {}, false, "", "", {"it could not be loaded"})'
        call = f"if {name} == nil then {missing} else {name}() end"
        known, self._scripts = self._scripts, {}  # after a failure everything is uploaded again
        answer = self._answered(before + _called(call), timeout_seconds, 8 if is_double else 4, f"{name}()")
        self._scripts = known | {name: text}
        return answer.values

    def called(self, call: str, seconds: float, size: int = 8) -> Answer:
        """Call a function of the library; raises InstrumentError if it reports anything or is not there."""
        return self._answered(_called(call), seconds, size, call.partition("(")[0])

    def _answered(self, message: str, seconds: float, size: int, shown: str) -> Answer:
        """Send; read the line that says how it went and the block that follows if there is one."""
        self.queries += 1
        self.visa_log.debug("Writing: %s", message)
        with self.patience(seconds), self.exchange(shown):
            self.visa_handle.write(message)
            line = self.read_line(shown)
            answer = parsed(line)
            if answer is None:
                raise self._not_understood(shown, line)
            if answer.size:
                self._fill(answer, size, shown)
        if answer.problems:
            raise InstrumentError(
                f"'{shown}' failed: {answer.problems}",
                where=self._where(),
                remedy="See the 2600B manual, 'Error summary list'; check the link to the matrix if there is one",
            )
        return answer

    def _fill(self, answer: Answer, size: int, shown: str) -> None:
        block = self.visa_handle.read_bytes(block_bytes(answer, size))
        try:
            answer.fill(block, size)
        except ValueError as error:
            raise self._not_understood(shown, repr(block[:20])) from error

    @property
    def channels(self) -> tuple[SourceMeasureUnit, ...]:
        """Its channels in alphabetical order."""
        return self._smus

    @property
    def most_points(self) -> int:
        """What one message may reasonably hold."""
        return MOST_READINGS

    def linked_matrix(self) -> Identity | None:
        """What the node says it is, told twice; the link is brought up if it is not."""
        n = self._matrix_node
        told = f"node[{n}].model, node[{n}].serialno, node[{n}].revision"
        cmd = (
            'if tsplink.state ~= "online" then tsplink.reset() end '
            f'if node[{n}] == nil then print("none") else print({told}, {told}) end'
        )
        parts = [part.strip() for part in self.ask(cmd).split("\t")]
        if parts == ["none"]:
            with contextlib.suppress(InstrumentError):  # what the link says about it is no news
                self.check_errors()
            return None
        if len(parts) != 6 or parts[:3] != parts[3:]:
            raise self._not_understood("tsplink", "\t".join(parts))
        return Identity("Keithley Instruments Inc.", *parts[:3])

    def scan(
        self, points: Sequence[ScanPoint], *, sense: int, limits: ScanLimits, settle_seconds: float = 0.0
    ) -> list[Reading]:
        """See ScanUnit. One message to the instrument, one line and one block of 4 byte numbers back."""
        if not points:
            return []
        self._require_prepared(len(points))
        require_within(limits, [point.volts for point in points])
        seconds = seconds_of(len(points), 0, self._reading_seconds + settle_seconds)
        call = scan_text(points, sense, limits, settle_seconds, self._matrix_node, seconds)
        answer = self.called(call, 2 * seconds, 4)
        return self._all_of([point.volts[sense] for point in points], answer)

    def write_each(
        self,
        tasks: Sequence[WriteTask],
        *,
        sense: int,
        drive: int,
        pulse_seconds: float,
        limits: ScanLimits,
        settle_seconds: float = 0.0,
    ) -> list[WriteOutcome]:
        """See ScanUnit. Pulses are not measured on their top; the shortest one is 100 us."""
        if not tasks:
            return []
        pulses = sum(len(task.pulses) for task in tasks)
        self._require_prepared(len(tasks) + pulses)
        require_within(limits, [v for task in tasks for v in (task.read.volts, *task.pulses)], pulses)
        self._require_long(pulse_seconds)
        seconds = seconds_of(len(tasks), pulses, self._reading_seconds + settle_seconds + pulse_seconds)
        call = write_text(tasks, sense, drive, pulse_seconds, limits, settle_seconds, self._matrix_node, seconds)
        answer = self.called(call, 2 * seconds, 4)
        told = outcomes(answer)
        if told is None or len(told) != len(tasks):
            raise self._not_understood("write_each", answer.outcomes)
        each = [[task.read.volts[sense]] * (given + 1) for task, (given, _) in zip(tasks, told, strict=True)]
        levels = [level for of_task in each for level in of_task]
        found, at, results = self._all_of(levels, answer), 0, []
        for given, is_done in told:
            results.append(WriteOutcome(is_done, tuple(found[at : at + given + 1])))
            at += given + 1
        return results

    def pulse_each(
        self,
        points: Sequence[ScanPoint],
        *,
        drive: int,
        pulse_seconds: float,
        limits: ScanLimits,
        settle_seconds: float = 0.0,
    ) -> None:
        """See ScanUnit. The shortest pulse is 100 us."""
        if not points:
            return
        self._require_prepared(len(points))
        require_within(limits, [point.volts for point in points], len(points))
        self._require_long(pulse_seconds)
        seconds = seconds_of(0, len(points), settle_seconds + pulse_seconds)
        call = pulse_text(points, drive, pulse_seconds, limits, settle_seconds, self._matrix_node, seconds)
        answer = self.called(call, 2 * seconds, 4)
        if answer.outcomes != str(len(points)):
            raise self._not_understood("pulse_each", f"{answer.outcomes} pulses instead of {len(points)}")

    def _require_long(self, pulse_seconds: float) -> None:
        if pulse_seconds < SHORTEST_SECONDS:
            raise InstrumentError(
                f"a pulse of {pulse_seconds:g} s is shorter than its {SHORTEST_SECONDS:g} s", where=self._where()
            )

    @property
    def _reading_seconds(self) -> float:
        return max(smu.reading_seconds for smu in self._smus)

    def _require_prepared(self, count: int) -> None:
        if not all(smu.is_prepared for smu in self._smus):
            raise InstrumentError("a scan needs all channels prepared", where=self._where(), remedy="Call prepare()")
        if count > self.most_points:
            raise InstrumentError(
                f"{count} readings are more than the {self.most_points} of one scan",
                where=self._where(),
                remedy="Scan in parts",
            )

    def _all_of(self, levels: Sequence[float], answer: Answer) -> list[Reading]:
        """One reading for each of these levels of the sensing channel, and plausible at that."""
        most = max(smu.most_amps for smu in self._smus)
        try:
            found = readings(answer.values, answer.flags)
        except ValueError as error:
            raise self._not_understood("scan", str(error)) from error
        if len(found) != len(levels) or len(answer.flags) != len(levels):
            raise self._not_understood("scan", f"{len(found)} readings instead of {len(levels)}")
        for number, (reading, level) in enumerate(zip(found, levels, strict=True)):
            if not is_plausible(reading, level, most):
                raise self._not_understood("scan", f"{reading.volts:g} V and {reading.amps:g} A at point {number}")
        return found


class Keithley2601(Keithley2600):
    """A one-channel 2601B, 2611B or 2635B; its channel is the submodule `a`."""

    letters = "a"
    models = ("2601B", "2611B", "2635B")


def _called(call: str) -> str:
    """One message that makes a call of the library; it answers also if the library has gone."""
    text = f'if mtjlab == nil then print("0\\t0\\t\\t\\tits scripts are gone: prepare it again") else\n{call}\nend'
    return f"loadandrunscript\n{text}\nendscript" if "\n" in call else text.replace("\n", " ")

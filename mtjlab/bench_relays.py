"""Relays of a bench: closes what routes need, lets the matrix hold lines where it can, and insists on the read-back.

When relays may move is not decided here but in `bench.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from .bench_plan import Routes, held_source
from .errors import InputError, InstrumentError
from .nouns import Line
from .roles import BiasMatrix, Crosspoint, SwitchMatrix
from .wiring import GROUND, Wiring


def crosspoints(routes: Routes, wiring: Wiring) -> frozenset[Crosspoint]:
    """The relays of routes; every source must have a matrix row."""
    rows = wiring.source_rows
    return frozenset(Crosspoint(rows[name], wiring.matrix_column(line)) for name, on in routes.items() for line in on)


class Relays:
    """A matrix between sources and lines.

    Attributes:
        routes: what is connected; empty if nobody knows.
    """

    def __init__(self, matrix: SwitchMatrix, wiring: Wiring) -> None:
        self._matrix = matrix
        self._wiring = wiring
        self.forget()

    def forget(self) -> None:
        """Everything is open, or will be closed anew whatever it is."""
        self.routes: Routes = {}
        self._routed: frozenset[Crosspoint] = frozenset()
        self._held: tuple[str | None, frozenset[int]] | None = None
        self._held_row = ""

    def check_fitted(self) -> bool:
        """Whether lines can be at 0 V without an SMU; the matrix must have been identified.

        Raises InputError if the wiring names relays that there are not, or a matrix is to hold lines that cannot.
        """
        rows, columns = set(self._matrix.rows), set(self._matrix.columns)
        for name, row in self._wiring.source_rows.items():
            if row not in rows:
                where = "ground_row" if name == GROUND else f"smus.{name}"
                raise InputError(f"matrix row {row} is not fitted", where=where, remedy=_offer(rows))
        for key, used in (("row_lines", self._wiring.row_lines), ("col_lines", self._wiring.col_lines)):
            for position, column in enumerate(used):
                if column not in columns:
                    where = f"{key}[{position}]"
                    raise InputError(f"matrix column {column} is not fitted", where=where, remedy=_offer(columns))
        can_ground = self._wiring.holds_lines and self._holder().can_ground
        return can_ground or self._wiring.ground_row is not None

    def _holder(self) -> BiasMatrix:
        if not isinstance(self._matrix, BiasMatrix):
            raise InputError(
                "this matrix cannot hold lines by itself", where="holds_lines", remedy="Remove it from the wiring file"
            )
        return self._matrix

    def move(self, routes: Routes) -> None:
        """Connect exactly this. Raises InstrumentError if the instrument reads back anything else.

        No source may be live.
        """
        self.routes = {}
        held = held_source(routes) if self._wiring.holds_lines else None
        routed = {name: on for name, on in routes.items() if name != held}
        if GROUND in routed and GROUND not in self._wiring.source_rows:
            raise InputError(
                "the matrix cannot hold these lines and ground others at once",
                where="ground_row",
                remedy="Wire a matrix row to the common ground and name it in the wiring file",
            )
        wanted = crosspoints(routed, self._wiring)
        if self._wiring.holds_lines:
            self._hold(held, frozenset().union(*routes.values()) if held is not None else ())
        closed = self._route(wanted)
        expected = wanted | self._held_beside(wanted)
        if closed != expected:
            self._refuse(expected, closed)
        self.routes = dict(routes)

    def _hold(self, source: str | None, lines: Iterable[Line]) -> None:
        """Every driven line is held at this source unless a route uses it: from cell to cell that seldom changes."""
        matrix = self._holder()
        if source is None:
            if self._held is not None:
                self._held = None
                matrix.release()
            return
        row = None if source == GROUND and matrix.can_ground else self._wiring.source_rows[source]
        wanted = row, frozenset(self._wiring.matrix_column(line) for line in lines)
        if wanted == self._held:
            return
        self._held = None
        staying = frozenset(point for point in self._routed if point.row != row)
        if staying != self._routed:
            self._route(staying)
        told = matrix.hold(wanted[1], row)
        self._held_row = next((point.row for point in told - self._routed if point.column in wanted[1]), "")
        self._held = wanted

    def _held_beside(self, routed: frozenset[Crosspoint]) -> frozenset[Crosspoint]:
        if self._held is None:
            return frozenset()
        return frozenset(Crosspoint(self._held_row, c) for c in self._held[1] - {point.column for point in routed})

    def _route(self, wanted: frozenset[Crosspoint]) -> frozenset[Crosspoint]:
        self._routed = frozenset()
        closed = self._matrix.route(sorted(wanted, key=lambda point: point.column))
        self._routed = wanted
        return closed

    def _refuse(self, wanted: frozenset[Crosspoint], closed: frozenset[Crosspoint]) -> None:
        self._matrix.check_errors()
        stuck = ", ".join(f"{p.row}{p.column}" for p in sorted(closed - wanted)) or "none"
        missing = ", ".join(f"{p.row}{p.column}" for p in sorted(wanted - closed)) or "none"
        raise InstrumentError(
            f"relays read back wrong (closed but not wanted: {stuck}; wanted but open: {missing})",
            where=self._wiring.matrix,
            remedy="Outputs stay off. Run the matrix's self-test and replace the card if it repeats",
        )


def _offer(fitted: set[str] | set[int]) -> str:
    if not fitted:
        return "Fit a matrix card"
    first, last = min(fitted, key=str), max(fitted, key=str)
    return f"Fitted are {first} to {last}; correct the wiring file or fit a card"

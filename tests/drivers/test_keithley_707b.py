"""What a Keithley707B says on the bus, word for word, and what it makes of the replies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from mtjlab.drivers.keithley_707b import Keithley707B, channel_name
from mtjlab.errors import InstrumentError
from mtjlab.roles import Crosspoint
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

NO_ERROR = ("print(errorqueue.next())", "0.00000e+00\tQueue Is Empty\t0.00000e+00")
OPEN_ALL = ('channel.open("allslots") waitcomplete()', None)
CLOSED = 'print(channel.getclose("allslots"))'
TIMEOUT = VisaIOError(StatusCode.error_timeout)


def slot_query(slot: int) -> str:
    counts = f"slot[{slot}].rows.matrix, slot[{slot}].columns.matrix"
    return f"if slot[{slot}] then print({counts}, {counts}) else print(nil, nil) end"


def route(channels: str) -> str:
    return f'channel.exclusiveclose("{channels}") waitcomplete() {CLOSED}'


BEGIN = ("errorqueue.clear() status.standard.enable = status.standard.OPC opc()", None)
PREPARE = (BEGIN, OPEN_ALL, ("channel.connectrule = 1", None), NO_ERROR)


def test_prepare_opens_everything_and_sets_break_before_make(dialogue: Any) -> None:
    with dialogue(Keithley707B, *PREPARE) as matrix:
        matrix.prepare()
        matrix.check_status()


def test_a_lost_power_is_seen_by_a_serial_poll(dialogue: Any) -> None:
    with dialogue(Keithley707B, *PREPARE) as matrix:
        matrix.prepare()
        matrix.visa_handle.status = 0
        with pytest.raises(InstrumentError, match="lost its power") as caught:
            matrix.check_status()
    assert caught.value.where == "unit (GPIB0::9::INSTR)"
    assert caught.value.remedy


@pytest.mark.parametrize("reply", ["8\t12\t8\t11", "8\t12", "8\tx\t8\tx", "nil\tnix"])
def test_garbled_cards_are_not_other_cards(dialogue: Any, reply: str) -> None:
    with dialogue(Keithley707B, (slot_query(1), reply)) as matrix, pytest.raises(InstrumentError, match="understood"):
        matrix.columns


def test_route_is_one_transaction_that_reads_back(dialogue: Any) -> None:
    wanted = [Crosspoint("A", 101), Crosspoint("B", 212)]
    with dialogue(Keithley707B, (route("1A01,2B12"), "1A01;2B12")) as matrix:
        assert matrix.route(wanted) == frozenset(wanted)


def test_what_the_instrument_reads_back_is_told_not_what_was_asked(dialogue: Any) -> None:
    with dialogue(Keithley707B, (route("1A01"), "1A01;3H07")) as matrix:
        assert matrix.route([Crosspoint("A", 101)]) == {Crosspoint("A", 101), Crosspoint("H", 307)}


def test_routing_nothing_opens_all(dialogue: Any) -> None:
    with dialogue(Keithley707B, (route(""), "nil")) as matrix:
        assert matrix.route([]) == frozenset()


@pytest.mark.parametrize("reply", ["nil", " nil\r"])
def test_nothing_closed(dialogue: Any, reply: str) -> None:
    with dialogue(Keithley707B, (CLOSED, reply)) as matrix:
        assert matrix.closed() == frozenset()


@pytest.mark.parametrize("reply", ["", "1A1", "1A01,1B02", "A01", "1A01;;1B02", "1A01;what"])
def test_a_garbled_channel_list_is_explained(dialogue: Any, reply: str) -> None:
    with dialogue(Keithley707B, (CLOSED, reply)) as matrix, pytest.raises(InstrumentError) as caught:
        matrix.closed()
    assert "cannot be understood" in caught.value.what
    assert caught.value.where == "unit (GPIB0::9::INSTR)"
    assert caught.value.remedy


def test_fitted_rows_and_columns_are_asked_once(dialogue: Any) -> None:
    eight, four, empty = "\t".join(2 * ["8.00000e+00\t1.20000e+01"]), "\t".join(2 * ["4\t12"]), "nil\tnil"
    replies = [eight, empty, four, empty, empty, empty]
    steps = [(slot_query(slot), reply) for slot, reply in enumerate(replies, start=1)]
    with dialogue(Keithley707B, *steps) as matrix:
        assert matrix.rows == tuple("ABCDEFGH")
        assert matrix.columns == (*range(101, 113), *range(301, 313))


def test_the_error_queue_is_drained_and_quoted(dialogue: Any) -> None:
    ask = NO_ERROR[0]
    entries = [(ask, "1.11400e+03\tSettings conflict\t2.00000e+01"), (ask, "-2.85000e+02\tTSP syntax error\t1.0")]
    with dialogue(Keithley707B, *entries, NO_ERROR) as matrix, pytest.raises(InstrumentError) as caught:
        matrix.check_errors()
    assert "Settings conflict" in caught.value.what
    assert "TSP syntax error" in caught.value.what
    assert "\t" not in caught.value.what


def test_a_garbled_error_entry_is_an_instrument_error(dialogue: Any) -> None:
    with dialogue(Keithley707B, (NO_ERROR[0], "?#%")) as matrix, pytest.raises(InstrumentError):
        matrix.check_errors()


@pytest.mark.parametrize("message_and_call", [(CLOSED, "closed"), (NO_ERROR[0], "check_errors")])
def test_a_timeout_names_instrument_address_and_remedy(dialogue: Any, message_and_call: tuple[str, str]) -> None:
    message, call = message_and_call
    with dialogue(Keithley707B, (message, TIMEOUT)) as matrix, pytest.raises(InstrumentError) as caught:
        getattr(matrix, call)()
    assert caught.value.where == "unit (GPIB0::9::INSTR)"
    assert caught.value.what == f"did not answer '{message}'"
    assert caught.value.remedy


@pytest.mark.parametrize("model", ["707B", "708B"])
def test_identity(dialogue: Any, model: str) -> None:
    idn = ("*IDN?", f"KEITHLEY INSTRUMENTS INC.,MODEL {model},1300001,01.42b")
    with dialogue(Keithley707B, idn, idn) as matrix:
        assert matrix.identity().serial == "1300001"


def test_another_instrument_at_the_address_is_refused(dialogue: Any) -> None:
    idn = ("*IDN?", "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1,C30")
    with dialogue(Keithley707B, idn) as matrix, pytest.raises(InstrumentError, match="expected one of 707B, 708B"):
        matrix.identity()


def test_every_parameter_has_label_and_docstring(dialogue: Any) -> None:
    with dialogue(Keithley707B) as matrix:
        own = {name: p for name, p in matrix.parameters.items() if name not in ("IDN", "timeout")}
        assert set(own) == {"connect_rule", "closed_channels"}
        for name, parameter in own.items():
            assert parameter.unit == ""
            assert parameter.label != name
            assert not parameter.__doc__.startswith("Parameter class"), name


@given(st.sampled_from("ABCDEFGH"), st.integers(1, 6), st.integers(1, 99))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_channel_names_are_the_instruments(row: str, slot: int, column: int) -> None:
    name = channel_name(Crosspoint(row, slot * 100 + column))
    assert (int(name[0]), name[1], int(name[2:]), len(name)) == (slot, row, column, 4)


class TestOnTheSimulatedBench:
    @pytest.fixture
    def bench(self) -> Iterator[SimBench]:
        bench = sim_bench("passive15")
        bench.reset()
        yield bench
        bench.reset()

    @pytest.fixture
    def matrix(self, bench: SimBench) -> Iterator[Keithley707B]:
        driver = Keithley707B("matrix", "GPIB0::16::INSTR", visalib="passive15@mtjlab")
        yield driver
        driver.close()

    def test_the_whole_setup_is_understood(self, matrix: Keithley707B) -> None:
        assert "707B" in matrix.identity().model
        matrix.prepare()
        assert matrix.connect_rule() == 1
        assert matrix.rows == tuple("ABCDEFGH")
        assert matrix.columns == tuple(slot * 100 + column for slot in (1, 2, 3) for column in range(1, 13))

    def test_a_column_that_is_not_fitted_is_not_read_back_and_the_error_is_quoted(self, matrix: Keithley707B) -> None:
        matrix.prepare()
        assert matrix.route([Crosspoint("A", 512)]) == frozenset()
        with pytest.raises(InstrumentError, match="Parameter error"):
            matrix.check_errors()

    def test_a_snapshot_moves_no_relay(self, matrix: Keithley707B) -> None:
        matrix.prepare()
        matrix.route([Crosspoint("A", 101)])
        assert matrix.snapshot(update=True)["parameters"]["closed_channels"]["value"] == "1A01"
        assert matrix.closed() == {Crosspoint("A", 101)}

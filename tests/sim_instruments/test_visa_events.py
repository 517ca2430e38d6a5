"""Service requests as programs wait for them: queue, handlers, whoever acts, and in simulated time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import pyvisa
from pyvisa import constants
from pyvisa.constants import EventMechanism, EventType, StatusCode

from mtjlab.sim_instruments.simulated_bench import SimBench

SMU = "GPIB0::24::INSTR"
OTHER = "GPIB0::25::INSTR"
MATRIX = "GPIB0::16::INSTR"
SRQ, QUEUE, HANDLER = EventType.service_request, EventMechanism.queue, EventMechanism.handler
SLOW = "*RST;*CLS;*ESE 1;*SRE 32;:OUTP ON;:SOUR:DEL 3"
"""A reading takes 3 s, and the end of an operation requests service."""


def fails(act: Callable[[], object]) -> StatusCode:
    with pytest.raises(pyvisa.VisaIOError) as caught:
        act()
    return StatusCode(caught.value.error_code)


def handled(smu: Any) -> list[Any]:
    """What a handler installed on a resource has been called with."""
    seen: list[Any] = []
    smu.install_handler(SRQ, lambda *arguments: seen.append(arguments), "mine")
    smu.enable_event(SRQ, HANDLER)
    return seen


def test_the_end_of_an_operation_is_not_seen_before_its_time(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    smu.write(SLOW)
    smu.write(":INIT;*OPC")
    start = bench.host.seconds
    assert smu.stb & 0x60 == 0, "it has only begun"
    assert fails(lambda: smu.wait_for_srq(1000)) == StatusCode.error_timeout
    smu.wait_for_srq(10_000)
    assert bench.host.seconds - start == pytest.approx(3, abs=0.3)
    assert smu.stb & 0x60 == 0x20, "the poll inside took the request, the event is still there"
    assert smu.query("*ESR?") == "1"


def test_a_poll_loop_ends_after_few_polls(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    smu.write(SLOW)
    smu.write(":INIT;*OPC")
    start, polls = bench.host.seconds, 1
    while not smu.read_stb() & 0x20:
        polls += 1
        assert polls < 40
    assert polls > 5
    assert bench.host.seconds - start == pytest.approx(3, abs=0.3)


def test_a_short_command_is_done_when_the_program_polls(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.write("*CLS;*ESE 32")
    smu.write(":NONSENSE")
    assert smu.stb & 0x24 == 0x24, "error available, event summary"


def test_a_request_is_one_event_until_it_was_polled(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.enable_event(SRQ, QUEUE)
    smu.write("*CLS;*SRE 4")
    smu.write(":NONSENSE")
    smu.write(":NONSENSE")
    assert not smu.wait_on_event(SRQ, 0).timed_out
    assert smu.wait_on_event(SRQ, 0, capture_timeout=True).timed_out, "still the same request"
    assert smu.stb & 0x44 == 0x44
    assert smu.stb & 0x44 == 0x04, "the poll took it"
    smu.write("*CLS")
    smu.write(":NONSENSE")
    assert smu.wait_on_event(SRQ, 0).ret == StatusCode.success


def test_a_request_that_is_there_when_events_are_enabled(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.write("*CLS;*SRE 4;:NONSENSE")
    smu.enable_event(SRQ, QUEUE)
    assert not smu.wait_on_event(SRQ, 0).timed_out


def test_events_are_discarded_and_disabled(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.enable_event(SRQ, QUEUE)
    smu.write("*CLS;*SRE 4;:NONSENSE")
    smu.disable_event(SRQ, QUEUE)
    assert not smu.wait_on_event(SRQ, 0).timed_out, "what has come can still be taken"
    assert fails(lambda: smu.wait_on_event(SRQ, 0)) == StatusCode.error_not_enabled
    smu.read_stb()
    smu.write("*CLS;:NONSENSE")
    smu.enable_event(SRQ, QUEUE)
    smu.discard_events(SRQ, QUEUE)
    assert smu.visalib.discard_events(smu.session, SRQ, QUEUE) == StatusCode.success_queue_already_empty
    assert smu.wait_on_event(SRQ, 0, capture_timeout=True).timed_out
    assert smu.visalib.enable_event(smu.session, SRQ, QUEUE) == StatusCode.success_event_already_enabled


def test_the_context_of_an_event_is_closed_once(open_resource: Any) -> None:
    smu = open_resource(SMU)
    library = smu.visalib
    smu.enable_event(SRQ, QUEUE)
    smu.write("*CLS;*SRE 4;:NONSENSE")
    kind, context, _ = library.wait_on_event(smu.session, SRQ, 0)
    assert kind is SRQ
    assert library.get_attribute(context, constants.EventAttribute.event_type)[0] == SRQ
    unknown = lambda: library.get_attribute(context, constants.EventAttribute.job_id)  # noqa: E731
    assert fails(unknown) == StatusCode.error_nonsupported_attribute
    assert library.close(context) == StatusCode.success
    assert fails(lambda: library.close(context)) == StatusCode.error_invalid_object


def test_waiting_for_ever_ends_when_the_request_comes_or_cannot_come(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    smu.write(SLOW)
    smu.write(":INIT;*OPC")
    smu.wait_for_srq(None)
    before = bench.host.seconds
    assert fails(lambda: smu.wait_for_srq(None)) == StatusCode.error_timeout
    assert bench.host.seconds - before < 1


def test_a_handler_is_called_while_another_session_acts(open_resource: Any, bench: SimBench) -> None:
    smu, other, matrix = open_resource(SMU), open_resource(OTHER, timeout=20_000), open_resource(MATRIX)
    smu.write(SLOW)
    seen = handled(smu)
    smu.write(":INIT;*OPC")
    assert seen == []
    matrix.query("*IDN?")
    assert seen == []
    other.write("*RST;:OUTP ON;:SOUR:DEL 6;:READ?")
    other.read()
    assert [(session, kind, handle) for session, kind, _, handle in seen] == [(smu.session, SRQ, "mine")]
    other.query("*OPC?")
    assert len(seen) == 1


def test_a_handler_is_called_while_the_program_sleeps(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    smu.write(SLOW)
    called = threading.Event()
    times: list[float] = []

    def handle(resource: Any, event: Any, handle: Any) -> None:
        times.append(bench.host.seconds)
        assert resource.read_stb() & 0x40
        called.set()

    wrapped = smu.wrap_handler(handle)
    user_handle = smu.install_handler(SRQ, wrapped, 42)
    smu.enable_event(SRQ, HANDLER, None)
    start = bench.host.seconds
    smu.write(":INIT;*OPC")
    assert not called.is_set()
    assert called.wait(20)
    assert times[0] - start == pytest.approx(3, abs=0.3)
    smu.disable_event(SRQ, HANDLER)
    smu.uninstall_handler(SRQ, wrapped, user_handle)
    assert len(smu.query(":FETC?").split(",")) == 5


def test_a_handler_may_read_what_it_was_called_for(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.write("*CLS;*SRE 16")
    answers: list[str] = []
    smu.install_handler(SRQ, lambda *_: answers.append(smu.read()))
    smu.enable_event(SRQ, HANDLER)
    for _ in range(3):
        smu.write("*ESE?")
        smu.read_stb()
    assert answers == ["0", "0", "0"]


def test_a_handler_that_fails_is_told_and_goes_no_further(open_resource: Any, caplog: pytest.LogCaptureFixture) -> None:
    smu = open_resource(SMU)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    smu.install_handler(SRQ, fail)
    smu.enable_event(SRQ, HANDLER)
    smu.write("*CLS;*SRE 4;:NONSENSE")
    assert "service_request" in caplog.text
    assert smu.query("*ESE?") == "0"


def test_suspended_handlers_are_called_when_they_are_enabled(open_resource: Any) -> None:
    smu = open_resource(SMU)
    seen = handled(smu)
    smu.enable_event(SRQ, EventMechanism.suspend_handler)
    smu.write("*CLS;*SRE 4;:NONSENSE")
    assert seen == []
    smu.enable_event(SRQ, HANDLER)
    assert len(seen) == 1


def test_what_cannot_be_enabled_is_refused(open_resource: Any) -> None:
    smu = open_resource(SMU)
    assert fails(lambda: smu.enable_event(SRQ, HANDLER)) == StatusCode.error_handler_not_installed
    assert fails(lambda: smu.enable_event(EventType.trig, QUEUE)) == StatusCode.error_invalid_event
    both = HANDLER | EventMechanism.suspend_handler
    assert fails(lambda: smu.enable_event(SRQ, both)) == StatusCode.error_invalid_mechanism
    with pytest.raises(pyvisa.errors.VisaTypeError):
        smu.install_handler(SRQ, 1, object())
    with pytest.raises(pyvisa.errors.UnknownHandler):
        smu.uninstall_handler(SRQ, print)


def test_the_queue_has_a_length(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.set_visa_attribute(constants.ResourceAttribute.max_queue_length, 2)
    smu.enable_event(SRQ, QUEUE)
    for _ in range(4):
        smu.write("*CLS;*SRE 4;:NONSENSE")
        smu.read_stb()
    assert smu.visalib.wait_on_event(smu.session, SRQ, 0)[2] == StatusCode.warning_queue_overflow
    assert smu.visalib.wait_on_event(smu.session, SRQ, 0)[2] == StatusCode.success
    assert smu.wait_on_event(SRQ, 0, capture_timeout=True).timed_out


def test_a_thread_waits_for_what_another_brings_about(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.write("*CLS;*SRE 4")
    came: list[int] = []
    begun = threading.Event()

    def wait() -> None:
        smu.enable_event(SRQ, QUEUE)
        begun.set()
        smu.wait_on_event(SRQ, 20_000)
        came.append(smu.read_stb())

    thread = threading.Thread(target=wait)
    thread.start()
    assert begun.wait(20)
    open_resource(SMU).write(":NONSENSE")
    thread.join(20)
    assert len(came) == 1
    assert came[0] & 0x44 == 0x44


def test_no_thread_is_left_when_sessions_are_closed(open_resource: Any) -> None:
    before = threading.active_count()
    smu = open_resource(SMU)
    smu.write(SLOW)
    handled(smu)
    smu.write(":INIT;*OPC")
    smu.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert threading.active_count() == before


def test_asynchronous_input_and_output(open_resource: Any) -> None:
    smu = open_resource(SMU)
    library = smu.visalib
    smu.enable_event(EventType.io_completion, QUEUE)
    job, status = library.write_asynchronously(smu.session, b"*ESE?\n")
    assert status == StatusCode.success_synchronous
    response = smu.wait_on_event(EventType.io_completion, 0)
    written = response.event
    assert (written.job_id, written.operation_name, written.return_count) == (job, "viWriteAsync", 6)
    buffer, job, _ = library.read_asynchronously(smu.session, 100)
    assert buffer is library.get_buffer_from_id(job)
    response = smu.wait_on_event(EventType.io_completion, 0)
    event = response.event
    assert (event.status, event.data, event.return_count) == (StatusCode.success, b"0\n", 2)
    library.read_asynchronously(smu.session, 100)
    response = smu.wait_on_event(EventType.io_completion, 0)
    assert response.event.status == StatusCode.error_timeout
    assert library.get_buffer_from_id(10**9) is None


def test_the_status_of_a_lua_instrument_keeps_its_time(open_resource: Any, bench: SimBench) -> None:
    matrix = open_resource(MATRIX)
    matrix.write("*CLS")
    matrix.write("*ESE 1")
    matrix.write("*SRE 32")
    start = bench.host.seconds
    matrix.write("delay(5) opc()")
    assert matrix.stb & 0x60 == 0
    matrix.wait_for_srq(20_000)
    assert bench.host.seconds - start == pytest.approx(5, abs=0.3)

"""The VISA library through plain PyVISA: opening, terminations, timeouts, clear, polls, service requests, locks."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import pyvisa
from pyvisa import constants
from pyvisa.constants import EventMechanism, EventType, StatusCode

from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

SMU = "GPIB0::24::INSTR"
MATRIX = "GPIB0::16::INSTR"
OTHER_INTERFACES = {
    "GPIB0::24::INSTR": "TCPIP0::192.168.0.5::inst0::INSTR",
    "GPIB0::25::INSTR": "TCPIP0::192.168.0.6::5025::SOCKET",
    "GPIB0::26::INSTR": "ASRL3::INSTR",
    "GPIB0::16::INSTR": "USB0::0x05E6::0x707B::1300001::0::INSTR",
}


def test_the_backend_is_not_taken_for_another() -> None:
    library = pyvisa.ResourceManager("passive15@mtjlab").visalib
    assert type(library).__name__ == "MtjlabVisaLibrary"
    assert library.get_library_paths()
    assert library.get_debug_info()


def test_resources_are_listed_and_parsed(spec: str) -> None:
    manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
    assert set(manager.list_resources()) == {f"GPIB0::{n}::INSTR" for n in (16, 24, 25, 26)}
    assert manager.list_resources("GPIB?*::16::INSTR") == (MATRIX,)
    assert manager.list_resources("USB?*") == ()
    info = manager.list_resources_info()[SMU]
    assert (info.interface_type, info.interface_board_number) == (constants.InterfaceType.gpib, 0)
    manager.close()


def test_opening_what_is_not_there_fails(open_resource: Any) -> None:
    with pytest.raises(pyvisa.VisaIOError) as caught:
        open_resource("GPIB0::1::INSTR")
    assert caught.value.error_code == StatusCode.error_resource_not_found
    assert open_resource("gpib::24").query("*OPC?") == "1", "the same address in other words"


def test_a_message_needs_no_newline_on_gpib(open_resource: Any) -> None:
    smu = open_resource(SMU, write_termination="")
    assert smu.query("*OPC?") == "1"


def test_reads_in_pieces_and_to_the_termination(open_resource: Any) -> None:
    smu = open_resource(SMU)
    whole = smu.query("*IDN?")
    smu.chunk_size = 5
    assert smu.query("*IDN?") == whole
    smu.write("*IDN?")
    assert smu.visalib.read(smu.session, 4) == (b"KEIT", StatusCode.success_max_count_read)
    assert smu.read_bytes(6) == b"HLEY I"
    smu.read_termination = ","
    assert smu.read() == "NSTRUMENTS INC."
    assert smu.last_status == StatusCode.success_termination_character_read
    smu.read_termination = None
    assert smu.read().endswith("/J\n")
    assert smu.last_status == StatusCode.success


def test_a_read_with_nothing_to_say_times_out_at_once(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU, timeout=60_000)
    before, started = bench.world.seconds, time.perf_counter()
    with pytest.raises(pyvisa.VisaIOError) as caught:
        smu.read()
    assert caught.value.error_code == StatusCode.error_timeout
    assert time.perf_counter() - started < 5
    assert bench.world.seconds - before == pytest.approx(60, abs=0.1)
    assert smu.query(":SYST:ERR?") == '-420,"Query UNTERMINATED"'
    smu.timeout = None
    with pytest.raises(pyvisa.VisaIOError):
        smu.read()


def test_a_measurement_longer_than_the_timeout(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU, timeout=2000)
    smu.write("*RST;:OUTP ON;:SOUR:DEL 5")
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query(":READ?")
    assert not smu.read_stb() & 16
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.read()
    assert len(smu.read().split(",")) == 5, "the reply comes once the host has waited long enough"
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query(":READ?")
    smu.timeout = 10_000
    assert smu.query("*ESE?") == "0"
    assert smu.query(":SYST:ERR?") == '-410,"Query INTERRUPTED"', "asked again before the reply was read"


def test_device_clear_forgets_the_reply_and_ends_the_wait(open_resource: Any) -> None:
    smu = open_resource(SMU, timeout=1000)
    smu.write("*RST;:OUTP ON;:SOUR:DEL 50;:READ?")
    smu.clear()
    assert smu.query("*OPC?") == "1"
    assert smu.query(":SYST:ERR?") == '0,"No error"'


def test_polling_waits_in_simulated_time(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU)
    smu.write("*RST;:OUTP ON;:SOUR:DEL 0.1;:READ?")
    polls = 0
    while not smu.stb & 16:
        polls += 1
        assert polls < 10_000
    assert polls > 10
    assert smu.read()


def test_service_requests(open_resource: Any) -> None:
    smu = open_resource(SMU, timeout=5000)
    smu.write("*RST;*CLS;*SRE 16;:OUTP ON;:SOUR:DEL 1;:READ?")
    smu.wait_for_srq(10_000)
    assert smu.read()
    smu.enable_event(EventType.service_request, EventMechanism.queue)
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.wait_on_event(EventType.service_request, 1000)
    assert smu.wait_on_event(EventType.service_request, 1000, capture_timeout=True).timed_out
    smu.write("*ESE?")
    response = smu.wait_on_event(EventType.service_request, 1000)
    assert not response.timed_out
    assert smu.stb & 0x40
    smu.read()
    smu.disable_event(EventType.service_request, EventMechanism.queue)
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_NENABLED"):
        smu.wait_on_event(EventType.service_request, 10)


def test_service_request_handlers(open_resource: Any) -> None:
    smu = open_resource(SMU)
    seen: list[Any] = []

    def handle(resource: Any, event: Any, handle: Any) -> None:
        seen.append((event.event_type, handle))

    wrapped = smu.wrap_handler(handle)
    handle_of = smu.install_handler(EventType.service_request, wrapped, "mine")
    smu.enable_event(EventType.service_request, EventMechanism.handler, None)
    smu.write("*CLS;*SRE 4")
    smu.write(":NONSENSE")
    smu.write(":NONSENSE")
    assert seen == [(EventType.service_request, "mine")]
    smu.uninstall_handler(EventType.service_request, wrapped, handle_of)


def test_bus_trigger(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.write("*RST;:ARM:SOUR BUS;:OUTP ON;:READ?")
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.read()
    smu.assert_trigger()
    assert len(smu.read().split(",")) == 5


def test_flush_leaves_an_answer_where_it_is(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.write("*ESE?")
    smu.flush(constants.BufferOperation.discard_read_buffer)
    smu.flush(constants.BufferOperation.discard_receive_buffer)
    assert smu.read() == "0", "nothing of it had been taken from the instrument"


def test_remote_enable(open_resource: Any) -> None:
    smu = open_resource(SMU)
    smu.control_ren(constants.RENLineOperation.deassert)
    assert smu.remote_enabled == constants.LineState.unasserted
    smu.control_ren(constants.RENLineOperation.asrt_address)
    assert smu.remote_enabled == constants.LineState.asserted


def test_locks_keep_others_out(open_resource: Any) -> None:
    mine, other = open_resource(SMU), open_resource(SMU)
    with mine.lock_context():
        assert mine.query("*OPC?") == "1"
        with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_RSRC_LOCKED"):
            other.query("*OPC?")
        with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_RSRC_LOCKED"):
            other.lock_excl()
    assert other.query("*OPC?") == "1"
    key = mine.lock(requested_key="ours")
    assert key == "ours"
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_RSRC_LOCKED"):
        other.query("*OPC?")
    other.lock(requested_key="ours")
    assert other.query("*OPC?") == "1"
    mine.close()
    other.unlock()
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_SESN_NLOCKED"):
        other.unlock()


def test_attributes(open_resource: Any) -> None:
    smu = open_resource(SMU)
    assert (smu.interface_type, smu.interface_number) == (constants.InterfaceType.gpib, 0)
    assert (smu.primary_address, smu.resource_name, smu.resource_class) == (24, SMU, "INSTR")
    assert smu.resource_manufacturer_name == "mtjlab"
    smu.timeout = 1234
    assert smu.timeout == 1234
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_ATTR_READONLY"):
        smu.set_visa_attribute(constants.ResourceAttribute.resource_name, "x")
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_NSUP_ATTR"):
        smu.get_visa_attribute(constants.ResourceAttribute.asrl_baud_rate)


def test_a_closed_session_is_refused(open_resource: Any) -> None:
    smu = open_resource(SMU)
    session = smu.session
    smu.close()
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_INV_OBJECT"):
        smu.visalib.write(session, b"*IDN?")


def test_other_interfaces(bench_folder: Path) -> None:
    path = bench_folder / "bench.yaml"
    text = path.read_text()
    for old, new in OTHER_INTERFACES.items():
        text = text.replace(old, new)
    path.write_text(text)
    manager = pyvisa.ResourceManager(f"{path}@mtjlab")
    addresses = set(OTHER_INTERFACES.values())
    assert set(manager.list_resources("?*")) == addresses
    for address in addresses:
        resource = manager.open_resource(address, read_termination="\n", write_termination="\n")
        assert "Model" in resource.query("*IDN?").title()
    socket = manager.open_resource("TCPIP0::192.168.0.6::5025::SOCKET", read_termination="\n", write_termination="")
    socket.write("*OPC")
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        socket.query("?")
    socket.write("\n*ESE?\n")
    assert (socket.read(), socket.read()) == ("1", "0"), "a stream has no interrupted queries"
    serial = manager.open_resource("ASRL3::INSTR", write_termination="\n")
    assert serial.baud_rate == 9600
    assert serial.query("*OPC?") == "1\n"
    manager.close()
    sim_bench(str(path)).close()


def test_threads_on_different_instruments(open_resource: Any) -> None:
    smu, matrix = open_resource(SMU), open_resource(MATRIX)
    wrong: list[str] = []

    def ask(resource: Any, word: str) -> None:
        wrong.extend(reply for _ in range(500) if word not in (reply := resource.query("*IDN?")))

    threads = [threading.Thread(target=ask, args=pair) for pair in ((smu, "2400"), (matrix, "707B"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_time_that_passes_by_itself_is_not_owed(open_resource: Any, bench: SimBench) -> None:
    smu = open_resource(SMU, timeout=1000)
    bench.world.wait(100)
    before = bench.world.seconds
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.read()
    assert bench.world.seconds - before == pytest.approx(1, abs=0.01)


def test_instruments_work_while_the_host_talks_to_others(open_resource: Any, bench: SimBench) -> None:
    first, second = open_resource(SMU, timeout=3000), open_resource("GPIB0::25::INSTR", timeout=3000)
    for smu in (first, second):
        smu.write("*RST;:OUTP ON;:SOUR:DEL 2")
    for smu in (first, second):
        smu.write(":READ?")
    first.read()
    assert second.stb & 16 == 16, "it measured at the same time"
    assert second.read()


def test_a_program_that_names_no_library(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVISA_LIBRARY", f"{spec}@mtjlab")
    manager = pyvisa.ResourceManager()
    smu: Any = manager.open_resource(SMU)
    assert "MODEL 2400" in smu.query("*IDN?"), "with PyVISA's own terminations"
    assert smu.query("*IDN?\n").startswith("KEITHLEY"), "two line ends are one"
    assert smu.query(":SYST:ERR?").startswith("0,")
    manager.close()

"""Every kind of address as PyVISA programs use it: terminations, ends, chunks, blocks, attributes, names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
from pyvisa import constants
from pyvisa.constants import BufferOperation, IOProtocol, LineState, ResourceAttribute, StatusCode
from pyvisa.resources import GPIBInterface, MessageBasedResource
from pyvisa.resources.gpib import GPIBCommand

from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench

ADDRESSES = {
    "k2400": "ASRL3::INSTR",
    "k2450": "USB0::0x05E6::0x2450::04096331::0::INSTR",
    "b2902a": "TCPIP0::192.168.0.5::inst0::INSTR",
    "a34980a": "TCPIP0::192.168.0.9::hislip0::INSTR",
    "w33622a": "TCPIP0::192.168.0.11::5025::SOCKET",
    "k2602b": "TCPIP0::192.168.0.26::5025::SOCKET",
    "k7001": "GPIB1::7::INSTR",
}
LINES = {"read_termination": "\n", "write_termination": "\n"}
Open = Callable[..., Any]


def fails(act: Callable[[], object]) -> StatusCode:
    with pytest.raises(pyvisa.VisaIOError) as caught:
        act()
    return StatusCode(caught.value.error_code)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("bench") / "bench.yaml"
    text = bench_path("showroom").read_text(encoding="utf-8").replace("is_transient: true", "is_transient: false")
    lines = text.splitlines()
    for name, address in ADDRESSES.items():
        place = next(k for k, line in enumerate(lines) if f"name: {name}," in line)
        before, _, after = lines[place].partition("address: ")
        rest = after[min(k for k in (after.find(","), after.find("}")) if k >= 0) :]
        lines[place] = f'{before}address: "{address}"{rest}'
    path.write_text("\n".join(lines), encoding="utf-8")
    yield path
    sim_bench(str(path)).close()


@pytest.fixture
def manager(path: Path) -> Iterator[pyvisa.ResourceManager]:
    manager = pyvisa.ResourceManager(f"{path}@mtjlab")
    yield manager
    manager.close()


@pytest.fixture
def bench(path: Path, manager: pyvisa.ResourceManager) -> SimBench:
    return sim_bench(str(path))


@pytest.fixture
def opened(manager: pyvisa.ResourceManager, bench: SimBench) -> Open:
    """Opens an instrument that was just switched on."""
    seen = set()

    def open_it(name: str, **settings: object) -> Any:
        if name not in seen:
            bench.by_name[name].power_cycle()
            seen.add(name)
        return manager.open_resource(ADDRESSES[name], **(LINES | settings))

    return open_it


@pytest.mark.parametrize("name", ADDRESSES)
def test_every_property_of_a_resource_can_be_read(opened: Open, name: str) -> None:
    unit = opened(name)
    of_hislip = "" if name == "a34980a" else "VI_ATTR_TCPIP_HISLIP"
    for attribute in unit.visa_attributes_classes:
        if of_hislip and attribute.visa_name.startswith(of_hislip):
            read = lambda key=attribute.attribute_id: unit.get_visa_attribute(key)  # noqa: E731
            assert fails(read) == StatusCode.error_nonsupported_attribute
        elif attribute.py_name and attribute.read:
            getattr(unit, attribute.py_name)
        elif attribute.read:
            unit.get_visa_attribute(attribute.attribute_id)
    assert unit.resource_info.resource_name == ADDRESSES[name] == unit.resource_name
    assert unit.resource_info.alias == name
    assert unit.lock_state == constants.AccessModes.no_lock
    assert unit.io_protocol == IOProtocol.normal
    assert unit.send_end
    assert not unit.allow_dma


def test_what_an_address_says_are_attributes(opened: Open) -> None:
    usb = opened("k2450")
    assert (usb.manufacturer_id, usb.model_code, usb.serial_number) == (0x05E6, 0x2450, "04096331")
    assert (usb.manufacturer_name, usb.model_name) == ("KEITHLEY INSTRUMENTS", "MODEL 2450")
    assert (usb.interface_number, usb.usb_protocol, usb.is_4882_compliant) == (0, 1, True)
    lan, hislip, socket = opened("b2902a"), opened("a34980a"), opened("w33622a")
    assert lan.get_visa_attribute(ResourceAttribute.tcpip_address) == "192.168.0.5"
    assert lan.get_visa_attribute(ResourceAttribute.tcpip_device_name) == "inst0"
    assert not lan.get_visa_attribute(ResourceAttribute.tcpip_is_hislip)
    assert hislip.get_visa_attribute(ResourceAttribute.tcpip_is_hislip)
    assert socket.get_visa_attribute(ResourceAttribute.tcpip_port) == 5025
    gpib = opened("k7001")
    assert (gpib.interface_number, gpib.primary_address) == (1, 7)
    assert gpib.secondary_address == constants.VI_NO_SEC_ADDR


@pytest.mark.parametrize("name", ["k2400", "w33622a"])
def test_a_stream_needs_a_termination_to_write(opened: Open, name: str) -> None:
    unit = opened(name, timeout=500)
    unit.write("*ESE?", termination="")
    assert fails(unit.read) == StatusCode.error_timeout, "the message has no end yet"
    unit.write("", termination="\n")
    assert unit.read() == "0"


@pytest.mark.parametrize("name", ["k2450", "b2902a", "a34980a", "k7001"])
def test_an_end_needs_no_termination_to_write(opened: Open, name: str) -> None:
    unit = opened(name, write_termination="", read_termination=None)
    assert unit.query("*ESE?") == "0\n"
    unit.send_end = False
    unit.write("*ES")
    unit.send_end = True
    assert unit.query("E?") == "0\n", "one message in two pieces"


def test_a_socket_without_a_termination_to_read_times_out(opened: Open, bench: SimBench) -> None:
    unit = opened("w33622a", read_termination=None, timeout=1500)
    before = bench.host.seconds
    assert fails(lambda: unit.query("*ESE?")) == StatusCode.error_timeout
    assert bench.host.seconds - before == pytest.approx(1.5, abs=0.1)
    unit.write("*ESE?")
    assert unit.read_bytes(2) == b"0\n", "as many bytes as were asked for end a read"
    assert unit.last_status == StatusCode.success_max_count_read
    unit.set_visa_attribute(ResourceAttribute.suppress_end_enabled, False)
    assert unit.query("*ESE?") == "0\n", "a pause now ends a read"


def test_a_serial_line_ends_a_read_at_a_newline_by_itself(opened: Open) -> None:
    unit = opened("k2400", read_termination=None)
    assert unit.query("*ESE?") == "0\n"
    unit.end_input = constants.SerialTermination.none
    assert fails(lambda: unit.query("*ESE?")) == StatusCode.error_timeout


def test_how_many_bytes_wait_on_a_serial_line(opened: Open) -> None:
    unit = opened("k2400")
    assert unit.bytes_in_buffer == 0
    unit.write("*ESE?")
    polls = 0
    while not unit.bytes_in_buffer:
        polls += 1
        assert polls < 40
    assert unit.bytes_in_buffer == 2
    assert unit.read_bytes(unit.bytes_in_buffer) == b"0\n"
    unit.write("*ESE?")
    unit.flush(BufferOperation.discard_receive_buffer)
    assert unit.bytes_in_buffer == 0
    assert unit.query("*ESE?") == "0"


def test_the_settings_of_a_serial_line(opened: Open, bench: SimBench) -> None:
    unit = opened("k2400")
    assert (unit.baud_rate, unit.data_bits, unit.parity, unit.stop_bits) == (9600, 8, 0, 10)
    assert (unit.flow_control, unit.allow_transmit, unit.discard_null) == (0, True, False)
    assert (unit.xon_char, unit.xoff_char, unit.break_length) == ("\x11", "\x13", 250)
    seconds = []
    for baud in (9600, 57600):
        unit.baud_rate = baud
        before = bench.host.seconds
        unit.write(" " * 600)
        seconds.append(bench.host.seconds - before)
    assert seconds == pytest.approx([6010 / 9600, 6010 / 57600], rel=1e-3)
    set_baud = lambda: unit.set_visa_attribute(ResourceAttribute.asrl_baud_rate, 0)  # noqa: E731
    assert fails(set_baud) == StatusCode.error_nonsupported_attribute_state


@pytest.mark.parametrize("name", ["k2400", "w33622a"])
def test_a_stream_has_no_poll_trigger_or_event(opened: Open, name: str) -> None:
    unit = opened(name)
    srq, queue = constants.EventType.service_request, constants.EventMechanism.queue
    assert fails(unit.read_stb) == StatusCode.error_nonsupported_operation
    assert fails(unit.assert_trigger) == StatusCode.error_nonsupported_operation
    assert fails(lambda: unit.enable_event(srq, queue)) == StatusCode.error_invalid_event
    unit.io_protocol = IOProtocol.protocol4882_strs
    assert unit.read_stb() & 16 == 0
    unit.write("*ESE 32")
    unit.write(":NONSENSE")
    assert unit.read_stb() & 32 == 32
    unit.clear()
    assert unit.read_stb() & 32 == 0, "*CLS was sent"


def test_a_break_clears_what_a_serial_instrument_is_at(opened: Open) -> None:
    unit = opened("k2400", timeout=1000)
    unit.write("*RST;:OUTP ON;:SOUR:DEL 50;:READ?")
    unit.clear()
    assert unit.query("*OPC?") == "1"


def test_clearing_a_socket_only_forgets_what_came(opened: Open) -> None:
    unit = opened("w33622a")
    unit.write("*ESE 4;*ESE?")
    unit.clear()
    assert unit.query("*ESE?") == "4"


@pytest.mark.parametrize("name", ["w33622a", "k2602b"])
def test_each_socket_has_queues_of_its_own(opened: Open, name: str) -> None:
    first, second = opened(name), opened(name)
    first.write("*ESE 1")
    first.write("*ESE?")
    second.write("*SRE?")
    first.write("*ES", termination="")
    assert second.query("*OPC?") == "0", "its own first answer"
    assert second.read() == "1"
    assert first.read() == "1"
    assert first.query("E?") == "1", "its own unfinished message"
    first.write("*IDN?")
    first.close()
    assert second.query("*OPC?") == "1"


@pytest.mark.parametrize("name", ["k2450", "b2902a", "k7001"])
def test_other_interfaces_have_one_output_queue(opened: Open, name: str) -> None:
    first, second = opened(name), opened(name)
    first.write("*ESE 8;*ESE?")
    assert second.read() == "8"


@pytest.mark.parametrize("name", ADDRESSES)
def test_any_chunk_size_gives_the_whole_answer(opened: Open, name: str) -> None:
    unit = opened(name)
    whole = unit.query("*IDN?")
    for unit.chunk_size in (1, 2, 3, 7, len(whole), len(whole) + 1, 1000):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert unit.query("*IDN?") == whole
            unit.write("*IDN?")
            assert unit.read_raw(unit.chunk_size) == whole.encode() + b"\n"
            assert unit.query("*OPC?") == "1"


@pytest.mark.parametrize("name", ["k2450", "w33622a", "k2400"])
def test_terminations_to_read(opened: Open, name: str) -> None:
    unit = opened(name)
    whole = unit.query("*IDN?")
    maker, _, rest = whole.partition(",")
    unit.read_termination = ","
    assert unit.query("*IDN?") == maker
    assert unit.last_status == StatusCode.success_termination_character_read
    unit.read_termination = "\n"
    assert unit.read() == rest
    unit.write("*IDN?")
    assert unit.read_bytes(1000, break_on_termchar=True).endswith(b"\n")
    unit.read_termination = "\r\n"
    with pytest.warns(UserWarning, match="termination"):
        assert unit.query("*OPC?") == "1\n"
    unit.read_termination = "\n"
    assert unit.query("*OPC?", delay=0.0) == "1"
    unit.write("*OPC?\r\n", termination="")
    assert unit.read() == "1", "a carriage return before the newline is white space"
    unit.write("*OPC?")
    assert unit.read(termination="\n") == "1"


@pytest.mark.parametrize("name", ["k2450", "b2902a"])
def test_binary_values(opened: Open, name: str) -> None:
    unit = opened(name, timeout=20_000)
    if name == "k2450":
        unit.write('*RST;:SENS:FUNC "CURR";:SOUR:VOLT 0.5;:SOUR:VOLT:ILIM 0.01;:OUTP ON;:FORM REAL;:FORM:BORD NORM')
        asked = ":READ?", "d"
    else:
        unit.write("*RST;:SOUR:VOLT 0.5;:SENS:CURR:PROT 0.01;:OUTP ON;:FORM:DATA REAL,64;:FORM:ELEM:SENS CURR")
        asked = ":MEAS? (@1)", "d"
    values = unit.query_binary_values(*asked, is_big_endian=True, container=np.array, data_points=1)
    assert values == pytest.approx([5e-4], rel=1e-2)
    assert unit.query("*OPC?") == "1"


def test_values_are_written_as_text_and_blocks(opened: Open) -> None:
    unit = opened("w33622a")
    volts = [0.0, 0.5, 1.0, -1.0] * 8
    unit.write_ascii_values("DATA:ARB text,", volts)
    assert unit.query("SYST:ERR?").startswith("+0"), "text"
    levels = np.array([10, -13, 0, 32767] * 8, dtype=np.int16)
    unit.write("FORM:BORD SWAP")
    unit.write_binary_values("DATA:ARB:DAC blocks,", levels, datatype="h")
    assert unit.query("SYST:ERR?").startswith("+0"), "a block with newlines in it"
    assert "BLOCKS" in unit.query("DATA:VOL:CAT?").upper()


def test_timeouts(opened: Open, bench: SimBench) -> None:
    unit = opened("k7001")
    for milliseconds in (0, 1, 250, 40_000):
        unit.timeout = milliseconds
        before = bench.host.seconds
        assert fails(unit.read) == StatusCode.error_timeout
        assert bench.host.seconds - before == pytest.approx(milliseconds / 1000, abs=0.01)
    unit.timeout = None
    assert unit.timeout == float("inf")
    assert unit.query("*ESE?") == "0"
    del unit.timeout
    assert unit.timeout == float("inf")
    with pytest.raises(ValueError, match="timeout"):
        unit.timeout = 1e10


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("?*", {*ADDRESSES.values(), "GPIB0::INTFC", "GPIB1::INTFC"}),
        ("?*::SOCKET", {ADDRESSES["w33622a"], ADDRESSES["k2602b"]}),
        ("USB?*", {ADDRESSES["k2450"]}),
        ("usb?*instr", {ADDRESSES["k2450"]}),
        ("ASRL[0-9]*::?*INSTR", {ADDRESSES["k2400"]}),
        ("(USB|TCPIP)?*::INSTR", {ADDRESSES[name] for name in ("k2450", "b2902a", "a34980a")}),
        ("GPIB0::1", set()),
        ("GPIB[^0]::?*INSTR", {"GPIB1::7::INSTR"}),
        ("?*{VI_ATTR_INTF_NUM == 1}", {"GPIB1::7::INSTR", "GPIB1::INTFC"}),
        ("?*INSTR{VI_ATTR_INTF_TYPE == VI_INTF_GPIB && VI_ATTR_GPIB_PRIMARY_ADDR == 7}", {"GPIB1::7::INSTR"}),
        ("?*{VI_ATTR_MANF_ID == 0x05E6 || VI_ATTR_TCPIP_PORT > 6000}", {ADDRESSES["k2450"]}),
        ("ASRL?*{!(VI_ATTR_INTF_NUM != 3)}", {ADDRESSES["k2400"]}),
    ],
)
def test_resources_are_selected(manager: pyvisa.ResourceManager, expression: str, names: set[str]) -> None:
    found = set(manager.list_resources(expression))
    assert found == names if expression != "?*" else found > names


@pytest.mark.parametrize("expression", ["?*{", "?*{VI_ATTR_INTF_NUM ==}", "(", "?*{open('x')}", "?*{VI_NONSENSE == 1}"])
def test_a_wrong_expression_is_refused(manager: pyvisa.ResourceManager, expression: str) -> None:
    assert fails(lambda: manager.list_resources(expression)) == StatusCode.error_invalid_expression


def test_names_in_other_words_and_aliases(manager: pyvisa.ResourceManager, opened: Open) -> None:
    for name, address in (
        ("K2450", ADDRESSES["k2450"]),
        ("usb::1510::9296::04096331", ADDRESSES["k2450"]),
        ("USB0::0x05e6::0x2450::04096331::INSTR", ADDRESSES["k2450"]),
        ("COM3", ADDRESSES["k2400"]),
        ("asrl3", ADDRESSES["k2400"]),
        ("TCPIP::192.168.0.5", ADDRESSES["b2902a"]),
        ("tcpip::192.168.0.9::HISLIP0", ADDRESSES["a34980a"]),
        ("gpib1::07", ADDRESSES["k7001"]),
    ):
        assert manager.open_resource(name).resource_name == address
        assert manager.resource_info(name).resource_name == address
    assert manager.resource_info("k2450").alias == "k2450"
    assert manager.resource_info("GPIB0::30::INSTR").alias is None


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("GPIB0::30::INSTR", StatusCode.error_resource_not_found),
        ("VXI0::MEMACC", StatusCode.error_resource_not_found),
        ("PXI0::MEMACC", StatusCode.error_resource_not_found),
        ("TCPIP::10.0.0.1::INSTR", StatusCode.error_resource_not_found),
        ("nonsense", StatusCode.error_invalid_resource_name),
        ("GPIB0::", StatusCode.error_invalid_resource_name),
        ("", StatusCode.error_invalid_resource_name),
    ],
)
def test_unknown_names_are_refused(manager: pyvisa.ResourceManager, name: str, status: StatusCode) -> None:
    assert fails(lambda: manager.open_resource(name)) == status
    assert manager.list_opened_resources() == []


def test_sessions_live_and_end_as_pyvisa_means_it(manager: pyvisa.ResourceManager, opened: Open) -> None:
    unit = opened("k2450")
    assert unit in manager.list_opened_resources()
    plain: Any = manager.open_resource(ADDRESSES["k7001"], resource_pyclass=MessageBasedResource, **LINES)
    assert plain.query("*ESE?") == "0"
    with manager.open_resource(ADDRESSES["k2450"], **LINES) as inner:
        assert inner.query("*OPC?") == "1"
    with pytest.raises(pyvisa.errors.InvalidSession):
        inner.read()
    with pytest.raises(ValueError, match="unknown_attribute"):
        manager.open_resource(ADDRESSES["k2450"], unknown_attribute=None)
    with pytest.raises(ValueError, match="integer"):
        manager.open_resource(ADDRESSES["k2450"], open_timeout="")
    bare, _ = manager.open_bare_resource(ADDRESSES["k7001"])
    library = manager.visalib
    manager.close()
    with pytest.raises(pyvisa.errors.InvalidSession):
        unit.write("*CLS")
    assert fails(lambda: library.write(bare, b"*CLS\n")) == StatusCode.error_invalid_object, "closed with its manager"


def test_a_manager_can_be_opened_again(path: Path) -> None:
    for _ in range(3):
        manager = pyvisa.ResourceManager(f"{path}@mtjlab")
        unit: Any = manager.open_resource(ADDRESSES["k2450"], **LINES)
        assert unit.query("*OPC?") == "1"
        manager.close()


def test_the_last_status(manager: pyvisa.ResourceManager, opened: Open) -> None:
    unit = opened("k7001")
    assert unit.last_status == manager.last_status == StatusCode.success
    fails(unit.read)
    assert unit.last_status == StatusCode.error_timeout == manager.visalib.last_status
    assert "Timeout" in manager.visalib.status_description(unit.session, StatusCode.error_timeout)[0]


def test_files_are_sent_and_written(opened: Open, tmp_path: Path) -> None:
    unit = opened("k7001")
    library = unit.visalib
    (tmp_path / "in").write_bytes(b"*ESE?\n and what is beyond the count")
    assert library.write_from_file(unit.session, str(tmp_path / "in"), 6)[0] == 6
    assert library.read_to_file(unit.session, str(tmp_path / "out"), 100)[0] == 2
    assert (tmp_path / "out").read_bytes() == b"0\n"
    missing = lambda: library.write_from_file(unit.session, str(tmp_path / "none"), 6)  # noqa: E731
    assert fails(missing) == StatusCode.error_file_access


def test_a_board_addresses_triggers_and_clears(manager: pyvisa.ResourceManager, opened: Open) -> None:
    board = manager.open_resource("GPIB1::INTFC")
    assert isinstance(board, GPIBInterface)
    assert board.is_controller_in_charge
    assert board.is_system_controller
    assert board.ndac_state == LineState.unasserted
    unit = opened("k7001")
    unit.write("*RST;:ROUT:SCAN (@1!1!1,1!1!2);:TRIG:SOUR BUS;:ARM:LAY2:SOUR IMM;:INIT")
    count, status = board.group_execute_trigger(unit)
    assert (count, status) == (4, StatusCode.success)
    assert board.ndac_state == LineState.asserted, "someone listens"
    assert board.atn_state == LineState.asserted
    assert unit.query(":ROUT:CLOS:STAT?") == "(@1!1!1)"
    unit.write("*ESE?")
    board.send_command(GPIBCommand.device_clear)
    assert fails(unit.read) == StatusCode.error_timeout, "its answer was cleared"
    found = []
    for primary in range(1, 31):
        board.send_command(bytes((0x3F,)) + GPIBCommand.listener(primary))
        board.control_atn(constants.ATNLineOperation.deassert)
        if board.ndac_state == LineState.asserted:
            found.append(primary)
    assert found == [7]
    board.send_ifc()
    assert board.ndac_state == LineState.unasserted
    assert fails(lambda: unit.visalib.gpib_command(unit.session, b"?")) == StatusCode.error_nonsupported_operation


def test_service_requests_of_a_whole_board(manager: pyvisa.ResourceManager, opened: Open) -> None:
    board: Any = manager.open_resource("GPIB1::INTFC")
    srq, queue = constants.EventType.service_request, constants.EventMechanism.queue
    board.enable_event(srq, queue)
    opened("k7001").write("*CLS;*SRE 4;:NONSENSE")
    assert not board.wait_on_event(srq, 0).timed_out
    assert board.get_visa_attribute(ResourceAttribute.gpib_srq_state) == LineState.asserted

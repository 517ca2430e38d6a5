"""What all TSP instruments offer scripts beside their own functions: strings, bits, queues, interfaces, networks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from .tsp_attributes import Attributes, kept_switch, remembered
from .tsp_engine import TspEngine, TspError, is_function, is_table, number_argument, text_argument

Functions = dict[str, Callable[..., Any]]
QUEUE_CAPACITY = 128
"""Entries of the data queue (2600B reference manual, "dataqueue.CAPACITY")."""
_WORD = 2**32 - 1
_NO_CONNECTION = 2401, "Invalid specified connection"


def user_strings(engine: TspEngine) -> Any:
    """userstring: names and texts that outlast a reset."""
    strings: dict[str, str] = {}

    def add(name: object, value: object) -> None:
        if len(strings) >= 1000:
            raise TspError(-225, "Out of Memory or TSP Memory allocation error")
        strings[text_argument(name)] = str(value) if isinstance(value, int | float) else text_argument(value)

    def delete(name: object) -> None:
        if strings.pop(text_argument(name), None) is None:
            raise TspError(-292, "Referenced name does not exist")

    def get(name: object) -> str:
        if text_argument(name) not in strings:
            raise TspError(-292, "Referenced name does not exist")
        return strings[text_argument(name)]

    def catalog() -> Any:
        left = iter(list(strings))
        return engine.function(lambda *_: next(left, None))

    return engine.object(functions={"add": add, "get": get, "delete": delete, "catalog": catalog})


def bits(engine: TspEngine) -> Any:
    """bit: operations on whole numbers of 32 bits, bits counted from 1."""

    def word(value: object) -> int:
        return int(number_argument(value, 0, _WORD))

    def place(index: object) -> int:
        return int(number_argument(index, 1, 32)) - 1

    def mask(width: object) -> int:
        return (1 << int(number_argument(width, 1, 32))) - 1

    def set_field(value: object, index: object, width: object, field: object) -> int:
        if word(field) > mask(width):
            raise TspError(1101, "Parameter too big")
        return ((word(value) & ~(mask(width) << place(index))) | (word(field) << place(index))) & _WORD

    functions: Functions = {
        "bitand": lambda a, b: word(a) & word(b),
        "bitor": lambda a, b: word(a) | word(b),
        "bitxor": lambda a, b: word(a) ^ word(b),
        "clear": lambda value, index: word(value) & ~(1 << place(index)),
        "set": lambda value, index: word(value) | 1 << place(index),
        "toggle": lambda value, index: word(value) ^ 1 << place(index),
        "test": lambda value, index: bool(word(value) >> place(index) & 1),
        "get": lambda value, index: word(value) & 1 << place(index),
        "getfield": lambda value, index, width: word(value) >> place(index) & mask(width),
        "setfield": set_field,
    }
    return engine.object(functions=functions)


def data_queue(engine: TspEngine, wait: Callable[[float], None]) -> Any:
    """dataqueue: values in order of arrival; copies, never references."""
    queue: deque[Any] = deque()

    def add(value: object, timeout: object = 0) -> bool:
        if is_function(value):
            raise TspError(-104)
        if len(queue) >= QUEUE_CAPACITY:
            wait(number_argument(timeout, 0, 100_000))
            return False
        queue.append(engine.copied(value) if is_table(value) else value)
        return True

    def take(timeout: object = 0) -> Any:
        if not queue:
            wait(number_argument(timeout, 0, 100_000))
            return None
        return queue.popleft()

    functions: Functions = {"add": add, "next": take, "clear": lambda: queue.clear()}
    return engine.object({"CAPACITY": QUEUE_CAPACITY}, functions=functions, getters={"count": lambda: len(queue)})


def event_log(engine: TspEngine) -> Any:
    """eventlog: of LXI triggers, of which none arrive."""
    a = Attributes()
    a.add("enable", *kept_switch(1))
    a.add("overwritemethod", *kept_switch(1))
    fixed = {"count": 0, "DISABLE": 0, "ENABLE": 1, "DISCARD_NEWEST": 0, "DISCARD_OLDEST": 1}
    functions: Functions = {"all": lambda: None, "next": lambda: None, "clear": lambda: None}
    return a.made(engine, fixed, functions)


def tsp_net(engine: TspEngine, wait: Callable[[float], None]) -> Any:
    """tspnet: no other device can be reached from here, and it says so."""
    timeout = {"seconds": 20.0}
    a = Attributes()
    a.add(
        "timeout",
        lambda: timeout["seconds"],
        lambda value: timeout.__setitem__("seconds", number_argument(value, 0.001, 30.0)),
    )

    def connect(address: object, *_: object) -> None:
        text_argument(address)
        wait(timeout["seconds"])
        raise TspError(2411, "TSPnet connection failed")

    def refuse(*_: object) -> None:
        raise TspError(*_NO_CONNECTION)

    names = ("clear", "disconnect", "execute", "idn", "read", "readavailable", "termination", "write")
    tsp_names = ("abort", "abortonconnect", "rbtablecopy", "runscript")
    tsp = remembered(engine, {"abortonconnect": 1}, functions=dict.fromkeys(tsp_names[:1] + tsp_names[2:], refuse))
    functions: Functions = {"connect": connect, "reset": lambda: None, **dict.fromkeys(names, refuse)}
    terms = {"TERM_LF": 1, "TERM_CR": 2, "TERM_CRLF": 3, "TERM_LFCR": 4}
    return a.made(engine, {**terms, "tsp": tsp}, functions)


def interfaces(engine: TspEngine, lan_members: dict[str, Any], gpib_address: int) -> dict[str, Any]:
    """gpib, lan, serial, comm: as a bench finds them."""
    gpib = Attributes()
    state = {"address": gpib_address}
    gpib.add(
        "address",
        lambda: state["address"],
        lambda value: state.__setitem__("address", int(number_argument(value, 0, 30))),
    )
    serial = Attributes()
    kept: dict[str, Any] = {"baud": 9600, "databits": 8, "parity": "none", "flowcontrol": "none", "enable": 1}
    checks: dict[str, tuple[tuple[object, ...], tuple[int, str]]] = {
        "baud": ((300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200), (1500, "Invalid baud rate setting")),
        "databits": ((7, 8), (1503, "Invalid bits setting")),
        "parity": (("none", "even", "odd"), (1501, "Invalid parity setting")),
        "flowcontrol": (("none", "hardware"), (1504, "Invalid flow control setting")),
        "enable": ((0, 1), (-224, "Illegal Parameter Value")),
    }
    for name, (allowed, error) in checks.items():
        serial.add(name, *_checked(kept, name, allowed, error))
    serial_constants = {"PARITY_NONE": "none", "PARITY_EVEN": "even", "PARITY_ODD": "odd", "FLOW_NONE": "none",
                        "FLOW_HARDWARE": "hardware"}  # fmt: skip
    serial_functions: Functions = {"read": lambda _: "", "write": lambda text: text_argument(text) and None}
    return {
        "gpib": gpib.made(engine),
        "serial": serial.made(engine, serial_constants, serial_functions),
        "lan": _lan(engine, lan_members),
        "comm": engine.object({name: remembered(engine, {"enable": 1}) for name in ("gpib", "lan", "rs232", "usb")}),
    }


def _checked(
    kept: dict[str, Any], name: str, allowed: tuple[object, ...], error: tuple[int, str]
) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    def put(value: Any) -> None:
        if value not in allowed or isinstance(value, bool):
            raise TspError(*error)
        kept[name] = value

    return lambda: kept[name], put


def _lan(engine: TspEngine, members: dict[str, Any]) -> Any:
    addresses = {"ipaddress": "192.168.0.2", "gateway": "0.0.0.0", "subnetmask": "255.255.255.0"}
    settings = {"method": 0, "duplex": 1, "speed": 100, **addresses}
    dns = {"dynamic": 1, "verify": 1, "domain": "", "hostname": "", "name": ""}
    config = remembered(engine, settings, {"dns": remembered(engine, dns)})
    ports = engine.object({"dst": 5030, "rawsocket": 5025, "telnet": 23, "vxi11": 1024})
    status = engine.object({**addresses, "duplex": 1, "speed": 100, "macaddress": "00:60:1A:00:00:00", "port": ports})
    kept = {"autoconnect": 1, "linktimeout": 20, "lxidomain": 0, "nagle": 0, "timedwait": 20}
    fixed = {**members, "config": config, "status": status}
    functions: Functions = {"reset": lambda: None, "applysettings": lambda: None, "restoredefaults": lambda: None}
    return remembered(engine, kept, fixed, functions)

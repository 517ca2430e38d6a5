"""What the fuzz benchmark aims at: instruments on their bus, and the VISA library itself."""

from __future__ import annotations

import random
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import pyvisa
from pyvisa import constants

from mtjlab.sim_instruments.connection import Connection
from mtjlab.sim_instruments.simulated_bench import SimBench
from mtjlab.sim_instruments.wire_instrument import NoReply, WireInstrument

from ._fuzz_messages import maker

_INVALID = (b"XYZZY:PLUGH 1", b"][", b"XYZZY?", b"*PLUGH")
_READS = (1, 2, 7, 4096, 10**6)
Failure = tuple[bytes, BaseException]


class Target:
    """One instrument under test, or anything else that is shot at."""

    def __init__(self, name: str, model: str, rng: random.Random) -> None:
        self.name = name
        self.model = model
        self.rng = rng
        self.counts: Counter[str] = Counter()
        self.worst_seconds = 0.0
        self.worst_message = b""

    def shot(self) -> Failure | None:
        """One shot; returns what it was and what escaped, if something did."""
        what, act = self._aim()
        started = time.perf_counter()
        try:
            act()
        except Exception as error:
            return what, error
        finally:
            took = time.perf_counter() - started
            self.counts["messages"] += 1
            if took > self.worst_seconds:
                self.worst_seconds, self.worst_message = took, what
        return None

    def _aim(self) -> tuple[bytes, Callable[[], None]]:
        """What is shot, and how."""
        raise NotImplementedError

    def rest(self) -> None:
        """Calm down: what it plays or drives must not slow down the others, who share its world."""


class BusTarget(Target):
    """An instrument as its bus sees it: whole and torn messages, reads of any length, clears, polls, triggers."""

    def __init__(self, bench: str, address: str, instrument: WireInstrument, seed: int) -> None:
        super().__init__(f"{bench}:{instrument.name or address}", type(instrument).__name__, random.Random(seed))
        self.instrument: Any = instrument
        self._make = maker(instrument, self.rng)
        self._beside = Connection(instrument)

    def _aim(self) -> tuple[bytes, Callable[[], None]]:
        if self.rng.random() < 0.01 and hasattr(self.instrument, "status"):
            message = self.rng.choice(_INVALID)
            return message, lambda: self._invalid(message)
        message = self._make()
        return message, lambda: self._message(message)

    def rest(self) -> None:
        self.instrument.device_clear(0.0)
        self.instrument.receive(b"*RST\n", is_end=True, bus_seconds=0.0)

    def _message(self, message: bytes) -> None:
        instrument, rng = self.instrument, self.rng
        self._disturb(rng.random())
        if rng.random() < 0.05:
            place = rng.randrange(len(message) + 1)
            instrument.receive(message[:place], is_end=False, bus_seconds=0.0)
            self._disturb(rng.random())
            message = message[place:]
        if rng.random() < 0.03:
            instrument.exchange(message, 0.0)
            return
        to = self._beside if rng.random() < 0.03 else instrument
        to.receive(message + b"\n", is_end=rng.random() < 0.9, bus_seconds=0.0)
        if rng.random() < 0.7:
            self._read(to)

    def _disturb(self, way: float) -> None:
        instrument = self.instrument
        if way < 0.02:
            instrument.device_clear(0.0)
        elif way < 0.04:
            self._poll()
        elif way < 0.05:
            instrument.group_trigger(0.0)
        elif way < 0.055:
            instrument.connection_lost()
        elif way < 0.057:
            instrument.receive(b"*LANG SCPI\n", is_end=True, bus_seconds=0.0)  # what a 2450 speaks after a restart
            instrument.power_cycle()
        elif way < 0.06:
            instrument.drop_replies()

    def _poll(self) -> None:
        assert 0 <= self.instrument.poll(timeout_seconds=0.0, bus_seconds=1e-4) <= 255

    def _read(self, source: Any) -> None:
        termination = self.rng.choice((None, None, b"\n", b","))
        try:
            for _ in range(20):
                count = self.rng.choice(_READS)
                source.send(count, timeout_seconds=None, termination=termination, bus_seconds=0.0)
                self.counts["answers"] += 1
        except NoReply:
            pass

    def _invalid(self, message: bytes) -> None:
        instrument = self.instrument
        instrument.device_clear(0.0)
        clear = b"*CLS;:STAT:PRES\n" if hasattr(instrument, "tree") else b"*CLS\n"
        instrument.receive(clear, is_end=True, bus_seconds=0.0)  # a 2400 can be told to keep errors to itself
        instrument.receive(b"*CLS\n", is_end=True, bus_seconds=0.0)
        instrument.receive(message + b"\n", is_end=True, bus_seconds=0.0)
        self.counts["invalid"] += 1
        self.counts["reported"] += bool(len(instrument.status.errors))


class VisaTarget(Target):
    """The VISA library: any of its functions on any session, with any attribute; only VisaIOError may come out."""

    def __init__(self, bench: SimBench, seed: int) -> None:
        super().__init__(f"{bench.name}:visa", "MtjlabVisaLibrary", random.Random(seed))
        self._manager = pyvisa.ResourceManager(f"{bench.path}@mtjlab")
        self._library: Any = self._manager.visalib
        self._sessions: list[int] = []
        self._names = [*bench.by_address, *bench.interfaces, "GPIB0::30::INSTR", "nonsense", "VXI0::MEMACC"]
        self._attributes = [*constants.ResourceAttribute, 0, 2**31]

    def _aim(self) -> tuple[bytes, Callable[[], None]]:
        name, act = self.rng.choice(self._acts())
        return name.encode(), lambda: self._try(act)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                act()
            self.counts["answers"] += 1
        except pyvisa.VisaIOError as error:
            assert error.error_code < 0
            assert str(error)

    def _acts(self) -> list[tuple[str, Callable[[], object]]]:
        library, rng = self._library, self.rng
        session = rng.choice([*self._sessions, 1])
        attribute, state = rng.choice(self._attributes), rng.choice((0, 1, 10, 255, 4, 2**32 - 1))
        kind = rng.choice((*constants.EventType, constants.EventType.service_request))
        mechanism = rng.choice(list(constants.EventMechanism))
        return [
            ("open", self._open),
            ("open", self._open),
            ("close", lambda: self._close(session)),
            (
                "write",
                lambda: library.write(session, rng.choice((b"*IDN?\n", b"*SRE 255\n", b"*CL", b"S\n", b"XYZZY\n"))),
            ),
            ("read", lambda: library.read(session, rng.choice(_READS))),
            ("clear", lambda: library.clear(session)),
            ("read_stb", lambda: library.read_stb(session)),
            ("trigger", lambda: library.assert_trigger(session, rng.choice(list(constants.TriggerProtocol)))),
            ("flush", lambda: library.flush(session, rng.choice(list(constants.BufferOperation)))),
            ("get_attribute", lambda: library.get_attribute(session, attribute)),
            ("set_attribute", lambda: library.set_attribute(session, attribute, state)),
            ("lock", lambda: library.lock(session, rng.choice((1, 2)), 0, rng.choice((None, "k", "m")))),
            ("unlock", lambda: library.unlock(session)),
            ("enable_event", lambda: library.enable_event(session, kind, mechanism)),
            ("disable_event", lambda: library.disable_event(session, kind, mechanism)),
            ("discard_events", lambda: library.discard_events(session, kind, mechanism)),
            ("wait_on_event", lambda: library.wait_on_event(session, kind, rng.choice((0, 10)))),
            ("command", lambda: library.gpib_command(session, rng.randbytes(5))),
            ("control_ren", lambda: library.gpib_control_ren(session, rng.choice(list(constants.RENLineOperation)))),
            ("send_ifc", lambda: library.gpib_send_ifc(session)),
            ("read_async", lambda: library.read_asynchronously(session, 10)),
            (
                "list",
                lambda: library.list_resources(self._manager.session, rng.choice(("?*", "(", "GPIB?*{VI_X == 1}"))),
            ),
        ]

    def _open(self) -> None:
        if len(self._sessions) < 40:
            mode = self.rng.choice((constants.AccessModes.no_lock,) * 8 + tuple(constants.AccessModes))
            session, _ = self._library.open(self._manager.session, self.rng.choice(self._names), mode, 0)
            self._sessions.append(session)

    def _close(self, session: int) -> None:
        if session in self._sessions:
            self._sessions.remove(session)
        self._library.close(session)

    def rest(self) -> None:
        for session in self._sessions:
            self._library.close(session)
        self._sessions.clear()

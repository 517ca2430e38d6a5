"""The TSP engine: Lua messages, print format, errors, scripts, sandbox and budgets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.sim_instruments.tsp import TspInstrument
from mtjlab.sim_instruments.tsp_engine import TspEngine, TspError
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World


class Small(TspInstrument):
    model = "1"
    firmware = "2"

    def __init__(self) -> None:
        world = World.from_description({"rows": 2, "cols": 2}, seed=1, line_hertz=50)
        super().__init__("small", world, HostClock(world), serial="3")
        self.level = 0.0
        self.resets = 0
        self.engine.define(
            "unit",
            {"ON": 1},
            functions={"add": lambda a, b: a + b, "fail": self._fail, "bug": lambda: 1 / 0},
            getters={"level": lambda: self.level, "fixed": lambda: 1},
            setters={"level": self._set_level},
        )

    def _fail(self) -> None:
        raise TspError(1115, "Parameter error")

    def _set_level(self, level: Any) -> None:
        self.level = level

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def small() -> Small:
    return Small()


def read_all(small: Small) -> list[str]:
    replies = [reply.decode("latin-1").removesuffix("\n") for reply in small._replies]
    small.drop_replies()
    return replies


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("print(1)", "1.00000e+00"),
        ("print(-0.00123456789)", "-1.23457e-03"),
        ("print(nil, true, false, 'a b')", "nil\ttrue\tfalse\ta b"),
        ("print()", ""),
        ("print(tostring(4), tostring(0.5), 3 .. '')", "4\t0.5\t3"),
        ("print(tonumber('1403'))", "1.40300e+03"),
        ("format.asciiprecision = 3 print(math.pi, format.asciiprecision)", "3.14e+00\t3.00e+00"),
        ("print(table.getn({1,2}), math.mod(7, 4))", "2.00000e+00\t3.00000e+00"),
        ("print(unpack({8, 9}))", "8.00000e+00\t9.00000e+00"),
        ("print(loadstring('return 5')())", "5.00000e+00"),
        ("for w in string.gfind('a,b', '%a') do x = (x or '') .. w end print(x)", "ab"),
        ("printnumber(1, 2.5)", "1.00000e+00, 2.50000e+00"),
        ("print(localnode.model, localnode.serialno, localnode.linefreq)", "1\t3\t5.00000e+01"),
        ("print(node[1].localnode.model)", "1"),
        ("print(unit.add(1, 2), unit.ON)", "3.00000e+00\t1.00000e+00"),
        ("unit.level = 7 print(unit.level)", "7.00000e+00"),
        ("print(errorqueue.next())", "0.00000e+00\tQueue Is Empty\t0.00000e+00\t1.00000e+00"),
        ("*IDN?", "Keithley Instruments Inc., Model 1, 3, 2"),
        ("*OPC?", "1"),
        ("if true then print('yes') end", "yes"),
        ("print(pcall(error, 'x'))", "false\tx"),
        ("co = coroutine.wrap(function() coroutine.yield(1) end) print(co())", "1.00000e+00"),
    ],
)  # fmt: skip
def test_dialogue(small: Small, ask: Any, message: str, reply: str) -> None:
    assert ask(small, message) == reply
    assert len(small.status.errors) == 0


def test_a_script_cannot_keep_an_interrupt_for_itself() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    engine = TspEngine(lambda _: None)
    engine.set_global("stop", engine.function(interrupted))
    with pytest.raises(KeyboardInterrupt):
        engine.run("is_good = pcall(stop) switched_off = true")
    assert engine.run("print(is_good, switched_off)") == ["false\ttrue"]


def test_long_messages_are_not_remembered(small: Small, ask: Any) -> None:
    """Each is as long as a scan of an array, which no other is like: a thousand of them would fill its memory."""
    ask(small, "print(1)")
    before = len(small.engine._chunks)
    points = "{'1A01,1B07','1C02',2,{1e-1,0}}," * 1000
    for number in range(3):
        assert ask(small, f"x = {{{points}}} print({number} + table.getn(x))") == f"{number + 1000:.5e}"
        assert ask(small, "print(1)") == "1.00000e+00"
    assert len(small.engine._chunks) == before


def test_each_print_is_a_reply_of_its_own(small: Small, ask: Any, tell: Any) -> None:
    tell(small, "print(1) print(2)", "print(3)")
    assert read_all(small) == ["1.00000e+00", "2.00000e+00", "3.00000e+00"]


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        ("x = = 1", -285, "TSP Syntax error at line 1"),
        ("nothing.there()", -286, "TSP Runtime error at line 1: attempt to index global `nothing' (a nil value)"),
        ("error('mine')", -286, "mine"),
        ("unit.fail()", 1115, "Parameter error"),
        ("unit.add(1)", -109, "Missing parameter"),
        ("unit.add(1, 2, 3)", -108, "Parameter not allowed"),
        ("unit.fixed = 2", -286, "cannot modify attribute fixed"),
        ("delay('long')", 1115, "Parameter error"),
        ("delay(-1)", 1102, "Parameter too small"),
        ("*NONE", -285, "unexpected symbol"),
        ("endscript", -285, "TSP Syntax error"),
        ("format.asciiprecision = 99", -286, "parameter error"),
    ],
)
def test_errors_are_queued(small: Small, tell: Any, message: str, code: int, text: str) -> None:
    tell(small, message)
    error = small.status.errors.take()
    assert error.code == code
    assert text in error.text
    assert len(small.status.errors) == 0


def test_a_refused_function_returns_nil_and_the_script_goes_on(small: Small, ask: Any) -> None:
    assert ask(small, "print(unit.fail()) print(errorqueue.count)") == "nil"
    assert read_all(small) == ["1.00000e+00"]
    assert ask(small, "print(errorqueue.next())") == "1.11500e+03\tParameter error\t2.00000e+01\t1.00000e+00"


def test_what_was_printed_before_an_error_is_kept(small: Small, ask: Any) -> None:
    assert ask(small, "print(1) error('x')") == "1.00000e+00"
    assert small.status.errors.take().code == -286


@pytest.mark.parametrize(
    "message",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "local function f() return pcall(f) end while true do f() end",
        "x = {} while true do x[#x + 1] = string.rep('a', 1000000) end",
        "x = 'a' while true do x = x .. x end",
        "function f() return 1 + f() end f()",
    ],
)
def test_runaway_scripts_end_with_an_error(small: Small, tell: Any, ask: Any, message: str) -> None:
    tell(small, message)
    assert small.status.errors.take().code == -286
    assert ask(small, "x = nil print(1)") == "1.00000e+00", "the instrument is still there"


@pytest.mark.parametrize(
    "expression",
    [
        "os.execute", "os.getenv", "os.exit", "io.popen", "require", "package", "debug", "load", "dofile", "loadfile",
        "python", "string.dump", "string.pack", "table.move", "utf8", "coroutine.close",
    ],
)  # fmt: skip
def test_the_sandbox_has_no_way_out(small: Small, ask: Any, expression: str) -> None:
    assert ask(small, f"print({expression})") == "nil"


def test_no_python_object_reaches_a_script(small: Small, ask: Any) -> None:
    assert ask(small, "print(type(unit.add), type(print), getmetatable(unit))") == "function\tfunction\tfalse"
    assert ask(small, "print(pcall(setmetatable, {}, {__gc = print}))").startswith("false")
    assert ask(small, "print(loadstring('\\27Lua'))").startswith("nil")


def test_an_instruments_own_defect_is_not_hidden(small: Small, tell: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        tell(small, "unit.bug()")


def test_named_scripts(small: Small, tell: Any, ask: Any) -> None:
    tell(small, "loadscript Twice", "function twice(x)", "  return 2 * x", "end", "print('defined')", "endscript")
    assert read_all(small) == []
    assert ask(small, "Twice()") == "defined"
    assert ask(small, "Twice.run() print(twice(4))") == "defined"
    assert read_all(small) == ["8.00000e+00"]
    assert ask(small, "print(Twice.name)") == "Twice"
    small.receive(b"loadandrunscript\nprint(1)\nprint(2)\nendscript\n", is_end=True, bus_seconds=0)
    assert read_all(small) == ["1.00000e+00", "2.00000e+00"]
    tell(small, "script.new('print(5)', 'five')")
    assert ask(small, "five()") == "5.00000e+00"


def test_a_device_clear_leaves_script_loading(small: Small, tell: Any, ask: Any) -> None:
    tell(small, "loadscript Half", "x = 1")
    small.device_clear(0)
    assert ask(small, "print(Half)") == "nil"


def test_time_is_simulated(small: Small, ask: Any) -> None:
    before = small.world.seconds
    assert float(ask(small, "timer.reset() delay(2.5) print(timer.measure.t())")) == pytest.approx(2.5)
    assert small.world.seconds - before == pytest.approx(2.5)


def test_a_late_reply_times_out_first(small: Small, tell: Any) -> None:
    tell(small, "delay(3) print(1)")
    with pytest.raises(NoReply):
        small.send(100, timeout_seconds=2.0, termination=None, bus_seconds=0)
    data, _ = small.send(100, timeout_seconds=2.0, termination=None, bus_seconds=0)
    assert data == b"1.00000e+00\n"


def test_common_commands(small: Small, tell: Any, ask: Any) -> None:
    tell(small, "*RST", "*CLS", "*ESE 8", "*SRE 32", "*OPC", "opc()")
    assert small.resets == 1
    assert ask(small, "*ESE?") == "8"
    assert ask(small, "*SRE?") == "32"
    assert ask(small, "*ESR?") == "1"
    tell(small, "x = 1")
    assert ask(small, "*TST?") == "0"
    assert ask(small, "print(x)") == "1.00000e+00"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_garbage_never_raises_out_of_the_instrument(text: str) -> None:
    SHARED.receive(text.encode() + b"\n", is_end=True, bus_seconds=0)
    SHARED.device_clear(0)
    SHARED.status.clear()


SHARED = Small()


def test_chunks_are_compiled_once() -> None:
    reported: list[Any] = []
    engine = TspEngine(reported.append)
    assert engine.run("return") == []
    first = engine._chunks["return"]
    engine.run("return")
    assert engine._chunks["return"] is first
    assert reported == []

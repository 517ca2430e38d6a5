"""What TSP instruments offer scripts beside their own functions: files, scripts, strings, bits, patterns that end."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lupa.lua54 import LuaRuntime

from mtjlab.sim_instruments.accuracy_keithley_2600b import MODEL_2602B
from mtjlab.sim_instruments.keithley_2600b import SimKeithley2600B
from mtjlab.sim_instruments.tsp_patterns import MOST_COST, PATTERNS
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World


@pytest.fixture
def smu() -> SimKeithley2600B:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    return SimKeithley2600B("k", world, HostClock(world), smu=MODEL_2602B, serial="42")


def errors(unit: Any) -> list[int]:
    return [unit.status.errors.take().code for _ in range(len(unit.status.errors))]


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("userstring.add('a', 'b') print(userstring.get('a'), userstring.catalog()())", "b\ta"),
        ("print(bit.bitand(12, 10), bit.bitor(1, 8), bit.bitxor(5, 1))", "8.00000e+00\t9.00000e+00\t4.00000e+00"),
        ("print(bit.test(4, 3), bit.set(0, 2), bit.getfield(13, 3, 2))", "true\t2.00000e+00\t3.00000e+00"),
        ("print(bit.setfield(0, 2, 3, 5), bit.toggle(5, 1), bit.clear(5, 3))", "1.00000e+01\t4.00000e+00\t1.00000e+00"),
        ("q = dataqueue q.add(7) print(q.count, q.next(1), q.next())", "1.00000e+00\t7.00000e+00\tnil"),
        ("display.clear() display.settext('Hi$NYou') print(display.gettext(false, 2, 1, 3))", "You"),
        ("print(fs.cwd(), fs.is_dir('/usb1'), fs.is_file('x'))", "/usb1\ttrue\tfalse"),
        ("status.operation.user.condition = 4 print(status.operation.user.event)", "4.00000e+00"),
        ("print('n = ' .. smua.source.levelv .. ' of ' .. smua.nvbuffer1.capacity)", "n = 0 of 60000"),
        ("print(string.format('%d %u %5.1f', 2.7, 3, 1))", "2 3   1.0"),
        ("function f(...) return arg.n, arg[2] end print(f(5, 6))", "2.00000e+00\t6.00000e+00"),
        ("print(pcall(function() smua.x.y = 1 end))", "false\tTSP:1: attempt to index a nil value (field 'x')"),
        ("print(math.atan2(0, 1), math.frexp(8))", "0.00000e+00\t5.00000e-01\t4.00000e+00"),
        ("smua.source.levelv = '0.25' print(smua.source.levelv)", "2.50000e-01"),
        ("print(type(smua), tostring(smua):match('^table: %x+$') ~= nil)", "table\ttrue"),
        ("gpib.address = 5 print(gpib.address, comm.lan.enable, serial.baud)", "5.00000e+00\t1.00000e+00\t9.60000e+03"),
    ],
)  # fmt: skip
def test_dialogue(smu: SimKeithley2600B, ask: Any, message: str, reply: str) -> None:
    assert ask(smu, message) == reply
    assert errors(smu) == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("userstring.get('none')", -292),
        ("io.open('/usb1/none.txt')", 2203),
        ("io.open('/etc/passwd')", 2216),
        ("io.open('/usb1/../etc/passwd', 'w')", 2216),
        ("fs.rmdir('/usb1/none')", 2209),
        ("fs.chdir('/usb1/none')", 2207),
        ("os.remove('/usb1/none')", 2205),
        ("f = io.open('a', 'w') f:close() f:write('x')", 2215),
        ("f = io.open('a', 'w') f:write(string.rep('x', 5000000))", 2218),
        ("script.load('/usb1/none.tsp')", 2203),
        ("setup.recall(3)", -314),
        ("serial.baud = 77", 1500),
        ("tspnet.connect('10.0.0.1')", 2411),
        ("tspnet.read(1)", 2401),
        ("smua.source.func = smua.OUTPUT_DCVOLTS + 5", 1101),
        ("smua.source.levelv = {}", -104),
        ("smua.cal.unlock('KI0026XX')", 5019),
        ("x.y = 1", -286),
        ("display.loadmenu.delete('none')", 1108),
        ("display.setcursor(1, 30)", 1700),
    ],
)
def test_errors(smu: SimKeithley2600B, tell: Any, message: str, code: int) -> None:
    tell(smu, message)
    assert errors(smu) == [code]


def test_files_are_written_and_read_back(smu: SimKeithley2600B, tell: Any, ask: Any) -> None:
    tell(
        smu,
        "fs.mkdir('data') fs.chdir('data') f = io.open('log.csv', 'w') f:write('volts,', 0.5, '\\n', 'end') f:close()",
    )
    assert ask(smu, "f = io.open('/usb1/data/log.csv') print(f:read()) print(f:read('*a'), f:read())") == "volts,0.5"
    assert smu._replies[0] == b"end\tnil\n"
    smu.drop_replies()
    assert ask(smu, "print(f:seek('set', 6), f:read('*n'), io.type(f))") == "6.00000e+00\t5.00000e-01\tfile"
    tell(smu, "f:close() os.rename('log.csv', 'old.csv') fs.chdir('..')")
    assert ask(smu, "print(table.concat(fs.readdir('data')), fs.is_file('data/old.csv'))") == "old.csv\ttrue"
    tell(smu, "fs.rmdir('data')", "os.remove('data/old.csv') fs.rmdir('data')")
    assert errors(smu) == [2223]


def test_scripts_are_saved_and_outlast_a_power_failure(smu: SimKeithley2600B, tell: Any, ask: Any) -> None:
    tell(
        smu,
        "loadscript kept",
        "ran = 7 print('here')",
        "endscript",
        "kept.autorun = 'yes' kept.save() kept.save('/usb1/kept.tsp')",
    )
    tell(smu, "loadscript lost", "print('gone')", "endscript", "script.delete('none')")
    assert errors(smu) == [-292]
    tell(smu, "ran = 0")
    smu.power_cycle()
    assert ask(smu, "print(lost, kept.name, ran)") == "nil\tkept\t7.00000e+00", "it ran by itself"
    tell(smu, "script.delete('kept')")
    assert ask(smu, "print(kept)") == "nil"
    assert ask(smu, "again = script.load('/usb1/kept.tsp') again()") == "here"
    assert ask(smu, "kept.source = 'print(5)' kept()") == "5.00000e+00"
    tell(smu, "again.list()")
    assert [reply.decode().strip() for reply in smu._replies] == ["loadscript kept", "print(5)", "endscript"]


def test_prompts_and_shown_errors(smu: SimKeithley2600B, tell: Any) -> None:
    tell(smu, "localnode.prompts = 1", "print(1)", "x =", "loadscript a", "endscript", "localnode.prompts = 0")
    assert [reply.decode().strip() for reply in smu._replies] == ["TSP>", "1.00000e+00", "TSP>", "TSP?", ">>>>", "TSP>"]
    assert errors(smu) == [-285]
    smu.drop_replies()
    tell(smu, "localnode.showerrors = 1", "x =")
    assert smu._replies[-1].startswith(b"-285, TSP Syntax error at line 1")
    assert errors(smu) == []


def test_setups(smu: SimKeithley2600B, tell: Any, ask: Any) -> None:
    tell(smu, "smua.source.levelv = 0.3 smua.measure.nplc = 5 smua.source.output = 1 setup.save(2) setup.poweron = 2")
    tell(smu, "reset()")
    assert ask(smu, "print(smua.measure.nplc)") == "1.00000e+00"
    assert ask(smu, "setup.recall(2) print(smua.measure.nplc, smua.source.output)") == "5.00000e+00\t0.00000e+00"
    tell(smu, "reset()")
    smu.power_cycle()
    assert ask(smu, "print(smua.source.levelv)") == "3.00000e-01"


def test_the_line_frequency_sets_the_aperture(smu: SimKeithley2600B, tell: Any) -> None:
    tell(smu, "smua.measure.v()")
    spent = []
    for setting in ("localnode.linefreq = 50", "localnode.linefreq = 60"):
        tell(smu, setting)
        before = smu.world.seconds
        tell(smu, "smua.measure.v()")
        spent.append(smu.world.seconds - before)
    assert spent[0] - spent[1] == pytest.approx(1 / 50 - 1 / 60)


@pytest.mark.parametrize(
    "message",
    [
        "string.find(string.rep('a', 40), string.rep('a-', 30) .. 'b')",
        "string.gsub(string.rep('a', 4000), string.rep('.-', 20) .. 'b', '')",
        "for k = 1, 1e18 do string.rep('', 1e18) end",
        "string.find(string.rep('a', 1e7), string.rep('a', 5e6) .. 'b', 1, true)",
        "table.insert(setmetatable({}, {__len = function() return 1e18 end}), 1, 1)",
        "table.sort(setmetatable({}, {__len = function() return 2e9 end, __metatable = false}), rawequal)",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "local t = setmetatable({}, {__close = function() while true do end end}) local x <close> = t error('x')",
        "string.format('%s', setmetatable({}, {__tostring = function() while true do end end}))",
        "xpcall(function() while true do end end, function() while true do end end)",
    ],
)
def test_nothing_runs_for_ever(smu: SimKeithley2600B, tell: Any, ask: Any, message: str) -> None:
    before = time.process_time()
    tell(smu, message)
    assert time.process_time() - before < 15
    assert errors(smu) == [-286]
    assert ask(smu, "print(1)") == "1.00000e+00"


def test_exit_cannot_be_caught(smu: SimKeithley2600B, ask: Any) -> None:
    assert ask(smu, "print(1) pcall(exit) print(2)") == "1.00000e+00"
    assert not smu._replies


def _compare() -> Any:
    lua = LuaRuntime(encoding="latin-1")
    lua.execute("own = {find = string.find, match = string.match, gsub = string.gsub}")
    lua.execute(PATTERNS.replace(str(MOST_COST), "-1", 1))
    return lua.execute("""
        local function told(f, ...)
            local t = table.pack(pcall(f, ...))
            if not t[1] then return "error" end
            for k = 1, t.n do t[k] = tostring(t[k]) end
            return table.concat(t, "|", 1, t.n)
        end
        return function(s, p, r)
            return told(own.find, s, p) .. told(own.match, s, p) .. told(own.gsub, s, p, r),
                   told(string.find, s, p) .. told(string.match, s, p) .. told(string.gsub, s, p, r)
        end""")


COMPARE = _compare()
PIECES = ["a", "b", ".", "%a", "%d", "[ab]", "[^a]", "[a-c]", "%w", "(a)", "()", "(", "*", "+", "-", "?", "$", "^",
          "%1", "%b()", "%f[a]"]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.text("abc 1()_", max_size=9), st.lists(st.sampled_from(PIECES), max_size=6), st.sampled_from(["<%0>", "%1", "z"])
)
def test_patterns_match_as_luas_own(text: str, pieces: list[str], replacement: str) -> None:
    original, bounded = COMPARE(text, "".join(pieces), replacement)
    assert bounded == original

"""Random TSP messages: chunks made from every name that an instrument's own objects tell, and uploaded scripts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

CHUNKS = (
    "print({0})", "print({0}({1}))", "{0} = {1}", "{0}({1}, {2})", "x = {0} {0} = {1}", "{0}.{1} = {2}",
    "{0}(", "{0}()",
    "for k = 1, 3 do print({0}) end", "if {0} then print({1}) end", "local t = {{{1}, {2}}} print(t[1])",
    "print({0}[1])",
    "error({1})", "delay({1})", "print(string.rep('x', 100))", "return {0}", "pcall({0}, {1})", "{0}[{1}] = {2}",
    "print(errorqueue.next())", "setmetatable({0}, {1})", "print(type({0}), tostring({1}))", "{0}({0})",
    "x = {0}; x = nil",
    "printbuffer(1, 3, {0})", "printnumber({1}, {2})", "print(unpack({{{0}, {1}}}))", "while {1} do {0}({2}) break end",
    "for k, v in pairs({0}) do print(k) end", "{0}:{1}()", "print(#{0})", "format.data = {1} print({0})",
    "node[1].{0}({1})",
    "function f(a) return {0} end print(f({1}))", "makebuf = smua and smua.makebuffer({1})",
    "print({0} == {1}, {2} < {2})",
)  # fmt: skip
VALUES = (
    "nil", "0", "1", "-1", "2", "0.5", "1e-3", "1e38", "-1e300", "0/0", "1/0", "'1A01'", '"allslots"',
    '"1A01:1C05"', '"9Z99"',
    "{}", "true", "false", "print", "''", "function() end", "{1, 2, 3}", "'x'", "\"1A01,2C03;slot3\"",
    "'a\\0b'", "math.huge",
)  # fmt: skip
SCRIPTS = (
    "loadscript {0}\nprint({1})\nendscript", "loadandrunscript\nprint({0})\nendscript",
    "loadandrunscript fuzz\n{0}({1})\nendscript",
    "loadscript fuzz\nfor k = 1, 3 do\n{0} = {1}\nend\nendscript\nfuzz()\nfuzz.run()", "loadscript\n{0}(\nendscript",
    "endscript", "loadscript fuzz\nendscript\nfuzz.source = 'print({1})'\nfuzz()", "script.delete('fuzz')", "abort",
)  # fmt: skip
COMMON = (
    "*CLS",
    "*RST",
    "*OPC?",
    "*OPC",
    "*IDN?",
    "*STB?",
    "*ESR?",
    "*ESE 255",
    "*SRE 255",
    "*TRG",
    "*WAI",
    "*TST?",
    "*ESE x",
)
_WALK = """
local seen = {}
local function walk(t, name, depth)
    if seen[t] then return end
    seen[t] = true
    local meta = getmetatable(t)
    local parts = {t}
    if type(meta) == "table" then
        for _, part in ipairs({"Getters", "Setters", "Objects"}) do
            if type(meta[part]) == "table" then table.insert(parts, meta[part]) end
        end
    end
    for number, part in ipairs(parts) do
        for k, v in pairs(part) do
            if type(k) == "string" then
                print(name .. k)
                local is_deep = type(v) == "table" and depth > 0 and k ~= "_G" and k ~= "node"
                if is_deep then walk(v, name .. k .. ".", depth - 1) end
            elseif type(k) == "number" and k < 3 and type(v) == "table" and depth > 0 then
                local item = string.sub(name, 1, -2) .. "[" .. k .. "]"
                print(item)
                walk(v, item .. ".", depth - 1)
            end
        end
    end
end
walk(_G, "", 5)
"""
WALK = " ".join(_WALK.split("\n"))
"""Prints every name that can be reached."""


def lua_maker(names: Sequence[str], rng: random.Random) -> Callable[[], bytes]:
    """Makes chunks, scripts and common commands that use these names."""
    numbers = ("0", "1", "2", "3.5", "-1", "1e-6", "100")

    def value() -> str:
        return rng.choice((rng.choice(VALUES), rng.choice(numbers), rng.choice(names)))

    def make() -> bytes:
        way = rng.random()
        if way < 0.05:
            return rng.choice(COMMON).encode()
        form = rng.choice(SCRIPTS if way < 0.1 else CHUNKS)
        text = form.format(rng.choice(names), value(), value())
        if way > 0.9:
            text += " " + rng.choice(CHUNKS).format(rng.choice(names), value(), value())
        return text.encode("latin-1", "replace")

    return make

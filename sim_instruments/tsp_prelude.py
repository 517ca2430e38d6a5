"""The Lua that runs before any message of a TSP instrument: sandbox, Lua 5.0 dialect, print format, budget.

TSP is Lua 5.0 (Series 2600B and 707B reference manuals, "Fundamentals of scripting for TSP"); this runs on Lua 5.4 with
the older names added. One difference remains: a whole number that came from a division is a float, and `..` shows it
as `2.0` where TSP shows `2`.
"""

from __future__ import annotations

from .tsp_patterns import PATTERNS

STEP_INSTRUCTIONS = 1000
"""The budget is checked each time this many Lua instructions have run."""
MOST_STEPS = 30_000
"""How many times, per message, before the script is stopped."""
CALL_STEPS = 0.1
"""What one call of an instrument function counts in that budget."""
MOST_SECONDS = 10.0
"""Processor time after which a script is stopped whatever it counts: one instruction can copy megabytes."""
MOST_BYTES = 64 * 1024 * 1024
"""Memory of one instrument's Lua."""

PRELUDE = (
    PATTERNS
    + r"""
local step, most_steps, call_cost, most_seconds, seconds_called, note_problem = ...
local raw_pcall, raw_error, raw_tostring, raw_setmetatable = pcall, error, tostring, setmetatable
local raw_load, sethook, format_text, select, rawset, type = load, debug.sethook, string.format, select, rawset, type
local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local concat, unpack, pack_floats = table.concat, table.unpack, string.pack
local gsub, find, gmatch, ceil, floor = string.gsub, string.find, string.gmatch, math.ceil, math.floor
local TOO_LONG = "script stopped: it ran too long"
local EXIT = {}
local is_exiting = false
function exit() is_exiting = true; raw_error(EXIT, 0) end

local clock, raw_getmetatable, rawget, rawlen = os.clock, debug.getmetatable, rawget, rawlen
local left, is_exhausted, deadline = 0, false, 0
local function tick()
    left = left - 1
    if left <= 0 or clock() - seconds_called() > deadline then is_exhausted = true; raw_error(TOO_LONG, 0) end
end
local function passed(is_good, problem, ...)
    if is_exhausted then raw_error(TOO_LONG, 0) end
    if is_exiting then raw_error(EXIT, 0) end
    if not is_good and type(problem) == "userdata" then note_problem(problem) end
    return is_good, problem, ...
end
function pcall(...) return passed(raw_pcall(...)) end
function xpcall(f, handler, ...)
    local results = table.pack(raw_pcall(f, ...))
    passed(results[1], results[2])
    if results[1] then return table.unpack(results, 1, results.n) end
    return false, handler(results[2])
end
function coroutine.create(f)
    local thread = create(f)
    sethook(thread, tick, "", step)
    return thread
end
function coroutine.resume(...) return passed(resume(...)) end
local function unwrapped(is_good, ...)
    if not is_good then raw_error((...), 0) end
    return ...
end
function coroutine.wrap(f)
    local thread = coroutine.create(f)
    return function(...) return unwrapped(coroutine.resume(thread, ...)) end
end
function setmetatable(t, metatable)
    if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then raw_error("__gc is not allowed", 2) end
    return raw_setmetatable(t, metatable)
end

function loadstring(text, name) return raw_load(text, name or "=TSP", "t") end
table.getn = function(t) return #t end
table.setn = function() end
table.foreach = function(t, f) for k, v in pairs(t) do local r = f(k, v); if r ~= nil then return r end end end
table.foreachi = function(t, f) for k, v in ipairs(t) do local r = f(k, v); if r ~= nil then return r end end end
math.mod = math.fmod
math.pow = function(x, y) return x ^ y end
math.log10 = function(x) return math.log(x, 10) end
math.ldexp = function(m, e) return m * 2.0 ^ e end
math.atan2 = math.atan2 or function(y, x) return math.atan(y, x) end
math.frexp = math.frexp or function(x)
    if x == 0 then return 0, 0 end
    local exponent = math.floor(math.log(math.abs(x), 2)) + 1
    return x / 2.0 ^ exponent, exponent
end
math.cosh = function(x) return (math.exp(x) + math.exp(-x)) / 2 end
math.sinh = function(x) return (math.exp(x) - math.exp(-x)) / 2 end
math.tanh = function(x) local p, m = math.exp(x), math.exp(-x); return (p - m) / (p + m) end
local function refuse_false_length(t)
    local metatable = raw_getmetatable(t)
    if type(t) == "table" and metatable and type(rawget(metatable, "__len")) == "function"
        and not rawget(metatable, "is_native") then
        raw_error("this table has a length of its own making", 3)
    end
end
for _, name in ipairs({"insert", "remove", "sort", "concat", "unpack"}) do
    local original = table[name]
    table[name] = function(t, ...) refuse_false_length(t); return original(t, ...) end
end
_G.unpack = table.unpack
gcinfo = function() return 0, 0 end
meminfo = function() return 32768, 32768 end
collectgarbage = function() return 0 end
_VERSION = "Lua 5.0.2"
load, dofile, loadfile, require, package, debug, io, os, python, warn, utf8, table.move, coroutine.close = nil
string.pack, string.unpack, string.packsize = nil
function tostring(value)
    local kind = type(value)
    if kind == "number" then return format_text("%.14g", value) end
    local shown = raw_tostring(value)
    if kind == "string" or kind == "boolean" or kind == "nil" then return shown end
    return (gsub(shown, "^(%a+: )0x0*(%x+)$", "%1%2"))
end
local function truncated(value)
    if type(value) ~= "number" then return value end
    return value < 0 and ceil(value) or floor(value)
end
function string.format(text, ...)
    local is_good, made = raw_pcall(format_text, text, ...)
    if is_good then return made end
    local values, k = {n = select("#", ...), ...}, 0
    local plain = gsub(text, "%%([%-%+ #0]*%d*%.?%d*)(.)", function(flags, kind)
        if kind == "%" then return nil end
        k = k + 1
        if find("diuoxXc", kind, 1, true) then values[k] = truncated(values[k]) end
        return kind == "u" and "%" .. flags .. "d" or nil
    end)
    is_good, made = raw_pcall(format_text, plain, unpack(values, 1, values.n))
    if not is_good then raw_error(made, 2) end
    return made
end

local lines, count, is_binary = {}, 0, false
local number_format, precision = "%.5e", 6
local data, byte_order = 1, 1
local function shown(value)
    if type(value) == "number" then return format_text(number_format, value) end
    return tostring(value)
end
function print(...)
    local many = select("#", ...)
    count = count + 1
    if many == 1 then
        lines[count] = shown((...))
        return
    end
    local parts = {...}
    for k = 1, many do parts[k] = shown(parts[k]) end
    lines[count] = concat(parts, "\t", 1, many)
end
function printnumber(...)
    local values = {...}
    count = count + 1
    if data == 1 then
        for k, value in ipairs(values) do values[k] = shown(value) end
        lines[count] = concat(values, ", ")
        return
    end
    local code = (byte_order == 1 and "<" or ">") .. (data == 2 and "f" or "d")
    for k, value in ipairs(values) do values[k] = pack_floats(code, value) end
    lines[count], is_binary = "#0" .. concat(values), true
end
local function emit(text, has_bytes)
    count = count + 1
    lines[count] = text
    is_binary = is_binary or has_bytes
end
local function number_style() return data, byte_order, precision end

function makegetter(t, name) return function() return t[name] end end
function makesetter(t, name) return function(value) t[name] = value end end

local function object(content, getters, setters, kind, item)
    local function get_member(_, name)
        local get = getters[name]
        if get then return get() end
        if item and type(name) == "number" then return item(name) end
        return content[name]
    end
    return raw_setmetatable({}, {
        __metatable = {Getters = getters, Setters = setters, Objects = content, luatype = kind},
        is_native = true,
        __index = get_member,
        __newindex = function(_, name, value)
            local set = setters[name]
            if set then set(value)
            elseif getters[name] or content[name] ~= nil then
                raw_error("cannot modify attribute " .. raw_tostring(name), 2)
            else content[name] = value end
        end,
        __len = function() return getters.n and getters.n() or #content end,
        __pairs = function(self)
            local names, position = {}, 0
            for name in next, content do names[#names + 1] = name end
            for name in next, getters do names[#names + 1] = name end
            return function()
                position = position + 1
                local name = names[position]
                if name ~= nil then return name, self[name] end
            end
        end,
    })
end
local function view(get_item, get_size, id)
    local content = {getreading = get_item, view_id = id}
    return raw_setmetatable({}, {
        __metatable = {Getters = {}, Setters = {}, Objects = content, luatype = "synchronous_table"},
        is_native = true,
        __index = function(_, index)
            if type(index) == "number" then return get_item(index) end
            return content[index]
        end,
        __newindex = function() raw_error("cannot modify a reading buffer", 2) end,
        __len = function() return get_size() end,
    })
end

local function with_attributes(t, getters, setters)
    return raw_setmetatable(t, {
        __metatable = false,
        __index = function(_, name)
            local get = getters[name]
            if get then return get() end
        end,
        __newindex = function(self, name, value)
            local set = setters[name]
            if set then set(value)
            elseif getters[name] then raw_error("cannot modify attribute " .. raw_tostring(name), 2)
            else rawset(self, name, value) end
        end,
    })
end
format = with_attributes(
    {ASCII = 1, SREAL = 2, REAL32 = 2, REAL = 3, REAL64 = 3, DREAL = 3,
     LITTLEENDIAN = 1, SWAPPED = 1, BIGENDIAN = 0, NORMAL = 0, NETWORK = 0},
    {data = function() return data end, byteorder = function() return byte_order end,
     asciiprecision = function() return precision end},
    {data = function(v) if v == 1 or v == 2 or v == 3 then data = v else raw_error("parameter error", 3) end end,
     byteorder = function(v) if v == 0 or v == 1 then byte_order = v else raw_error("parameter error", 3) end end,
     asciiprecision = function(v)
         v = (v == 0) and 6 or v
         if type(v) ~= "number" or v < 1 or v > 16 then raw_error("parameter error", 3) end
         precision = v // 1 | 0
         number_format = "%." .. format_text("%d", precision - 1) .. "e"
     end})
local function reset_format() data, byte_order, precision, number_format = 1, 1, 6, "%.5e" end

local function proxy(get, put)
    return raw_setmetatable({}, {
        __metatable = false,
        __index = function(_, name) return get(name) end,
        __newindex = function(_, name, value) put(name, value) end,
    })
end

local function compile(text) return raw_load(text, "=TSP", "t") end
local function run(f)
    left, is_exhausted, count, is_binary = most_steps, false, 0, false
    is_exiting = false
    deadline = clock() - seconds_called() + most_seconds
    sethook(tick, "", step)
    local is_good, problem = raw_pcall(f)
    sethook()
    if problem == EXIT then is_good = true end
    if count == 0 then
        if is_good then return end
        return nil, problem
    end
    local text
    if is_binary then text = {table.unpack(lines, 1, count)}
    else text = count == 1 and lines[1] or concat(lines, "\0", 1, count) end
    if count > 100 then lines = {} end
    if is_good then return text end
    return text, problem
end
local function function_of(python_function)
    return function(...)
        left = left - call_cost
        if left <= 0 then tick() end
        return python_function(...)
    end
end
local function script_object(name, text, f, save)
    local made, compiled = {name = name, source = text, autorun = "no"}, text
    function made.run()
        if made.source ~= compiled then
            local chunk, problem = compile(made.source)
            if chunk == nil then raw_error(problem, 0) end
            f, compiled = chunk, made.source
        end
        return f()
    end
    function made.save(file) save(made, file) end
    function made.list()
        print("loadscript " .. made.name)
        for line in gmatch(made.source .. "\n", "([^\n]*)\n") do print(line) end
        print("endscript")
    end
    return raw_setmetatable(made, {__call = function() return made.run() end})
end
local function put(made, name, value) raw_getmetatable(made).__metatable.Objects[name] = value end
return run, compile, function_of, with_attributes, script_object, reset_format, object, view, emit, number_style,
    proxy, put
"""
)

"""The Lua that runs before any message of a TSP instrument: sandbox, Lua 5.0 dialect, print format, budget.

TSP is Lua 5.0 (Series 2600B and 707B reference manuals, "Fundamentals of scripting for TSP"); this runs on Lua 5.4 with
the older names added. One difference remains: a whole number that came from a division is a float, and `..` shows it
as `2.0` where TSP shows `2`.
"""

from __future__ import annotations

STEP_INSTRUCTIONS = 100_000
"""The budget is checked each time this many Lua instructions have run."""
MOST_STEPS = 300
"""How many times, per message, before the script is stopped."""
CALL_STEPS = 0.001
"""What one call of an instrument function counts in that budget."""
MOST_BYTES = 64 * 1024 * 1024
"""Memory of one instrument's Lua."""

PRELUDE = r"""
local step, most_steps, call_cost = ...
local raw_pcall, raw_error, raw_tostring, raw_setmetatable = pcall, error, tostring, setmetatable
local raw_load, sethook, format_text, select, rawset, type = load, debug.sethook, string.format, select, rawset, type
local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local concat, pack_floats = table.concat, string.pack
local TOO_LONG = "script stopped: it ran too long"
local EXIT = {}
function exit() raw_error(EXIT, 0) end

local left, is_exhausted = 0, false
local function tick()
    left = left - 1
    if left <= 0 then is_exhausted = true; raw_error(TOO_LONG, 0) end
end
local function passed(...)
    if is_exhausted then raw_error(TOO_LONG, 0) end
    return ...
end
function pcall(...) return passed(raw_pcall(...)) end
function xpcall(f, handler, ...)
    local results = table.pack(raw_pcall(f, ...))
    passed()
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
unpack = table.unpack
table.getn = function(t) return #t end
table.setn = function() end
table.foreach = function(t, f) for k, v in pairs(t) do local r = f(k, v); if r ~= nil then return r end end end
table.foreachi = function(t, f) for k, v in ipairs(t) do local r = f(k, v); if r ~= nil then return r end end end
math.mod = math.fmod
math.pow = function(x, y) return x ^ y end
math.log10 = function(x) return math.log(x, 10) end
math.ldexp = function(m, e) return m * 2.0 ^ e end
math.cosh = function(x) return (math.exp(x) + math.exp(-x)) / 2 end
math.sinh = function(x) return (math.exp(x) - math.exp(-x)) / 2 end
math.tanh = function(x) local p, m = math.exp(x), math.exp(-x); return (p - m) / (p + m) end
string.gfind = string.gmatch
gcinfo = function() return 0 end
string.dump, load, dofile, loadfile, require, package, debug, io, os, python, collectgarbage, warn = nil
function tostring(value)
    if type(value) == "number" then return format_text("%.14g", value) end
    return raw_tostring(value)
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
local function script_object(name, text, f)
    local made = {name = name, source = text, run = f, autorun = "no", save = function() end}
    function made.list() for line in string.gmatch(text .. "\n", "(.-)\n") do print(line) end end
    return raw_setmetatable(made, {__call = function() return f() end})
end
return run, compile, function_of, with_attributes, script_object, reset_format, object, view, emit, number_style,
    proxy
"""

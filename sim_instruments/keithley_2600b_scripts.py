"""The factory scripts of a 2600B in Lua: KIPulse and KISweep (reference manual, "Factory scripts").

The functions, their parameters and what they return are the manual's; the texts of their messages are assumed.
"""

from __future__ import annotations

from .accuracy_keithley_2600b import READING_SECONDS, SOURCE_SECONDS

_KIPULSE = r"""
local READING, SOURCE = %r, %r
local trains = {}
local CONFIGURED = "No Errors"

local function quantities(is_volts)
    if is_volts then return "v", "i" end
    return "i", "v"
end
local function aperture(smu)
    return smu.measure.nplc / localnode.linefreq + math.max(smu.measure.delay, 0) + READING + SOURCE
end
local function is_number(value) return type(value) == "number" end

local function range_problem(smu, train)
    local source, other = quantities(train.is_volts)
    if smu.source["autorange" .. source] ~= 0 then return "Source autorange must be disabled" end
    if train.buf and smu.measure["autorange" .. other] ~= 0 then return "Measure autorange must be disabled" end
    local reach = smu.source["range" .. source] * 1.01
    if math.abs(train.bias) > reach then return "Bias level exceeds the source range" end
    for _, level in ipairs(train.sourcevalues) do
        if math.abs(level) > reach then return "Pulse level exceeds the source range" end
    end
    if train.limit <= 0 then return "Limit must be greater than zero" end
    return nil
end
local function time_problem(smu, train)
    if train.ton <= 0 then return "ton must be greater than zero" end
    if train.toff < 0 then return "toff must not be negative" end
    if train.buf and aperture(smu) > train.ton then
        return "ton is too short for the measurement: reduce smu.measure.nplc"
    end
    return nil
end
local function buffer_problem(train)
    if train.buf == nil then return nil end
    if type(train.buf) ~= "table" or train.buf.capacity == nil then return "buffer is not a reading buffer" end
    local used = train.buf.appendmode == 1 and train.buf.n or 0
    if used + train.points > train.buf.capacity then return "The reading buffer is too small" end
    return nil
end

local function configure(is_volts, kind, smu, bias, levels, limit, ton, toff, points, buffer, tag, ...)
    if type(smu) ~= "table" or smu.source == nil then return false, "Invalid smu" end
    if not (is_number(bias) and is_number(limit) and is_number(ton) and is_number(toff) and is_number(points)) then
        return false, "Invalid parameter"
    end
    if not is_number(tag) then return false, "Invalid tag" end
    if points < 1 then return false, "points must be at least 1" end
    local made, values = pcall(levels)
    if not made then return false, "Invalid parameter" end
    local sync_in, sync_out, timeout, is_aborting = ...
    local train = {
        tag = tag, smu = smu, func = is_volts and smu.OUTPUT_DCVOLTS or smu.OUTPUT_DCAMPS, is_volts = is_volts,
        type = kind, bias = bias, level = values[1], start = values[1], stop = values[#values], limit = limit,
        ton = ton, toff = toff, points = points, buf = buffer, sync_in = sync_in or 0, sync_out = sync_out or 0,
        sync_in_timeout = timeout or 0, sync_in_abort = is_aborting or false, sourcevalues = values,
    }
    local problem = buffer_problem(train) or range_problem(smu, train) or time_problem(smu, train)
    if problem then return false, problem end
    trains[tag] = train
    return true, CONFIGURED
end

local function constant(level, points)
    return function()
        local values = {}
        for k = 1, points do values[k] = level + 0 end
        return values
    end
end
local function linear(start, stop, points)
    return function()
        local values, step = {}, points > 1 and (stop - start) / (points - 1) or 0
        for k = 1, points do values[k] = start + (k - 1) * step end
        return values
    end
end
local function logarithmic(start, stop, points)
    return function()
        local values = {}
        local ratio = points > 1 and (stop / start) ^ (1 / (points - 1)) or 1
        if not (start ~= 0 and stop / start > 0) then error("no logarithm") end
        for k = 1, points do values[k] = start * ratio ^ (k - 1) end
        return values
    end
end

function ConfigPulseVMeasureI(smu, bias, level, limit, ton, toff, points, buffer, tag, ...)
    return configure(true, "pulse", smu, bias, constant(level, points), limit, ton, toff, points, buffer, tag, ...)
end
function ConfigPulseIMeasureV(smu, bias, level, limit, ton, toff, points, buffer, tag, ...)
    return configure(false, "pulse", smu, bias, constant(level, points), limit, ton, toff, points, buffer, tag, ...)
end
function ConfigPulseVMeasureISweepLin(smu, bias, start, stop, limit, ton, toff, points, buffer, tag, ...)
    local levels = linear(start, stop, points)
    return configure(true, "linear sweep", smu, bias, levels, limit, ton, toff, points, buffer, tag, ...)
end
function ConfigPulseIMeasureVSweepLin(smu, bias, start, stop, limit, ton, toff, points, buffer, tag, ...)
    local levels = linear(start, stop, points)
    return configure(false, "linear sweep", smu, bias, levels, limit, ton, toff, points, buffer, tag, ...)
end
function ConfigPulseVMeasureISweepLog(smu, bias, start, stop, limit, ton, toff, points, buffer, tag, ...)
    local levels = logarithmic(start, stop, points)
    return configure(true, "log sweep", smu, bias, levels, limit, ton, toff, points, buffer, tag, ...)
end
function ConfigPulseIMeasureVSweepLog(smu, bias, start, stop, limit, ton, toff, points, buffer, tag, ...)
    local levels = logarithmic(start, stop, points)
    return configure(false, "log sweep", smu, bias, levels, limit, ton, toff, points, buffer, tag, ...)
end

local function describe(train)
    local lines = {
        "tag = " .. train.tag, "func = " .. (train.is_volts and "volts" or "amps"), "type = " .. train.type,
        "bias = " .. tostring(train.bias), "level = " .. tostring(train.level), "limit = " .. tostring(train.limit),
        "time on = " .. tostring(train.ton), "time off = " .. tostring(train.toff),
        "points = " .. tostring(train.points), "measure = " .. (train.buf and "yes" or "no"),
        "sync_in = " .. tostring(train.sync_in), "sync_out = " .. tostring(train.sync_out),
    }
    return table.concat(lines, "\n")
end
function QueryPulseConfig(tag)
    local train = trains[tag]
    if train == nil then return nil end
    local copy = {}
    for name, value in pairs(train) do copy[name] = value end
    copy.tostring = function() return describe(train) end
    return copy
end

local function put(train, level) train.smu.source["level" .. quantities(train.is_volts)] = level end
local function begin(train)
    local smu = train.smu
    local _, other = quantities(train.is_volts)
    train.old_limit = smu.source["limit" .. other]
    smu.source.func = train.func
    smu.source["limit" .. other] = train.limit
    put(train, train.bias)
    if train.buf then
        train.old_append = train.buf.appendmode
        if train.old_append == 0 then train.buf.clear() end
        train.buf.appendmode = 1
    end
end
local function finish(train)
    local _, other = quantities(train.is_volts)
    train.smu.source["limit" .. other] = train.old_limit
    if train.buf then train.buf.appendmode = train.old_append end
end
local function take(train)
    if train.buf == nil then return end
    if train.is_volts then train.smu.measure.i(train.buf) else train.smu.measure.v(train.buf) end
end
local function spare(train, seconds) if seconds > 0 then delay(seconds) end end
local function train_problem(train)
    if train == nil then return "Invalid tag" end
    if train.smu.source.output ~= 1 then return "Output must be on" end
    return buffer_problem(train) or range_problem(train.smu, train) or time_problem(train.smu, train)
end

function InitiatePulseTest(tag)
    local train = trains[tag]
    local problem = train_problem(train)
    if problem then return false, problem end
    begin(train)
    for k = 1, train.points do
        put(train, train.sourcevalues[k])
        spare(train, train.ton - (train.buf and aperture(train.smu) or SOURCE))
        take(train)
        put(train, train.bias)
        spare(train, train.toff - SOURCE)
    end
    finish(train)
    return true, CONFIGURED
end

function InitiatePulseTestDual(tag1, tag2)
    local outer, inner = trains[tag1], trains[tag2]
    local problem = train_problem(outer) or train_problem(inner)
    if problem then return false, problem end
    if outer.smu == inner.smu then return false, "The pulse trains must use different SMUs" end
    if outer.ton - inner.ton <= 40e-6 then return false, "ton1 must be more than 40 us longer than ton2" end
    if outer.toff ~= inner.toff then return false, "The off times must be the same" end
    if outer.points ~= inner.points then return false, "The numbers of points must be the same" end
    begin(outer)
    begin(inner)
    for k = 1, outer.points do
        put(outer, outer.sourcevalues[k])
        spare(outer, outer.ton - inner.ton - SOURCE)
        put(inner, inner.sourcevalues[k])
        local busy = SOURCE
        if outer.buf then busy = busy + aperture(outer.smu) - SOURCE end
        if inner.buf then busy = busy + aperture(inner.smu) - SOURCE end
        spare(inner, inner.ton - busy)
        take(outer)
        take(inner)
        put(inner, inner.bias)
        put(outer, outer.bias)
        spare(outer, outer.toff - 2 * SOURCE)
    end
    finish(outer)
    finish(inner)
    return true, CONFIGURED
end

local function simple(is_volts, smu, bias, level, ton, toff, points)
    local buffer = smu.nvbuffer1
    buffer.clear()
    buffer.appendmode = 1
    smu.source.func = is_volts and smu.OUTPUT_DCVOLTS or smu.OUTPUT_DCAMPS
    local train = {smu = smu, is_volts = is_volts, buf = buffer}
    local was_on = smu.source.output
    put(train, bias)
    smu.source.output = 1
    delay(toff)
    for _ = 1, points do
        put(train, level)
        spare(train, ton - aperture(smu))
        take(train)
        put(train, bias)
        delay(toff)
    end
    smu.source.output = was_on
    buffer.appendmode = 0
end
function PulseVMeasureI(smu, bias, level, ton, toff, points) simple(true, smu, bias, level, ton, toff, points) end
function PulseIMeasureV(smu, bias, level, ton, toff, points) simple(false, smu, bias, level, ton, toff, points) end
function KIPulse() end
"""

_KISWEEP = r"""
local function sweep(is_volts, smu, levels, settle)
    local buffer = smu.nvbuffer1
    buffer.clear()
    buffer.appendmode, buffer.collecttimestamps, buffer.collectsourcevalues = 1, 1, 1
    smu.source.func = is_volts and smu.OUTPUT_DCVOLTS or smu.OUTPUT_DCAMPS
    local name, measure = is_volts and "levelv" or "leveli", is_volts and smu.measure.i or smu.measure.v
    local was_on = smu.source.output
    smu.source[name] = levels[1]
    smu.source.output = 1
    for _, level in ipairs(levels) do
        smu.source[name] = level
        if settle > 0 then delay(settle) end
        measure(buffer)
    end
    smu.source.output = was_on
    buffer.appendmode = 0
end
local function linear(start, stop, points)
    local levels = {}
    for k = 1, points do levels[k] = start + (stop - start) * (k - 1) / (points - 1) end
    return levels
end
local function log(start, stop, points)
    local levels = {}
    for k = 1, points do levels[k] = start * (stop / start) ^ ((k - 1) / (points - 1)) end
    return levels
end
local function first(list, points)
    local levels = {}
    for k = 1, points do levels[k] = list[k] end
    return levels
end
function SweepVLinMeasureI(smu, start, stop, settle, points) sweep(true, smu, linear(start, stop, points), settle) end
function SweepILinMeasureV(smu, start, stop, settle, points) sweep(false, smu, linear(start, stop, points), settle) end
function SweepVLogMeasureI(smu, start, stop, settle, points) sweep(true, smu, log(start, stop, points), settle) end
function SweepILogMeasureV(smu, start, stop, settle, points) sweep(false, smu, log(start, stop, points), settle) end
function SweepVListMeasureI(smu, list, settle, points) sweep(true, smu, first(list, points), settle) end
function SweepIListMeasureV(smu, list, settle, points) sweep(false, smu, first(list, points), settle) end
function KISweep() end
"""

FACTORY_SCRIPTS: dict[str, str] = {"KIPulse": _KIPULSE % (READING_SECONDS, SOURCE_SECONDS), "KISweep": _KISWEEP}
"""Name -> Lua; run once when the instrument is switched on."""

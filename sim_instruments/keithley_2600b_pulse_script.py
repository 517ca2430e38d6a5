"""The factory script KIPulse of a 2600B in Lua (reference manual, "KIPulse factory script").

The functions, their parameters and what they return are the manual's; the texts of their messages are assumed. Pulses
are made by the trigger model with timers 1 to 4, also beyond DC operation.
"""

from __future__ import annotations

from .accuracy_keithley_2600b import READING_SECONDS, SOURCE_SECONDS

KIPULSE = (
    f"local READING, SOURCE = {READING_SECONDS}, {SOURCE_SECONDS}"
    + r"""
local DUAL_GAP = 40e-6
local pulse_limits = _pulse_limits
_pulse_limits = nil
local trains = {}
local CONFIGURED = "No Errors"

local function quantities(is_volts)
    if is_volts then return "v", "i" end
    return "i", "v"
end
local function aperture(smu)
    local repeats = 1
    if smu.measure.filter.enable == 1 and smu.measure.filter.type ~= smu.FILTER_MOVING_AVG then
        repeats = smu.measure.filter.count
    end
    return repeats * (smu.measure.nplc / localnode.linefreq + READING) + math.max(smu.measure.delay, 0)
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
    if train.buf and aperture(smu) + SOURCE > train.ton then
        return "ton is too short for the measurement: reduce smu.measure.nplc"
    end
    local top = 0
    for _, level in ipairs(train.sourcevalues) do top = math.max(top, math.abs(level)) end
    local seconds, duty = pulse_limits(smu.channel_letter, train.is_volts, top, train.limit)
    if seconds == nil then return "Pulse exceeds the operating area of the SMU" end
    if train.ton > seconds then return "ton exceeds the maximum pulse width of this operating area" end
    local share = train.ton / (train.ton + train.toff)
    if share > duty then return "Duty cycle exceeds the maximum of this operating area" end
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
    for _, line in ipairs({sync_in or 0, sync_out or 0}) do
        if not is_number(line) or line < 0 or line > 14 then return false, "Invalid digital I/O line" end
    end
    local train = {
        tag = tag, smu = smu, func = is_volts and smu.OUTPUT_DCVOLTS or smu.OUTPUT_DCAMPS, is_volts = is_volts,
        type = kind, bias = bias, level = values[1], start = values[1], stop = values[#values], limit = limit,
        ton = ton, toff = toff, points = points, buf = buffer, sync_in = sync_in or 0, sync_out = sync_out or 0,
        sync_in_timeout = timeout or 10, sync_in_abort = is_aborting == nil or is_aborting, sourcevalues = values,
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

local function begin(train)
    local smu = train.smu
    local source = quantities(train.is_volts)
    smu.source.func = train.func
    smu.source["level" .. source] = train.bias
    train.old_delay = smu.measure.delay
    smu.measure.delay = math.max(smu.measure.delay, 0)
    if train.buf then
        train.old_append = train.buf.appendmode
        if train.old_append == 0 then train.buf.clear() end
        train.buf.appendmode = 1
    end
end
local function finish(train)
    train.smu.measure.delay = train.old_delay
    if train.buf then train.buf.appendmode = train.old_append end
    train.smu.trigger.source.stimulus, train.smu.trigger.measure.stimulus = 0, 0
    train.smu.trigger.endpulse.stimulus = 0
    for k = 1, 4 do trigger.timer[k].reset() end
end

-- `first` is the timer that begins this train's pulses, `first + 1` times its measurements; a pulse lasts `ton`.
local function arm(train, values, start, measure_timer, end_timer)
    local smu, sweep = train.smu, train.smu.trigger
    local source, other = quantities(train.is_volts)
    sweep.source["list" .. source](values)
    sweep.source["limit" .. other] = train.limit
    sweep.source.action, sweep.source.stimulus = smu.ENABLE, start
    sweep.measure.action = smu.DISABLE
    if train.buf then
        sweep.measure[other](train.buf)
        sweep.measure.action, sweep.measure.stimulus = smu.ENABLE, measure_timer.EVENT_ID
        measure_timer.delay, measure_timer.stimulus = train.ton - aperture(smu), start
        measure_timer.count, measure_timer.passthrough = 1, false
    end
    end_timer.delay, end_timer.stimulus, end_timer.count, end_timer.passthrough = train.ton, start, 1, false
    sweep.endpulse.action, sweep.endpulse.stimulus = smu.SOURCE_IDLE, end_timer.EVENT_ID
    sweep.endsweep.action = smu.SOURCE_IDLE
    sweep.arm.count, sweep.arm.stimulus, sweep.count = 1, 0, #values
end
local function pace(smu, train, points)
    local pulses = trigger.timer[1]
    pulses.delay, pulses.passthrough, pulses.stimulus = train.ton + train.toff, true, smu.trigger.ARMED_EVENT_ID
    pulses.count = math.max(points - 1, 1)
    return pulses.EVENT_ID
end
local function pulse_out(train, event)
    if train.sync_out > 0 then
        local line = digio.trigger[train.sync_out]
        line.mode, line.pulsewidth, line.stimulus = digio.TRIG_FALLING, 10e-6, event
    end
end

local function train_problem(train)
    if train == nil then return "Invalid tag" end
    if train.smu.source.output ~= 1 then return "Output must be on" end
    return buffer_problem(train) or range_problem(train.smu, train) or time_problem(train.smu, train)
end
local function make_pulses(train, values)
    local event = pace(train.smu, train, #values)
    arm(train, values, event, trigger.timer[2], trigger.timer[3])
    pulse_out(train, event)
    train.smu.trigger.initiate()
    waitcomplete()
    delay(train.toff)
end
local function make_pulses_on_triggers(train)
    local line = digio.trigger[train.sync_in]
    if line.mode == digio.TRIG_BYPASS then line.mode = digio.TRIG_FALLING end
    line.clear()
    for _, level in ipairs(train.sourcevalues) do
        if not line.wait(train.sync_in_timeout) and train.sync_in_abort then
            return false, "Timed out waiting for the sync_in trigger"
        end
        make_pulses(train, {level})
    end
    return true, CONFIGURED
end

function InitiatePulseTest(tag)
    local train = trains[tag]
    local problem = train_problem(train)
    if problem then return false, problem end
    begin(train)
    local is_good, message = true, CONFIGURED
    if train.sync_in > 0 then is_good, message = make_pulses_on_triggers(train)
    else make_pulses(train, train.sourcevalues) end
    finish(train)
    return is_good, message
end

function InitiatePulseTestDual(tag1, tag2)
    local outer, inner = trains[tag1], trains[tag2]
    local problem = train_problem(outer) or train_problem(inner)
    if problem then return false, problem end
    if outer.smu == inner.smu then return false, "The pulse trains must use different SMUs" end
    if outer.ton - inner.ton <= DUAL_GAP then return false, "ton1 must be more than 40 us longer than ton2" end
    if outer.toff ~= inner.toff then return false, "The off times must be the same" end
    if outer.points ~= inner.points then return false, "The numbers of points must be the same" end
    begin(outer)
    begin(inner)
    local event = pace(outer.smu, outer, outer.points)
    arm(outer, outer.sourcevalues, event, trigger.timer[2], trigger.timer[3])
    local later = trigger.timer[4]
    later.delay, later.stimulus, later.count, later.passthrough = outer.ton - inner.ton - DUAL_GAP / 2, event, 1, false
    arm(inner, inner.sourcevalues, later.EVENT_ID, trigger.timer[5], trigger.timer[6])
    pulse_out(outer, event)
    inner.smu.trigger.initiate()
    outer.smu.trigger.initiate()
    waitcomplete()
    delay(outer.toff)
    finish(outer)
    finish(inner)
    trigger.timer[5].reset()
    trigger.timer[6].reset()
    return true, CONFIGURED
end

local function simple(is_volts, smu, bias, level, ton, toff, points)
    local source, other = quantities(is_volts)
    local buffer, was_on = smu.nvbuffer1, smu.source.output
    buffer.clear()
    buffer.collecttimestamps, buffer.collectsourcevalues = 1, 1
    local train = {
        smu = smu, is_volts = is_volts, func = is_volts and smu.OUTPUT_DCVOLTS or smu.OUTPUT_DCAMPS, bias = bias,
        limit = smu.source["limit" .. other], ton = ton, toff = toff, buf = buffer, sync_out = 0,
    }
    begin(train)
    smu.source.output = 1
    delay(toff)
    make_pulses(train, constant(level, points)())
    smu.source.output = was_on
    finish(train)
end
function PulseVMeasureI(smu, bias, level, ton, toff, points) simple(true, smu, bias, level, ton, toff, points) end
function PulseIMeasureV(smu, bias, level, ton, toff, points) simple(false, smu, bias, level, ton, toff, points) end
function KIPulse() end
"""
)

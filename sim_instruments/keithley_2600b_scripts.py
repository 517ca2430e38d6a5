"""The factory scripts of a 2600B in Lua, KIPulse apart (reference manual, "Factory scripts")."""

from __future__ import annotations

from .keithley_2600b_pulse_script import KIPULSE

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

_KIHIGHC = r"""
local function step_down(smu, levelv, limiti, sourcedelay, measurei, measuredelay)
    smu.source.limiti = limiti
    smu.source.levelv = levelv
    delay(sourcedelay)
    smu.source.limiti = measurei
    delay(measuredelay)
end
function i_leakage_measure(smu, levelv, limiti, sourcedelay, measurei, measuredelay)
    step_down(smu, levelv, limiti, sourcedelay, measurei, measuredelay)
    local amps = smu.measure.i()
    smu.source.limiti = limiti
    return amps
end
function i_leakage_threshold(smu, levelv, limiti, sourcedelay, measurei, measuredelay, threshold, timeout)
    step_down(smu, levelv, limiti, sourcedelay, measurei, measuredelay)
    local has_passed, waited = false, 0
    timer.reset()
    repeat
        has_passed = math.abs(smu.measure.i()) < threshold
        waited = timer.measure.t()
    until has_passed or waited > timeout
    smu.source.limiti = limiti
    return has_passed
end
function KIHighC() end
"""

_KIPARLIB = r"""
local function differences(y, x)
    local slopes, many = {}, y.n
    for k = 1, many do
        local low, high = math.max(k - 1, 1), math.min(k + 1, many)
        slopes[k] = (y[high] - y[low]) / (x[high] - x[low])
    end
    return slopes
end
local function sweep(smu, name, func, start, stop, points)
    local amps, volts = smu.makebuffer(points), smu.makebuffer(points)
    amps.appendmode, volts.appendmode = 1, 1
    smu.source.func = func
    smu.source["level" .. name] = start
    smu.source.output = 1
    for k = 0, points - 1 do
        smu.source["level" .. name] = start + (stop - start) * k / (points - 1)
        smu.measure.iv(amps, volts)
    end
    smu.source.output = 0
    return amps, volts
end
function gm_vsweep(smu, start_v, stop_v, points)
    smu = smu or smua
    local amps, volts = sweep(smu, "v", smu.OUTPUT_DCVOLTS, start_v or 0, stop_v or 1, points or 10)
    return differences(amps, volts), amps, volts
end
function gm_isweep(smu, start_i, stop_i, points)
    smu = smu or smua
    local amps, volts = sweep(smu, "i", smu.OUTPUT_DCAMPS, start_i or 0, stop_i or 1e-3, points or 10)
    return differences(amps, volts), volts, amps
end
function KIParlib() end
"""

_KISAVEBUFFER = r"""
local function columns(buffer)
    local found = {"readings"}
    if buffer.timestamps then found[#found + 1] = "timestamps" end
    if buffer.sourcevalues then found[#found + 1] = "sourcevalues" end
    return found
end
function savebuffer(buffer, kind, file_name)
    local file = io.open(file_name, "w")
    if file == nil then return end
    local names = columns(buffer)
    if kind == "xml" then file:write("<buffer>\n") else file:write("index," .. table.concat(names, ",") .. "\n") end
    for k = 1, buffer.n do
        local parts = {}
        for j, name in ipairs(names) do
            local text = string.format("%.6e", buffer[name][k])
            parts[j] = kind == "xml" and "<" .. name .. ">" .. text .. "</" .. name .. ">" or text
        end
        if kind == "xml" then file:write("<reading>" .. table.concat(parts) .. "</reading>\n")
        else file:write(k .. "," .. table.concat(parts, ",") .. "\n") end
    end
    if kind == "xml" then file:write("</buffer>\n") end
    file:close()
end
function KISavebuffer() end
"""
"""What the files look like is assumed."""

FACTORY_SCRIPTS: dict[str, str] = {
    "KIHighC": _KIHIGHC,
    "KIParlib": _KIPARLIB,
    "KIPulse": KIPULSE,
    "KISavebuffer": _KISAVEBUFFER,
    "KISweep": _KISWEEP,
}
"""Name -> Lua; run once when the instrument is switched on. `_pulse_limits` must be there then, a function."""

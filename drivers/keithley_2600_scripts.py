"""The Lua that the driver of the Keithley 2600B family keeps in the instrument: pulses, lists of levels, scans.

Written in the Lua 5.0 of the Series 2600B Reference Manual ("Fundamentals of scripting for TSP"). Whatever happens in
a scan, its end is reached: levels 0 V, outputs off, relays open. Functions of the instrument put errors into its queue
and go on; a scan looks there after every step, and at the clock after relays move and every sixteenth reading. Whether
the sensing channel limited is in its readings' status; the other channels are asked.
"""

from __future__ import annotations

import zlib

_LIBRARY = """
local smus = {smua}
if smub ~= nil then smus[2] = smub end
local level = {0, 0}
local used = 0

function mtjlab.answer(count, columns, is_double, flags, outcomes, problems)
    while errorqueue.count > 0 and table.getn(problems) < 20 do
        local code, message = errorqueue.next()
        table.insert(problems, string.format("%g %s", code, message))
    end
    local text = string.gsub(table.concat(problems, "; "), "[\\r\\n\\t]", " ")
    print(string.format("%d\\t%d\\t%s\\t%s\\t%s", count, table.getn(columns), flags, outcomes, text))
    if count == 0 or table.getn(columns) == 0 then return end
    format.data = is_double and format.REAL64 or format.REAL32
    format.byteorder = format.LITTLEENDIAN
    printbuffer(1, count, unpack(columns))
    format.data = format.ASCII
end

function mtjlab.off(problems)
    for k, smu in ipairs(smus) do
        pcall(function() smu.source.levelv = 0 end)
        pcall(function() smu.source.output = smu.OUTPUT_OFF end)
        level[k] = 0
        if smu.source.output ~= smu.OUTPUT_OFF then table.insert(problems, "an output did not switch off") end
    end
end

function mtjlab.run(body, is_double)
    local count, columns, problems = 0, {}, {}
    local function answer(many, what) count, columns = many, what end
    local is_good, problem = pcall(body, answer)
    if not is_good then
        mtjlab.off(problems)
        table.insert(problems, 1, tostring(problem))
    end
    mtjlab.answer(count, columns, is_double, "", "", problems)
end

local function clear(smu, appends)
    for _, buffer in ipairs({smu.nvbuffer1, smu.nvbuffer2}) do
        buffer.clear()
        buffer.appendmode = appends
        buffer.collecttimestamps = 0
        buffer.collectsourcevalues = 0
    end
end
local function columns_of(smu) return {smu.nvbuffer2.readings, smu.nvbuffer1.readings, smu.nvbuffer1.statuses} end

local function sweep(smu, levels, end_of_level)
    local model = smu.trigger
    smu.source.levelv = 0
    model.source.listv(levels)
    model.source.limiti = smu.LIMIT_AUTO
    model.source.action = smu.ENABLE
    model.source.stimulus = 0
    model.endpulse.action = end_of_level
    model.endpulse.stimulus = 0
    model.endsweep.action = smu.SOURCE_IDLE
    model.arm.stimulus = 0
    model.arm.count = 1
    model.count = table.getn(levels)
    return model
end

local function timer_from(number, event, seconds)
    local one = trigger.timer[number]
    one.reset()
    one.delay = seconds
    one.count = 1
    one.passthrough = false
    one.stimulus = event
    return one.EVENT_ID
end

function mtjlab.pulse(smu, volts, width, wait)
    local settle = smu.source.delay
    smu.source.delay = 0
    local model = sweep(smu, {volts}, smu.SOURCE_IDLE)
    model.endpulse.stimulus = timer_from(2, model.ARMED_EVENT_ID, width)
    model.measure.action = smu.DISABLE
    if wait ~= nil then
        clear(smu, 0)
        model.measure.iv(smu.nvbuffer1, smu.nvbuffer2)
        model.measure.stimulus = timer_from(1, model.ARMED_EVENT_ID, wait)
        model.measure.action = smu.ASYNC
    end
    model.initiate()
    waitcomplete()
    trigger.timer[1].stimulus = 0
    trigger.timer[2].stimulus = 0
    smu.source.delay = settle
end

function mtjlab.pulsed(smu, volts, width, wait)
    mtjlab.pulse(smu, volts, width, wait)
    mtjlab.answer(smu.nvbuffer1.n, columns_of(smu), true, "", "", {})
end

function mtjlab.levels(smu, levels)
    local model = sweep(smu, levels, smu.SOURCE_HOLD)
    clear(smu, 0)
    model.measure.iv(smu.nvbuffer1, smu.nvbuffer2)
    model.measure.stimulus = 0
    model.measure.action = smu.ENABLE
    model.initiate()
    waitcomplete()
    mtjlab.answer(smu.nvbuffer1.n, columns_of(smu), true, "", "", {})
end

local function require_no_error()
    if errorqueue.count > 0 then error("stopped", 0) end
end

local function require_good(job)
    require_no_error()
    if timer.measure.t() > job.seconds then error("stopped, as it took too long", 0) end
end

local function require_allowed(job, levels)
    for k = 1, table.getn(smus) do
        for m = 1, table.getn(smus) do
            if not (math.abs(levels[k]) <= job.volts and math.abs(levels[k] - levels[m]) <= job.volts) then
                error("a level is beyond its limit", 0)
            end
        end
    end
end

local function put(job, levels)
    require_allowed(job, levels)
    for k = table.getn(smus), 1, -1 do
        if levels[k] ~= level[k] then
            smus[k].source.levelv = levels[k]
            level[k] = levels[k]
        end
    end
end

local function require_closed(job, opens, closes, count)
    local shown = job.getclose("allslots") or ""
    local is_right = string.len(shown) == math.max(5 * count - 1, 0)
    for k = 1, string.len(closes), 5 do
        is_right = is_right and string.find(shown, string.sub(closes, k, k + 3), 1, true) ~= nil
    end
    for k = 1, string.len(opens), 5 do
        is_right = is_right and string.find(shown, string.sub(opens, k, k + 3), 1, true) == nil
    end
    if not is_right then error("relays read back wrong: " .. shown .. " after closing " .. closes, 0) end
end

local function route(job, opens, closes, count)
    if opens == "" and closes == "" then return end
    put(job, {0, 0})
    if opens ~= "" then job.open(opens) end
    if closes ~= "" then job.close(closes) end
    require_good(job)
    require_closed(job, opens, closes, count)
    if job.settle > 0 then delay(job.settle) end
end

local function measure(job, flags)
    local smu = smus[job.sense]
    local amps = smu.measure.iv(smu.nvbuffer1, smu.nvbuffer2)
    local is_limiting = false
    for k, one in ipairs(smus) do
        if k ~= job.sense then is_limiting = is_limiting or one.source.compliance end
    end
    table.insert(flags, is_limiting and "1" or "0")
    if math.mod(table.getn(flags), 16) == 1 then require_good(job) else require_no_error() end
    return amps
end

local function give_pulse(job, levels)
    require_allowed(job, levels)
    used = used + 1
    if used > job.pulses then error("all pulses that were allowed have been given", 0) end
    local held = {levels[1], levels[2]}
    held[job.drive] = 0
    put(job, held)
    mtjlab.pulse(smus[job.drive], levels[job.drive], job.width, nil)
    put(job, {0, 0})
    require_good(job)
end

local function begin(job)
    if tsplink.state ~= "online" then tsplink.reset() end
    if node[job.node] == nil then error("there is no node " .. job.node .. " on its TSP-Link", 0) end
    local relays = node[job.node].channel
    job.open, job.close, job.getclose = relays.open, relays.close, relays.getclose
    require_good(job)
    for k, smu in ipairs(smus) do
        smu.source.levelv = 0
        level[k] = 0
        if smu.source.limiti > job.amps then smu.source.limiti = job.amps end
    end
    job.open("allslots")
    clear(smus[job.sense], 1)
    for _, smu in ipairs(smus) do
        smu.source.output = smu.OUTPUT_ON
        if not (smu.source.limiti <= job.amps * 1.0001) then error("a compliance is beyond its limit", 0) end
    end
    require_good(job)
end

local function guarded(job, body)
    local flags, outcomes, problems = {}, {}, {}
    timer.reset()
    used = 0
    local is_good, problem = pcall(function()
        begin(job)
        body(flags, outcomes)
    end)
    if not is_good then table.insert(problems, tostring(problem)) end
    mtjlab.off(problems)
    if job.open ~= nil then
        pcall(job.open, "allslots")
        local is_told, shown = pcall(job.getclose, "allslots")
        if not is_told or shown ~= nil then table.insert(problems, "relays did not open") end
    end
    local smu = smus[job.sense]
    smu.nvbuffer1.appendmode = 0
    smu.nvbuffer2.appendmode = 0
    local many = table.getn(flags)
    mtjlab.answer(many, columns_of(smu), false, table.concat(flags), table.concat(outcomes, ";"), problems)
end

function mtjlab.scan(job, points)
    guarded(job, function(flags)
        for _, point in ipairs(points) do
            route(job, point[1], point[2], point[3])
            put(job, point[4])
            measure(job, flags)
        end
        put(job, {0, 0})
    end)
end

function mtjlab.pulse_each(job, points)
    guarded(job, function(flags, outcomes)
        for _, point in ipairs(points) do
            route(job, point[1], point[2], point[3])
            give_pulse(job, point[4])
        end
        table.insert(outcomes, string.format("%d", used))
    end)
end

local function write(job, task, flags)
    local pulses, count = task[8], 0
    route(job, task[1], task[2], task[3])
    while true do
        put(job, task[7])
        local amps = measure(job, flags)
        if amps >= task.least and amps <= task.most then return count, 1 end
        count = count + 1
        if pulses[count] == nil then return count - 1, 0 end
        put(job, {0, 0})
        route(job, task[4], task[5], task[6])
        give_pulse(job, pulses[count])
        route(job, task[5], task[4], task[3])
    end
end

function mtjlab.write_each(job, tasks)
    guarded(job, function(flags, outcomes)
        for _, task in ipairs(tasks) do
            local count, is_done = write(job, task, flags)
            table.insert(outcomes, string.format("%d,%d", count, is_done))
        end
        put(job, {0, 0})
    end)
end
"""

VERSION = f"{zlib.crc32(_LIBRARY.encode()):08x}"
"""What `mtjlab.version` is in an instrument that has this library."""
LIBRARY = "\n".join(line.strip() for line in _LIBRARY.splitlines() if line.strip())
UPLOAD = f'loadandrunscript\nmtjlab = {{version = "{VERSION}"}}\n{LIBRARY}\nendscript'
"""One message that puts the library into the instrument; it stays there until the power goes."""

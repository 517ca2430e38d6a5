"""String functions of TSP that cannot run for ever: patterns are matched in Lua itself, where a script's budget counts.

Lua's own matcher is a C function, which no budget interrupts; a pattern with several repetitions on a long text takes
it years. It is used where its cost is surely small. The patterns are those of the Lua manual, with %z of Lua 5.0.
"""

from __future__ import annotations

MOST_COST = 1e7
"""Steps that Lua's own matcher may take at worst for one call."""
MOST_PLAIN_COST = 1e9
"""Product of the lengths of text and word above which a plain search is refused."""

PATTERNS = (
    f"local MOST_COST, MOST_PLAIN_COST = {MOST_COST}, {MOST_PLAIN_COST}"
    + r"""
do
local byte, sub, char, tostring = string.byte, string.sub, string.char, tostring
local type, select, error = type, select, error
local c_find, c_match, c_gmatch, c_gsub, c_rep = string.find, string.match, string.gmatch, string.gsub, string.rep
local concat, unpack = table.concat, table.unpack
local classes = {}
for letter in c_gmatch("acdglpsuwx", ".") do
    local holds = {}
    for b = 0, 255 do holds[b] = c_find(char(b), "^%" .. letter) ~= nil end
    classes[byte(letter)] = holds
end
classes[byte("z")] = {[0] = true}

local function in_class(c, letter)
    local holds = classes[letter | 32]
    if holds == nil or letter < 65 then return letter == c end
    return (holds[c] or false) == (letter >= 97)
end

local function matcher(s, p)
    local text_end, pattern_end = #s, #p
    local starts, lengths, level = {}, {}, 0
    local match
    local function item_end(at)
        local c = byte(p, at)
        at = at + 1
        if c == 37 then
            if at > pattern_end then error("malformed pattern (ends with `%')", 0) end
            return at + 1
        elseif c == 91 then
            if byte(p, at) == 94 then at = at + 1 end
            repeat
                if at > pattern_end then error("malformed pattern (missing `]')", 0) end
                at = at + (byte(p, at) == 37 and 2 or 1)
            until byte(p, at) == 93
            return at + 1
        end
        return at
    end
    local function in_set(c, at, last)
        local found = true
        at = at + 1
        if byte(p, at) == 94 then found = false; at = at + 1 end
        while at < last do
            local d = byte(p, at)
            if d == 37 then
                if in_class(c, byte(p, at + 1)) then return found end
                at = at + 2
            elseif byte(p, at + 1) == 45 and at + 2 < last then
                if d <= c and c <= byte(p, at + 2) then return found end
                at = at + 3
            else
                if d == c then return found end
                at = at + 1
            end
        end
        return not found
    end
    local function single(si, pi, ep)
        if si > text_end then return false end
        local c, d = byte(s, si), byte(p, pi)
        if d == 46 then return true end
        if d == 37 then return in_class(c, byte(p, pi + 1)) end
        if d == 91 then return in_set(c, pi, ep - 1) end
        return c == d
    end
    local function balanced(si, pi)
        local open, close = byte(p, pi), byte(p, pi + 1)
        if close == nil then error("missing arguments to `%b'", 0) end
        if byte(s, si) ~= open then return nil end
        local depth = 1
        for k = si + 1, text_end do
            local c = byte(s, k)
            if c == close then
                depth = depth - 1
                if depth == 0 then return k + 1 end
            elseif c == open then depth = depth + 1 end
        end
        return nil
    end
    local function begin_capture(si, pi, length)
        level = level + 1
        if level > 32 then error("too many captures", 0) end
        starts[level], lengths[level] = si, length
        local ended = match(si, pi)
        if ended == nil then level = level - 1 end
        return ended
    end
    local function end_capture(si, pi)
        local open = level
        while open > 0 and lengths[open] ~= -1 do open = open - 1 end
        if open == 0 then error("invalid pattern capture", 0) end
        lengths[open] = si - starts[open]
        local ended = match(si, pi)
        if ended == nil then lengths[open] = -1 end
        return ended
    end
    local function same_again(si, pi)
        local number = byte(p, pi) - 48
        if number < 1 or number > level or lengths[number] == -1 then error("invalid capture index", 0) end
        local length = lengths[number]
        if length < 0 then return nil end
        local before = sub(s, starts[number], starts[number] + length - 1)
        if sub(s, si, si + length - 1) == before then return si + length end
        return nil
    end
    function match(si, pi)
        while pi <= pattern_end do
            local d, e = byte(p, pi), byte(p, pi + 1)
            if d == 40 then
                if e == 41 then return begin_capture(si, pi + 2, -2) end
                return begin_capture(si, pi + 1, -1)
            elseif d == 41 then return end_capture(si, pi + 1)
            elseif d == 36 and pi == pattern_end then return si == text_end + 1 and si or nil
            elseif d == 37 and e == 98 then
                si = balanced(si, pi + 2)
                if si == nil then return nil end
                pi = pi + 4
            elseif d == 37 and e == 102 then
                local at = pi + 2
                if byte(p, at) ~= 91 then error("missing `[' after `%f' in pattern", 0) end
                local ep = item_end(at)
                local before, now = si > 1 and byte(s, si - 1) or 0, byte(s, si) or 0
                if in_set(before, at, ep - 1) or not in_set(now, at, ep - 1) then return nil end
                pi = ep
            elseif d == 37 and e and e >= 48 and e <= 57 then
                si = same_again(si, pi + 1)
                if si == nil then return nil end
                pi = pi + 2
            else
                local ep = item_end(pi)
                local suffix = byte(p, ep)
                if suffix == 63 then
                    if single(si, pi, ep) then
                        local ended = match(si + 1, ep + 1)
                        if ended then return ended end
                    end
                    pi = ep + 1
                elseif suffix == 42 or suffix == 43 then
                    local many = 0
                    while single(si + many, pi, ep) do many = many + 1 end
                    for k = many, suffix == 43 and 1 or 0, -1 do
                        local ended = match(si + k, ep + 1)
                        if ended then return ended end
                    end
                    return nil
                elseif suffix == 45 then
                    while true do
                        local ended = match(si, ep + 1)
                        if ended then return ended end
                        if not single(si, pi, ep) then return nil end
                        si = si + 1
                    end
                else
                    if not single(si, pi, ep) then return nil end
                    si, pi = si + 1, ep
                end
            end
        end
        return si
    end
    local function capture(number, si, ei)
        if number > level then
            if number == 1 then return sub(s, si, ei - 1) end
            error("invalid capture index", 0)
        end
        local length = lengths[number]
        if length == -2 then return starts[number] end
        if length == -1 then error("unfinished capture", 0) end
        return sub(s, starts[number], starts[number] + length - 1)
    end
    local function captures(si, ei, or_whole)
        local found, many = {}, level
        if many == 0 and or_whole then many = 1 end
        for k = 1, many do found[k] = capture(k, si, ei) end
        return found, many
    end
    return function(si, pi) level = 0; return match(si, pi) end, captures, capture
end

local function cost(s, p)
    local quick = c_find(p, "[%*%+%-%?]") or c_find(p, "%%[%db]")
    if not quick then return 0 end
    local repeats = select(2, c_gsub(p, "[%*%+%-%?]", "")) + select(2, c_gsub(p, "%%[%db]", ""))
    return (#s + 1) ^ (repeats + 1)
end
local function text(value, where)
    if type(value) == "number" then return tostring(value) end
    if type(value) ~= "string" then
        local kind = value == nil and "no value" or type(value)
        error("bad argument #" .. where .. " (string expected, got " .. kind .. ")", 3)
    end
    return value
end
local function begin(s, init)
    init = init or 1
    if type(init) ~= "number" then init = tonumber(init) or 1 end
    if init < 0 then init = #s + init + 1 end
    return init < 1 and 1 or init // 1 | 0
end
local function search(s, p, init, is_find)
    local si = begin(s, init)
    if si > #s + 1 then return nil end
    local match, captures = matcher(s, p)
    local is_anchored = byte(p, 1) == 94
    local first = is_anchored and 2 or 1
    repeat
        local ended = match(si, first)
        if ended then
            local found, many = captures(si, ended, not is_find)
            if is_find then return si, ended - 1, unpack(found, 1, many) end
            return unpack(found, 1, many)
        end
        si = si + 1
    until is_anchored or si > #s + 1
    return nil
end
function string.find(s, p, init, is_plain)
    s, p = text(s, 1), text(p, 2)
    if is_plain or not c_find(p, "[%^%$%*%+%?%.%(%[%%%-]") then
        if #s * #p > MOST_PLAIN_COST then error("text too long to search", 2) end
        return c_find(s, p, init, true)
    end
    if cost(s, p) <= MOST_COST then return c_find(s, p, init) end
    return search(s, p, init, true)
end
function string.match(s, p, init)
    s, p = text(s, 1), text(p, 2)
    if cost(s, p) <= MOST_COST then return c_match(s, p, init) end
    return search(s, p, init, false)
end
function string.gmatch(s, p)
    s, p = text(s, 1), text(p, 2)
    if cost(s, p) <= MOST_COST then return c_gmatch(s, p) end
    local match, captures = matcher(s, p)
    local si, last = 1, nil
    return function()
        while si <= #s + 1 do
            local ended = match(si, 1)
            if ended and ended ~= last then
                local found, many = captures(si, ended, true)
                si, last = ended, ended
                return unpack(found, 1, many)
            end
            si = si + 1
        end
        return nil
    end
end
local function filled(replacement, capture, si, ei)
    return (c_gsub(replacement, "%%(.?)", function(sign)
        if sign == "%" then return "%" end
        if c_find(sign, "^%d$") == nil then error("invalid use of `%' in replacement string", 0) end
        if sign == "0" then return capture(nil) end
        return tostring(capture(sign + 0))
    end))
end
function string.gsub(s, p, r, most)
    s, p = text(s, 1), text(p, 2)
    local kind = type(r)
    if kind == "number" then r, kind = tostring(r), "string" end
    if kind ~= "string" and kind ~= "table" and kind ~= "function" then
        error("bad argument #3 to `gsub' (string/function/table expected)", 2)
    end
    if cost(s, p) <= MOST_COST then return c_gsub(s, p, r, most) end
    local match, captures, capture = matcher(s, p)
    local is_anchored = byte(p, 1) == 94
    local first, si, last, done, out = is_anchored and 2 or 1, 1, nil, 0, {}
    most = most or #s + 1
    while done < most do
        local ended = match(si, first)
        if ended and ended ~= last then
            done = done + 1
            local whole, new = sub(s, si, ended - 1), nil
            if kind == "string" then
                new = filled(r, function(k) return k and capture(k // 1 | 0, si, ended) or whole end)
            elseif kind == "table" then new = r[capture(1, si, ended)]
            else
                local found, many = captures(si, ended, true)
                new = r(unpack(found, 1, many))
            end
            out[#out + 1] = new and tostring(new) or whole
            si, last = ended, ended
        elseif si <= #s then
            out[#out + 1] = sub(s, si, si)
            si = si + 1
        else break end
        if is_anchored or si > #s + 1 then break end
    end
    out[#out + 1] = sub(s, si)
    return concat(out), done
end
string.gfind = string.gmatch
function string.rep(s, n, separator)
    s = text(s, 1)
    if s == "" and (separator == nil or separator == "") then return "" end
    return c_rep(s, n, separator)
end
string.dump = nil
end
"""
)

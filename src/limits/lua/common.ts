/**
 * What the Lua scripts of the limit store share. All arithmetic is of integers below 2^53, which Lua 5.1 holds exactly, and is
 * that of bucket.ts line by line. `math.fmod`, never `%`: Lua's `%` divides first and is wrong above 2^53/p. Numbers become
 * text by formats only (PAIR, BUCKET, `%.0f`): `..`, tostring and cjson round above 10^14.
 *
 * Values, of a name without the customer's prefix:
 *
 *     c:COUNTER  window, slots   USED:HELD TAIL
 *                bucket          UNITS:PARTS:AT:P:HELD TAIL
 *                total           USED:HELD;INCARNATION;RUN;LIFE;MOVED_AT TAIL
 *                TAIL            nothing, or ;NEXT;LIMIT;THRESHOLD,…;TOLD,…   NEXT: least threshold not told
 *     h:ID       LIFE|- MINTED_AT EXPIRES_AT CANDIDATE|- RANK OPEN(1|0) RUN|-\n, then a line a spend:
 *                NAME KIND KEEP HELD RESERVED CHARGED RANK A B INCARNATION\n
 *                KIND b|w|s|t, KEEP k|r (on expiry), HELD h|n without spaces between; A B: n p of a bucket, end 0 of a window;
 *                INCARNATION of a total: * the one of the reservation's run; ! no counter; - not a total
 *     r:MARKER   LIFE RENEWED_AT IDLE OPEN        LIFE: the decision that began it, so that two runs of a name differ
 *     o          open reservations by expiry, for the sweep
 *     a:OP       1: the adjustment was made
 */

/**
 * Counters that something is held in, and open reservations, are kept this long (ms): far longer than any hold, so that what
 * is open is never forgotten, and not for ever where nobody is left to sweep.
 */
export const HOLD_TTL_MS = 86_400_000;

/** The script's instant: ARGV[1] where a test steers it, else the server's clock, one for all processes. */
export const NOW = `
local now = ARGV[1]
if now == '' then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
else
  now = tonumber(now)
end
local settleWithin = tonumber(ARGV[2])
local last = #KEYS
local plen = #KEYS[last] - 1
local HOLD, HOLD_TEXT = ${HOLD_TTL_MS}, '${HOLD_TTL_MS}'
local fmt, match, sub, find = string.format, string.match, string.sub, string.find
-- '%d' takes a third of the time of '%.0f', and is exact where a long has 64 bits; elsewhere it wraps.
local PAIR, BUCKET = '%d:%d%s', '%d:%d:%d:%d:%d%s'
if fmt('%d', 9007199254740991) ~= '9007199254740991' then PAIR, BUCKET = '%.0f:%.0f%s', '%.0f:%.0f:%.0f:%.0f:%.0f%s' end
`;

export const BUCKET = `
local fmod, ceil, max = math.fmod, math.ceil, math.max
local MAX = 9007199254740991
local function drain(n, p, ms)
  local product = n * ms
  if product <= MAX then
    local parts = fmod(product, p)
    return (product - parts) / p, parts
  end
  local perMs, rest = fmod(n, p), fmod(ms, p)
  local parts = fmod(perMs * rest, p)
  return ((n - perMs) / p) * ms + perMs * ((ms - rest) / p) + (perMs * rest - parts) / p, parts
end
local function less(units, parts, p, takenUnits, takenParts)
  units, parts = units - takenUnits, parts - takenParts
  if parts < 0 then units, parts = units - 1, parts + p end
  if units < 0 then return 0, 0 end
  return units, parts
end
-- The level at now, in parts of p; 'was' is the p it is kept in.
local function level(units, parts, at, was, n, p)
  if was ~= p then
    parts = ceil(parts * p / was)
    if parts >= p then units, parts = units + 1, 0 end
  end
  local ms = now - at
  if ms <= 0 then return units, parts, at end
  if units == 0 and parts == 0 then return 0, 0, now end
  local u, q = drain(n, p, ms)
  units, parts = less(units, parts, p, u, q)
  return units, parts, now
end
-- How long a bucket's key is kept: held amounts do not drain; else at least until it is empty. As text: most are alike.
local function bucketTtl(units, n, p, held)
  local empty = (units + 1) * p / n
  if held > 0 or empty <= HOLD then return HOLD_TEXT end
  return fmt('%.0f', ceil(math.min(empty, 1e13)))
end
`;

/**
 * All values at once (v, by place in KEYS), runs and totals. runOf answers a run by its name, nil where there
 * is none or it has ended, and notes in 'missing' where its key was not given.
 */
export const RUNS = `
local v = redis.call('MGET', unpack(KEYS, 1, last - 1))
local missing = {}
local runs = {}
local function runOf(name)
  local known = runs[name]
  if known ~= nil then return known or nil end
  runs[name] = false
  for i = 2, last - 1 do
    if sub(KEYS[i], plen + 1) == name then
      if v[i] then
        local life, renewed, idle, open = match(v[i], '^(%S+) (%d+) (%d+) (%d+)$')
        local run = { i = i, life = life, renewed = tonumber(renewed), idle = tonumber(idle), open = tonumber(open) }
        if run.open > 0 or now < run.renewed + run.idle then runs[name] = run end
      end
      return runs[name] or nil
    end
  end
  missing[#missing + 1] = name
  return nil
end
local function saveRun(run)
  local ttl = run.open > 0 and HOLD or math.max(1, run.renewed + run.idle - now)
  redis.call('SET', KEYS[run.i], fmt('%s %.0f %.0f %.0f', run.life, run.renewed, run.idle, run.open), 'PX', ttl)
end
-- A total that still counts: its run goes on, or it was moved lately and has none.
local function totalOf(value)
  if not value then return nil end
  local u, h, inc, run, life, moved, tail = match(value, '^(%d+):(%d+);([^;]*);([^;]*);([^;]*);(%d+)(.*)$')
  moved = tonumber(moved)
  if run == '' then
    if now >= moved + settleWithin then return nil end
  else
    local its = runOf(run)
    if its == nil or its.life ~= life then return nil end
  end
  return { u = tonumber(u), h = tonumber(h), inc = inc, run = run, life = life, moved = moved, tail = tail }
end
`;

/**
 * Counters that a settlement, an expiry or an operator moves: load reads one (nil: it counts no more), move changes it,
 * flush writes those that changed. 'from' and 'to' are what a spend was and is charged with.
 */
export const COUNTERS = `
local index = {}
for i = 2, last - 1 do index[sub(KEYS[i], plen + 1)] = i end
local states = {}
local changed = {}
-- All fields at once: a table that grows costs as much as reading its counter.
local function load(i, kind, a)
  local s = states[i]
  if s ~= nil then return s end
  local x = v[i]
  if kind == 'w' and now >= a + settleWithin then return nil end
  if kind == 't' then
    s = totalOf(x)
    if s == nil then return nil end
    s.i, s.kind = i, kind
  elseif not x then
    s = { i = i, kind = kind, u = 0, h = 0, parts = 0, at = now, p = false, tail = '', a = 0, b = 0, isChanged = false }
  elseif kind == 'b' then
    local units, parts, at, p, h, tail = match(x, '^(%d+):(%d+):(%d+):(%d+):(%d+)(.*)$')
    s = { i = i, kind = kind, u = units + 0, parts = parts + 0, at = at + 0, p = p + 0, h = h + 0, tail = tail, a = 0, b = 0, isChanged = false }
  else
    local u, h, tail = match(x, '^(%d+):(%d+)(.*)$')
    s = { i = i, kind = kind, u = u + 0, h = h + 0, tail = tail, a = 0, b = 0, isChanged = false }
  end
  states[i] = s
  return s
end
local function touch(s, a, b)
  if s.kind == 't' then s.moved = max(s.moved, now) end
  s.a, s.b = a, b
  if not s.isChanged then
    s.isChanged = true
    changed[#changed + 1] = s
  end
end
local function newTotal(i, inc, run, life)
  local s = { u = 0, h = 0, inc = inc, run = run, life = life, moved = now, tail = '', i = i, kind = 't' }
  states[i] = s
  return s
end
-- Brings a bucket to now, at the rate of who asks.
local function drained(s, n, p)
  s.u, s.parts, s.at = level(s.u, s.parts, s.at, s.p or p, n, p)
  s.p = p
end
-- A bucket that has drained warns anew.
local function renewed(s, n, p)
  drained(s, n, p)
  if s.h == 0 and s.u == 0 and s.parts == 0 then s.tail = '' end
end
local function move(s, isHeld, stays, reserved, from, to, a, b, minted)
  local returns = isHeld and not stays
  if s.kind == 'b' then
    renewed(s, a, b)
    if returns then s.h = max(0, s.h - reserved) end
    local change = to - from
    if isHeld then
      if returns then s.u = s.u + to end
    elseif change >= 0 then
      s.u = s.u + change
    else
      local u, q = less(from, 0, b, drain(a, b, max(0, now - minted)))
      if u >= -change then u, q = -change, 0 end
      s.u, s.parts = less(s.u, s.parts, b, u, q)
    end
  else
    local u, h = s.u + to - from, s.h
    if returns then h = h - reserved end
    s.u, s.h = u > 0 and u or 0, h > 0 and h or 0
  end
  touch(s, a, b)
end
local function flush()
  for _, s in ipairs(changed) do
    local key, kind = KEYS[s.i], s.kind
    local u, h = s.u, s.h
    if u > MAX then u = MAX end
    if h > MAX then h = MAX end
    if kind == 'b' then
      if u == 0 and s.parts == 0 and h == 0 then
        redis.call('DEL', key)
      else
        local value = fmt(BUCKET, u, s.parts, s.at, s.p, h, s.tail)
        redis.call('SET', key, value, 'PX', bucketTtl(u, s.a, s.b, h))
      end
    elseif kind == 'w' then
      local value = fmt(PAIR, u, h, s.tail)
      if v[s.i] then
        redis.call('SET', key, value, 'KEEPTTL')
      else
        redis.call('SET', key, value, 'PX', s.a + settleWithin - now)
      end
    elseif kind == 't' then
      local value = fmt('%.0f:%.0f;%s;%s;%s;%.0f%s', u, h, s.inc, s.run, s.life, s.moved, s.tail)
      redis.call('SET', key, value, 'PX', HOLD_TEXT)
    elseif u == 0 and h == 0 then
      redis.call('DEL', key)
    else
      redis.call('SET', key, fmt(PAIR, u, h, s.tail), 'PX', HOLD_TEXT)
    end
  end
end
`;

/** A reservation as text and back, and its end. */
export const HOLDS = `
local LINE = '(%S+) (%l)(%l)(%l) (%d+) (%d+) (%S+) (%d+) (%d+) (%S+)\\n'
-- Texts, but for isHeld: what was read goes back as it is.
local function lineOf(name, kind, keep, isHeld, reserved, charged, rank, a, b, inc)
  return name .. ' ' .. kind .. keep .. (isHeld and 'h ' or 'n ') .. reserved .. ' ' .. charged .. ' ' .. rank .. ' ' .. a .. ' ' .. b .. ' ' .. inc .. '\\n'
end
local function readHold(value)
  local head, life, minted, expires, rank, open, run, lines =
    match(value, '^((%S+) (%d+) (%d+) %S+) (%S+) (%d) (%S+)\\n(.*)$')
  return {
    head = head, life = life, minted = minted + 0, expires = expires + 0, rank = rank + 0, isOpen = open == '1', run = run,
    lines = lines,
  }
end
local function saveHold(hold, lines)
  local ttl = hold.isOpen and max(0, hold.expires - now) + HOLD or max(1, hold.minted + settleWithin - now)
  local state = fmt(hold.isOpen and ' %.0f 1 ' or ' %.0f 0 ', hold.rank)
  redis.call('SET', KEYS[1], hold.head .. state .. hold.run .. '\\n' .. lines, 'PX', ttl)
end
-- The run of a reservation, if it goes on and is still that one.
local function runOfHold(hold)
  if hold.run == '-' then return nil end
  local run = runOf(hold.run)
  if run == nil or run.life ~= hold.life then return nil end
  return run
end
-- The counter that a spend is charged in; nil: there is none any more.
local function counterOf(hold, i, kind, a, inc)
  if inc == '!' then return nil end
  local s = load(i, kind, a)
  if s == nil or kind ~= 't' then return s end
  if inc == '*' then
    if hold.life ~= '-' and s.life ~= hold.life then return nil end
  elseif s.inc ~= inc then
    return nil
  end
  return s
end
`;

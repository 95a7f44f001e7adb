import { scriptOf } from '../../redis/script.ts';
import { BUCKET, NOW, RUNS } from './common.ts';

/**
 * One question: reads all its counters at once, finds the candidate that stops, charges it or nothing. What the counters
 * said goes back as it was found: who asked works the states and waits out of it, with the same code as the memory store.
 *
 * KEYS  h:ID, [r:MARKER if the question has a run], c:COUNTER …, [keys that an answer 4 asked for], o
 * ARGV  1 now or '' · 2 settle_within · 3 id · 4 name of the run or '' · 5 expires_at · 6 ttl of the reservation, ms
 *       7 the question, a JSON array of integers and a few texts: mode (0 ask, 1 force, 2 dry, 3 dry and forced) · from ·
 *       until · minted_at · idle of the run · candidate to force, from 1, or 0 · number of totals and their places in KEYS ·
 *       number of candidates; then for each the number of its spends, and for each of these: place in KEYS · kind: 1 window,
 *       2 slots, 3 total, 4 bucket, 5 bucket that is filled at once; 10 more where it is asked only at the beginning of a run
 *       amount · ceiling, -1 none · most that may be spent before it yields, or -1 · a · b (n p, or end 0) ·
 *       ;LIMIT;THRESHOLD,…; or 0
 *       8 … for each candidate the reservation it would make, and that in a run that goes on ('' the same); of a question
 *       with a run without the LIFE it begins with
 * reply {0 admitted, now, candidate from 0, 0, whether the run goes on, value …}: values as found, by place in KEYS from 2
 *       {1 refused, now, candidate, whether something is overdue, whether the run goes on, value …}; of a dry question
 *       {0, now, -1, overdue, run, value …}: nothing was decided
 *       {2 known, now, candidate or -1} · {3 moved, now} · {4, now, name …}: ask again with these keys too
 *
 * Why one MGET and whole-value SETs: measured the fastest layout that still has a TTL per window. Why JSON: an argument costs
 * some 0.3 µs, a number in JSON 0.05, and reading (unlike writing) it is exact to 2^53. A key that is there keeps its TTL where
 * that is the same (windows): setting it costs as much as the value.
 */
export const RESERVE = scriptOf(
  'reserve',
  `${NOW}${BUCKET}${RUNS}
local call = redis.call
local q = cjson.decode(ARGV[7])
local mode = q[1]
local isDry = mode >= 2
if not isDry then
  if v[1] then return { 2, now, tonumber(match(v[1], '^%S+ %d+ %d+ (%d+)') or -1) } end
  if now >= q[4] + settleWithin then return { 2, now, -1 } end
end
if mode % 2 == 0 and (now < q[2] or now >= q[3]) then return { 3, now } end

local marker, run = ARGV[4], nil
if marker ~= '' then run = runOf(marker) end
local totals
local at = 8
if q[7] > 0 then
  totals = {}
  for k = at, at + q[7] - 1 do
    local i = q[k]
    totals[i] = totalOf(v[i])
    if totals[i] == nil then v[i] = false end
  end
  if #missing > 0 then return { 4, now, unpack(missing) } end
  at = at + q[7]
end

local function reply(code, candidate)
  local r = { code, now, candidate, 0, run and 1 or 0, unpack(v, 2) }
  if code == 1 or isDry then
    r[4] = #call('ZRANGEBYSCORE', KEYS[last], '-inf', fmt('%.0f', now), 'LIMIT', 0, 1)
  end
  return r
end
if isDry then return reply(0, -1) end

local U, H, T, Q = {}, {}, {}, {}
local forced, n = q[6], q[at]
at = at + 1
local candidate, count = 0, 0
while true do
  candidate = candidate + 1
  count = q[at]
  local isFit, yields = true, false
  local j = at + 1
  for s = 1, count do
    local i, kind = q[j], q[j + 1]
    if run and kind > 10 then
      U[s] = false
    else
      if kind > 10 then kind = kind - 10 end
      local x = v[i]
      local u, h, tail, spent = 0, 0, '', 0
      if kind <= 2 then
        if x and (kind == 2 or now < q[j + 5] + settleWithin) then
          u, h, tail = match(x, '^(%d+):(%d+)(.*)$')
          u, h = u + 0, h + 0
          spent = u - h
        end
      elseif kind == 3 then
        local total = totals[i]
        if total then
          u, h, tail = total.u, total.h, total.tail
          spent = u - h
        end
      else
        local b
        if x then
          local units, parts, since, was
          units, parts, since, was, h, tail = match(x, '^(%d+):(%d+):(%d+):(%d+):(%d+)(.*)$')
          h = h + 0
          b = { level(units + 0, parts + 0, since + 0, was + 0, q[j + 5], q[j + 6]) }
          spent = b[1]
          if b[2] > 0 then spent = spent + 1 end
        else
          b = { 0, 0, now }
        end
        Q[s] = b
        u = spent + h
      end
      if spent < 0 then spent = 0 end
      U[s], H[s], T[s] = u, h, tail
      local amount, ceiling, step = q[j + 2], q[j + 3], q[j + 4]
      if ceiling >= 0 and amount > ceiling - u then
        isFit = false
        if step >= 0 then yields = true end
      elseif step >= 0 and amount > step - spent then
        isFit, yields = false, true
      end
    end
    j = j + 8
  end
  if forced == 0 then
    if isFit then break end
    if not yields or candidate == n then return reply(1, candidate - 1) end
  elseif candidate == forced then
    break
  end
  at = j
end

local life = ''
if marker ~= '' then
  if run then
    run.open, run.renewed, run.idle = run.open + 1, max(run.renewed, now), q[5]
    saveRun(run)
    life = run.life
  else
    life = ARGV[3]
    saveRun({ i = 2, life = life, renewed = now, idle = q[5], open = 1 })
  end
end
local function watched(tail, warn)
  if find(tail, warn, 1, true) then return tail end
  local thresholds = match(warn, ';([^;]*);$')
  local told = match(tail, '^;[^;]*;[^;]*;[^;]*;(.*)$') or ''
  for threshold in string.gmatch(thresholds, '%d+') do
    if not find(',' .. told .. ',', ',' .. threshold .. ',', 1, true) then return ';' .. threshold .. warn .. told end
  end
  return ';' .. warn .. told
end
local j = at + 1
for s = 1, count do
  local u = U[s]
  if u then
    local i, kind, amount, warn = q[j], q[j + 1], q[j + 2], q[j + 7]
    local h, tail = H[s], T[s]
    if kind > 10 then kind = kind - 10 end
    local b = Q[s]
    if kind >= 4 and h == 0 and b[1] == 0 and b[2] == 0 then tail = '' end
    if warn ~= 0 then tail = watched(tail, warn) end
    if kind == 1 then
      local value, ttl = fmt(PAIR, u + amount, h + amount, tail), q[j + 5] + settleWithin - now
      if ttl > 0 then
        if v[i] then call('SET', KEYS[i], value, 'KEEPTTL') else call('SET', KEYS[i], value, 'PX', ttl) end
      end
    elseif kind == 2 then
      call('SET', KEYS[i], fmt(PAIR, u + amount, h + amount, tail), 'PX', HOLD_TEXT)
    elseif kind == 3 then
      local total = totals[i] or { inc = ARGV[3], run = '', life = '', moved = now }
      if marker ~= '' and total.run == '' then total.run, total.life = marker, life end
      call('SET', KEYS[i], fmt('%.0f:%.0f;%s;%s;%s;%.0f%s', u + amount, h + amount, total.inc, total.run, total.life,
        max(total.moved, now), tail), 'PX', HOLD_TEXT)
    else
      local units, p = b[1], q[j + 6]
      if kind == 5 then units = units + amount else h = h + amount end
      call('SET', KEYS[i], fmt(BUCKET, units, b[2], b[3], p, h, tail), 'PX',
        bucketTtl(units, q[j + 5], p, h))
    end
  end
  j = j + 8
end
local hold = ARGV[6 + 2 * candidate]
if run and ARGV[7 + 2 * candidate] ~= '' then hold = ARGV[7 + 2 * candidate] end
if marker ~= '' then hold = life .. hold end
call('SET', KEYS[1], hold, 'PX', ARGV[6])
call('ZADD', KEYS[last], ARGV[5], ARGV[3])
return reply(0, candidate - 1)
`,
);

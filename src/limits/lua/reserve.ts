import { scriptOf } from '../../redis/script.ts';
import { BUCKET, NOW, RUNS } from './common.ts';

/** Numbers of the arguments of one spend. */
export const RESERVE_STRIDE = 8;

/**
 * One question: reads all its counters at once, finds the candidate that stops, charges it or nothing. What the counters
 * said goes back as it was found: who asked works the states and waits out of it, with the same code as the memory store.
 *
 * KEYS  h:ID, [r:MARKER if the question has a run], c:COUNTER …, [keys that an answer 4 asked for], o
 * ARGV  1 now or '' · 2 settle_within · 3 mode: a ask, f force, d dry, x dry and forced · 4 from · 5 until · 6 minted_at
 *       7 expires_at · 8 id · 9 name of the run or '' · 10 its idle · 11 candidate to force, from 1, or 0
 *       12 places in KEYS of totals, separated by spaces · 13 candidates; then for each: number of its spends, its lines for the
 *       reservation, those for a run that goes on ('' the same), and for each spend: place in KEYS · kind: b bucket, q bucket
 *       that is filled at once, w, s, t; a capital where it is asked only at the beginning of a run · amount · ceiling ·
 *       most that may be spent before it yields, or '' · a · b (n p, or end 0) · ;LIMIT;THRESHOLD,…; or ''
 * reply {0 admitted, now, candidate from 0, 0, whether the run goes on, value …}: values as found, by place in KEYS from 2
 *       {1 refused, now, candidate, whether something is overdue, whether the run goes on, value …}; of a dry question
 *       {0, now, -1, overdue, run, value …}: nothing was decided
 *       {2 known, now, candidate or -1} · {3 moved, now} · {4, now, name …}: ask again with these keys too
 *
 * Why one MGET and whole-value SETs: measured the fastest layout that still has a TTL per window.
 */
export const RESERVE = scriptOf(
  'reserve',
  `${NOW}${BUCKET}${RUNS}
local call = redis.call
local mode = ARGV[3]
local isDry = mode == 'd' or mode == 'x'
if not isDry then
  if v[1] then return { 2, now, tonumber(match(v[1], '^%d+ %d+ (%d+)') or -1) } end
  if now >= tonumber(ARGV[6]) + settleWithin then return { 2, now, -1 } end
end
if (mode == 'a' or mode == 'd') and (now < tonumber(ARGV[4]) or now >= tonumber(ARGV[5])) then return { 3, now } end

local marker, run = ARGV[9], nil
if marker ~= '' then run = runOf(marker) end
local totals
if ARGV[12] ~= '' then
  totals = {}
  for place in string.gmatch(ARGV[12], '%d+') do
    local i = tonumber(place)
    totals[i] = totalOf(v[i])
    if totals[i] == nil then v[i] = false end
  end
  if #missing > 0 then return { 4, now, unpack(missing) } end
end

local function reply(code, candidate, overdue)
  local r = { code, now, candidate, overdue, run and 1 or 0 }
  for i = 2, last - 1 do r[i + 4] = v[i] end
  return r
end
local function overdue()
  return #call('ZRANGEBYSCORE', KEYS[last], '-inf', fmt('%.0f', now), 'LIMIT', 0, 1)
end
if isDry then return reply(0, -1, overdue()) end

local U, H, T, Q, isAsked = {}, {}, {}, {}, {}
local forced, n = tonumber(ARGV[11]), tonumber(ARGV[13])
local at, candidate, count = 14, 0, 0
while true do
  candidate = candidate + 1
  count = tonumber(ARGV[at])
  local isFit, yields = true, false
  local j = at + 3
  for s = 1, count do
    local kind = ARGV[j + 1]
    if run and kind < 'a' then
      isAsked[s] = false
    else
      isAsked[s] = true
      local i = tonumber(ARGV[j])
      local x = v[i]
      local u, h, tail, spent = 0, 0, '', 0
      if kind == 'w' or kind == 's' or kind == 'W' or kind == 'S' then
        if x and (kind == 's' or kind == 'S' or now < ARGV[j + 5] + settleWithin) then
          u, h, tail = match(x, '^(%d+):(%d+)(.*)$')
          u, h = tonumber(u), tonumber(h)
        end
        spent = max(0, u - h)
      elseif kind == 't' or kind == 'T' then
        local total = totals[i]
        if total then u, h, tail = total.u, total.h, total.tail end
        spent = max(0, u - h)
      else
        local parts = 0
        if x then
          local level0, parts0, at0, p0
          level0, parts0, at0, p0, h, tail = match(x, '^(%d+):(%d+):(%d+):(%d+):(%d+)(.*)$')
          h = tonumber(h)
          local b = {}
          b.u, b.parts, b.at = level(tonumber(level0), tonumber(parts0), tonumber(at0), tonumber(p0), tonumber(ARGV[j + 5]), tonumber(ARGV[j + 6]))
          Q[s] = b
          spent, parts = b.u, b.parts
        else
          Q[s] = { u = 0, parts = 0, at = now }
        end
        if parts > 0 then spent = spent + 1 end
        u = spent + h
      end
      U[s], H[s], T[s] = u, h, tail
      local amount, step = tonumber(ARGV[j + 2]), ARGV[j + 4]
      if amount > ARGV[j + 3] - u then
        isFit = false
        if step ~= '' then yields = true end
      elseif step ~= '' and amount > step - spent then
        isFit, yields = false, true
      end
    end
    j = j + ${RESERVE_STRIDE}
  end
  if forced == 0 then
    if isFit then break end
    if not yields or candidate == n then return reply(1, candidate - 1, overdue()) end
  elseif candidate == forced then
    break
  end
  at = j
end

local lines = ARGV[at + 1]
if run and ARGV[at + 2] ~= '' then lines = ARGV[at + 2] end
local life = '-'
if marker ~= '' then
  if run then
    run.open, run.renewed, run.idle = run.open + 1, max(run.renewed, now), tonumber(ARGV[10])
    saveRun(run)
    life = run.life
  else
    life = ARGV[8]
    saveRun({ i = 2, life = life, renewed = now, idle = tonumber(ARGV[10]), open = 1 })
  end
end
local function watched(tail, warn)
  if warn == '' or find(tail, warn, 1, true) then return tail end
  local thresholds = match(warn, ';([^;]*);$')
  local told = match(tail, '^;[^;]*;[^;]*;[^;]*;(.*)$') or ''
  for threshold in string.gmatch(thresholds, '%d+') do
    if not find(',' .. told .. ',', ',' .. threshold .. ',', 1, true) then return ';' .. threshold .. warn .. told end
  end
  return ';' .. warn .. told
end
local j = at + 3
for s = 1, count do
  if isAsked[s] then
    local key, kind, amount = KEYS[tonumber(ARGV[j])], ARGV[j + 1], tonumber(ARGV[j + 2])
    if kind < 'a' then kind = string.lower(kind) end
    local u, h, tail, warn = U[s] + amount, H[s] + amount, T[s], ARGV[j + 7]
    if kind == 'w' then
      local ttl = ARGV[j + 5] + settleWithin - now
      if ttl > 0 then call('SET', key, fmt('%.0f:%.0f%s', u, h, watched(tail, warn)), 'PX', ttl) end
    elseif kind == 's' then
      call('SET', key, fmt('%.0f:%.0f%s', u, h, watched(tail, warn)), 'PX', HOLD)
    elseif kind == 't' then
      local total = totals[tonumber(ARGV[j])] or { inc = ARGV[8], run = '', life = '', moved = now }
      if marker ~= '' and total.run == '' then total.run, total.life = marker, life end
      call('SET', key, fmt('%.0f:%.0f;%s;%s;%s;%.0f%s', u, h, total.inc, total.run, total.life, max(total.moved, now),
        watched(tail, warn)), 'PX', HOLD)
    else
      local b, p = Q[s], tonumber(ARGV[j + 6])
      h = H[s]
      if h == 0 and b.u == 0 and b.parts == 0 then tail = '' end
      if kind == 'q' then b.u = b.u + amount else h = h + amount end
      call('SET', key, fmt('%.0f:%.0f:%.0f:%.0f:%.0f%s', b.u, b.parts, b.at, p, h, watched(tail, warn)), 'PX',
        bucketTtl(b.u, tonumber(ARGV[j + 5]), p, h))
    end
  end
  j = j + ${RESERVE_STRIDE}
end
call('SET', KEYS[1], ARGV[6] .. ' ' .. ARGV[7] .. ' ' .. candidate - 1 .. ' -1 1 ' .. (marker == '' and '-' or marker) .. ' ' .. life .. '\\n' .. lines,
  'PX', max(0, ARGV[7] - now) + HOLD)
call('ZADD', KEYS[last], ARGV[7], ARGV[8])
call('PEXPIRE', KEYS[last], fmt('%.0f', max(0, ARGV[7] - now) + HOLD))
return reply(0, candidate - 1, 0)
`,
);

import { scriptOf } from '../../redis/script.ts';
import { BUCKET, COUNTERS, HOLDS, NOW, RUNS } from './common.ts';

/**
 * One settlement: each spend of the reservation takes its actual amount if the rank is higher, and its counter moves by
 * the difference. The rules are those of settle.ts and settlement.ts.
 *
 * KEYS  h:ID, c:COUNTER of each settlement, [keys that an answer 4 asked for, and r:MARKER where it is known], o
 * ARGV  1 now or '' · 2 settle_within · 3 id · 4 minted_at, for an id that is not known · 5 rank · 6 settlements; then for
 *       each: actual, or u unmeasured · 'KIND KEEP A B' as in a reservation's line, read only of a counter that it lacks
 * reply {0 same | 1 superseded | 2 conflict | 3 changed, now, {place in KEYS, charged, …}, {place in KEYS, threshold, spent, limit, …}}
 *       {5 too late, now} · {4, now, name …}: ask again with these keys too
 *
 * Why keys can be missing: who settles may not be who decided, and a reservation remembers counters that it was not told of.
 */
export const SETTLE = scriptOf(
  'settle',
  `${NOW}${BUCKET}${RUNS}
${COUNTERS}${HOLDS}
local id, rank, m = ARGV[3], tonumber(ARGV[5]), tonumber(ARGV[6])
local hold
if v[1] then
  hold = readHold(v[1])
else
  local head = '- ' .. ARGV[4] .. ' ' .. ARGV[4] .. ' -'
  hold = { head = head, life = '-', minted = ARGV[4] + 0, rank = -1, isOpen = false, run = '-', lines = '' }
end
if now >= hold.minted + settleWithin then return { 5, now } end
local run = runOfHold(hold)

local outcome = -1
local lines, charged, crossed = {}, {}, {}
local isMeasured = true
local function latch(s, i)
  local tail = s.tail
  if tail == '' then return end
  local least, limit, thresholds, told = match(tail, '^;([^;]*);([^;]*);([^;]*);(.*)$')
  local spent = s.u - s.h
  if s.kind == 'b' then spent = s.u end
  if least == '' or spent < tonumber(least) then return end
  local nextOne = ''
  for text in string.gmatch(thresholds, '%d+') do
    if not find(',' .. told .. ',', ',' .. text .. ',', 1, true) then
      local threshold = tonumber(text)
      if threshold <= spent then
        told = told == '' and text or told .. ',' .. text
        local c = #crossed
        crossed[c + 1], crossed[c + 2], crossed[c + 3], crossed[c + 4] = i, threshold, spent, limit
      elseif nextOne == '' then
        nextOne = text
      end
    end
  end
  s.tail = ';' .. nextOne .. ';' .. limit .. ';' .. thresholds .. ';' .. told
  touch(s, s.a, s.b)
end
local function settle(name, i, kind, keep, isHeld, reserved, was, by, a, b, inc, actual)
  local to, r, byRank = '0', rank, tonumber(by)
  if kind ~= 's' then
    if actual == 'u' then
      to, r = reserved, 0.5
    else
      to = actual
    end
  end
  local said
  if r > byRank then
    said = 3
    local stays = isHeld and r == 0.5
    local n, p = a + 0, b + 0
    local s = counterOf(hold, i, kind, n, inc)
    if s ~= nil then
      s.a, s.b = n, p
      if was ~= to or isHeld ~= stays then
        move(s, isHeld, stays, reserved + 0, was + 0, to + 0, n, p, hold.minted)
      elseif kind == 'b' then
        drained(s, n, p)
      end
      latch(s, i)
    end
    was, isHeld = to, stays
    by = r == 0.5 and '0.5' or ARGV[5]
    if r == 0.5 then isMeasured = false end
  else
    said = r < byRank and 1 or (to == was and 0 or 2)
    if byRank == 0.5 then isMeasured = false end
  end
  if said > outcome then outcome = said end
  lines[#lines + 1] = lineOf(name, kind, keep, isHeld, reserved, was, by, a, b, inc)
  local c = #charged
  charged[c + 1], charged[c + 2] = i, was + 0
end

local isMatched = {}
for name, kind, keep, held, reserved, was, by, a, b, inc in string.gmatch(hold.lines, LINE) do
  local i = index[name]
  if not i then
    missing[#missing + 1] = name
  else
    local actual = '0'
    if i <= m + 1 then
      actual = ARGV[2 * i + 3]
      isMatched[i] = true
    end
    settle(name, i, kind, keep, held == 'h', reserved, was, by, a, b, inc, actual)
  end
end
for i = 2, m + 1 do
  if not isMatched[i] then
    local actual = ARGV[2 * i + 3]
    local kind, keep, a, b = match(ARGV[2 * i + 4], '^(%l)(%l) (%d+) (%d+)$')
    local r = (actual == 'u' and kind ~= 's') and 0.5 or rank
    if r <= hold.rank then
      local to = (kind == 's' or actual == 'u') and '0' or actual
      outcome = max(outcome, r < hold.rank and 1 or (to == '0' and 0 or 2))
    else
      local inc = '-'
      if kind == 's' then
        inc = '!'
      elseif kind == 't' then
        if hold.run ~= '-' and run == nil then
          inc = '!'
        else
          local s = load(i, 't', 0) or newTotal(i, id, '', '')
          if run and s.run == '' then s.run, s.life = hold.run, hold.life end
          touch(s, 0, 0)
          inc = run and '*' or s.inc
        end
      end
      settle(sub(KEYS[i], plen + 1), i, kind, keep, false, '0', '0', fmt('%.0f', hold.rank), a, b, inc, actual)
    end
  end
end
-- Nothing is written yet.
if #missing > 0 then return { 4, now, unpack(missing) } end
if outcome == -1 then outcome = rank > hold.rank and 3 or (rank == hold.rank and 0 or 1) end
if rank > hold.rank or outcome == 3 then
  hold.rank = max(hold.rank, rank)
  if outcome == 3 then
    local closes = hold.isOpen and isMeasured
    if closes then
      hold.isOpen = false
      redis.call('ZREM', KEYS[last], id)
    end
    if run then
      run.renewed = max(run.renewed, now)
      if closes then run.open = run.open - 1 end
      saveRun(run)
    end
    flush()
  end
  saveHold(hold, table.concat(lines))
end
return { outcome, now, charged, crossed }
`,
);

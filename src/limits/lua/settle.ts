import { scriptOf } from '../../redis/script.ts';
import { BUCKET, COUNTERS, HOLDS, NOW, RUNS } from './common.ts';

/**
 * One settlement: each spend of the reservation takes its actual amount if the rank is higher, and its counter moves by
 * the difference. The rules are those of settle.ts and settlement.ts.
 *
 * KEYS  h:ID, c:COUNTER of each settlement, [keys that an answer 4 asked for, and r:MARKER where it is known], o
 * ARGV  1 now or '' · 2 settle_within · 3 id · 4 minted_at, for an id that is not known · 5 rank · 6 settlements; then for
 *       each: kind (b w s t) and k|r · actual, or u unmeasured · a · b (n p, or end 0)
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
  hold = { minted = tonumber(ARGV[4]), expires = tonumber(ARGV[4]), candidate = '-', rank = -1, isOpen = false, run = '-', life = '-', lines = '' }
end
if now >= hold.minted + settleWithin then return { 5, now } end
demand(hold)
for k = 1, m do
  if sub(ARGV[3 + k * 4], 1, 1) == 't' then load(k + 1, 't', 0) end
end
if #missing > 0 then return { 4, now, unpack(missing) } end
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
  local to, r = 0, rank
  if kind ~= 's' then
    if actual == 'u' then
      to, r = reserved, 0.5
    else
      to = tonumber(actual)
    end
  end
  local said
  if r > by then
    said = 3
    local stays = isHeld and r == 0.5
    local s = counterOf(hold, i, kind, a, inc)
    if s ~= nil then
      s.a, s.b = a, b
      if was ~= to or isHeld ~= stays then
        move(s, isHeld, stays, reserved, was, to, a, b, hold.minted)
      elseif kind == 'b' then
        drained(s, a, b)
      end
      latch(s, i)
    end
    was, by, isHeld = to, r, stays
  else
    said = r < by and 1 or (to == was and 0 or 2)
  end
  outcome = max(outcome, said)
  if by == 0.5 then isMeasured = false end
  lines[#lines + 1] = lineOf(name, kind, keep, isHeld, reserved, was, by, a, b, inc)
  local c = #charged
  charged[c + 1], charged[c + 2] = i, was
end

local isMatched = {}
for name, kind, keep, held, reserved, was, by, a, b, inc in string.gmatch(hold.lines, LINE) do
  local i = index[name]
  local actual = '0'
  if i <= m + 1 then
    actual = ARGV[4 * i]
    isMatched[i] = true
  end
  settle(name, i, kind, keep, held == 'h', tonumber(reserved), tonumber(was), tonumber(by), tonumber(a), tonumber(b), inc, actual)
end
for i = 2, m + 1 do
  if not isMatched[i] then
    local at = 4 * i - 1
    local kind, keep = sub(ARGV[at], 1, 1), sub(ARGV[at], 2, 2)
    local actual, a, b = ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local r = (actual == 'u' and kind ~= 's') and 0.5 or rank
    if r <= hold.rank then
      local to = (kind == 's' or actual == 'u') and 0 or tonumber(actual)
      outcome = max(outcome, r < hold.rank and 1 or (to == 0 and 0 or 2))
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
      settle(sub(KEYS[i], plen + 1), i, kind, keep, false, 0, 0, hold.rank, a, b, inc, actual)
    end
  end
end
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

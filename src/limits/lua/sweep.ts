import { scriptOf } from '../../redis/script.ts';
import { BUCKET, COUNTERS, HOLDS, NOW, RUNS } from './common.ts';

/**
 * Which reservations of a customer are open and overdue, soonest first.
 *
 * KEYS  o
 * ARGV  1 now or '' · 2 settle_within · 3 how many at most
 * reply {id …}
 *
 * Why apart from the end of one: its keys are not known before. It gives the index its time to live as well, which no question
 * then has to: each second is often enough.
 */
export const DUE = scriptOf(
  'due',
  `${NOW}
if redis.call('PEXPIRE', KEYS[1], 2 * HOLD) == 0 then return {} end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', fmt('%.0f', now), 'LIMIT', 0, ARGV[3])
`,
);

/**
 * Ends one reservation if it is open and overdue: slots go, other spends stay unless their limit releases them or a settlement
 * came before; what a bucket's estimate holds enters the level.
 *
 * KEYS  h:ID, c:COUNTER of each spend, [r:MARKER], o
 * ARGV  1 now or '' · 2 settle_within · 3 id
 * reply {1 ended, now, {place in KEYS, charged, …}} · {0 not open, or not due, now} · {4, now, name …}: ask again with these keys too
 *
 * Why it looks again: another process may have settled, extended or ended it since it was found.
 */
export const EXPIRE = scriptOf(
  'expire',
  `${NOW}${BUCKET}${RUNS}
${COUNTERS}${HOLDS}
if not v[1] then
  redis.call('ZREM', KEYS[last], ARGV[3])
  return { 0, now }
end
local hold = readHold(v[1])
if not hold.isOpen or hold.expires > now then return { 0, now } end
local run = runOfHold(hold)
local lines, charged = {}, {}
for name, kind, keep, held, reserved, was, by, a, b, inc in string.gmatch(hold.lines, LINE) do
  local i, isHeld = index[name], held == 'h'
  if not i then
    missing[#missing + 1] = name
  else
    if by == '-1' or by == '0.5' then
      local to = was
      if by == '-1' then
        by = '0'
        if kind == 's' or keep == 'r' then to = '0' end
      end
      local s = counterOf(hold, i, kind, a + 0, inc)
      if s ~= nil and (to ~= was or isHeld) then
        move(s, isHeld, false, reserved + 0, was + 0, to + 0, a + 0, b + 0, hold.minted)
      end
      was, isHeld = to, false
    end
    lines[#lines + 1] = lineOf(name, kind, keep, isHeld, reserved, was, by, a, b, inc)
    local c = #charged
    charged[c + 1], charged[c + 2] = i, was + 0
  end
end
if #missing > 0 then return { 4, now, unpack(missing) } end
hold.rank = max(hold.rank, 0)
hold.isOpen = false
redis.call('ZREM', KEYS[last], ARGV[3])
if run then
  run.open = run.open - 1
  saveRun(run)
end
flush()
saveHold(hold, table.concat(lines))
return { 1, now, charged }
`,
);

/**
 * Moves the expiry of an open reservation later, never earlier.
 *
 * KEYS  h:ID, o
 * ARGV  1 now or '' · 2 settle_within · 3 id · 4 expires_at
 * reply 1 extended · 0 closed
 */
export const EXTEND = scriptOf(
  'extend',
  `${NOW}
local value = redis.call('GET', KEYS[1])
if not value then return 0 end
local head, expires, candidate, rank, open, rest = match(value, '^(%S+ %d+) (%d+) (%S+) (%S+) (%d) (.*)$')
if open ~= '1' then return 0 end
if tonumber(ARGV[4]) > tonumber(expires) then
  local ttl = fmt('%.0f', math.max(0, ARGV[4] - now) + HOLD)
  redis.call('SET', KEYS[1], head .. ' ' .. ARGV[4] .. ' ' .. candidate .. ' ' .. rank .. ' 1 ' .. rest, 'PX', ttl)
  redis.call('ZADD', KEYS[last], ARGV[4], ARGV[3])
end
return 1
`,
);

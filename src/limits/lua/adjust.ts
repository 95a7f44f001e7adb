import { scriptOf } from '../../redis/script.ts';
import { BUCKET, COUNTERS, NOW, RUNS } from './common.ts';

/**
 * Operators and rate-limit refunds: changes what is used of counters, once per op.
 *
 * KEYS  a:OP, c:COUNTER of each change, [keys that an answer 4 asked for], o
 * ARGV  1 now or '' · 2 settle_within · 3 op · 4 changes; then for each: kind · delta, or r reset · a · b (n p, or end 0)
 * reply {0, now, used of each change after it} · {4, now, name …}: ask again with these keys too
 */
export const ADJUST = scriptOf(
  'adjust',
  `${NOW}${BUCKET}${RUNS}
${COUNTERS}
local isNew = not v[1]
local used = {}
for k = 1, tonumber(ARGV[4]) do
  local at = 4 * k + 1
  local i = index[sub(KEYS[k + 1], plen + 1)]
  local kind, delta, a, b = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local s = load(i, kind, a)
  if s == nil and isNew and kind == 't' then s = newTotal(i, ARGV[3], '', '') end
  if s == nil then
    used[k] = 0
  else
    if kind == 'b' then
      if isNew then renewed(s, a, b) else drained(s, a, b) end
    end
    if isNew then
      if kind == 'b' then
        if delta == 'r' then
          s.u, s.parts = 0, 0
        elseif tonumber(delta) < 0 then
          s.u, s.parts = less(s.u, s.parts, b, -delta, 0)
        else
          s.u = s.u + delta
        end
      elseif delta == 'r' then
        s.u = s.h
      else
        s.u = max(0, s.u + delta)
      end
      touch(s, a, b)
    end
    used[k] = s.u
    if kind == 'b' then used[k] = s.u + (s.parts > 0 and 1 or 0) + s.h end
  end
end
if #missing > 0 then return { 4, now, unpack(missing) } end
if isNew then
  flush()
  redis.call('SET', KEYS[1], '1', 'PX', settleWithin)
end
return { 0, now, used }
`,
);

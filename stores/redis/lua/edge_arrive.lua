-- Counts one more request in the window that began with the first one, unless it is full or nothing limits it. Returns
-- how many are left, or -1; the ms until the window ends; the sessions that the user has erased lately; where in the
-- topic of agents they have published lately, as partitions, each followed by its newest offset; and their writes, the
-- first to expire first, not all where there are too many.
-- KEYS: window, erasures by expiry, partitions by offset, writes by expiry. ARGV: most (0: no limit), window in ms, most
-- writes
local most, left, ends_in = tonumber(ARGV[1]), 0, 0
if most > 0 then
  local spent = tonumber(redis.call('GET', KEYS[1]) or 0)
  if spent == 0 then
    redis.call('SET', KEYS[1], 0, 'PX', ARGV[2])
  end
  left = math.max(most - spent - 1, -1)
  if left >= 0 then
    redis.call('INCR', KEYS[1])
  end
  ends_in = redis.call('PTTL', KEYS[1])
end
local now = string.format('(%.0f', clock_ms())
return {
  left,
  ends_in,
  redis.call('ZRANGEBYSCORE', KEYS[2], now, '+inf'),
  redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES'),
  redis.call('ZRANGEBYSCORE', KEYS[4], now, '+inf', 'LIMIT', 0, ARGV[3]),
}

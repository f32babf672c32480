-- Returns the milliseconds until the next timer is due by the server's clock (0 = due now), or nothing.
-- KEYS: epoch, timers. ARGV: fresh epoch id
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if not first[1] then
  return false
end
return math.max(0, tonumber(first[2]) - clock_ms())

-- Removes a timer that fired, unless it was given another due time meanwhile. Returns 1 or 0.
-- KEYS: epoch, timers. ARGV: connection, name, least score of its due time, and least score of the next millisecond
local score = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[2]) or -1)
if score < tonumber(ARGV[3]) or score >= tonumber(ARGV[4]) then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[2])
return 1

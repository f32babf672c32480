-- Removes a timer that fired, unless it was given another due time meanwhile. Returns 1 or 0.
-- KEYS: epoch, timers, timer kinds. ARGV: fresh epoch id, member, due_ms
local due = redis.call('ZSCORE', KEYS[2], ARGV[2])
if not due or tonumber(due) ~= tonumber(ARGV[3]) then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
return 1

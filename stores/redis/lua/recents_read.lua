-- Returns id and value of a user's sessions, the last active first, without those that are too old.
-- KEYS: list by last activity, sessions. ARGV: keep s
local oldest = string.format('%.0f', clock_ms() - ARGV[1] * 1000)
local found = {}
for _, session in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', oldest)) do
  found[#found + 1] = session
  found[#found + 1] = redis.call('HGET', KEYS[2], session)
end
return found

-- Keeps a value unless there is one. Returns the one that was there, or nothing: this is the first.
-- KEYS: value. ARGV: value, lifetime in s
local kept = redis.call('GET', KEYS[1])
if not kept then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
return kept

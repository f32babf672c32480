-- Keeps a session in its user's list unless a greater or the same (term, version) is there; drops what is too old or
-- too much. No epoch: the list is a view that is made again from its topic. Returns 1, or 0 when it was not newer.
-- KEYS: list by last activity, sessions. ARGV: session, term, version, last activity in ms, value, keep s, most
local kept = redis.call('HGET', KEYS[2], ARGV[1])
if kept then
  local term, version = string.match(kept, '^(%d+) (%d+) ')
  local newer = tonumber(ARGV[2]) - tonumber(term)
  if newer == 0 then
    newer = tonumber(ARGV[3]) - tonumber(version)
  end
  if newer <= 0 then
    return 0
  end
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[5])
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1])
local oldest = string.format('(%.0f', clock_ms() - ARGV[6] * 1000)
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', oldest)
for _, session in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[7])) do
  gone[#gone + 1] = session
end
for _, session in ipairs(gone) do
  redis.call('ZREM', KEYS[1], session)
  redis.call('HDEL', KEYS[2], session)
end
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return 1

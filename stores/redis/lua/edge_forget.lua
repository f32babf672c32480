-- Removes writes of a user by the event that each begins with. Returns how many were there.
-- KEYS: writes by expiry. ARGV: events
local wanted = {}
for _, event in ipairs(ARGV) do
  wanted[event] = true
end
local gone = 0
for _, write in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if wanted[string.match(write, '^%S+')] then
    gone = gone + redis.call('ZREM', KEYS[1], write)
  end
end
return gone

-- Counts one more in the window that began with the first one, unless it is full. Returns how many are left, or -1;
-- and the ms until the window ends.
-- KEYS: window. ARGV: most, window in ms
local spent = tonumber(redis.call('GET', KEYS[1]) or 0)
if spent == 0 then
  redis.call('SET', KEYS[1], 0, 'PX', ARGV[2])
end
local left = tonumber(ARGV[1]) - spent - 1
if left >= 0 then
  redis.call('INCR', KEYS[1])
end
return {math.max(left, -1), redis.call('PTTL', KEYS[1])}

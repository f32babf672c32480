-- Ends the lease of the token that holds the step; the entry stays, so that the next attempt knows of this one.
-- Returns 1, or 0: absent, done, or another's.
-- KEYS: epoch, step. ARGV: fresh epoch id, token
local found = redis.call('HMGET', KEYS[2], 'epoch', 'value', 'token')
if found[1] ~= current_epoch(ARGV[1]) or found[2] or found[3] ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[2], 'until_ms', '0')
return 1

-- Ends the lease of the token that holds the step; the entry stays, so that the next attempt knows of this one.
-- Returns 1, or 0: absent, done, or another's.
-- KEYS: epoch, step. ARGV: connection, token, lifetime in ms of an entry without value
local held = current_epoch() .. '\n' .. ARGV[2] .. '\n'
local kept = redis.call('GET', KEYS[2])
if not begins(kept, held) then
  return 0
end
redis.call('SET', KEYS[2], held .. ARGV[3] .. string.sub(kept, -4), 'KEEPTTL')
return 1

-- Renews the lease of the token that holds the step. Returns 1, or 0: absent, done, or another's.
-- KEYS: epoch, step. ARGV: connection, token, lifetime in ms of an entry without value, and that when the lease ends
local held = current_epoch() .. '\n' .. ARGV[2] .. '\n'
local kept = redis.call('GET', KEYS[2])
if not begins(kept, held) then
  return 0
end
redis.call('SET', KEYS[2], held .. ARGV[4] .. string.sub(kept, -4), 'PX', ARGV[3])
return 1

-- Stores a step's value. Returns 1, or 0 when another token holds the step or it has a value already.
-- An absent entry (never claimed here, lost, forgotten, or of another epoch) is stored: a paid answer is not thrown away.
-- KEYS: epoch, step. ARGV: connection, token, value, lifetime in ms
local epoch = current_epoch()
local kept = redis.call('GET', KEYS[2])
if begins(kept, epoch .. '\n') and not begins(kept, epoch .. '\n' .. ARGV[2] .. '\n')
    and not begins(kept, epoch .. '\n-\n') then
  return 0
end
redis.call('SET', KEYS[2], epoch .. '\n\n' .. ARGV[3], 'PX', ARGV[4])
return 1

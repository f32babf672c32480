-- Stores a step's value. Returns 1, or 0 when another token holds the step or it has a value already.
-- An absent entry (never claimed here, lost, forgotten, or of another epoch) is stored: a paid answer is not thrown away.
-- What a claim left beside the value stays: it is read only where there is no value.
-- KEYS: epoch, step. ARGV: fresh epoch id, token, value, lifetime in ms
local id = current_epoch(ARGV[1])
local found = redis.call('HMGET', KEYS[2], 'epoch', 'value', 'token')
if found[1] == id and (found[2] or (found[3] and found[3] ~= ARGV[2])) then
  return 0
end
redis.call('HSET', KEYS[2], 'epoch', id, 'token', ARGV[2], 'value', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1

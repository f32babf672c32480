-- Takes the value and the holder away from a step and leaves a mark that there was something. Returns 1, or 0: absent.
-- KEYS: epoch, step. ARGV: fresh epoch id, lifetime of the mark in ms
local id = current_epoch(ARGV[1])
if redis.call('HGET', KEYS[2], 'epoch') ~= id then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'epoch', id, 'until_ms', '0', 'forgotten', '1')
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1

-- Renews the lease of the token that holds the step. Returns 1, or 0: absent, done, or another's.
-- KEYS: epoch, step. ARGV: fresh epoch id, token, lease in ms, lifetime of an entry without value in ms
local found = redis.call('HMGET', KEYS[2], 'epoch', 'value', 'token')
if found[1] ~= current_epoch(ARGV[1]) or found[2] or found[3] ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[2], 'until_ms', string.format('%.0f', clock_ms() + ARGV[3]))
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1

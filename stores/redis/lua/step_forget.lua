-- Takes the value and the holder away from a step and leaves a mark that there was something: a claim of the token '-',
-- whose lease is over. Returns 1, or 0: absent.
-- KEYS: epoch, step. ARGV: connection, lifetime of the mark in ms
local epoch = current_epoch()
if not begins(redis.call('GET', KEYS[2]), epoch .. '\n') then
  return 0
end
redis.call('SET', KEYS[2], epoch .. '\n-\n' .. ARGV[2] .. ' 0 1', 'PX', ARGV[2])
return 1

-- Tells whether the partition's timers were made complete in the current epoch. Returns 1 or 0.
-- KEYS: epoch, armed. ARGV: connection
if redis.call('GET', KEYS[2]) == current_epoch() then
  return 1
end
return 0

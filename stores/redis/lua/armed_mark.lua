-- Notes that the partition's timers are complete for this epoch, unless it has changed. Returns 1 or 0.
-- KEYS: epoch, armed. ARGV: connection, expected epoch
if current_epoch() ~= ARGV[2] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2])
return 1

-- Puts timers back from the record, unless the epoch has changed. Returns 1 or 0.
-- GT: a step that stored a later due time while the record was being read is not set back.
-- KEYS: epoch, timers. ARGV: connection, expected epoch, then score, name of each
if current_epoch() ~= ARGV[2] then
  return 0
end
redis.call('ZADD', KEYS[2], 'GT', unpack(ARGV, 3))
return 1

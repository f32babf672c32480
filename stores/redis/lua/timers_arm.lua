-- Puts timers back from the record, unless the epoch has changed. Returns 1 or 0.
-- GT: a step that stored a later due time while the record was being read is not set back.
-- KEYS: epoch, timers, timer kinds. ARGV: fresh epoch id, expected epoch, then member, kind, due_ms of each
if current_epoch(ARGV[1]) ~= ARGV[2] then
  return 0
end
for at = 3, #ARGV, 3 do
  redis.call('ZADD', KEYS[2], 'GT', ARGV[at + 2], ARGV[at])
  redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
end
return 1

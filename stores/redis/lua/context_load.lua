-- Returns epoch id, its birth, the clock; then term, version, context, outbox when the context is there,
-- or the token that was left when it is absent and one was wished, and 1 if it replaced another, else 0.
-- A context of another epoch is absent.
-- KEYS: epoch, context, token. ARGV: fresh epoch id, token to leave ('' leaves none), its lifetime in ms
local id, born_ms = current_epoch(ARGV[1])
local now_ms = clock_ms()
local found = redis.call('HMGET', KEYS[2], 'epoch', 'term', 'version', 'context', 'outbox')
if found[1] == id then
  return {id, born_ms, now_ms, found[2], found[3], found[4], found[5]}
end
if found[1] then
  redis.call('DEL', KEYS[2])
end
if ARGV[2] == '' then
  return {id, born_ms, now_ms}
end
local had = redis.call('EXISTS', KEYS[3])
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
return {id, born_ms, now_ms, ARGV[2], had}

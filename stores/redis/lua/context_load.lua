-- Returns the epoch and the clock; then the kept text when the context is there; or an empty text, the token that was
-- left when it is absent and one was wished, and 1 if it replaced another, else 0.
-- A kept text is the lines epoch, term, version and the context's length; then the context and its outbox.
-- A context of another epoch is absent.
-- KEYS: epoch, context, token. ARGV: connection, token to leave ('' leaves none), its lifetime in ms
local epoch = current_epoch()
local now_ms = clock_ms()
local kept = redis.call('GET', KEYS[2])
if begins(kept, epoch .. '\n') then
  return {epoch, now_ms, kept}
end
if kept then
  redis.call('DEL', KEYS[2])
end
if ARGV[2] == '' then
  return {epoch, now_ms}
end
local had = redis.call('EXISTS', KEYS[3])
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
return {epoch, now_ms, '', ARGV[2], had}

-- Stores a context with its outbox, timers and live-feed entries, all or nothing. Returns 1, or 0 when refused:
-- another epoch; or not the term and version that were loaded; or, where it was absent, not absent any more
-- or somebody else's token.
-- KEYS: epoch, context, token, timers, timer kinds, feed
-- ARGV: fresh epoch id, expected epoch, own token ('' = it was not absent), expected term, expected version,
--       context, outbox, term, version, expiry in s, session id, longest feed,
--       number of timers set, of timers removed, of feed entries;
--       then key, kind, due_ms of each timer set; key of each timer removed; kind, data of each feed entry
local id = current_epoch(ARGV[1])
if id ~= ARGV[2] then
  return 0
end
local found = redis.call('HMGET', KEYS[2], 'epoch', 'term', 'version')
local is_there = found[1] == id
if ARGV[3] ~= '' then
  if is_there or redis.call('GET', KEYS[3]) ~= ARGV[3] then
    return 0
  end
elseif not is_there or found[2] ~= ARGV[4] or found[3] ~= ARGV[5] then
  return 0
end

redis.call('HSET', KEYS[2], 'epoch', id, 'context', ARGV[6], 'outbox', ARGV[7], 'term', ARGV[8], 'version', ARGV[9])
redis.call('EXPIRE', KEYS[2], ARGV[10])

local at = 16
for _ = 1, ARGV[13] do
  local member = ARGV[11] .. '/' .. ARGV[at]
  redis.call('ZADD', KEYS[4], ARGV[at + 2], member)
  redis.call('HSET', KEYS[5], member, ARGV[at + 1])
  at = at + 3
end
for _ = 1, ARGV[14] do
  local member = ARGV[11] .. '/' .. ARGV[at]
  redis.call('ZREM', KEYS[4], member)
  redis.call('HDEL', KEYS[5], member)
  at = at + 1
end
for _ = 1, ARGV[15] do
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[12], '*', 'kind', ARGV[at], 'data', ARGV[at + 1])
  at = at + 2
end
if ARGV[15] ~= '0' then
  redis.call('EXPIRE', KEYS[6], ARGV[10])
end
return 1

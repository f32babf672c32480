-- Stores a context with its outbox, timers and live-feed entries, all or nothing. Returns 1, or 0 when refused:
-- another epoch; or not the term and version that were loaded; or, where it was absent, not absent any more
-- or somebody else's token.
-- KEYS: epoch, context, token, timers, feed
-- ARGV: connection, expected epoch, own token ('' = it was not absent), lines that the kept text must begin with
--       (the epoch's alone where it was absent: then it must not), new text, expiry in s, longest feed,
--       where the timers to be removed begin below, and where the feed entries do;
--       then score, name of each timer set; name of each timer removed; then 'kind', kind, 'data', data of
--       each feed entry: together they are one
if current_epoch() ~= ARGV[2] then
  return 0
end
local is_there = redis.call('GETRANGE', KEYS[2], 0, #ARGV[4] - 1) == ARGV[4]
if ARGV[3] == '' then
  if not is_there then
    return 0
  end
elseif is_there or redis.call('GET', KEYS[3]) ~= ARGV[3] then
  return 0
end

redis.call('SET', KEYS[2], ARGV[5], 'EX', ARGV[6])

local removed, feed = tonumber(ARGV[8]), tonumber(ARGV[9])
if removed > 10 then
  redis.call('ZADD', KEYS[4], unpack(ARGV, 10, removed - 1))
end
if feed > removed then
  redis.call('ZREM', KEYS[4], unpack(ARGV, removed, feed - 1))
end
if feed < #ARGV then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[7], '*', unpack(ARGV, feed))
  redis.call('EXPIRE', KEYS[5], ARGV[6])
end
return 1

-- Returns name and score of each timer that is due by the server's clock, the earliest first, in one list.
-- KEYS: epoch, timers. ARGV: connection, scores of a millisecond, most timers
local first_later = string.format('(%.0f', (clock_ms() + 1) * ARGV[2])
return redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', first_later, 'WITHSCORES', 'LIMIT', 0, ARGV[3])

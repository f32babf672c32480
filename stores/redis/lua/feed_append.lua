-- Appends entries to a session's live feed and renews its expiry. Returns the number of entries.
-- Nothing where there is none: a decision begins a feed, and words that come after an erasure begin no other.
-- KEYS: epoch, feed. ARGV: connection, expiry in s, longest feed, then kind, data of each entry
for at = 4, #ARGV, 2 do
  redis.call('XADD', KEYS[2], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[3], '*', 'kind', ARGV[at], 'data', ARGV[at + 1])
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return (#ARGV - 3) / 2

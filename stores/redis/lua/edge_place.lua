-- Keeps the greatest offset of a partition, all of them until the newest of them expires. Returns 1.
-- KEYS: partitions by offset. ARGV: partition, offset, lifetime in ms
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1

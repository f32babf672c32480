-- Returns the writes of a user that have not expired, the first to expire first.
-- KEYS: writes by expiry
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', clock_ms()), '+inf')

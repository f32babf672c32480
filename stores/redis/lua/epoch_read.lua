-- Returns the id of the partition's epoch.
-- KEYS: epoch. ARGV: connection
return current_epoch()

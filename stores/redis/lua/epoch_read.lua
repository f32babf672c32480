-- Returns id and birth (ms) of the partition's epoch.
-- ARGV: fresh epoch id
local id, born_ms = current_epoch(ARGV[1])
return {id, born_ms}

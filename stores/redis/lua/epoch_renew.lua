-- The first script on every new connection: a marker written under another run of the server is replaced,
-- because after a restart or a failover the last writes may be missing.
-- ARGV: fresh epoch id
local id = current_epoch(ARGV[1])
local run_id = server_run_id()
if redis.call('HGET', KEYS[1], 'run_id') ~= run_id then
  id = begin_epoch(ARGV[1], run_id)
end
return id

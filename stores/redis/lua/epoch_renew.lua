-- The first script on every new connection: a marker written under another run of the server is replaced,
-- because after a restart or a failover the last writes may be missing.
-- KEYS: epoch. ARGV: connection
local id = current_epoch()
local run_id = server_run_id()
if string.match(id, '[^/]*$') ~= run_id then
  id = begin_epoch(run_id)
end
return id

-- Put before every other script: the server's clock, and the epoch that a partition's data belongs to.
-- KEYS[1] of every script but those of recents is the partition's epoch marker: a hash of id, run_id and born_ms.

local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function begin_epoch(fresh, run_id)
  local born_ms = string.format('%.0f', clock_ms())
  redis.call('HSET', KEYS[1], 'id', fresh, 'run_id', run_id, 'born_ms', born_ms)
  return fresh, born_ms
end

local function server_run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
end

-- Returns id and birth of the epoch. A missing marker (first use, or a flush) begins a new one named `fresh`,
-- which the caller made up: Lua's own random numbers are the same in every run of a script.
local function current_epoch(fresh)
  local marker = redis.call('HMGET', KEYS[1], 'id', 'born_ms')
  if marker[1] then
    return marker[1], marker[2]
  end
  return begin_epoch(fresh, server_run_id())
end

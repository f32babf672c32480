-- Put before every other script: the server's clock, and the epoch that a partition's data belongs to.
-- KEYS[1] of every script but those of recents and the edge is the partition's epoch marker, a text: who began it, its
-- birth in microseconds, and the server's run id, with a slash between. That text is the epoch's id.
-- ARGV[1] of these scripts is the id of the connection that runs them: it begins an epoch where the marker is missing.

local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function server_run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
end

-- The same connection begins no two epochs in one microsecond: a new one has a new id.
local function begin_epoch(run_id)
  local time = redis.call('TIME')
  local id = ARGV[1] .. string.format('/%.0f/', time[1] * 1000000 + time[2]) .. run_id
  redis.call('SET', KEYS[1], id)
  return id
end

-- Returns the id of the epoch. A missing marker (first use, or a flush) begins a new one.
local function current_epoch()
  return redis.call('GET', KEYS[1]) or begin_epoch(server_run_id())
end

-- Returns whether a kept text begins so.
local function begins(text, beginning)
  return text and string.sub(text, 1, #beginning) == beginning
end

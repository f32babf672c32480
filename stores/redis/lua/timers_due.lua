-- Returns member, due_ms, kind of each timer that is due by the server's clock, the earliest first, in one list.
-- KEYS: epoch, timers, timer kinds. ARGV: fresh epoch id, most timers
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', clock_ms(), 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local answer = {}
for i = 1, #due, 2 do
  answer[#answer + 1] = due[i]
  answer[#answer + 1] = due[i + 1]
  answer[#answer + 1] = redis.call('HGET', KEYS[3], due[i]) or ''
end
return answer

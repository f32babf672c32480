-- Claims a step for one attempt. Returns {'done', value}, {'busy', ms left of the other's lease},
-- or {'claimed', epoch id, its birth, 1 when another attempt had it before, 1 when what it left was forgotten}.
-- An entry of another epoch is absent.
-- KEYS: epoch, step. ARGV: fresh epoch id, token, lease in ms, lifetime of an entry without value in ms
local id, born_ms = current_epoch(ARGV[1])
local now_ms = clock_ms()
local found = redis.call('HMGET', KEYS[2], 'epoch', 'value', 'token', 'until_ms', 'taken_over', 'forgotten')
local taken_over, forgotten = '0', '0'
if found[1] == id then
  if found[2] then
    return {'done', found[2]}
  end
  forgotten = found[6] or '0'
  if found[3] == ARGV[2] then
    taken_over = found[5]
  elseif tonumber(found[4]) > now_ms then
    return {'busy', tonumber(found[4]) - now_ms}
  else
    taken_over = '1'
  end
end
if found[1] then
  redis.call('DEL', KEYS[2])
end
redis.call('HSET', KEYS[2], 'epoch', id, 'token', ARGV[2], 'taken_over', taken_over, 'forgotten', forgotten,
  'until_ms', string.format('%.0f', now_ms + ARGV[3]))
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {'claimed', id, born_ms, tonumber(taken_over), tonumber(forgotten)}

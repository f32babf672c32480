-- Claims a step for one attempt. Returns {'done', value}, {'busy', ms left of the other's lease},
-- or {'claimed', epoch, 1 when another attempt had it before, 1 when what it left was forgotten}.
-- An entry is a text of lines. Of a claim: the epoch; the token; the ms that the entry has to live when the lease ends
-- (so that no clock is asked), then these two numbers. Of a step that is done: the epoch, an empty line, the value.
-- An entry of another epoch is absent.
-- A token may say whose it is: name, start, and a random part, with a colon between. A name belongs to one process at a
-- time, and starts are texts that grow: what an earlier process of the name holds is held by nobody any more.
-- KEYS: epoch, step. ARGV: connection, token, lifetime in ms of an entry without value, and that when the lease ends
local function is_before(held, mine)
  local name, start = string.match(mine, '^(.+):([^:]+):[^:]*$')
  local held_name, held_start = string.match(held, '^(.+):([^:]+):[^:]*$')
  return name ~= nil and name == held_name and held_start < start
end

local epoch = current_epoch()
local kept = redis.call('GET', KEYS[2])
local taken_over, forgotten = '0', '0'
if begins(kept, epoch .. '\n') then
  if begins(kept, epoch .. '\n\n') then
    return {'done', string.sub(kept, #epoch + 3)}
  end
  local token, ends_at, was_taken_over
  token, ends_at, was_taken_over, forgotten = string.match(kept, '^([^\n]*)\n(%d+) ([01]) ([01])$', #epoch + 2)
  if token == ARGV[2] then
    taken_over = was_taken_over
  else
    local left_ms = redis.call('PTTL', KEYS[2]) - ends_at
    if left_ms > 0 and not is_before(token, ARGV[2]) then
      return {'busy', left_ms}
    end
    taken_over = '1'
  end
end
redis.call('SET', KEYS[2], epoch .. '\n' .. ARGV[2] .. '\n' .. ARGV[4] .. ' ' .. taken_over .. ' ' .. forgotten,
  'PX', ARGV[3])
return {'claimed', epoch, taken_over, forgotten}

-- Grants slices of quotas whose keys share a hash tag. Each gateway runs it; what it does is one step for the store.
--
-- KEYS[1]: when the store was empty last, in ms; the others: one quota each, to which the window's number is added.
-- ARGV[1]: how many gateways share the quotas; ARGV[2]: how long to wait for reports after the store was empty, in ms.
-- Then five a quota: limit, window in ms, wanted, highest total told before, number of the window of which that was told.
--
-- Answers with the time in ms, what KEYS[1] says, and four a quota: number of the window, granted now, granted in all, left;
-- the number is -1 where something else lies in the quota's place.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local born = tonumber(redis.call('GET', KEYS[1]) or '')
-- Also when the clock was set back behind it: what was granted since is of windows that come again.
if not born or born > now then
  born = now
  redis.call('SET', KEYS[1], string.format('%.0f', born))
end
local nodes, wait = tonumber(ARGV[1]), tonumber(ARGV[2])

local answer = { string.format('%.0f', now), string.format('%.0f', born) }
for i = 2, #KEYS do
  local first = 3 + (i - 2) * 5
  local limit, length, wanted = tonumber(ARGV[first]), tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2])
  local seen, seen_in = tonumber(ARGV[first + 3]), tonumber(ARGV[first + 4])

  local window = math.floor(now / length)
  local key = KEYS[i] .. ':' .. string.format('%.0f', window)
  local held = redis.pcall('GET', key)
  local before = 0
  if held then before = type(held) == 'string' and tonumber(held) end

  local granted, total, left = 0, 0, 0
  if before then
    -- A store that forgot learns again what it had granted.
    total = before
    if seen_in == window and seen > total then total = seen end

    left = math.max(0, limit - total)
    granted = math.min(math.max(1, math.floor(left / (2 * nodes))), wanted, left)
    -- Others may still have to report what they were granted before the store was empty.
    if now < born + wait and window * length < born then granted = 0 end

    total, left = total + granted, left - granted
    if total > before then
      redis.call('INCRBY', key, string.format('%.0f', total - before))
      if before == 0 then
        -- A moment of the clock: a time from now would be prolonged by a script that runs late. A while longer, for a clock set back.
        redis.call('PEXPIREAT', key, string.format('%.0f', (window + 1) * length + math.min(length, 3600000)))
      end
    end
  else
    -- Something else lies there. It must not stop the other quotas of this call.
    window = -1
  end

  local n = #answer
  answer[n + 1], answer[n + 2], answer[n + 3], answer[n + 4] = window, granted, total, left
end
return answer

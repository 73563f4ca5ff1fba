-- Appends N messages to one room, all or nothing, and publishes them last.
-- KEYS 1 meta 2 hist 3 channel 4 mid:0 5 mid:1
-- ARGV 1 PUBLISH|SPUBLISH 2 log size 3 log ttl ms 4 meta ttl ms 5 key window s 6 gen 7 fresh epoch
--      8 gateway 9 this batch: <the worker's life>.<number, growing>, then for each message: client key or '', envelope tail
-- ARGV 1 empty: the batch was there, only its reply is wanted; where a tail went with it, it is not to be told twice: -LOST.
-- Replies "<epoch> <gen> <seq>[d] ...", d: this key was seen before. A repeated batch gets the same text, but for the gen, and
-- an older one than the last (it was given up long ago, and came late out of a connection that is gone) gets -STALE: nothing is
-- there twice. The fence comes before the repeat: a remembered gen would hide from the gateway that a tail was lost since.
local meta, hist = KEYS[1], KEYS[2]
local m = redis.call('HMGET', meta, 'epoch', 'gen', 'seq', 'win', 'b:' .. ARGV[8])
local epoch, gen, seq, tag, repeated = m[1], m[2], tonumber(m[3] or 0), ARGV[9] .. ' ', nil
if m[5] then
  if string.sub(m[5], 1, #tag) == tag then repeated = string.sub(m[5], #tag + 1) end
  local life, last = string.match(m[5], '^(%x+)%.(%d+) ')
  local mine, number = string.match(tag, '^(%x+)%.(%d+) ')
  if life == mine and tonumber(last) > tonumber(number) then return redis.error_reply('STALE a later batch is there') end
end
local function int(n) return string.format('%.0f', n) end

local function renew(now, top)                         -- a new epoch; ids go on growing
  local base = top + 1048576
  redis.call('HSET', meta, 'epoch', ARGV[7], 'gen', now, 'seq', int(base), 'base', int(base), 'prev', epoch or '-', 'prevtop', int(seq))
  epoch, gen, seq = ARGV[7], now, base
end
local fresh = gen ~= ARGV[6]
if fresh then                                          -- ask the server itself: a gateway's word may be stale
  local info = redis.pcall('INFO', 'replication')
  local now = type(info) == 'string' and string.match(info, 'master_replid:(%x+)')
  now = now and string.sub(now, 1, 16) or ARGV[6]
  if not epoch then
    local top = redis.call('XREVRANGE', hist, '+', '-', 'COUNT', 1)[1]
    if top then renew(now, tonumber(string.match(top[1], '^%d+')))
    else
      epoch, gen = ARGV[7], now
      redis.call('HSET', meta, 'epoch', epoch, 'gen', gen, 'base', int(seq))
    end
  elseif gen ~= now then renew(now, seq) end
end

if repeated then return (string.gsub(repeated, '^(%S+) %S+', '%1 ' .. gen, 1)) end
if ARGV[1] == '' then return redis.error_reply('LOST it is not in the log any more') end

local keys, seen, cur = {}, {}, nil
for i = 10, #ARGV, 2 do if ARGV[i] ~= '' then keys[#keys + 1] = ARGV[i] end end
if #keys > 0 then                                      -- two hashes take turns, each one window long
  local win = math.floor(redis.call('TIME')[1] / ARGV[5])
  local old = KEYS[5 - win % 2]
  cur = KEYS[4 + win % 2]
  if m[4] ~= int(win) then
    redis.call('UNLINK', cur)
    if m[4] ~= int(win - 1) then redis.call('UNLINK', old) end
    redis.call('HSET', meta, 'win', int(win))
    fresh = true
  end
  local a, b = redis.call('HMGET', cur, unpack(keys)), redis.call('HMGET', old, unpack(keys))
  for i = 1, #keys do seen[keys[i]] = a[i] or b[i] or nil end
end

local out, envs, new = {epoch, gen}, {}, {}
for i = 10, #ARGV, 2 do
  local key = ARGV[i]
  if seen[key] then out[#out + 1] = seen[key] .. 'd'
  else
    seq = seq + 1
    local s = int(seq)
    local env = 'p1 ' .. s .. ' ' .. epoch .. ' ' .. ARGV[i + 1]
    redis.call('XADD', hist, 'MAXLEN', '~', ARGV[2], s .. '-0', 'd', env)
    envs[#envs + 1], out[#out + 1] = env, s
    if key ~= '' then
      seen[key], new[#new + 1], new[#new + 2] = s, key, s
    end
  end
end
local reply = table.concat(out, ' ')
redis.call('HSET', meta, 'seq', int(seq), 'b:' .. ARGV[8], tag .. reply)
if #new > 0 then redis.call('HSET', cur, unpack(new)) end
if #envs > 0 then redis.call('PEXPIRE', hist, ARGV[3]) end
if fresh or seq % 64 < #envs then                      -- seldom: workers that serve the room refresh meta too
  redis.call('PEXPIRE', meta, ARGV[4])
  if cur then redis.call('EXPIRE', cur, 2 * ARGV[5]) end
end
for i = 1, #envs do redis.call(ARGV[1], KEYS[3], envs[i]) end
return reply

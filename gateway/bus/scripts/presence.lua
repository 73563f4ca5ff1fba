-- Applies a gateway's joins, leaves and updates in one room, and tells the room, last.
-- KEYS 1 meta 2 gws 3 m:<gw> 4 channel 5 hist
-- ARGV 1 PUBLISH|SPUBLISH, or '' where the room is too big to tell 2 gateway 3 gen 4 fresh epoch 5 meta ttl ms 6 presence ttl ms
--      7 time ms 8 seq and 9 epoch that this worker has delivered here (never a client's claim) 10 members that are counted and
--      not listed 11 fence: only the fence, no presence; then for each change: j|u|l, member, value
-- Replies "<epoch> <gen> <seq> <base> <prev> <prevtop> <pv> <known>"; known 0: this gateway had no entry, announce all
local meta, gws, mine = KEYS[1], KEYS[2], KEYS[3]
local m = redis.call('HMGET', meta, 'epoch', 'gen', 'seq', 'base', 'prev', 'prevtop', 'pv')
local epoch, gen, seq, base, prev, top, pv = m[1], m[2], tonumber(m[3] or 0), m[4] or '0', m[5] or '-', m[6] or '0', m[7] or '0'
local function int(n) return string.format('%.0f', n) end

-- ---- the fence. A worker's word on where the log stood counts in the log's own epoch, or where there is no log any more: what
-- it delivered in an earlier epoch says nothing about this one, and would begin a new one with each question.
local delivered = tonumber(ARGV[8])
local ahead = ARGV[9] == epoch and delivered > seq
if gen ~= ARGV[3] or ahead then
  local info = redis.pcall('INFO', 'replication')        -- ask the server itself: a gateway's gen may be stale
  local now = type(info) == 'string' and string.match(info, 'master_replid:(%x+)')
  now = now and string.sub(now, 1, 16) or ARGV[3]
  if not epoch or gen ~= now or ahead then
    local last = epoch and seq or 0                      -- what the old epoch is known to have held
    local known = (ahead or not epoch) and math.max(seq, delivered) or seq
    if not epoch then                                    -- entries without a meta: no id of theirs may come again
      local newest = redis.call('XREVRANGE', KEYS[5], '+', '-', 'COUNT', 1)[1]
      if newest then known = math.max(known, tonumber(string.match(newest[1], '^%d+'))) end
    end
    if epoch or known > 0 then prev, top, seq = epoch or '-', int(last), known + 1048576 end
    epoch, gen, base = ARGV[4], now, int(seq)
    redis.call('HSET', meta, 'epoch', epoch, 'gen', gen, 'seq', base, 'base', base, 'prev', prev, 'prevtop', top)
  end
end
local entry = redis.call('HGET', gws, ARGV[2])
local function reply()
  local spoken = seq > tonumber(base) or prev ~= '-'     -- names that somebody only tried must not stay for a day
  redis.call('PEXPIRE', meta, spoken and ARGV[5] or ARGV[6])
  return table.concat({epoch, gen, int(seq), base, prev, top, pv, entry and 1 or 0}, ' ')
end
if ARGV[11] == 'fence' then return reply() end

-- ---- presence: what stands already is no news, so that telling it all again (a lost answer, a new beginning) is quiet
local ids, is, changed, text = {}, {}, {}, {}
for i = 12, #ARGV, 3 do ids[#ids + 1] = ARGV[i + 1] end
if #ids > 0 then
  local values = redis.call('HMGET', mine, unpack(ids))
  for i = 1, #ids do is[ids[i]] = values[i] end
end
for i = 12, #ARGV, 3 do
  local op, id, v = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local value = op ~= 'l' and v
  if is[id] ~= value then
    is[id], changed[id] = value, true
    text[#text + 1] = op .. ' ' .. id .. ' ' .. v
  end
end
local set, del = {}, {}
for id in pairs(changed) do
  if is[id] then set[#set + 1], set[#set + 2] = id, is[id] else del[#del + 1] = id end
end
if #set > 0 then redis.call('HSET', mine, unpack(set)) end   -- first: it may be refused for want of memory
if #del > 0 then redis.call('HDEL', mine, unpack(del)) end

local n = int(redis.call('HLEN', mine) + ARGV[10])
if n == '0' then redis.call('HDEL', gws, ARGV[2])
else
  redis.call('HSET', gws, ARGV[2], n)
  redis.call('PEXPIRE', mine, ARGV[6])
  redis.call('PEXPIRE', gws, ARGV[6])
end
if #text > 0 or n ~= (entry or '0') then
  pv = int(redis.call('HINCRBY', meta, 'pv', 1))
  if ARGV[1] ~= '' then
    table.insert(text, 1, pv .. ' ' .. n)
    redis.call(ARGV[1], KEYS[4], 'p1 0 ' .. epoch .. ' p - ' .. ARGV[2] .. ' ' .. ARGV[7] .. ' ' .. table.concat(text, '\n'))
  end
end
return reply()

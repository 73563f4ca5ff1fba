-- Removes a dead gateway's members from one room, and says so, once however many gateways try.
-- KEYS 1 meta 2 gws 3 m:<dead> 4 channel; ARGV 1 PUBLISH|SPUBLISH 2 dead gateway 3 time ms 4 meta ttl ms
-- Replies members removed (0: none that were listed), or -1: it was done
local told = redis.call('HDEL', KEYS[2], ARGV[2])
local ids = redis.call('HKEYS', KEYS[3])
if told == 0 and #ids == 0 then return -1 end
redis.call('UNLINK', KEYS[3])
redis.call('HDEL', KEYS[1], 'b:' .. ARGV[2])
local pv = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'pv', 1))
for i = 1, #ids do ids[i] = 'l ' .. ids[i] .. ' lost' end
table.insert(ids, 1, pv .. ' 0')
redis.call('PEXPIRE', KEYS[1], ARGV[4])              -- it may be new: then nobody else would bound its life
local epoch = redis.call('HGET', KEYS[1], 'epoch') or '-'
redis.call(ARGV[1], KEYS[4], 'p1 0 ' .. epoch .. ' p - ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. table.concat(ids, '\n'))
return #ids - 1

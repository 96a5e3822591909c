"""The script by which processes share limits: many demands in one call, each taken as a whole or not at all.

A subject is one key, `lor3:{limits}:<kind>:<id>`; the hash tag keeps all of them in one slot of a cluster. Its value is
text, so that nothing but this script has to understand it, and a value that is none of its own counts as absent:

    1 <requests' TAT> <tokens' TAT>[ <process>=<places>=<end of its lease>]…

Times are Redis's own, in microseconds since `_EPOCH_S`: a double holds them to a fraction of one. No time in a value is
more than two minutes ahead, and what is further is ignored, so that a clock that was set back locks nobody out. A process
says how many places it holds, not that it takes or leaves one: a reply that was lost is made up for by the next call.

The arithmetic is that of `domain/limits/rate.py`.
"""

from typing import Final

PREFIX: Final = b"lor3:{limits}:"
LEASE_S: Final = 30.0
"""How long the places of a process that died are taken."""
RENEW_S: Final = 10.0

TAKE: Final = """
local time = redis.call('TIME')
local now = (time[1] - 1767225600) * 1000000 + time[2]
local me = ARGV[1]
local given = cjson.decode(ARGV[2])
local lease, window, ahead = given[1], 60000000, 120000000
local stored = redis.call('MGET', unpack(KEYS))
local subjects = {}
for index = 1, #KEYS do
  local mine, tokens_more = given[2][2 * index - 1], given[2][2 * index]
  local r, t, others, rest = now, now, 0, ''
  local is_known = stored[index] and true or false
  local stored_r, stored_t, leases = string.match(stored[index] or '', '^1 ([%d.]+) ([%d.]+)(.*)$')
  stored_r, stored_t = tonumber(stored_r), tonumber(stored_t)
  if stored_r and stored_t then
    if stored_r > now and stored_r <= now + ahead then r = stored_r end
    if stored_t > now and stored_t <= now + ahead then t = stored_t end
    for process, places, ends in string.gmatch(leases, ' (%x+)=(%d+)=(%d+)') do
      ends, places = tonumber(ends), tonumber(places)
      if process == me then
        if mine < 0 then mine = places end
      elseif ends > now and ends <= now + ahead then
        others = others + places
        rest = rest .. ' ' .. process .. '=' .. places .. '=' .. string.format('%.0f', ends)
      end
    end
  end
  if mine < 0 then mine = 0 end
  if tokens_more ~= 0 then t = math.min(math.max(t + tokens_more, now), now + ahead) end
  subjects[index] = {r, t, mine, others, rest, is_known}
end
local out = {}
local takes = given[3]
local at = 1
while at <= #takes do
  local requests, tokens, count = takes[at], takes[at + 1], takes[at + 2]
  local first, last = at + 3, at + 2 + 4 * count
  local is_let = true
  for d = first, last, 4 do
    local subject, rpm, tpm, places = subjects[takes[d]], takes[d + 1], takes[d + 2], takes[d + 3]
    if rpm > 0 and requests > 0 and subject[1] + math.min(requests, rpm) * window / rpm > now + window + 1 then
      is_let = false
    end
    if tpm > 0 and tokens > 0 and subject[2] + math.min(tokens, tpm) * window / tpm > now + window + 1 then
      is_let = false
    end
    if places > 0 and subject[3] + subject[4] >= places then is_let = false end
  end
  out[#out + 1] = is_let and 1 or 0
  for d = first, last, 4 do
    local subject, rpm, tpm, places = subjects[takes[d]], takes[d + 1], takes[d + 2], takes[d + 3]
    if is_let then
      if rpm > 0 then subject[1] = subject[1] + math.min(requests, rpm) * window / rpm end
      if tpm > 0 then subject[2] = subject[2] + math.min(tokens, tpm) * window / tpm end
      if places > 0 then subject[3] = subject[3] + 1 end
    end
    out[#out + 1] = string.format('%d', subject[1] - now)
    out[#out + 1] = string.format('%d', subject[2] - now)
    out[#out + 1] = string.format('%d', subject[3] + subject[4])
  end
  at = last + 1
end
for index = 1, #KEYS do
  local r, t, mine, rest, is_known = subjects[index][1], subjects[index][2], subjects[index][3], subjects[index][5], subjects[index][6]
  if mine > 0 then rest = rest .. ' ' .. me .. '=' .. string.format('%d=%.0f', mine, now + lease) end
  if r > now or t > now or rest ~= '' then
    local left = math.max(r - now, t - now, rest ~= '' and lease or 0)
    redis.call('SET', KEYS[index], string.format('1 %.3f %.3f', r, t) .. rest, 'PX', math.ceil(left / 1000) + 1)
  elseif is_known then
    redis.call('DEL', KEYS[index])
  end
  out[#out + 1] = string.format('%d', r - now)
  out[#out + 1] = string.format('%d', t - now)
  out[#out + 1] = string.format('%d', mine + subjects[index][4])
end
return '[' .. table.concat(out, ',') .. ']'
"""
"""ARGV: the process; JSON of `[lease in µs, [places of the process or -1, tokens to add in µs of their limit; for each
key], takes]`, where takes are one after another `requests, tokens, n` and n times `key's index from 1, requests a minute,
tokens a minute, places`, with 0 for no limit. Returns JSON, for each take one after another: 1 or 0, and for each of its
subjects how far its requests and its tokens are ahead of now, in µs, and how many places are taken, by anybody; at last
those three for each key, where it stands after all of them."""

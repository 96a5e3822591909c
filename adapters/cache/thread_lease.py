"""The scripts by which processes take turns in a thread. Each is atomic, and safe to run a second time.

The keys of one thread share a hash tag:

    lor3:gate:{<thread>}:<tenant>:holder    the process whose turn it is, with PX: its lease
    lor3:gate:{<thread>}:<tenant>:waiting   a sorted set of processes by when they first asked
    lor3:gate:{<thread>}:<tenant>:asking    the same by when they asked last: who stops asking loses its place

Times are Redis's own. A process is known by a random token; it asks for the first of its own waiting chats only, so
that replicas with many take turns with those that have few.
"""

from typing import Final

from domain.ids import Tenant, ThreadId

CHANNEL: Final = "lor3:{gate}:turn"
"""`<token> <key>`: the turn of a process has come."""
LEASE_S: Final = 2.0
"""How long a thread waits for a replica that died. Short, for one that lapses too soon costs order alone."""
RENEW_S: Final = 0.6
PLACE_S: Final = 1.5
"""How long a place in the queue is kept for a process that does not ask."""

ASK: Final = """
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if not holder and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[3] * 1000)) do
  redis.call('ZREM', KEYS[2], gone)
  redis.call('ZREM', KEYS[3], gone)
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
if not holder and (not first or first == ARGV[1]) then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
if ARGV[4] == '1' then
  redis.call('ZADD', KEYS[2], 'NX', now, ARGV[1])
  redis.call('ZADD', KEYS[3], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3] * 2)
  redis.call('PEXPIRE', KEYS[3], ARGV[3] * 2)
end
return 0
"""
"""1 where the turn is the process's, else 0. ARGV: token, lease in ms, place in ms, `1` to take a place."""

RENEW: Final = """
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif not holder then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return holder == ARGV[1] and 1 or 0
"""
"""Takes a turn that nobody has, too: Redis was emptied, or away when the turn began. ARGV: token, lease in ms."""

RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 0 then
  local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if first then
    redis.call('PUBLISH', ARGV[2], first .. ' ' .. KEYS[1])
  end
end
return 1
"""
"""Gives the turn, or the place in the queue, back. ARGV: token, channel."""


def keys_of(tenant: Tenant, thread_id: ThreadId) -> tuple[str, str, str]:
    prefix = f"lor3:gate:{{{thread_id}}}:{tenant}:"
    return f"{prefix}holder", f"{prefix}waiting", f"{prefix}asking"

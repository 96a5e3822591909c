"""The keys of answers under way, and the scripts that write them. Each is atomic, and safe to run a second time.

    lor3:live:{<message>:<tenant>}          a stream of entries, see `event_codec.py`
    lor3:live:{<tenant>}:name:<SHA-256>     the message that has the name

Both have an end from the first moment on: a lease while the answer is made, so that of a process that died nothing is
left but for seconds, and a while after its end. Callers choose tenants and names: the first is escaped, the second is
hashed, so that none of them can look like another key.
"""

import hashlib
import re
from typing import Final
from urllib.parse import quote

from application.ports.event_log import AnswerAddress
from domain.ids import Tenant

STOP_CHANNEL: Final = "lor3:{live}:stop"
"""`{"v": 1, "tenant": …, "message_id": …}`: whoever makes the answer is to stop it."""
LEASE_S: Final = 8.0
"""How long an answer outlives a process that died. Longer than Redis is left alone after it failed."""
RENEW_S: Final = 2.0
GONE_S: Final = 3.0
"""How long readers wait for a stream that is gone: if Redis lost it, its process notices when it renews the lease, and
tells all of it again."""
KEPT_S: Final = 60.0
"""How long an answer that ended can be followed; from then on there is the store."""
GIVEN_UP_S: Final = 600.0
"""How long it is said of an answer that it is not shared any longer: longer than any is made."""

APPEND: Final = """
if ARGV[4] ~= 'new' and redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
if ARGV[3] ~= '' then
  redis.call('XADD', KEYS[1], '*', ARGV[2], ARGV[3])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""
"""0 where the stream is lost, so that it can't go on without its beginning. ARGV: time to live in ms, field, value or nothing,
`FIRST` for the first entry."""
FIRST: Final = "new"
GIVE_UP: Final = """
redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
redis.call('XADD', KEYS[1], '*', ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
"""
"""Leaves an end in place of all there is, which those who read on see as well as those who come. ARGV: time to live in ms,
field, value."""

NAME: Final = """
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
"""
"""Keeps a name that no later answer has taken. ARGV: message, time to live in ms."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*")


def stream_key(address: AnswerAddress) -> str:
    return f"lor3:live:{{{_escaped(address.message_id)}:{_escaped(address.tenant)}}}"


def name_key(tenant: Tenant, name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"lor3:live:{{{_escaped(tenant)}}}:name:{digest}"


def _escaped(text: str) -> str:
    if _PLAIN.fullmatch(text):  # a tenth of the time, for what ids are made of
        return text
    return quote(text, safe="", errors="surrogatepass")

"""The header `Idempotency-Key`, as in draft-ietf-httpapi-idempotency-key-header-07, any visible ASCII for a key."""

import hashlib
import json
import re
from typing import Final

from aiohttp import web

from domain.errors import Fault, InvalidRequest
from domain.idempotency import IdempotencyKey
from domain.json_value import JSONObject
from entrypoints.http.callers import own_key
from entrypoints.http.state import CALLER, ROUTE

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
"""The header of an answer that was given before."""
MAX_LENGTH: Final = 255
_TRANSPORT: Final = frozenset(("stream", "on_disconnect"))
"""Fields that say how an answer is to be brought, not which one: whoever could not get it as a stream may ask for
it as a whole.
"""
_KEY: Final = re.compile(r"[!-~]{1,255}")


def read_key(request: web.Request, body: JSONObject) -> IdempotencyKey | None:
    """The request's key with a digest of the request; None where it came without one.

    Raises:
        InvalidRequest: the header is empty, too long, given twice, or holds something else than visible ASCII.
    """
    given = request.headers.getall(HEADER, ())
    if not given:
        return None
    if len(given) > 1:
        raise _refused("is given more than once; send one key")
    key = given[0]
    if _KEY.fullmatch(key) is None:
        if not key:
            raise _refused("is empty; send a key, such as a UUID, or leave the header out")
        if len(key) > MAX_LENGTH:
            raise _refused(f"must have at most {MAX_LENGTH} characters; it has {len(key):,}")
        raise _refused("must be visible ASCII without spaces, such as a UUID")
    return IdempotencyKey(key=own_key(request[CALLER], key), fingerprint=fingerprint(request, body))


def fingerprint(request: web.Request, body: JSONObject) -> str:
    """SHA-256, in hex, over method, route, the path's parameters and the body, whatever the order of its fields.

    `stream` and `on_disconnect` are left out.
    """
    asked = {name: value for name, value in body.items() if name not in _TRANSPORT}
    sent = [request.method, request[ROUTE], dict(request.match_info), asked]
    # As ASCII, since a body may hold half a surrogate pair.
    text = json.dumps(sent, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(what: str) -> InvalidRequest:
    return InvalidRequest.of(Fault(path=HEADER, message=what))

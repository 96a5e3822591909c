"""One send of one request, and what the client knows afterwards."""

import json
from typing import Any, Final, TypeAlias

import aiohttp
import attrs

from tests.torture.ledger import Answer


@attrs.frozen(kw_only=True)
class Answered:
    answer: Answer
    replayed: bool


@attrs.frozen(kw_only=True)
class Refused:
    """An answer that says no: a problem object, before the answer or in its stream."""

    status: int
    code: str
    retry_after_s: float | None = None


@attrs.frozen
class Lost:
    """The connection ended before an answer did: the client knows nothing."""

    kind: str


Outcome: TypeAlias = Answered | Refused | Lost
REFUSED: Final = Lost("no connection")
"""Nothing was sent."""


async def send(
    session: aiohttp.ClientSession,
    url: str,
    body: dict[str, Any],
    *,
    key: str | None,
    leave_after: int | None = None,
    path: str = "/chat",
) -> Outcome:
    """
    Args:
        leave_after: hang up after so many pieces of a streamed answer.
    """
    headers = {"Idempotency-Key": key} if key else {}
    try:
        async with session.post(f"{url}{path}", json=body, headers=headers) as response:
            if response.status not in (200, 201):
                return _refusal(response, await response.read())
            replayed = response.headers.get("Idempotency-Replayed") == "true"
            if not body.get("stream"):
                return Answered(answer=json.loads(await response.read()), replayed=replayed)
            return await _last_event(response, leave_after=leave_after, replayed=replayed)
    except aiohttp.ClientConnectorError:
        return REFUSED
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        return Lost(type(error).__name__)


async def _last_event(
    response: aiohttp.ClientResponse, *, leave_after: int | None, replayed: bool
) -> Outcome:
    event = ""
    pieces = 0
    async for raw in response.content:
        line = raw.decode().rstrip("\n")
        if line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("data:") and event == "done":
            return Answered(answer=json.loads(line[5:]), replayed=replayed)
        elif line.startswith("data:") and event == "error":
            problem = json.loads(line[5:])
            return Refused(status=int(problem["status"]), code=str(problem["code"]))
        elif line.startswith("data:"):
            pieces += 1
            if pieces == leave_after:
                response.close()
                return Lost("left")
    return Lost("stream ended")


def _refusal(response: aiohttp.ClientResponse, body: bytes) -> Refused:
    try:
        code = str(json.loads(body)["code"])
    except (ValueError, KeyError, TypeError):
        code = "no problem object"
    retry_after = response.headers.get("Retry-After")
    return Refused(
        status=response.status, code=code, retry_after_s=float(retry_after) if retry_after else None
    )

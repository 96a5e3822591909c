"""`GET /feedback/export`: rated conversations, a line of JSON each, streamed."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from aiohttp import web

from application.use_cases.export_rated import RatedConversation
from domain.errors import InvalidRequest, StorageUnavailable
from entrypoints.feedback_rendering import rated_conversation_json
from entrypoints.http.breaking_off import break_off
from entrypoints.http.callers import tenant_of
from entrypoints.http.checks import Faults
from entrypoints.http.feedback_body import RATED, rated_command
from entrypoints.http.paced_writing import write
from entrypoints.http.query import read_query
from entrypoints.http.response_headers import decorate
from entrypoints.http.state import STATE, cancel_when_lost
from entrypoints.rendering import to_json_line

NDJSON: Final = "application/x-ndjson"


async def export(request: web.Request) -> web.StreamResponse:
    """Sends each line as soon as it is read.

    A fault behind the first line can only end the connection: the transfer is cut, and the caller sees that.
    """
    faults: Faults = []
    query = read_query(request, RATED, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    state = request.app[STATE]
    response = web.StreamResponse(headers={"Content-Type": NDJSON})
    if request.method == "HEAD":
        return response
    async with aclosing(
        _lines(state.application.export_rated.execute(rated_command(query, tenant=tenant_of(request))))
    ) as lines:
        # Before the head of the answer goes out: a fault so far is a plain problem.
        first = await anext(lines, None)
        decorate(request, response, state)
        try:
            with cancel_when_lost(request):
                await response.prepare(request)
                if first is not None:
                    await write(response, first)
                async for line in lines:
                    await write(response, line)
                await response.write_eof()
        except (ConnectionError, TimeoutError, StorageUnavailable) as error:
            # The reader is gone or takes nothing, or the database went away.
            break_off(request, error)
    return response


async def _lines(found: AsyncIterator[RatedConversation]) -> AsyncGenerator[bytes, None]:
    async for each in found:
        yield to_json_line(rated_conversation_json(each))

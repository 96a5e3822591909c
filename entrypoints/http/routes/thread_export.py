"""`GET /threads/{id}/export`: a whole thread, streamed."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from domain.errors import InvalidRequest, LorError
from domain.ids import ThreadId
from entrypoints.http.breaking_off import break_off
from entrypoints.http.callers import tenant_of
from entrypoints.http.checks import Faults
from entrypoints.http.paced_writing import write
from entrypoints.http.query import read_query
from entrypoints.http.response_headers import decorate
from entrypoints.http.state import STATE, cancel_when_lost
from entrypoints.http.thread_body import EXPORT
from entrypoints.thread_export import export_name, export_pieces

_CHUNK_BYTES: Final = 64 * 1024
_TYPES: Final = {"json": "application/json", "markdown": "text/markdown; charset=utf-8"}


async def export(request: web.Request) -> web.StreamResponse:
    """Sends it as it is read; what is added meanwhile is left out.

    A fault behind the first byte can only end the connection: the transfer is cut, and the caller sees that.
    """
    faults: Faults = []
    query = read_query(request, EXPORT, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    written = query.format or "json"
    state = request.app[STATE]
    found = await state.application.export_thread.open(tenant_of(request), ThreadId(request.match_info["id"]))
    response = web.StreamResponse(
        headers={
            "Content-Type": _TYPES[written],
            "Content-Disposition": f'attachment; filename="{export_name(found, written)}"',
        }
    )
    if request.method == "HEAD":
        return response
    pieces = chunks(export_pieces(found, written))
    # Before the head of the answer goes out: a fault so far is a plain problem.
    first = await anext(pieces)
    decorate(request, response, state)
    try:
        with cancel_when_lost(request):
            await response.prepare(request)
            await write(response, first)
            async for chunk in pieces:
                await write(response, chunk)
            await response.write_eof()
    except (ConnectionError, TimeoutError, LorError) as error:
        # The reader is gone or takes nothing, the thread was deleted meanwhile, or the database went away.
        break_off(request, error)
    return response


async def chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in larger pieces: one a message would be a system call each."""
    pending = bytearray()
    async for piece in pieces:
        pending += piece
        if len(pending) >= _CHUNK_BYTES:
            yield bytes(pending)
            pending.clear()
    if pending:  # an empty chunk would end the transfer
        yield bytes(pending)

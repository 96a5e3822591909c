"""`/threads/{id}/messages` and `/messages/{id}`."""

from typing import Final

from aiohttp import web

from application.use_cases.read_threads import DEFAULT_PAGE
from domain.errors import InvalidRequest
from domain.ids import MessageId, ThreadId
from entrypoints.http.callers import tenant_of
from entrypoints.http.checks import Faults
from entrypoints.http.codec import read_object
from entrypoints.http.cursors import ListKind, read_position_cursor, write_cursor
from entrypoints.http.query import NO_QUERY, read_query, refuse_query
from entrypoints.http.request_body import read_body
from entrypoints.http.state import STATE, cut_at_the_end
from entrypoints.http.thread_body import MESSAGES, read_pin
from entrypoints.rendering import to_json
from entrypoints.thread_rendering import message_view_json, stored_message_json

_JSON: Final = "application/json"


async def list_messages(request: web.Request) -> web.StreamResponse:
    """A page of a thread's messages, by position."""
    faults: Faults = []
    query = read_query(request, MESSAGES, faults)
    newest_first = query is not None and query.order == "desc"
    kind: ListKind = "messages-desc" if newest_first else "messages-asc"
    beyond = None if query is None else read_position_cursor(query.cursor, kind, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    page = await request.app[STATE].application.read_threads.messages(
        tenant_of(request),
        ThreadId(request.match_info["id"]),
        beyond=beyond,
        limit=query.limit or DEFAULT_PAGE,
        newest_first=newest_first,
    )
    following = None if page.next_position is None else write_cursor(kind, str(page.next_position))
    return web.Response(
        body=to_json({"items": [stored_message_json(each) for each in page.items], "next_cursor": following}),
        content_type=_JSON,
    )


async def show(request: web.Request) -> web.StreamResponse:
    """One message with its attempts."""
    refuse_query(request)
    message_id = MessageId(request.match_info["id"])
    view = await request.app[STATE].application.read_threads.message(tenant_of(request), message_id)
    return web.Response(body=to_json(message_view_json(view)), content_type=_JSON)


async def change(request: web.Request) -> web.StreamResponse:
    """Pins its exchange, or lets go of it."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    command = read_pin(
        value, tenant=tenant_of(request), message_id=MessageId(request.match_info["id"]), faults=faults
    )
    message = await state.application.pin_message.execute(command)
    return web.Response(body=to_json(stored_message_json(message)), content_type=_JSON)

"""`/messages/{id}/feedback` and `/threads/{id}/feedback`."""

from typing import Final

from aiohttp import web

from application.services.thread_lookup import canonical_id
from application.use_cases.read_threads import DEFAULT_PAGE
from domain.errors import InvalidRequest
from domain.ids import MessageId, ThreadId
from entrypoints.feedback_rendering import feedback_page_json, given_json, message_feedback_json
from entrypoints.http.callers import caller_of, tenant_of
from entrypoints.http.checks import Faults
from entrypoints.http.codec import read_object
from entrypoints.http.cursors import read_position_cursor, write_cursor
from entrypoints.http.feedback_body import read_feedback
from entrypoints.http.query import NO_QUERY, read_query, refuse_query
from entrypoints.http.request_body import read_body
from entrypoints.http.state import STATE, cut_at_the_end
from entrypoints.http.thread_body import PAGE
from entrypoints.rendering import to_json

_JSON: Final = "application/json"
_MAX_HISTORY: Final = 100


async def put(request: web.Request) -> web.StreamResponse:
    """Rates an answer, in place of what was said of it before."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    message_id = MessageId(request.match_info["id"])
    command = read_feedback(value, message_id=message_id, faults=faults, caller=caller_of(request))
    feedback = await state.application.rate_message.execute(command)
    written = canonical_id(message_id) or message_id
    return web.Response(body=to_json(given_json(written, feedback)), content_type=_JSON)


async def delete(request: web.Request) -> web.StreamResponse:
    """Takes the feedback back, if there is any; its history stays."""
    refuse_query(request)
    message_id = MessageId(request.match_info["id"])
    await request.app[STATE].application.rate_message.take_back(tenant_of(request), message_id)
    return web.Response(status=204)


async def show(request: web.Request) -> web.StreamResponse:
    """The feedback of a message, and its last changes."""
    refuse_query(request)
    message_id = MessageId(request.match_info["id"])
    found = await request.app[STATE].application.read_feedback.of_message(
        tenant_of(request), message_id, limit=_MAX_HISTORY
    )
    return web.Response(body=to_json(message_feedback_json(found)), content_type=_JSON)


async def list_of_thread(request: web.Request) -> web.StreamResponse:
    """A page of the feedback of a thread's answers, by position."""
    faults: Faults = []
    query = read_query(request, PAGE, faults)
    after = None if query is None else read_position_cursor(query.cursor, "feedback", faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    page = await request.app[STATE].application.read_feedback.of_thread(
        tenant_of(request),
        ThreadId(request.match_info["id"]),
        after=-1 if after is None else after,
        limit=query.limit or DEFAULT_PAGE,
    )
    following = None if page.next_after is None else write_cursor("feedback", str(page.next_after))
    return web.Response(body=to_json(feedback_page_json(page, following)), content_type=_JSON)

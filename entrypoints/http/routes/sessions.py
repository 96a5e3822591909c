"""`/sessions`: the threads of one user, grouped."""

from aiohttp import web

from application.use_cases.read_threads import DEFAULT_PAGE
from domain.errors import InvalidRequest
from domain.ids import SessionId
from entrypoints.http.callers import caller_of, tenant_of, user_of
from entrypoints.http.checks import Faults
from entrypoints.http.codec import read_object
from entrypoints.http.cursors import read_id_cursor, write_cursor
from entrypoints.http.query import NO_QUERY, read_query, refuse_query
from entrypoints.http.request_body import read_body
from entrypoints.http.routes.threads import read_place, thread_page
from entrypoints.http.state import STATE, cut_at_the_end
from entrypoints.http.thread_body import SESSION_THREADS, SESSIONS, read_session
from entrypoints.rendering import to_json
from entrypoints.thread_rendering import session_json

_JSON = "application/json"


async def list_sessions(request: web.Request) -> web.StreamResponse:
    """Newest first; of all users, or of one."""
    faults: Faults = []
    query = read_query(request, SESSIONS, faults)
    before = None if query is None else read_id_cursor(query.cursor, "sessions", faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    page = await request.app[STATE].application.read_threads.sessions(
        tenant_of(request),
        user=user_of(caller_of(request), query.user),
        before=None if before is None else SessionId(before),
        limit=query.limit or DEFAULT_PAGE,
    )
    following = None if page.next_before is None else write_cursor("sessions", page.next_before)
    return web.Response(
        body=to_json({"items": [session_json(each) for each in page.items], "next_cursor": following}),
        content_type=_JSON,
    )


async def create(request: web.Request) -> web.StreamResponse:
    """Opens a session."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    session = await state.application.open_session.execute(
        read_session(value, faults, caller=caller_of(request))
    )
    return web.Response(
        body=to_json(session_json(session)),
        status=201,
        content_type=_JSON,
        headers={"Location": f"/sessions/{session.id}"},
    )


async def show(request: web.Request) -> web.StreamResponse:
    """One session."""
    refuse_query(request)
    session_id = SessionId(request.match_info["id"])
    session = await request.app[STATE].application.read_threads.session(tenant_of(request), session_id)
    return web.Response(body=to_json(session_json(session)), content_type=_JSON)


async def list_threads(request: web.Request) -> web.StreamResponse:
    """Its threads, newest first."""
    faults: Faults = []
    query = read_query(request, SESSION_THREADS, faults)
    place = None if query is None else read_place(query, faults)
    if query is None or place is None or faults:
        raise InvalidRequest.of(*faults)
    page = await request.app[STATE].application.read_threads.threads(
        tenant_of(request),
        session_id=SessionId(request.match_info["id"]),
        tag=query.tag,
        order=query.order or "created",
        before=place.before,
        updated_before=place.updated_before,
        limit=query.limit or DEFAULT_PAGE,
    )
    return thread_page(page)

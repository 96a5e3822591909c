"""`/threads`: list, open, show, change, fork and delete them."""

import datetime
from typing import Final

from aiohttp import web

from application.use_cases.delete_thread import DeleteThreadCommand
from application.use_cases.read_threads import DEFAULT_PAGE, ThreadPage
from domain.errors import InvalidRequest
from domain.ids import SessionId, ThreadId
from domain.thread import Thread
from domain.values import frozen
from entrypoints.http.callers import caller_of, tenant_of, user_of
from entrypoints.http.checks import Faults
from entrypoints.http.codec import read_object
from entrypoints.http.conditional import if_match, tagged
from entrypoints.http.cursors import (
    read_activity_cursor,
    read_id_cursor,
    write_activity_cursor,
    write_cursor,
)
from entrypoints.http.query import NO_QUERY, read_query, refuse_query
from entrypoints.http.request_body import read_body
from entrypoints.http.state import STATE, cut_at_the_end
from entrypoints.http.thread_body import (
    DELETE,
    THREADS,
    SessionThreadsQuery,
    ThreadsQuery,
    read_change,
    read_fork,
    read_thread,
)
from entrypoints.rendering import to_json
from entrypoints.thread_rendering import thread_json

_JSON: Final = "application/json"


async def list_threads(request: web.Request) -> web.StreamResponse:
    """Newest first; of all, or of one session, one user, one tag."""
    faults: Faults = []
    query = read_query(request, THREADS, faults)
    place = None if query is None else read_place(query, faults)
    if query is None or place is None or faults:
        raise InvalidRequest.of(*faults)
    caller, application = caller_of(request), request.app[STATE].application
    user = user_of(caller, query.user)
    if query.session_id is not None:
        await application.ownership.session(caller, SessionId(query.session_id))
    page = await application.read_threads.threads(
        tenant_of(request),
        session_id=None if query.session_id is None else SessionId(query.session_id),
        user=user,
        tag=query.tag,
        order=query.order or "created",
        before=place.before,
        updated_before=place.updated_before,
        limit=query.limit or DEFAULT_PAGE,
    )
    return thread_page(page)


async def create(request: web.Request) -> web.StreamResponse:
    """Opens an empty thread."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    caller = caller_of(request)
    command = read_thread(value, faults, caller=caller)
    if command.session_id is not None:
        await state.application.ownership.session(caller, command.session_id)
    return _made(request, await state.application.open_thread.execute(command))


async def show(request: web.Request) -> web.StreamResponse:
    """One thread, without its messages."""
    refuse_query(request)
    thread_id = ThreadId(request.match_info["id"])
    thread = await request.app[STATE].application.read_threads.thread(tenant_of(request), thread_id)
    return tagged(request, thread_json(thread), thread.etag)


async def change(request: web.Request) -> web.StreamResponse:
    """Renames and tags it."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    tags = if_match(request, faults)
    command = read_change(
        value,
        tenant=tenant_of(request),
        thread_id=ThreadId(request.match_info["id"]),
        if_match=tags,
        faults=faults,
    )
    thread = await state.application.change_thread.execute(command)
    return tagged(request, thread_json(thread), thread.etag)


async def delete(request: web.Request) -> web.StreamResponse:
    """Makes it absent; with `purge` nothing of it is left."""
    faults: Faults = []
    query = read_query(request, DELETE, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    await request.app[STATE].application.delete_thread.execute(
        DeleteThreadCommand(
            tenant=tenant_of(request),
            thread_id=ThreadId(request.match_info["id"]),
            purge=bool(query.purge),
        )
    )
    return web.Response(status=204)


async def fork(request: web.Request) -> web.StreamResponse:
    """Makes a thread that begins as a copy of it, up to a message."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    command = read_fork(
        value, tenant=tenant_of(request), thread_id=ThreadId(request.match_info["id"]), faults=faults
    )
    return _made(request, await state.application.fork_thread.execute(command))


@frozen
class Place:
    """Behind which thread a page begins; nothing of it on the first one."""

    before: ThreadId | None = None
    updated_before: datetime.datetime | None = None


def read_place(query: ThreadsQuery | SessionThreadsQuery, faults: Faults) -> Place:
    """What the cursor says, in the query's own order."""
    if query.order == "updated":
        found = read_activity_cursor(query.cursor, faults)
        return Place() if found is None else Place(ThreadId(found[1]), found[0])
    before = read_id_cursor(query.cursor, "threads", faults)
    return Place() if before is None else Place(ThreadId(before))


def thread_page(page: ThreadPage) -> web.Response:
    following = None
    if page.next_before is not None and page.next_updated_before is not None:
        following = write_activity_cursor(page.next_updated_before, page.next_before)
    elif page.next_before is not None:
        following = write_cursor("threads", page.next_before)
    return web.Response(
        body=to_json({"items": [thread_json(each) for each in page.items], "next_cursor": following}),
        content_type=_JSON,
    )


def _made(request: web.Request, thread: Thread) -> web.Response:
    return tagged(
        request,
        thread_json(thread),
        thread.etag,
        status=201,
        headers={"Location": f"/threads/{thread.id}"},
    )

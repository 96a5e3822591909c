"""`GET /chat/{message_id}/stream` and `POST /chat/{message_id}/stop`."""

from typing import Final

from aiohttp import web

from domain.errors import InvalidRequest
from domain.ids import MessageId
from domain.live_answer import Position
from domain.values import frozen
from entrypoints.http.callers import tenant_of
from entrypoints.http.checks import Faults
from entrypoints.http.codec import read_object
from entrypoints.http.encoders.registry import accepted_encoder
from entrypoints.http.event_stream import send_followed
from entrypoints.http.query import IntegerText, read_query, refuse_query
from entrypoints.http.records import Record, given
from entrypoints.http.request_body import read_body
from entrypoints.http.state import STATE, cut_at_the_end
from entrypoints.rendering import to_json

LAST_EVENT_ID: Final = "Last-Event-ID"
_POSITION: Final = IntegerText(minimum=0, maximum=2**53)


@frozen(kw_only=True)
class ResumeQuery:
    """Where to resume."""

    last_event_id: int | None = given(
        _POSITION,
        "As the header `Last-Event-ID`, for clients that can't set headers; the header goes before it.",
        example=17,
    )


RESUME: Final = Record(ResumeQuery)


@frozen(kw_only=True)
class StopBody:
    """Nothing: what is to be stopped stands in the path."""


STOP: Final = Record(StopBody)


async def resume(request: web.Request) -> web.StreamResponse:
    """The rest of an answer's events, from where a reader stands."""
    state = request.app[STATE]
    encoder = accepted_encoder(request)
    reader = await state.application.follow_answer.execute(
        tenant_of(request), MessageId(request.match_info["message_id"]), seen=_seen(request)
    )
    if reader is None:
        return web.Response(status=204)
    return await send_followed(request, state, reader, encoder)


async def stop(request: web.Request) -> web.StreamResponse:
    """Ends an answer that is being made."""
    state = request.app[STATE]
    refuse_query(request)
    if request.can_read_body:
        with cut_at_the_end(state):
            body = await read_body(request, state.application.settings.server)
        faults: Faults = []
        STOP.read(read_object(body), "", faults)
        if faults:
            raise InvalidRequest.of(*faults)
    stopped = await state.application.stop_answer.execute(
        tenant_of(request), MessageId(request.match_info["message_id"])
    )
    return web.Response(
        status=202 if stopped.status == "stopping" else 200,
        body=to_json(
            {"message_id": stopped.message_id, "status": stopped.status, "stopped": stopped.stopped}
        ),
        content_type="application/json",
    )


def _seen(request: web.Request) -> Position:
    faults: Faults = []
    query = read_query(request, RESUME, faults)
    seen = None if query is None else query.last_event_id
    header = request.headers.get(LAST_EVENT_ID)
    if header is not None:
        seen = _POSITION.read(header, LAST_EVENT_ID, faults)
    if faults:
        raise InvalidRequest.of(*faults)
    return seen or 0

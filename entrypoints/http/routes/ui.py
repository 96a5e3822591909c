"""`/ui/chat`: the backend of Vercel's AI SDK, `useChat` above all."""

from itertools import takewhile
from typing import Any, Final, cast

from aiohttp import web

from application.use_cases.chat_command import SendChatCommand
from application.use_cases.continue_chat_command import Continuation
from application.use_cases.read_client_chat import DEFAULT_MESSAGES, MAX_MESSAGES
from domain.clean_text import clean
from domain.client_chat import MAX_CHAT_ID, answer_name
from domain.errors import InvalidRequest, NotFound
from domain.ids import MessageId, Tenant
from domain.json_value import JSONObject
from domain.suggestion import shown
from domain.values import evolve, frozen
from entrypoints.http.callers import caller_of, demand_rights, own_chat_id, tenant_of
from entrypoints.http.checks import Faults, Text
from entrypoints.http.codec import read_object
from entrypoints.http.cursors import read_position_cursor, write_cursor
from entrypoints.http.encoders.registry import encoder_for
from entrypoints.http.encoders.ui_message_stream import SHOWN_AS, SHOWN_BEFORE
from entrypoints.http.event_stream import send_events, send_followed
from entrypoints.http.idempotency import read_key
from entrypoints.http.limits import chat_allowance
from entrypoints.http.query import IntegerText, read_query, refuse_query
from entrypoints.http.records import Record, given
from entrypoints.http.request_body import read_body
from entrypoints.http.routes.stream import STOP
from entrypoints.http.state import REQUEST_ID, STATE, ServerState, cut_at_the_end
from entrypoints.http.ui_body import read_ui_chat, told_apart
from entrypoints.http.ui_rendering import ui_messages_json
from entrypoints.http.ui_version import protocol_of
from entrypoints.rendering import to_json

_JSON: Final = "application/json"
_FEW: Final = 20
_COMES_S: Final = 2.0
"""How long a stop waits for the answer of a request that has just come."""
_CHAT_ID: Final = Text(min_length=1, max_length=MAX_CHAT_ID)


@frozen(kw_only=True)
class UIMessagesQuery:
    """Which messages."""

    cursor: str | None = given(Text(max_length=128), "`next_cursor` of the page with the newer ones.")
    limit: int | None = given(
        IntegerText(minimum=1, maximum=MAX_MESSAGES),
        "Stored messages: turns, answers and tool results. A page has fewer, where it would begin amid an exchange.",
        default=DEFAULT_MESSAGES,
    )


UI_MESSAGES: Final = Record(UIMessagesQuery)


async def chat(request: web.Request) -> web.StreamResponse:
    """Answers a chat as its client has it."""
    state = request.app[STATE]
    faults: Faults = []
    encoding = protocol_of(request, faults)
    value = await _body(request, state)
    caller = caller_of(request)
    sent = read_ui_chat(value, faults, caller=caller)
    key = read_key(request, value) if "Idempotency-Key" in request.headers else None
    application = state.application
    if caller.user is not None:
        sent = evolve(sent, kept_as=await own_chat_id(request, sent.chat_id))
        if sent.session_id is not None:
            await application.ownership.session(caller, sent.session_id, for_chat=True)
    name = answer_name(sent.kept_as or sent.chat_id)
    # Before the chat is changed: who is refused finds it as it was.
    allowance = await chat_allowance(request, state, caller, sent.user, sent.last_turn, sent.max_tokens)
    try:

        def sends(continuation: Continuation) -> SendChatCommand:
            command = sent.sends(continuation, key=key, request_id=request[REQUEST_ID])
            demand_rights(application.settings.auth, command)  # also of what is only judged
            return command

        with application.live_answers.arrivals.of(caller.tenant, name), cut_at_the_end(state):
            continuation = await application.continue_chat.execute(sent.continues(key), sends=sends)
        _show_as(request, continuation)
        command = evolve(sends(continuation), allowance=allowance)
        encoder = encoder_for(request, protocol=encoding)
        return await send_events(request, state, command, encoder, names=(name,))
    except InvalidRequest as error:
        raise told_apart(error, sent) from None


async def resume(request: web.Request) -> web.StreamResponse:
    """All of the answer that is being made."""
    state = request.app[STATE]
    faults: Faults = []
    encoding = protocol_of(request, faults)
    chat_id = _chat_id(request, faults)
    if faults:
        raise InvalidRequest.of(*faults)
    tenant, kept_as = tenant_of(request), await own_chat_id(request, chat_id)
    reader = await state.application.resume_chat.execute(tenant, kept_as)
    if reader is None:
        return web.Response(status=204)
    try:
        begun = await _begun(state, tenant, kept_as, reader.log.message_id)
        if begun is not None:
            request[SHOWN_AS] = begun["id"]
            request[SHOWN_BEFORE] = tuple(begun["parts"])
        encoder = encoder_for(request, protocol=encoding)
    except BaseException:
        reader.close()
        raise
    return await send_followed(request, state, reader, encoder)


async def stop(request: web.Request) -> web.StreamResponse:
    """Ends the answer that is being made; what there is of it is kept."""
    state = request.app[STATE]
    refuse_query(request)
    faults: Faults = []
    chat_id = _chat_id(request, faults)
    if request.can_read_body:
        STOP.read(await _body(request, state), "", faults)
    if faults:
        raise InvalidRequest.of(*faults)
    application = state.application
    tenant, kept_as = tenant_of(request), await own_chat_id(request, chat_id)
    name, live = answer_name(kept_as), application.live_answers
    if live.named(tenant, name) is None:
        await live.arrivals.over(tenant, name, within_s=_COMES_S)
    stopped = await application.stop_answer.by_name(tenant, name)
    if stopped is not None:
        return _outcome(stopped.message_id, stopped.status, is_stopped=stopped.stopped)
    page = await application.read_client_chat.execute(tenant, kept_as, limit=1)
    if page.thread is None:
        raise NotFound(f"there is no chat {shown(chat_id)}; POST /ui/chat begins one")
    last = page.messages[-1] if page.messages else None
    return _outcome(
        None if last is None else last.id, "complete" if last is None else last.status, is_stopped=False
    )


async def list_messages(request: web.Request) -> web.StreamResponse:
    """What a page begins with when it is loaded again."""
    faults: Faults = []
    query = read_query(request, UI_MESSAGES, faults)
    below = None if query is None else read_position_cursor(query.cursor, "ui-messages", faults)
    chat_id = _chat_id(request, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    page = await request.app[STATE].application.read_client_chat.execute(
        tenant_of(request),
        await own_chat_id(request, chat_id),
        below=below,
        limit=query.limit or DEFAULT_MESSAGES,
    )
    following = None if page.next_position is None else write_cursor("ui-messages", str(page.next_position))
    return web.Response(
        body=to_json(
            {
                "id": chat_id,
                "thread_id": None if page.thread is None else page.thread.id,
                "items": ui_messages_json(page.messages),
                "next_cursor": following,
            }
        ),
        content_type=_JSON,
    )


async def _begun(
    state: ServerState, tenant: Tenant, chat_id: str, answer: MessageId | None
) -> dict[str, Any] | None:
    """The message that the answer goes on with: the last one, where tools' results are what it answers."""
    read = state.application.read_client_chat
    for limit in (_FEW, MAX_MESSAGES):
        page = await read.execute(tenant, chat_id, limit=limit)
        stored = list(takewhile(lambda each: each.id != answer, page.messages))
        if not stored or stored[-1].message.role != "tool":
            return None
        items = ui_messages_json(stored)
        if len(items) > 1 or page.next_position is None:
            return cast("dict[str, Any]", items[-1])
    return None  # it is longer than anybody reads


async def _body(request: web.Request, state: ServerState) -> JSONObject:
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    return read_object(body)


def _chat_id(request: web.Request, faults: Faults) -> str:
    """Percent-decoded by the router."""
    chat_id = request.match_info["id"]
    _CHAT_ID.read(chat_id, "id", faults)
    return str(clean(chat_id))


def _show_as(request: web.Request, continuation: Continuation) -> None:
    if continuation.shown_as:
        request[SHOWN_AS] = continuation.shown_as


def _outcome(message_id: str | None, status: str, *, is_stopped: bool) -> web.Response:
    return web.Response(
        status=202 if status == "stopping" else 200,
        body=to_json({"message_id": message_id, "status": status, "stopped": is_stopped}),
        content_type=_JSON,
    )

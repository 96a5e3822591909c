"""A chat as a stream of events, in any protocol that there is an encoder for."""

import contextlib
from typing import Final

from aiohttp import HttpVersion11, web

from application.services.answer_log import AnswerReader
from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatDone
from domain.errors import AnswerUnknown, KeyInFlight, StorageUnavailable, afresh
from domain.live_answer import Portion
from domain.values import evolve
from entrypoints.http.breaking_off import break_off
from entrypoints.http.callers import demand_chat
from entrypoints.http.encoders.protocol import StreamEncoder
from entrypoints.http.fault_log import log_unexpected
from entrypoints.http.limits import allow_chat
from entrypoints.http.paced_writing import write
from entrypoints.http.problems import internal_error
from entrypoints.http.response_headers import MESSAGE_ID, REPLAYED, decorate
from entrypoints.http.state import REQUEST_ID, ROUTE, ServerState, cancel_when_lost

HOLD_S: Final = 5.0
"""How long the 200 waits for the first event, so that a failure before it is a plain problem."""
KEEP_ALIVE_S: Final = 15.0


async def send_events(
    request: web.Request,
    state: ServerState,
    command: SendChatCommand,
    encoder: StreamEncoder,
    *,
    names: tuple[str, ...] = (),
    is_again: bool = False,
) -> web.StreamResponse:
    """Answers with events. A request whose Idempotency-Key belongs to a stream under way gets that stream.

    Args:
        names: by which the answer can be found while it is made.
        is_again: whether its key was another's a moment ago.

    Raises:
        LorError: what ended the chat before its first event, or why the caller may not send it; nothing was sent yet.
    """
    application = state.application
    answers = application.live_answers
    if not is_again:
        await demand_chat(application, command)
        command = await allow_chat(request, state, command)
    if command.may_reset != encoder.may_reset:
        command = evolve(command, may_reset=encoder.may_reset)
    key = command.idempotency
    if key is not None:
        names = (*names, key_name(key.key))
    request_id, route = request[REQUEST_ID], request[ROUTE]
    # A task of its own for the chat: the writer can send keep-alives and gather events meanwhile, and the
    # chat's context is left in the task that entered it, whether the caller stays or not.
    live = answers.start(
        command,
        names=names,
        on_fault=lambda fault: log_unexpected(fault, request_id=request_id, route=route),
    )
    reader = live.log.reader()
    try:
        with cancel_when_lost(request):
            await reader.wait(within_s=HOLD_S)
            failure = None if reader.ending is None else reader.ending.error
            if failure is None:
                return await write_answer(request, state, reader, encoder)
    finally:
        reader.close()
    if isinstance(failure, KeyInFlight) and key is not None:
        other: AnswerReader | None = None
        with contextlib.suppress(AnswerUnknown, StorageUnavailable):  # to come again is right all the same
            other = await application.follow_answer.by_name(command.tenant, key_name(key.key))
        if other is not None:
            return await send_followed(request, state, other, encoder)
        if not is_again:  # that one may have ended in between: then it is there to be replayed
            return await send_events(request, state, command, encoder, names=names[:-1], is_again=True)
    raise afresh(failure)


def key_name(key: str) -> str:
    """The name of the answer to a request that came with the Idempotency-Key."""
    return f"key:{key}"


async def send_followed(
    request: web.Request, state: ServerState, reader: AnswerReader, encoder: StreamEncoder
) -> web.StreamResponse:
    """Sends the rest of an answer that this request did not begin; closes the reader.

    Raises:
        LorError: what ended the answer before its first event; nothing was sent yet.
    """
    try:
        with cancel_when_lost(request):
            # Who has seen some of it is told of a failure in the stream, and need not wait for its head.
            if not reader.position:
                await reader.wait(within_s=HOLD_S)
            failure = None if reader.ending is None or reader.position else reader.ending.error
            if failure is None:
                return await write_answer(request, state, reader, encoder)
    finally:
        reader.close()
    raise afresh(failure)


async def write_answer(
    request: web.Request, state: ServerState, reader: AnswerReader, encoder: StreamEncoder
) -> web.StreamResponse:
    """Writes all that comes, together what is there together, up to the answer's end. Cuts off a reader that is gone,
    or takes nothing."""
    headers = dict(encoder.headers)
    if reader.is_replay:
        headers |= REPLAYED
    if reader.log.message_id is not None:
        headers[MESSAGE_ID] = reader.log.message_id
    response = _EventResponse(headers=headers)
    if request.version < HttpVersion11:
        response.force_close()  # without chunks the connection's end is that of the answer
    decorate(request, response, state)
    try:
        await response.prepare(request)
        await _write(request, response, reader, encoder)
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    except Exception as fault:  # an encoder's: it is too late for another answer, whatever has gone out
        log_unexpected(fault, request_id=request[REQUEST_ID], route=request[ROUTE])
        break_off(request, internal_error())
    return response


class _EventResponse(web.StreamResponse):
    """Its head goes out with its first events, in one write."""

    _send_headers_immediately = False


async def _write(
    request: web.Request, response: web.StreamResponse, reader: AnswerReader, encoder: StreamEncoder
) -> None:
    transport = request.transport

    def on_the_spot(portion: Portion) -> bool:
        # Only to a reader who has taken all before, and not the last event: it goes out with the end.
        if transport is None or transport.is_closing() or transport.get_write_buffer_size():
            return False
        if isinstance(portion.events[-1], ChatDone):
            return False
        try:
            data = encoder.encode(portion)
            if data:
                _write_now(response, data)
        except Exception:  # it is this reader's, and none of the answer's: its own task will meet it again
            return False
        reader.moved()
        return True

    while True:
        portion = reader.take()
        ending = reader.ending
        # A failure that is all there is left stands somewhere, too.
        data = encoder.encode(portion) if portion.events or ending is not None else b""
        if ending is not None:
            data += encoder.close(ending.error, request_id=request[REQUEST_ID], has_place=ending.is_for_all)
            if data:
                await write(response, data, transport=transport, moved=reader.moved, last=True)
            return
        if data or not portion.events:
            await write(response, data or encoder.keep_alive, transport=transport, moved=reader.moved)
        await reader.wait(within_s=KEEP_ALIVE_S, on_the_spot=on_the_spot)


def _write_now(response: web.StreamResponse, data: bytes) -> None:
    """Writes without a task of its own: what is small, to a socket that takes it, waits for nothing."""
    writing = response.write(data)
    try:
        writing.send(None)
    except StopIteration:
        return
    writing.close()  # it is written; what it would wait for, the next write looks at

"""`POST /chat`, `POST /chat/explain` and `POST /messages/{id}/regenerate`."""

from typing import Final

from aiohttp import web
from multidict import istr

from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatAnswer
from domain.client_chat import answer_name
from domain.errors import Forbidden, InvalidRequest
from domain.ids import MessageId
from domain.json_value import JSONObject
from domain.values import evolve
from entrypoints.http.callers import caller_of, demand_chat, demand_rights, demand_thread, may, tenant_of
from entrypoints.http.chat_body import read_command, read_regeneration
from entrypoints.http.chat_names import Names, names_in
from entrypoints.http.checks import MAX_FAULTS
from entrypoints.http.codec import read_object
from entrypoints.http.encoders.registry import accepted_encoder, accepts_events
from entrypoints.http.event_stream import send_events
from entrypoints.http.idempotency import read_key
from entrypoints.http.json_answer import JSONAnswer
from entrypoints.http.limits import chat_allowance
from entrypoints.http.request_body import complete_body, read_body
from entrypoints.http.response_headers import REPLAYED
from entrypoints.http.state import REQUEST_ID, STATE, ServerState, cancel_when_lost, cut_at_the_end
from entrypoints.rendering import answer_json, explanation_json, money, to_json

_JSON: Final = "application/json"
_KEY: Final = istr("Idempotency-Key")
_END: Final = "\r\n"
_REPLAYED: Final = "".join(f"{name}: {value}{_END}" for name, value in REPLAYED.items())


async def send(request: web.Request) -> web.StreamResponse:
    """Answers a chat, at once or as events."""
    state = request.app[STATE]
    return await _answer(request, state, await _command(request, state, takes_key=True))


async def regenerate(request: web.Request) -> web.StreamResponse:
    """Answers a thread's last question once more."""
    state = request.app[STATE]
    value = await read_json(request, state) if request.can_read_body else {}
    message_id = MessageId(request.match_info["id"])
    try:
        command = read_regeneration(
            value,
            message_id,
            request_id=request[REQUEST_ID],
            accepts_stream=accepts_events(request),
            caller=caller_of(request),
        )
    except InvalidRequest as error:
        raise await with_names(error, names_in(value), request) from None
    return await _answer(request, state, _with_key(command, request, value))


async def _answer(request: web.Request, state: ServerState, command: SendChatCommand) -> web.StreamResponse:
    if command.stream:
        # A thread is a chat of `/ui` under its own id.
        names = () if command.thread_id is None else (answer_name(command.thread_id),)
        return await send_events(request, state, command, accepted_encoder(request), names=names)
    answer = await execute(request, state, command)
    return JSONAnswer(to_json(answer_json(answer)), answer_head(answer))


async def execute(request: web.Request, state: ServerState, command: SendChatCommand) -> ChatAnswer:
    """The answer; a caller who leaves cancels it only where the command says so."""
    application = state.application
    demand_rights(application.settings.auth, command)
    if command.caller.user is not None:
        await demand_thread(application.ownership, command)
    allowance = await chat_allowance(
        request, state, command.caller, command.user, command.messages, command.max_tokens
    )
    if allowance is not None:
        command = evolve(command, allowance=allowance)
    with cut_at_the_end(state):
        if command.on_disconnect == "cancel":
            with cancel_when_lost(request):
                return await application.send_chat.execute(command)
        return await application.send_chat.execute(command)


async def explain(request: web.Request) -> web.StreamResponse:
    """Shows what `send` would do."""
    state = request.app[STATE]
    command = await _command(request, state, takes_key=False)
    if not may(state.application, command.caller, "explain"):
        setting = "auth.keys_may" if command.caller.user is None else "auth.users_may"
        raise Forbidden(
            f"how a prompt is composed is not for this caller to see; allow `explain` in `{setting}`"
        )
    await demand_chat(state.application, command)
    explanation = await state.application.explain_chat.execute(command)
    return web.Response(body=to_json(explanation_json(explanation)), content_type=_JSON)


def answer_head(answer: ChatAnswer) -> str:
    """The lines of the `x-lor3-*` headers. A model's name came from configuration or a body, so it is cleaned here.

    They speak of this request, the body of the answer: a replay asked nobody and cost nothing.
    """
    model = header_text(str(answer.model))
    if answer.is_replay:
        return f"x-lor3-model: {model}\r\n{_REPLAYED}"
    cost = money(answer.cost_usd)
    return (
        f"x-lor3-model: {model}\r\nx-lor3-attempts: {len(answer.attempts)}\r\n"
        f"x-lor3-fallbacks: {answer.fallbacks}\r\nx-lor3-overhead-ms: {answer.overhead_s * 1000:.3f}\r\n"
        f"{'' if cost is None else f'x-lor3-cost-usd: {cost}{_END}'}"
    )


def header_text(text: str) -> str:
    """Printable ASCII; anything else becomes `?`, since a header can't carry it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if " " <= character <= "~" else "?" for character in text)


async def read_json(request: web.Request, state: ServerState) -> JSONObject:
    """The JSON object in the body."""
    limits = state.application.settings.server
    body = complete_body(request, limits)
    if body is None:
        with cut_at_the_end(state):
            body = await read_body(request, limits)
    return read_object(body)


async def _command(request: web.Request, state: ServerState, *, takes_key: bool) -> SendChatCommand:
    body = complete_body(request, state.application.settings.server)
    value = await read_json(request, state) if body is None else read_object(body)
    try:
        command = read_command(
            value,
            request_id=request[REQUEST_ID],
            accepts_stream=accepts_events(request),
            caller=caller_of(request),
        )
    except InvalidRequest as error:
        raise await with_names(error, names_in(value), request) from None
    return _with_key(command, request, value) if takes_key else command


def _with_key(command: SendChatCommand, request: web.Request, value: JSONObject) -> SendChatCommand:
    if _KEY not in request.headers:
        return command
    return evolve(command, idempotency=read_key(request, value))


async def with_names(error: InvalidRequest, names: Names, request: web.Request) -> InvalidRequest:
    """Adds the faults that only the configuration knows of: a caller is to mend all of them at once."""
    further = await request.app[STATE].application.send_chat.name_faults(
        format=names.format,
        schema=names.schema,
        model=names.model,
        fallbacks=names.fallbacks,
        system_prompt=names.system_prompt,
        variables=names.variables,
        tenant=tenant_of(request),
    )
    seen = {fault.path for fault in error.faults}
    faults = (*error.faults, *(fault for fault in further if fault.path not in seen))
    return InvalidRequest.of(*faults[:MAX_FAULTS])

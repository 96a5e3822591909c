"""`POST /v1/chat/completions`: `POST /chat` in OpenAI's words."""

from aiohttp import web

from domain.errors import InvalidRequest
from domain.json_value import JSONObject
from domain.values import evolve
from entrypoints.http.callers import caller_of
from entrypoints.http.encoders.openai import ASKED
from entrypoints.http.encoders.registry import encoder_for
from entrypoints.http.event_stream import send_events
from entrypoints.http.idempotency import read_key
from entrypoints.http.json_answer import JSONAnswer
from entrypoints.http.openai_answers import completion_json
from entrypoints.http.openai_body import OpenAIChat, names_in_openai, places_in, read_openai_chat
from entrypoints.http.openai_names import in_the_bodys_names
from entrypoints.http.routes.chat import answer_head, execute, read_json, with_names
from entrypoints.http.state import REQUEST_ID, STATE, ServerState
from entrypoints.rendering import to_json


async def complete(request: web.Request) -> web.StreamResponse:
    """Answers a chat, at once or in chunks."""
    state = request.app[STATE]
    value = await read_json(request, state)
    try:
        chat = read_openai_chat(value, request_id=request[REQUEST_ID], caller=caller_of(request))
    except InvalidRequest as error:
        told = await with_names(error, names_in_openai(value), request)
        raise in_the_bodys_names(told, places_in(value), after=len(error.faults)) from None
    if "Idempotency-Key" in request.headers:
        command = evolve(chat.command, idempotency=read_key(request, _asked(value)))
        chat = evolve(chat, command=command)
    try:
        return await _answer(request, state, chat)
    except InvalidRequest as error:
        raise in_the_bodys_names(error, chat.names) from None


async def _answer(request: web.Request, state: ServerState, chat: OpenAIChat) -> web.StreamResponse:
    if chat.command.stream:
        request[ASKED] = chat
        return await send_events(request, state, chat.command, encoder_for(request, protocol="openai"))
    answer = await execute(request, state, chat.command)
    return JSONAnswer(to_json(completion_json(answer, warnings=chat.warnings)), answer_head(answer))


def _asked(value: JSONObject) -> JSONObject:
    """The body without what says how the answer is to be brought, for the key's fingerprint."""
    asked = {name: item for name, item in value.items() if name != "stream_options"}
    lor3 = asked.get("lor3")
    if isinstance(lor3, dict):
        asked["lor3"] = {name: item for name, item in lor3.items() if name != "on_disconnect"}
    return asked

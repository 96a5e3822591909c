"""`POST /tokens`: short-lived tokens, so that no browser ever holds a key."""

from typing import Final

from aiohttp import web

from domain.errors import Unauthenticated
from domain.secret import Secret
from entrypoints.http.checks import Faults
from entrypoints.http.codec import read_object
from entrypoints.http.query import NO_QUERY, read_query
from entrypoints.http.request_body import read_body
from entrypoints.http.state import CALLER, STATE, cut_at_the_end
from entrypoints.http.token_body import read_token_request, token_json
from entrypoints.rendering import to_json

_JSON: Final = "application/json"


async def create(request: web.Request) -> web.StreamResponse:
    """Makes one, signed with the key that the request came with."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    command = read_token_request(
        value, caller=request[CALLER], credential=_credential(request), faults=faults
    )
    made = await state.application.make_token.execute(command)
    return web.Response(body=to_json(token_json(made)), status=201, content_type=_JSON)


def _credential(request: web.Request) -> Secret:
    """What follows the scheme.

    Raises:
        Unauthenticated: there is none, which is enough elsewhere where no key is needed.
    """
    _, _, credential = request.headers.get("Authorization", "").partition(" ")
    if request[CALLER].key is None or not credential:
        raise Unauthenticated
    return Secret(credential.strip())

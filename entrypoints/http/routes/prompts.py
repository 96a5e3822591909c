"""`GET /prompts`, `GET /prompts/{name}` and `POST /prompts/{name}/render`."""

from aiohttp import web

from domain.errors import InvalidRequest
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptReference
from entrypoints.http.checks import Faults
from entrypoints.http.codec import read_object
from entrypoints.http.conditional import tagged
from entrypoints.http.cursors import read_name_cursor, write_cursor
from entrypoints.http.prompt_body import RENDER, read_render
from entrypoints.http.prompt_path import MAX_PAGE, PAGE, SHOW, reference_in
from entrypoints.http.query import NO_QUERY, read_query
from entrypoints.http.request_body import read_body
from entrypoints.http.state import STATE, cut_at_the_end
from entrypoints.prompt_rendering import prompt_detail_json, prompt_json, rendered_json
from entrypoints.rendering import to_json

_JSON = "application/json"


async def list_prompts(request: web.Request) -> web.StreamResponse:
    """The prompts by name, each with the version that its bare name means."""
    faults: Faults = []
    query = read_query(request, PAGE, faults)
    after = None if query is None else read_name_cursor(query.cursor, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    reader = request.app[STATE].application.read_prompts
    page = await reader.page(DEFAULT_TENANT, after=after, limit=query.limit or MAX_PAGE)
    return web.Response(
        body=to_json(
            {
                "items": [prompt_json(view) for view in page.items],
                "next_cursor": None if page.next_after is None else write_cursor("prompts", page.next_after),
            }
        ),
        content_type=_JSON,
    )


async def show(request: web.Request) -> web.StreamResponse:
    """One prompt and one version of it."""
    faults: Faults = []
    query = read_query(request, SHOW, faults)
    reference = reference_in(
        request,
        version=None if query is None else query.version,
        label=None if query is None else query.label,
        faults=faults,
    )
    if query is None or reference is None:
        raise InvalidRequest.of(*faults)
    reader = request.app[STATE].application.read_prompts
    view = await reader.one(DEFAULT_TENANT, reference)
    compiled = None
    if query.compiled:
        # By number: the label may have moved since.
        compiled = await reader.compiled(
            DEFAULT_TENANT, PromptReference(name=view.version.name, version=view.version.number)
        )
    return tagged(request, prompt_detail_json(view, compiled), view.prompt.etag)


async def render(request: web.Request) -> web.StreamResponse:
    """Fills a prompt in; nothing is sent or stored."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    given = RENDER.read(read_object(body), "", faults)
    reference = reference_in(
        request,
        version=None if given is None else given.version,
        label=None if given is None else given.label,
        faults=faults,
    )
    if given is None or reference is None or faults:
        raise InvalidRequest.of(*faults)
    rendered = await state.application.render_prompt.execute(read_render(given, reference))
    return web.Response(body=to_json(rendered_json(rendered)), content_type=_JSON)

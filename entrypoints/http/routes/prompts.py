"""`GET /prompts`, `GET /prompts/{name}` and `POST /prompts/{name}/render`."""

import attrs
from aiohttp import web

from application.use_cases.render_prompt import RenderPrompt, RenderPromptCommand, TryPromptCommand
from domain.errors import Fault, InvalidRequest, LorError
from domain.ids import Tenant
from domain.json_value import JSONObject, JSONValue
from domain.prompt.reference import PromptReference
from entrypoints.http.callers import tenant_of
from entrypoints.http.checks import MAX_FAULTS, Faults, fault
from entrypoints.http.codec import read_object
from entrypoints.http.conditional import tagged
from entrypoints.http.cursors import read_name_cursor, write_cursor
from entrypoints.http.prompt_body import RENDER, read_draft, read_render
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
    page = await reader.page(tenant_of(request), after=after, limit=query.limit or MAX_PAGE)
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
    view = await reader.one(tenant_of(request), reference)
    compiled = None
    if query.compiled:
        # By number: the label may have moved since.
        compiled = await reader.compiled(
            tenant_of(request), PromptReference(name=view.version.name, version=view.version.number)
        )
    return tagged(request, prompt_detail_json(view, compiled), view.prompt.etag)


async def render(request: web.Request) -> web.StreamResponse:
    """Fills a prompt in; nothing is sent or stored."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    given = RENDER.read(value, "", faults)
    version, label = RENDER.field("version", value), RENDER.field("label", value)
    reference = reference_in(request, version=version, label=label, faults=faults)
    if reference is not None and value.get("draft") is not None and (reference.version or reference.label):
        fault(faults, "draft", "stands in for a version; leave out the draft, or the version or label")
    renderer, tenant = state.application.render_prompt, tenant_of(request)
    if given is None or reference is None or faults:
        if reference is not None:
            faults += await _variable_faults(value, reference, renderer, faults, tenant=tenant)
        raise InvalidRequest.of(*faults[:MAX_FAULTS])
    if given.draft is None:
        shown = rendered_json(await renderer.execute(read_render(given, reference, tenant=tenant)))
    else:
        shown = await _try_out(renderer, read_draft(given.draft, given, reference.name, tenant=tenant))
    return web.Response(body=to_json(shown), content_type=_JSON)


async def _variable_faults(
    value: JSONObject, reference: PromptReference, renderer: RenderPrompt, faults: Faults, *, tenant: Tenant
) -> tuple[Fault, ...]:
    """What is wrong with the variables of a body that has other faults, as far as it lets one see."""
    if value.get("draft") is not None or {"variables", "version", "label"} & {each.path for each in faults}:
        return ()
    variables = RENDER.field("variables", value) or {}
    try:
        await renderer.execute(RenderPromptCommand(tenant=tenant, reference=reference, variables=variables))
    except InvalidRequest as error:
        return error.faults
    except LorError:
        pass  # such as a prompt that is not there: the faults found so far come first
    return ()


async def _try_out(renderer: RenderPrompt, command: TryPromptCommand) -> dict[str, JSONValue]:
    """A draft filled in. It has a hash, but no version yet."""
    try:
        rendered = await renderer.try_out(command)
    except InvalidRequest as error:
        # What is wrong with the text is wrong inside the body's `draft`; `variables` stand beside it.
        raise InvalidRequest.of(
            *(
                each
                if each.path.partition(".")[0] == "variables"
                else attrs.evolve(each, path=f"draft.{each.path}".rstrip("."))
                for each in error.faults
            )
        ) from None
    assert rendered is not None  # noqa: S101 - the command has variables
    return {**rendered_json(rendered), "prompt_version": None}

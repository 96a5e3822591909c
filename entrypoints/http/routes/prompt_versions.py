"""`/prompts/{name}/versions`: immutable snapshots, newest first."""

from aiohttp import web

from application.use_cases.delete_prompt_version import DeletePromptVersionCommand
from application.use_cases.render_prompt import RenderPrompt, TryPromptCommand
from domain.errors import Fault, InvalidRequest, LorError
from domain.ids import Tenant
from domain.json_value import JSONObject
from domain.prompt.compiler import included
from domain.prompt.reference import PromptName, PromptReference, prompt_name
from entrypoints.http.callers import tenant_of
from entrypoints.http.checks import MAX_FAULTS, Faults
from entrypoints.http.codec import read_object
from entrypoints.http.conditional import if_match, if_none_match_any, tagged
from entrypoints.http.cursors import read_version_cursor, write_cursor
from entrypoints.http.prompt_body import read_version, source_in
from entrypoints.http.prompt_path import MAX_PAGE, PAGE, name_in, version_in
from entrypoints.http.query import NO_QUERY, read_query, refuse_query
from entrypoints.http.request_body import read_body
from entrypoints.http.state import STATE, cut_at_the_end
from entrypoints.prompt_rendering import version_json, version_text, versioned_json


async def list_versions(request: web.Request) -> web.StreamResponse:
    """Whole snapshots; the ETag is the prompt's."""
    name = name_in(request)
    faults: Faults = []
    query = read_query(request, PAGE, faults)
    below = None if query is None else read_version_cursor(query.cursor, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    reader = request.app[STATE].application.read_prompts
    page = await reader.versions(tenant_of(request), name, below=below, limit=query.limit or MAX_PAGE)
    return tagged(
        request,
        {
            "items": [version_json(version) for version in page.items],
            "next_cursor": None
            if page.next_below is None
            else write_cursor("versions", version_text(page.next_below)),
        },
        page.prompt.etag,
    )


async def show(request: web.Request) -> web.StreamResponse:
    """One snapshot; the ETag is the prompt's."""
    ref = version_in(request)
    refuse_query(request)
    reader = request.app[STATE].application.read_prompts
    view = await reader.one(tenant_of(request), PromptReference(name=ref.name, version=ref.number))
    return tagged(request, version_json(view.version), view.prompt.etag)


async def create(request: web.Request) -> web.StreamResponse:
    """Makes a version: 201, or 200 where the newest one has this very content."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    name = _new_name(request, faults)
    try:
        command = read_version(
            value,
            tenant=tenant_of(request),
            name=name or PromptName(""),
            if_match=if_match(request, faults),
            if_none_match=if_none_match_any(request, faults),
            faults=faults,
        )
    except InvalidRequest as error:
        further = await _template_faults(
            value, name or PromptName(""), state.application.render_prompt, tenant=tenant_of(request)
        )
        faults = list(dict.fromkeys((*error.faults, *further)))  # some are found by both
        raise InvalidRequest.of(*faults[:MAX_FAULTS]) from None
    versioned = await state.application.version_prompt.execute(command)
    ref = versioned.version.ref
    return tagged(
        request,
        versioned_json(versioned),
        versioned.prompt.etag,
        status=201 if versioned.created else 200,
        headers={"Location": f"/prompts/{ref.name}/versions/{version_text(ref.number)}"},
    )


async def delete(request: web.Request) -> web.StreamResponse:
    """Deletes a version that nothing needs."""
    ref = version_in(request)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    tags = if_match(request, faults)
    if faults:
        raise InvalidRequest.of(*faults)
    await request.app[STATE].application.delete_prompt_version.execute(
        DeletePromptVersionCommand(tenant=tenant_of(request), ref=ref, if_match=tags)
    )
    return web.Response(status=204)


def _new_name(request: web.Request, faults: Faults) -> PromptName | None:
    """The name in the path, which may be new; None where it can't be one, and the caller is told the rule."""
    text = request.match_info["name"]
    try:
        return prompt_name(text)
    except InvalidRequest as error:
        faults.extend(error.faults)
        return None


async def _template_faults(
    value: JSONObject, name: PromptName, renderer: RenderPrompt, *, tenant: Tenant
) -> tuple[Fault, ...]:
    """What is wrong with the templates of a body that has other faults: a caller is to mend all of them at once.

    Where the variables can't be read, only the syntax can be judged.
    """
    try:
        await renderer.try_out(TryPromptCommand(tenant=tenant, name=name, source=source_in(value)))
    except InvalidRequest as error:
        try:
            included(source_in(value, ("template", "messages")))
        except InvalidRequest as syntax:
            return syntax.faults
        return error.faults
    except LorError:
        pass  # such as a database that is away: the faults found so far are reason enough
    return ()

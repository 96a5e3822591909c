"""`/prompts/{name}/labels/{label}`: names that move from version to version."""

from typing import Final

import attrs
from aiohttp import web

from application.use_cases.label_prompt import LabelPromptCommand
from domain.errors import InvalidRequest, NotFound
from domain.prompt.reference import PromptReference, label_name
from domain.values import frozen
from entrypoints.http.callers import tenant_of
from entrypoints.http.checks import Faults
from entrypoints.http.codec import read_object
from entrypoints.http.conditional import if_match, tagged
from entrypoints.http.prompt_body import AUTHOR, WHY, read_label
from entrypoints.http.prompt_path import MAX_PAGE, label_in, name_in
from entrypoints.http.query import NO_QUERY, FlagText, read_query, refuse_query
from entrypoints.http.records import Record, given
from entrypoints.http.request_body import read_body
from entrypoints.http.state import STATE, cut_at_the_end
from entrypoints.prompt_rendering import label_detail_json, labelled_json, version_text


@frozen(kw_only=True)
class TakeAwayQuery:
    """How to take a label away."""

    force: bool | None = given(FlagText(), "Takes a protected label away too.", default=False)
    message: str | None = given(WHY, "Why, for its history.")
    author: str | None = given(AUTHOR, "Who takes it away.")


TAKE_AWAY: Final = Record(TakeAwayQuery)


async def show(request: web.Request) -> web.StreamResponse:
    """Where a label points, and its last moves."""
    name, label = name_in(request), label_in(request)
    refuse_query(request)
    reader = request.app[STATE].application.read_prompts
    prompt = (await reader.one(tenant_of(request), PromptReference(name=name))).prompt
    found = prompt.label(label)
    if found is None:
        names = ", ".join(f"`{each.name}`" for each in prompt.labels) or "none"
        raise NotFound(f"the prompt `{name}` has no label `{label}`; it has: {names}")
    moves = await reader.moves(tenant_of(request), name, label, limit=MAX_PAGE)
    return tagged(request, label_detail_json(prompt, found, label, moves), prompt.etag)


async def put(request: web.Request) -> web.StreamResponse:
    """Makes or moves a label, or changes its protection."""
    state = request.app[STATE]
    with cut_at_the_end(state):
        body = await read_body(request, state.application.settings.server)
    name = name_in(request)
    value = read_object(body)
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    command = read_label(
        value,
        tenant=tenant_of(request),
        name=name,
        label=_new_label(request, faults),
        if_match=if_match(request, faults),
        faults=faults,
    )
    try:
        labelled = await state.application.label_prompt.execute(command)
    except InvalidRequest as error:
        if command.weights is None or value.get("weights") is None:
            raise
        # Weights of one version are a version to the application; here they were written as weights.
        where = f"weights.{version_text(command.weights[0][0])}"
        raise InvalidRequest.of(
            *(attrs.evolve(each, path=where) if each.path == "version" else each for each in error.faults)
        ) from None
    return tagged(request, labelled_json(labelled, command.label), labelled.prompt.etag)


async def delete(request: web.Request) -> web.StreamResponse:
    """Takes a label away; its history stays."""
    name, label = name_in(request), label_in(request)
    faults: Faults = []
    query = read_query(request, TAKE_AWAY, faults)
    tags = if_match(request, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    await request.app[STATE].application.label_prompt.execute(
        LabelPromptCommand(
            tenant=tenant_of(request),
            name=name,
            label=label,
            weights=(),
            force=bool(query.force),
            author=query.author,
            message=query.message,
            if_match=tags,
        )
    )
    return web.Response(status=204)


def _new_label(request: web.Request, faults: Faults) -> str:
    """The label in the path, which may be new: where it can't be one, the caller is told the rule."""
    text = request.match_info["label"]
    try:
        return label_name(text)
    except InvalidRequest as error:
        faults.extend(error.faults)
        return text

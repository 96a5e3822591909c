"""`GET /v1/models` and `GET /v1/models/{model}`: whatever a `model` may name, in OpenAI's shape."""

import datetime
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from domain.access import Caller
from domain.errors import InvalidRequest, NotFound, StorageUnavailable
from domain.ids import Tenant
from domain.json_value import JSONValue
from domain.prompt.reference import PromptName
from domain.prompt.version import Prompt
from domain.suggestion import shown
from entrypoints.application import Application
from entrypoints.http.callers import caller_of, may
from entrypoints.http.openai_answers import model_json
from entrypoints.http.openai_body import PROMPT_PREFIX
from entrypoints.http.state import STATE
from entrypoints.rendering import to_json

_JSON: Final = "application/json"
_OURS: Final = "lor3"
_MAX_PROMPTS: Final = 1000


class NoSuchModel(NotFound):
    """OpenAI's own code for it."""

    code = "model_not_found"


async def list_models(request: web.Request) -> web.StreamResponse:
    """Models, aliases and prompts. Those that were switched off are left out."""
    listed = await _models(request.app[STATE].application, caller_of(request))
    return web.Response(body=to_json({"object": "list", "data": list(listed.values())}), content_type=_JSON)


async def show_model(request: web.Request) -> web.StreamResponse:
    """One of the list; a model of the catalogue by its name alone, too."""
    name = request.match_info["model"]
    application = request.app[STATE].application
    listed = await _models(application, caller_of(request))
    found = listed.get(name) or listed.get(_named(application, name))
    if found is None:
        raise NoSuchModel(f"there is no model `{shown(name)}`; GET /v1/models lists all of them")
    return web.Response(body=to_json(found), content_type=_JSON)


def _named(application: Application, name: str) -> str:
    """The whole name of the model that goes by `name`; empty where none does."""
    try:
        return str(application.settings.catalogue.resolve(name, today=datetime.date.min).ref)
    except InvalidRequest:
        return ""


async def _models(application: Application, caller: Caller) -> dict[str, JSONValue]:
    """By their ids: those that the caller may name."""
    described = application.describe_service.execute(caller.models)
    listed: dict[str, JSONValue] = {}
    for view in described.models:
        if not view.retired:
            name = str(view.spec.ref)
            listed[name] = model_json(name, owned_by=view.spec.ref.provider)
    for alias, ref in described.aliases:
        listed[alias] = model_json(alias, owned_by=ref.provider)
    if not may(application, caller, "system_prompt"):
        return listed
    try:
        async for prompt in _prompts(application, caller.tenant):
            name = f"{PROMPT_PREFIX}{prompt.name}"
            at = int(prompt.created_at.timestamp())
            listed[name] = model_json(name, owned_by=_OURS, created_at=at)
    except StorageUnavailable:  # the models can be named all the same
        return listed
    return listed


async def _prompts(application: Application, tenant: Tenant) -> AsyncIterator[Prompt]:
    after: PromptName | None = None
    for _ in range(_MAX_PROMPTS // 100):
        page = await application.read_prompts.page(tenant, after=after)
        for entry in page.items:
            yield entry.prompt
        after = page.next_after
        if after is None:
            return

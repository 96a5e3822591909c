"""`GET /threads/{id}/memory`."""

from aiohttp import web

from application.use_cases.inject_memory import InjectMemoryCommand
from domain.errors import InvalidRequest
from domain.ids import ThreadId
from entrypoints.http.callers import tenant_of
from entrypoints.http.checks import Faults
from entrypoints.http.memory_query import MEMORY
from entrypoints.http.query import read_query
from entrypoints.http.state import STATE
from entrypoints.memory_rendering import preview_json
from entrypoints.rendering import to_json


async def preview(request: web.Request) -> web.StreamResponse:
    """What the next chat would remember of the thread; no model is asked, nothing is stored."""
    faults: Faults = []
    query = read_query(request, MEMORY, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    application = request.app[STATE].application
    defaults = application.settings.chat
    command = InjectMemoryCommand(
        tenant=tenant_of(request),
        thread_id=ThreadId(request.match_info["id"]),
        depth=defaults.context_depth if query.context_depth is None else query.context_depth,
        mode=query.memory or defaults.memory,
    )
    injection = await application.inject_memory.execute(command)
    return web.Response(body=to_json(preview_json(injection)), content_type="application/json")

"""`GET /usage`: what was used, what it cost, and what people thought of it."""

from typing import Final

from aiohttp import web

from domain.errors import InvalidRequest
from entrypoints.feedback_rendering import usage_report_json
from entrypoints.http.callers import tenant_of
from entrypoints.http.checks import Faults
from entrypoints.http.feedback_body import USAGE, usage_command
from entrypoints.http.query import read_query
from entrypoints.http.state import STATE, cancel_when_lost
from entrypoints.rendering import to_json

_JSON: Final = "application/json"


async def report(request: web.Request) -> web.StreamResponse:
    """One row for each group, by its name."""
    faults: Faults = []
    query = read_query(request, USAGE, faults)
    if query is None or faults:
        raise InvalidRequest.of(*faults)
    # It may take seconds: not for somebody who is gone.
    with cancel_when_lost(request):
        found = await request.app[STATE].application.report_usage.execute(
            usage_command(query, tenant=tenant_of(request))
        )
    return web.Response(body=to_json(usage_report_json(found)), content_type=_JSON)

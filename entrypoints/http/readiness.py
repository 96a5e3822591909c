"""`/readyz`: whether chats can be answered here, and what is wrong beside that, part by part."""

import asyncio
from typing import Final

from aiohttp import web

from application.ports.store import Store
from application.services.key_ring import KeyRing
from domain.errors import LorError
from domain.json_value import JSONValue
from entrypoints.application import Application
from entrypoints.http.problems import (
    CONTENT_TYPE,
    HTTPFault,
    problem_json,
    problem_type,
    retry_after,
    shutting_down,
)
from entrypoints.http.state import REQUEST_ID, ServerState
from entrypoints.rendering import to_json

_CHECK_S: Final = 1.5
_OK: Final = "ok"


async def answer_readiness(request: web.Request, state: ServerState) -> web.Response:
    """200, or 503 where chats are impossible; either way with all checks.

    The checks are an allow-list of words of ours: no URL, no host and no name from the configuration.
    """
    checks = await readings(state.application)
    checks["draining"] = "lor3 is shutting down" if state.draining else "no"
    error: LorError | None = None
    if state.draining:
        error = shutting_down()
    elif checks["storage"] != _OK:
        error = HTTPFault("not_ready", f"storage: {checks['storage']}", retryable=True, retry_after_s=1.0)
    if error is None:
        return web.Response(
            body=to_json({"status": "ready", "checks": checks}), content_type="application/json"
        )
    wait = retry_after(error)
    return web.Response(
        body=to_json({**problem_json(error, request_id=request[REQUEST_ID]), "checks": checks}),
        status=problem_type(error.code).status,
        content_type=CONTENT_TYPE,
        headers=None if wait is None else {"Retry-After": wait},
    )


async def readings(application: Application) -> dict[str, JSONValue]:
    """`ok`, or what is wrong, of each part; only `storage` makes chats impossible."""
    storage = await _storage(application.store)
    if storage is None:
        await _read_keys(application.key_ring)
    checks: dict[str, JSONValue] = {
        "storage": storage or _OK,
        "keys": _OK if application.key_ring.was_read else "not read yet: the next request reads them",
        "providers": _providers(application),
    }
    if application.redis_is_there is not None:
        checks["redis"] = {
            True: _OK,
            False: "degraded: Redis is away; every process goes by what it knows itself",
            None: "degraded: Redis has not answered yet",
        }[application.redis_is_there()]
    return checks


async def _storage(store: Store) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_S):
            reason = await store.check()
    except TimeoutError:
        return "the database does not answer"
    if reason is None and not store.journal.is_ready:
        return "chats can't be stored right now"
    return reason


async def _read_keys(key_ring: KeyRing) -> None:
    """Where they could not be read a moment before the database came back, the next request would be refused."""
    try:
        async with asyncio.timeout(_CHECK_S):
            await key_ring.catch_up()
    except TimeoutError:
        pass  # the next request waits for the same look


def _providers(application: Application) -> str:
    models = application.describe_service.defaults()
    resting = sum(health in ("unavailable", "down", "cooling") for health in models)
    if not resting:
        return _OK
    return f"degraded: {resting} of the {len(models)} models that chats have by default can't be asked now"

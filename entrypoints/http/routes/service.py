"""What a UI, a probe and a scraper ask: `/config`, `/healthz`, `/readyz`, `/metrics`."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from application.ports.price_book import Price
from application.services.thread_forking import MAX_COPIED
from application.use_cases.describe_service import ModelView
from application.use_cases.read_prompts import PromptEntry
from domain.access import Caller
from domain.errors import StorageUnavailable
from domain.json_value import JSONValue
from domain.limits.budget import BudgetState
from domain.thread import MAX_PINNED
from domain.thread_words import MAX_TAG, MAX_TAGS, MAX_TITLE
from entrypoints.application import Application
from entrypoints.http.callers import caller_of, may
from entrypoints.http.chat_body import MAX_MESSAGES
from entrypoints.http.codec import MAX_DEPTH
from entrypoints.http.exposition import exposition
from entrypoints.http.limits import rate_limits_json
from entrypoints.http.message_body import MAX_TEXT
from entrypoints.http.readiness import answer_readiness
from entrypoints.http.state import STATE
from entrypoints.http.thread_body import MAX_PAGE
from entrypoints.prompt_reloader import prompt_file_warnings
from entrypoints.rendering import budget_json, money, to_json

_JSON: Final = "application/json"
_NO_PROMPTS: Final = "prompts: they can't be read right now, as the database is away; ask again shortly"


async def config(request: web.Request) -> web.StreamResponse:
    """An allow-list: every key is written out here, so that a new setting is not shown by accident."""
    application, caller = request.app[STATE].application, caller_of(request)
    prompts: Sequence[PromptEntry] | None = ()
    default_fault: str | None = None
    try:
        if may(application, caller, "system_prompt"):
            prompts = (await application.read_prompts.page(caller.tenant)).items
        if caller.user is None:
            default_fault = await application.default_prompt_fault(tenant=caller.tenant)
    except StorageUnavailable:  # a UI can draw itself without them
        prompts, default_fault = None, None
    budget: tuple[BudgetState, ...] = ()
    try:
        budget = await application.read_budgets.execute(caller)
    except StorageUnavailable:
        pass  # as above; each answer has it too
    described = config_json(application, caller, prompts, default_fault=default_fault, budget=budget)
    return web.Response(body=to_json(described), content_type=_JSON)


async def healthz(request: web.Request) -> web.StreamResponse:
    """Alive. Touches nothing."""
    return web.Response(body=b'{"status":"ok"}', content_type=_JSON)


async def readyz(request: web.Request) -> web.StreamResponse:
    """Ready to answer chats, or 503 with the reason; with all checks."""
    return await answer_readiness(request, request.app[STATE])


async def metrics(request: web.Request) -> web.StreamResponse:
    """Prometheus' text exposition; of all workers where several share the port."""
    state = request.app[STATE]
    if state.application.settings.telemetry.metrics_port is not None:
        raise web.HTTPNotFound
    return await exposition(state)


def config_json(
    application: Application,
    caller: Caller,
    prompts: Sequence[PromptEntry] | None,
    *,
    default_fault: str | None = None,
    budget: Sequence[BudgetState] = (),
) -> dict[str, JSONValue]:
    """
    Args:
        budget: where the caller's budgets stand.
        prompts: the first of them; None where they can't be read.
        default_fault: what is wrong with the configured prompt.
    """
    describe = application.describe_service
    described = describe.execute(caller.models)
    settings = application.settings
    chat, server, threads, retention = settings.chat, settings.server, settings.threads, settings.retention
    return {
        "models": [_model(view) for view in described.models],
        "aliases": {name: str(ref) for name, ref in described.aliases},
        "formats": list(described.formats),
        "passes": list(described.passes),
        "prompts": [_prompt(view) for view in prompts or ()],
        "defaults": {
            "model": chat.primary if describe.may_ask(caller.models, chat.primary) else None,
            "fallbacks": [each for each in chat.fallbacks if describe.may_ask(caller.models, each)],
            "format": chat.format,
            "system_prompt": chat.system_prompt if may(application, caller, "system_prompt") else None,
            "context_depth": chat.context_depth,
            "memory": chat.memory,
            "max_tokens": chat.max_tokens,
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "stop": list(chat.stop),
            "seed": chat.seed,
            "stream": False,
            "on_disconnect": "finish",
        },
        "threads": {
            "summary_model": (chat.summary_model or chat.primary) if caller.user is None else None,
            "when_busy": threads.when_busy,
            "max_queued": threads.max_queued,
            "max_wait_s": threads.max_wait_s,
            "messages_days": retention.messages_days,
            "deleted_threads_days": retention.deleted_threads_days,
        },
        "limits": {
            "max_body_bytes": server.max_body_bytes,
            "max_json_depth": MAX_DEPTH,
            "max_messages": MAX_MESSAGES,
            "max_text_characters": MAX_TEXT,
            "max_context_depth": 200,
            "max_page_items": MAX_PAGE,
            "max_title_characters": MAX_TITLE,
            "max_tags": MAX_TAGS,
            "max_tag_characters": MAX_TAG,
            "max_pinned_messages": MAX_PINNED,
            "max_forked_messages": MAX_COPIED,
            "max_attempts": settings.routing.max_attempts,
            "deadline_s": settings.routing.deadline_s,
        },
        "rate_limits": rate_limits_json(caller, settings),
        "budget": budget_json(budget),
        "features": {
            "streaming": True,
            "explain": True,
            "tools": True,
            "images": True,
            "json_schema": True,
            "prompts": True,
            "threads": True,
            "idempotency": True,
            "feedback": True,
            "usage": True,
            "authentication": application.key_ring.needs_keys,
        },
        "warnings": []
        if caller.user is not None  # they are the operator's to mend
        else [
            *described.warnings,
            *prompt_file_warnings(application.prompt_report()),
            *(() if default_fault is None else (default_fault,)),
            *(() if prompts is not None else (_NO_PROMPTS,)),
        ],
    }


def _prompt(view: PromptEntry) -> dict[str, JSONValue]:
    return {
        "name": view.prompt.name,
        "prompt_version": str(view.version.ref),
        "labels": [label.name for label in view.prompt.labels],
        "description": view.version.description,
    }


def _model(view: ModelView) -> dict[str, JSONValue]:
    spec = view.spec
    return {
        "id": str(spec.ref),
        "provider": spec.ref.provider,
        "capabilities": sorted(spec.capabilities),
        "limits": {"context_window": spec.context_window, "max_output_tokens": spec.max_output_tokens},
        "price": None if view.price is None else _price(view.price),
        "coming_prices": [_price(price) for price in view.coming],
        "lifecycle": {
            "retired": view.retired,
            "retired_on": None if spec.retired_on is None else spec.retired_on.isoformat(),
            "replaced_by": None if spec.replaced_by is None else str(spec.replaced_by),
        },
        "health": view.health,
    }


def _price(price: Price) -> dict[str, JSONValue]:
    """USD for a million tokens."""
    return {
        "from": None if price.starts_on is None else price.starts_on.isoformat(),
        "input_per_mtok_usd": money(price.input_per_mtok),
        "output_per_mtok_usd": money(price.output_per_mtok),
        "cached_input_per_mtok_usd": money(price.cached_input_per_mtok),
        "cache_write_per_mtok_usd": money(price.cache_write_per_mtok),
        "cache_write_1h_per_mtok_usd": money(price.cache_write_1h_per_mtok),
        "image_input_per_mtok_usd": money(price.image_input_per_mtok),
        "audio_input_per_mtok_usd": money(price.audio_input_per_mtok),
        "audio_output_per_mtok_usd": money(price.audio_output_per_mtok),
    }

"""Every route and who may call it. What is not in this table is not served: `create_app` reads nothing else."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from aiohttp.typedefs import Handler

from domain.access import Scope
from domain.values import frozen
from entrypoints.http.callers import Owned
from entrypoints.http.error_formats import ErrorFormat, problem
from entrypoints.http.openai_errors import openai_error
from entrypoints.http.routes import (
    chat,
    documentation,
    feedback,
    feedback_export,
    memory,
    messages,
    openai_chat,
    openai_models,
    prompt_labels,
    prompt_versions,
    prompts,
    service,
    sessions,
    stream,
    thread_export,
    threads,
    tokens,
    ui,
    usage,
)

Policy: TypeAlias = Scope | Literal["public", "ops"]
"""`public`: anybody, even where keys exist. `chat`: whoever may send chats. `threads`: whoever may read, change
and delete conversations. `feedback`: whoever may rate answers and read ratings. `usage`: whoever may see what was
used. `prompts`: whoever may read and write prompts. `tokens`: whoever may make tokens for browsers. `ops`: probes and scrapers; never shed."""


@frozen
class RouteEntry:
    method: str
    path: str
    handler: Handler
    policy: Policy
    takes_key: bool = False
    """Whether an `Idempotency-Key` is kept. A route that changes something refuses it where it is not."""
    errors: ErrorFormat = problem
    """The shape of what goes wrong."""
    has_head: bool = True
    """Whether a GET route answers HEAD, too. Not where its answer takes as long as a model does."""
    owned: Owned | None = None
    """What a caller who is bound to a user gets of it; nothing where it is not said."""
    pattern: str | None = None
    """What is matched, where that is more than `path` says, such as an id that holds slashes."""


ROUTES: Final = (
    RouteEntry("POST", "/chat", chat.send, "chat", takes_key=True, owned="own"),
    RouteEntry("POST", "/chat/explain", chat.explain, "chat", owned="own"),
    RouteEntry("GET", "/chat/{message_id}/stream", stream.resume, "chat", has_head=False, owned="answer"),
    RouteEntry("POST", "/chat/{message_id}/stop", stream.stop, "chat", owned="answer"),
    RouteEntry("POST", "/messages/{id}/regenerate", chat.regenerate, "chat", takes_key=True, owned="message"),
    RouteEntry("POST", "/ui/chat", ui.chat, "chat", takes_key=True, owned="own"),
    RouteEntry("GET", "/ui/chat/{id}/stream", ui.resume, "chat", has_head=False, owned="own"),
    RouteEntry("POST", "/ui/chat/{id}/stop", ui.stop, "chat", owned="own"),
    RouteEntry("GET", "/ui/chat/{id}/messages", ui.list_messages, "threads", owned="own"),
    RouteEntry("GET", "/sessions", sessions.list_sessions, "threads", owned="own"),
    RouteEntry("POST", "/sessions", sessions.create, "threads", owned="own"),
    RouteEntry("GET", "/sessions/{id}", sessions.show, "threads", owned="session"),
    RouteEntry("GET", "/sessions/{id}/threads", sessions.list_threads, "threads", owned="session"),
    RouteEntry("GET", "/threads", threads.list_threads, "threads", owned="own"),
    RouteEntry("POST", "/threads", threads.create, "threads", owned="own"),
    RouteEntry("GET", "/threads/{id}", threads.show, "threads", owned="thread"),
    RouteEntry("PATCH", "/threads/{id}", threads.change, "threads", owned="thread"),
    RouteEntry("DELETE", "/threads/{id}", threads.delete, "threads", owned="thread"),
    RouteEntry("GET", "/threads/{id}/messages", messages.list_messages, "threads", owned="thread"),
    RouteEntry("POST", "/threads/{id}/fork", threads.fork, "threads", owned="thread"),
    RouteEntry("GET", "/threads/{id}/memory", memory.preview, "threads", owned="thread"),
    RouteEntry("GET", "/threads/{id}/export", thread_export.export, "threads", owned="thread"),
    RouteEntry("GET", "/messages/{id}", messages.show, "threads", owned="message"),
    RouteEntry("PATCH", "/messages/{id}", messages.change, "threads", owned="message"),
    RouteEntry("GET", "/messages/{id}/feedback", feedback.show, "feedback", owned="message"),
    RouteEntry("PUT", "/messages/{id}/feedback", feedback.put, "feedback", owned="message"),
    RouteEntry("DELETE", "/messages/{id}/feedback", feedback.delete, "feedback", owned="message"),
    RouteEntry("GET", "/threads/{id}/feedback", feedback.list_of_thread, "feedback", owned="thread"),
    RouteEntry("GET", "/feedback/export", feedback_export.export, "feedback"),
    RouteEntry("POST", "/tokens", tokens.create, "tokens"),
    RouteEntry("GET", "/usage", usage.report, "usage"),
    RouteEntry("GET", "/prompts", prompts.list_prompts, "prompts"),
    RouteEntry("GET", "/prompts/{name}", prompts.show, "prompts"),
    RouteEntry("POST", "/prompts/{name}/render", prompts.render, "prompts"),
    RouteEntry("GET", "/prompts/{name}/versions", prompt_versions.list_versions, "prompts"),
    RouteEntry("POST", "/prompts/{name}/versions", prompt_versions.create, "prompts"),
    RouteEntry("GET", "/prompts/{name}/versions/{version}", prompt_versions.show, "prompts"),
    RouteEntry("DELETE", "/prompts/{name}/versions/{version}", prompt_versions.delete, "prompts"),
    RouteEntry("GET", "/prompts/{name}/labels/{label}", prompt_labels.show, "prompts"),
    RouteEntry("PUT", "/prompts/{name}/labels/{label}", prompt_labels.put, "prompts"),
    RouteEntry("DELETE", "/prompts/{name}/labels/{label}", prompt_labels.delete, "prompts"),
    RouteEntry(
        "POST",
        "/v1/chat/completions",
        openai_chat.complete,
        "chat",
        takes_key=True,
        errors=openai_error,
        owned="own",
    ),
    RouteEntry("GET", "/v1/models", openai_models.list_models, "chat", errors=openai_error, owned="all"),
    RouteEntry(
        "GET",
        "/v1/models/{model}",
        openai_models.show_model,
        "chat",
        errors=openai_error,
        owned="all",
        pattern="/v1/models/{model:.+}",
    ),
    RouteEntry("GET", "/config", service.config, "chat", owned="all"),
    RouteEntry("GET", "/healthz", service.healthz, "ops"),
    RouteEntry("GET", "/readyz", service.readyz, "ops"),
    RouteEntry("GET", "/metrics", service.metrics, "ops"),
    RouteEntry("GET", "/openapi.json", documentation.openapi, "public"),
    RouteEntry("GET", "/docs", documentation.page, "public"),
    RouteEntry("GET", "/docs/app.js", documentation.script, "public"),
    RouteEntry("GET", "/docs/style.css", documentation.style, "public"),
)

POLICIES: Final[Mapping[str, Policy]] = {entry.path: entry.policy for entry in ROUTES}
SCOPE_OF: Final[Mapping[str, Scope]] = {
    entry.path: entry.policy for entry in ROUTES if entry.policy != "public" and entry.policy != "ops"
}
"""Of the routes that ask for a key, where keys exist."""
OWNED: Final[Mapping[tuple[str, str], Owned | None]] = {
    (entry.method, entry.path): entry.owned for entry in ROUTES
}
"""By method and path."""
TAKE_KEYS: Final = frozenset(entry.path for entry in ROUTES if entry.takes_key)
ERRORS: Final[Mapping[str, ErrorFormat]] = {entry.path: entry.errors for entry in ROUTES}
_ERRORS_BELOW: Final[tuple[tuple[str, ErrorFormat], ...]] = (
    ("/v1/", openai_error),
    ("/chat/completions", openai_error),  # a base URL without its /v1
    ("/models", openai_error),
)
"""The shape for paths that are no route, by how they begin: their callers speak the protocol of their neighbours."""


def error_format(route: str, path: str) -> ErrorFormat:
    """The shape of what goes wrong there.

    Args:
        route: the template that matched, if one did.
        path: as it was asked for. It decides on nothing but a shape.
    """
    found = ERRORS.get(route)
    if found is not None:
        return found
    return next((errors for beginning, errors in _ERRORS_BELOW if path.startswith(beginning)), problem)

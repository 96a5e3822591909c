"""Which area of lor3 a line comes from, and how much it matters.

The areas are public: `log.areas` sets a level for each. An event has one by its type, a record of the standard
library's logging by its logger's name; what fits nowhere is `server`.
"""

from collections.abc import Mapping
from typing import Final

from domain.telemetry import (
    AnomalySeen,
    AttemptEnded,
    BreakerMoved,
    BudgetPassed,
    BudgetRefused,
    ChatAnswered,
    ChatCut,
    ChatLost,
    ChatRefused,
    ChatReplayed,
    ChatSaid,
    ConfigReloaded,
    Event,
    FallbackTaken,
    KeyMoved,
    KeyRefused,
    ModelMisconfigured,
    PromptFilesRead,
    RateRefused,
    RequestRefused,
    RequestServed,
    RequestsShed,
    ServerStopped,
    ServerStopping,
    StorePruned,
)
from domain.values import frozen

AREAS: Final = (
    "http",
    "chats",
    "providers",
    "prompts",
    "storage",
    "cache",
    "limits",
    "keys",
    "anomalies",
    "server",
)
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


@frozen
class Kind:
    """How an event is told."""

    area: str
    level: str
    message: str


_KINDS: Final[Mapping[type, Kind]] = {
    AttemptEnded: Kind("providers", "debug", "attempt ended"),
    FallbackTaken: Kind("providers", "warning", "fell back"),
    BreakerMoved: Kind("providers", "warning", "breaker moved"),
    ModelMisconfigured: Kind("providers", "error", "provider needs attention"),
    ChatAnswered: Kind("chats", "info", "chat answered"),
    ChatReplayed: Kind("chats", "info", "chat replayed"),
    ChatRefused: Kind("chats", "warning", "chat refused"),
    ChatLost: Kind("chats", "error", "paid chat not stored"),
    ChatCut: Kind("chats", "warning", "chat cut"),
    ChatSaid: Kind("chats", "info", "chat said"),
    PromptFilesRead: Kind("prompts", "info", "prompt files read"),
    StorePruned: Kind("storage", "info", "store pruned"),
    RequestServed: Kind("http", "info", "request served"),
    RequestsShed: Kind("http", "warning", "requests shed"),
    RequestRefused: Kind("http", "info", "request refused"),
    KeyMoved: Kind("keys", "info", "key changed"),
    KeyRefused: Kind("keys", "warning", "key refused"),
    RateRefused: Kind("limits", "info", "rate limit refused"),
    BudgetRefused: Kind("limits", "warning", "budget refused"),
    BudgetPassed: Kind("limits", "warning", "soft budget used up"),
    AnomalySeen: Kind("anomalies", "warning", "anomaly seen"),
    ServerStopping: Kind("server", "info", "stopping"),
    ServerStopped: Kind("server", "info", "stopped"),
    ConfigReloaded: Kind("server", "info", "configuration reloaded"),
}
_KEYS: Final = {
    change: Kind("keys", "info", f"key {change}") for change in ("added", "changed", "revoked", "removed")
}
_LEFT_CHAT: Final = Kind("chats", "info", "chat cut")
_FAILED_ATTEMPT: Final = Kind("providers", "warning", "attempt ended")
_SERVED_CHAT: Final = Kind("http", "debug", "request served")
_FAULTY_FILES: Final = Kind("prompts", "warning", "prompt files read")
_CHAT_ROUTES: Final = frozenset(("/chat", "/v1/chat/completions", "/ui/chat"))

_LOGGERS: Final[Mapping[str, str]] = {
    "lor3.http": "http",
    "aiohttp": "http",
    "adapters.providers": "providers",
    "openai": "providers",
    "anthropic": "providers",
    "httpx2": "providers",
    "httpcore2": "providers",
    "lor3.prompts": "prompts",
    "lor3.store": "storage",
    "adapters.persistence": "storage",
    "sqlalchemy": "storage",
    "alembic": "storage",
    "psycopg": "storage",
    "aiosqlite": "storage",
    "lor3.redis": "cache",
    "adapters.cache": "cache",
    "redis": "cache",
    "lor3.limits": "limits",
    "lor3.budgets": "limits",
    "lor3.keys": "keys",
    "lor3.anomalies": "anomalies",
}
_AREA_OF: Final[dict[str, str]] = {}


def kind_of(event: Event) -> Kind | None:
    """None for what no line is made of: spans tell it."""
    kind = _KINDS.get(type(event))
    if isinstance(event, AttemptEnded):
        return kind if event.outcome == "ok" else _FAILED_ATTEMPT
    if isinstance(event, RequestServed):
        # "chat answered" has said it, with more
        return _SERVED_CHAT if event.route in _CHAT_ROUTES and event.status < 400 else kind
    if isinstance(event, PromptFilesRead):
        return _FAULTY_FILES if event.broken or event.diverged else kind
    if isinstance(event, KeyMoved):
        return _KEYS.get(event.change, kind)
    if isinstance(event, ChatCut):
        return _LEFT_CHAT if event.code is None else kind
    if isinstance(event, ConfigReloaded):
        return kind if event.ok else None  # each fault has a line of its own
    return kind


def area_of(logger: str) -> str:
    """The area of a logger of that name."""
    area = _AREA_OF.get(logger)
    if area is None:
        name = logger
        while name and name not in _LOGGERS:
            name = name.rpartition(".")[0]
        area = _LOGGERS.get(name, "server")
        if len(_AREA_OF) < 1000:
            _AREA_OF[logger] = area
    return area

"""Which area of lor3 a line comes from, and how much it matters.

The areas are public: `log.areas` sets a level for each. An event has one by its type, a record of the standard
library's logging by its logger's name; what fits nowhere is `server`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

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
    rank: int = attrs.field(init=False)
    """Of the level: what matters more has more."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "rank", LEVELS[self.level])


_ATTEMPT: Final = Kind("providers", "debug", "attempt ended")
_SERVED: Final = Kind("http", "info", "request served")
_FILES: Final = Kind("prompts", "info", "prompt files read")
_KEY: Final = Kind("keys", "info", "key changed")
_CUT_CHAT: Final = Kind("chats", "warning", "chat cut")
_RELOADED: Final = Kind("server", "info", "configuration reloaded")
_KINDS: Final[Mapping[type, Kind]] = {
    AttemptEnded: _ATTEMPT,
    ChatCut: _CUT_CHAT,
    PromptFilesRead: _FILES,
    RequestServed: _SERVED,
    KeyMoved: _KEY,
    ConfigReloaded: _RELOADED,
    FallbackTaken: Kind("providers", "warning", "fell back"),
    BreakerMoved: Kind("providers", "warning", "breaker moved"),
    ModelMisconfigured: Kind("providers", "error", "provider needs attention"),
    ChatAnswered: Kind("chats", "info", "chat answered"),
    ChatReplayed: Kind("chats", "info", "chat replayed"),
    ChatRefused: Kind("chats", "warning", "chat refused"),
    ChatLost: Kind("chats", "error", "paid chat not stored"),
    ChatSaid: Kind("chats", "info", "chat said"),
    StorePruned: Kind("storage", "info", "store pruned"),
    RequestsShed: Kind("http", "warning", "requests shed"),
    RequestRefused: Kind("http", "info", "request refused"),
    KeyRefused: Kind("keys", "warning", "key refused"),
    RateRefused: Kind("limits", "info", "rate limit refused"),
    BudgetRefused: Kind("limits", "warning", "budget refused"),
    BudgetPassed: Kind("limits", "warning", "soft budget used up"),
    AnomalySeen: Kind("anomalies", "warning", "anomaly seen"),
    ServerStopping: Kind("server", "info", "stopping"),
    ServerStopped: Kind("server", "info", "stopped"),
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


def _of_attempt(event: AttemptEnded) -> Kind:
    return _ATTEMPT if event.outcome == "ok" else _FAILED_ATTEMPT


def _of_served(event: RequestServed) -> Kind:
    # "chat answered" has said it, with more
    return _SERVED_CHAT if event.status < 400 and event.route in _CHAT_ROUTES else _SERVED


_BY_CONTENT: Final[Mapping[type, Callable[[Any], Kind | None]]] = {
    AttemptEnded: _of_attempt,
    RequestServed: _of_served,
    PromptFilesRead: lambda event: _FAULTY_FILES if event.broken or event.diverged else _FILES,
    KeyMoved: lambda event: _KEYS.get(event.change, _KEY),
    ChatCut: lambda event: _LEFT_CHAT if event.code is None else _CUT_CHAT,
    ConfigReloaded: lambda event: _RELOADED if event.ok else None,  # each fault has a line of its own
}
"""Those that are told in several ways, by what they hold."""


def is_told(kind: type) -> bool:
    """Whether lines are made of events of that kind; spans tell the others."""
    return kind in _KINDS


def kind_of(event: Event) -> Kind | None:
    """None for what no line is made of."""
    kind = type(event)
    by_content = _BY_CONTENT.get(kind)
    return _KINDS.get(kind) if by_content is None else by_content(event)


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

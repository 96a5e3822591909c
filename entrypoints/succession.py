"""How a container gives way to the next one: what lasts, and what is made anew."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from entrypoints.injection import providers
from entrypoints.settings import Settings

if TYPE_CHECKING:
    from application.ports.chat_provider import ChatProvider
    from domain.output.formatter import Formatter
    from domain.passes.compiler_pass import Pass
    from entrypoints.container import Container

GIVEN: Final = ("settings", "serving", "store", "chat_providers", "passes", "formatters")
"""What a container is given from outside."""
KEPT: Final = frozenset(
    (
        "log",  # its writer
        "prometheus",  # what was counted
        "otlp",
        "sinks",
        "anomaly_watch",  # what it has learnt
        "telemetry",
        "redis_link",  # the connection
        "cooldowns",
        "prompt_cache",
        "thread_gate",  # who waits
        "event_log",
        "key_ring",  # the keys it knows, and the task that watches them
        "key_ring",  # a task, its keys, and who failed
        "idempotency",  # the claims of requests under way
        "live_answers",  # answers under way
        "housekeeper",  # a task, and so are the next
        "prompt_reloader",
    )
)
"""Stateful parts that settings reach, and that outlive a change of settings all the same."""
UNMADE: Final = frozenset(("prompt_transfer",))
"""Made when it is asked for: it must not be made just to be handed on."""


def succeed(
    old: "Container",
    new: "Container",
    settings: Settings,
    *,
    chat_providers: "Mapping[str, ChatProvider]",
    passes: "tuple[Pass, ...]",
    formatters: "Mapping[str, Formatter]",
) -> None:
    """Gives a new container other settings, and of the old one what they don't reach, and what is `KEPT`.

    Nothing of the old one changes.
    """
    before = old.settings()
    new.settings.override(settings)
    new.serving.override(old.serving())
    new.store.override(old.store())
    new.chat_providers.override(dict(chat_providers))
    new.passes.override(passes)
    new.formatters.override(dict(formatters))
    kept = set(KEPT)
    if before.routing == settings.routing:
        kept.add("health")
    if before.prompts == settings.prompts:
        kept.add("prompt_files")  # and with it the news that was told of the files
    made = remade(new, kept)
    for name, provider in old.providers.items():
        if name not in GIVEN and name not in made and name not in UNMADE:
            new.providers[name].override(provider())  # the object, not the provider: no chain of containers


def remade(container: "Container", kept: "set[str] | frozenset[str]") -> frozenset[str]:
    """The names of the parts that the given ones reach other than through what is kept."""
    names = {id(provider): name for name, provider in container.providers.items()}
    found: dict[int, bool] = {}

    def is_reached(provider: Any) -> bool:
        known = found.get(id(provider))
        if known is not None:
            return known
        name = names.get(id(provider))
        if name in GIVEN:
            reached = name not in ("serving", "store")  # these stay
        elif name in kept:
            reached = False
        else:
            reached = any(map(is_reached, _needs(provider)))
        found[id(provider)] = reached
        return reached

    return frozenset(
        name
        for name, provider in container.providers.items()
        if name not in GIVEN and name not in kept and is_reached(provider)
    )


def _needs(provider: Any) -> list[Any]:
    """What it is made of. Without what overrides it: that is the answer, not the recipe."""
    overriding = set(map(id, provider.overridden))
    return [
        each
        for each in provider.related
        if isinstance(each, providers.Provider) and id(each) not in overriding
    ]

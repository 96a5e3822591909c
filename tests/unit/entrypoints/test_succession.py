"""What a container hands on when the configuration changes."""

import inspect

from entrypoints.container import Container
from entrypoints.injection import providers
from entrypoints.succession import GIVEN, KEPT, UNMADE, remade

SAME_POLICY = KEPT | {"health", "prompt_files"}


def test_what_is_kept_and_given_exists() -> None:
    """A part that was renamed must not be left out in silence."""
    assert {*KEPT, *GIVEN, *UNMADE} <= set(Container().providers)


def test_chats_are_answered_by_new_parts() -> None:
    """All on the way from a request to a provider that settings reach; nothing that they don't."""
    made = remade(Container(), SAME_POLICY)

    assert {
        "send_chat",
        "assembly",
        "failover",
        "prices",
        "prompts",
        "summariser",
        "describe_service",
    } <= made
    assert not made & {"clock", "background", "oven", "rate_message", "read_threads", "prompt_writing"}


def test_nothing_that_has_to_be_closed_is_made_anew() -> None:
    """A part with a task or a connection belongs into `KEPT`, with a method that takes its new policy."""
    container = Container()
    closable = [
        name
        for name in remade(container, SAME_POLICY)
        if isinstance(provider := container.providers[name], providers.Singleton)
        and inspect.isclass(provider.cls)
        and hasattr(provider.cls, "aclose")
    ]

    assert closable == []

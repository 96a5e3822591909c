"""Who shares through Redis, and what stands in where there is none."""

import attrs
import pytest

from adapters.cache.redis_cooldown_board import RedisCooldownBoard
from adapters.cache.redis_prompt_cache import RedisPromptCache
from adapters.cache.redis_thread_gate import RedisThreadGate
from adapters.in_memory.cooldown_board import LocalCooldownBoard
from adapters.in_memory.prompt_cache import LocalPromptCache
from adapters.in_memory.thread_gate import LocalThreadGate
from domain.secret import Secret
from domain.thread_queue import ThreadQueuePolicy
from entrypoints.container import Container
from entrypoints.settings import RedisSettings, ThreadSettings
from lor3.testing import ScriptedProvider, fake_application, fake_settings
from tests.support.servers import free_port

_SETTINGS = fake_settings({"first": ScriptedProvider(["One"])}, primary="first:m")


def _container(redis: RedisSettings) -> Container:
    container = Container()
    container.settings.override(attrs.evolve(_SETTINGS, redis=redis))
    return container


def test_without_redis_each_process_has_its_own() -> None:
    """The default."""
    container = _container(RedisSettings())

    assert isinstance(container.cooldowns(), LocalCooldownBoard)
    assert isinstance(container.prompt_cache(), LocalPromptCache)
    assert isinstance(container.thread_gate(), LocalThreadGate)


def test_with_redis_all_share_one_connection() -> None:
    """With the limit of the settings."""
    container = _container(RedisSettings(url=Secret("redis://127.0.0.1/0"), timeout_s=0.02))
    cooldowns, prompt_cache, gate = container.cooldowns(), container.prompt_cache(), container.thread_gate()

    assert isinstance(cooldowns, RedisCooldownBoard)
    assert isinstance(prompt_cache, RedisPromptCache)
    assert isinstance(gate, RedisThreadGate)
    assert cooldowns._link is prompt_cache._link
    assert cooldowns._link is gate._link
    assert prompt_cache._link.timeout_s == 0.02


@pytest.mark.parametrize("redis", [RedisSettings(), RedisSettings(url=Secret("redis://127.0.0.1/0"))])
def test_the_gate_keeps_to_the_settings(redis: RedisSettings) -> None:
    """In this process and beyond."""
    container = _container(redis)
    threads = ThreadSettings(when_busy="reject", max_queued=3, max_wait_s=1.5)
    container.settings.override(attrs.evolve(container.settings(), threads=threads))
    gate = container.thread_gate()

    policy = ThreadQueuePolicy(when_busy="reject", max_queued=3, max_wait_s=1.5)
    assert isinstance(gate, LocalThreadGate | RedisThreadGate)
    assert policy == gate._policy
    assert not isinstance(gate, RedisThreadGate) or policy == gate._local._policy  # type: ignore[attr-defined]  # the port has none


async def test_lor3_starts_and_stops_while_redis_is_away() -> None:
    """Fault 74: sharing is all that is lost."""
    redis = RedisSettings(url=Secret(f"redis://127.0.0.1:{free_port()}/0"))
    settings = attrs.evolve(_SETTINGS, redis=redis)
    async with fake_application({"first": ScriptedProvider(["One"])}, settings=settings) as application:
        assert application.settings.redis is redis

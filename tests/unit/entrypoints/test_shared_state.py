"""Who shares through Redis, and what stands in where there is none."""

import attrs

from adapters.cache.redis_cooldown_board import RedisCooldownBoard
from adapters.cache.redis_prompt_cache import RedisPromptCache
from adapters.in_memory.cooldown_board import LocalCooldownBoard
from adapters.in_memory.prompt_cache import LocalPromptCache
from domain.secret import Secret
from entrypoints.container import Container
from entrypoints.settings import RedisSettings
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


def test_with_redis_both_share_one_connection() -> None:
    """With the limit of the settings."""
    container = _container(RedisSettings(url=Secret("redis://127.0.0.1/0"), timeout_s=0.02))
    cooldowns, prompt_cache = container.cooldowns(), container.prompt_cache()

    assert isinstance(cooldowns, RedisCooldownBoard)
    assert isinstance(prompt_cache, RedisPromptCache)
    assert cooldowns._link is prompt_cache._link
    assert prompt_cache._link.timeout_s == 0.02


async def test_lor3_starts_and_stops_while_redis_is_away() -> None:
    """Fault 74: sharing is all that is lost."""
    redis = RedisSettings(url=Secret(f"redis://127.0.0.1:{free_port()}/0"))
    settings = attrs.evolve(_SETTINGS, redis=redis)
    async with fake_application({"first": ScriptedProvider(["One"])}, settings=settings) as application:
        assert application.settings.redis is redis

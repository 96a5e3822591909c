"""Both prompt caches, held to one suite, and the shared one against a real Redis."""

import asyncio
import hashlib
import json
import time
import tracemalloc

import pytest
import redis.asyncio

from adapters.cache.prompt_entry import MAX_BYTES
from adapters.in_memory.prompt_cache import LocalPromptCache, PromptExchange
from adapters.testing.prompt_cache_suite import PromptCacheSuite, compiled
from application.ports.prompt_cache import PromptCache
from domain.errors import ConfigurationError
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.compiled_codec import SCHEMA
from domain.prompt.reference import PromptName
from tests.support.prompt_caches import eventually_got, heard_by, redis_cache, replicas
from tests.support.waiting import eventually

_CHANNEL = "lor3:{prompt}:changed"
_PROMPT = compiled("Hello {{name}}.")
_GREETING = (DEFAULT_TENANT, PromptName("greeting"))
_ANY = (DEFAULT_TENANT, None)


def _key(content_hash: str = _PROMPT.hash) -> str:
    return f"lor3:{{prompt}}:compiled:{SCHEMA}:{content_hash}"


class TestLocalPromptCache(PromptCacheSuite):
    def replicas(self) -> tuple[PromptCache, PromptCache]:
        exchange = PromptExchange()
        return LocalPromptCache(exchange=exchange), LocalPromptCache(exchange=exchange)


class TestRedisPromptCache(PromptCacheSuite):
    @pytest.fixture(autouse=True)
    def _given_redis(self, redis_url: str) -> None:
        self.url = redis_url

    def replicas(self) -> tuple[PromptCache, PromptCache]:
        return redis_cache(self.url), redis_cache(self.url)


async def test_entries_are_json_with_a_checksum_and_expire(redis_url: str) -> None:
    """Nothing is pickled, and nothing stays for ever; putting again prolongs it."""
    async with replicas(redis_url, 1) as (cache,), redis.asyncio.Redis.from_url(redis_url) as client:
        cache.put(_PROMPT)
        await eventually_got(cache, _PROMPT.hash)
        value = await client.get(_key())
        assert isinstance(value, bytes)
        header, payload = value.split(b"\n")
        await client.expire(_key(), 10)
        cache.put(_PROMPT)
        deadline = time.monotonic() + 30
        while (ttl_s := await client.ttl(_key())) <= 10:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    assert {"v": SCHEMA, "sha256": hashlib.sha256(payload).hexdigest()} == json.loads(header)
    assert isinstance(json.loads(payload), dict)
    assert 6 * 24 * 3600 < ttl_s <= 7 * 24 * 3600


async def test_a_key_of_another_type_is_a_miss_and_is_written_over(redis_url: str) -> None:
    """It does not make misses of the entries that are read along with it."""
    other = compiled("Another, {{name}}.")
    async with replicas(redis_url, 1) as (cache,), redis.asyncio.Redis.from_url(redis_url) as client:
        cache.put(other)
        await eventually_got(cache, other.hash)
        await client.rpush(_key(), "a", "list")

        assert (None, other) == tuple(await asyncio.gather(cache.get(_PROMPT.hash), cache.get(other.hash)))
        for _ in range(10):  # more than what opens the breaker
            assert await cache.get(_PROMPT.hash) is None
        cache.put(_PROMPT)
        assert _PROMPT == await eventually_got(cache, _PROMPT.hash)


async def test_a_huge_value_is_a_miss_and_stays_where_it_is(redis_url: str) -> None:
    """100 MB are neither fetched nor held."""
    async with replicas(redis_url, 1) as (cache,), redis.asyncio.Redis.from_url(redis_url) as client:
        await client.setrange(_key(), 100_000_000, "x")
        tracemalloc.start()
        try:
            assert await cache.get(_PROMPT.hash) is None
            await asyncio.sleep(0.2)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        cache.put(_PROMPT)
        assert _PROMPT == await eventually_got(cache, _PROMPT.hash)

    assert peak < 8 * MAX_BYTES


async def test_the_largest_prompts_are_shared(redis_url: str) -> None:
    """256 KiB of what JSON makes the most of."""
    prompt = compiled("\x01" * 200_000 + "ü" * 20_000 + "{{name}}")
    async with replicas(redis_url) as (one, two):
        one.put(prompt)

        assert prompt == await eventually_got(two, prompt.hash)


async def test_many_callers_share_one_read(redis_url: str) -> None:
    """Neither the pool nor the time limit is at stake, however many ask at once."""
    async with replicas(redis_url, 1) as (cache,), redis.asyncio.Redis.from_url(redis_url) as client:
        cache.put(_PROMPT)
        await eventually_got(cache, _PROMPT.hash)
        await client.config_resetstat()
        answers = await asyncio.gather(*(cache.get(_PROMPT.hash) for _ in range(2_000)))
        calls = (await client.info("commandstats"))["cmdstat_getrange"]["calls"]

    assert all(answer == _PROMPT for answer in answers)
    assert calls <= 2


async def test_more_prompts_than_are_asked_for_at_once_are_misses(redis_url: str) -> None:
    """Waiting is bounded in number too."""
    async with replicas(redis_url, 1) as (cache,):
        answers = await asyncio.gather(*(cache.get(f"{number:064x}") for number in range(5_000)))

        assert set(answers) == {None}


async def test_words_of_one_prompt_are_said_once(redis_url: str) -> None:
    """A thousand moves of one label are one piece of news."""
    async with (
        replicas(redis_url, 1) as (cache,),
        redis.asyncio.Redis.from_url(redis_url) as client,
        client.pubsub() as channel,
    ):
        await channel.subscribe(_CHANNEL)
        for _ in range(1_000):
            cache.announce(*_GREETING)
        said = await _said(channel)

    assert [{"v": 1, "tenant": "default", "name": "greeting"}] == said


async def test_too_many_words_become_one(redis_url: str) -> None:
    """A folder of 5,000 files tells that any prompt may have changed, and other tenants' words are kept."""
    async with (
        replicas(redis_url, 1) as (cache,),
        redis.asyncio.Redis.from_url(redis_url) as client,
        client.pubsub() as channel,
    ):
        await channel.subscribe(_CHANNEL)
        cache.announce(Tenant("acme"), PromptName("kept"))
        for number in range(5_000):
            cache.announce(DEFAULT_TENANT, PromptName(f"p{number}"))
        said = await _said(channel)

    assert [
        {"v": 1, "tenant": "acme", "name": "kept"},
        {"v": 1, "tenant": "default", "name": None},
    ] == said


async def test_a_word_about_any_is_passed_on(redis_url: str) -> None:
    """As it was said."""
    cache = redis_cache(redis_url)
    heard = heard_by(cache)
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await cache.start()
        await eventually(lambda: _ANY in heard)
        await client.publish(_CHANNEL, b'{"v": 1, "tenant": "acme", "name": null}')
        await eventually(lambda: (Tenant("acme"), None) in heard)
        await cache.aclose()


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x04garbage", b"[]", b"null", b"[" * 5_000, b'{"v": 1}', b'{"v": 1, "tenant": "default"}',
     b'{"v": 2, "tenant": "default", "name": "bad"}', b'{"v": 1, "tenant": null, "name": "bad"}',
     b'{"v": 1, "tenant": ["default"], "name": "bad"}', b'{"v": 1, "tenant": "default", "name": 3}',
     b'{"v": 1, "tenant": "default", "name": "no name"}', b'{"v": 1, "tenant": "default", "name": "' + b"x" * 20_000,
     b'{"v": 1, "tenant": "default", "name": "\\ud800"}'],
    ids=range(14),
)  # fmt: skip
async def test_what_is_no_word_is_ignored(redis_url: str, data: bytes) -> None:
    """And the next one is heard."""
    cache = redis_cache(redis_url)
    heard = heard_by(cache)
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await cache.start()
        await eventually(lambda: _ANY in heard)
        await client.publish(_CHANNEL, data)
        await client.publish(_CHANNEL, b'{"v": 1, "tenant": "default", "name": "greeting"}')
        await eventually(lambda: _GREETING in heard)
        await cache.aclose()

    assert {_ANY, _GREETING} == set(heard)


async def test_a_listener_that_fails_does_not_stop_the_others(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection outlives it, and the log has it."""
    cache = redis_cache(redis_url)

    def fail(tenant: Tenant, name: PromptName | None) -> None:
        raise ValueError("a fault of the listener's own")

    before = heard_by(cache)
    cache.listen(fail)
    async with replicas(redis_url, 1) as (other,):
        await cache.start()
        await eventually(lambda: _ANY in before)
        other.announce(*_GREETING)
        await eventually(lambda: _GREETING in before)
        other.announce(DEFAULT_TENANT, PromptName("second"))
        await eventually(lambda: (DEFAULT_TENANT, PromptName("second")) in before)
        await cache.aclose()

    assert "a listener failed" in caplog.text


@pytest.mark.parametrize(
    "parameter", ["decode_responses=True", "protocol=3", "health_check_interval=1", "db=0"]
)
async def test_parameters_of_the_url_do_no_harm(redis_url: str, parameter: str) -> None:
    """They win over what lor3 asks of redis-py."""
    cache = redis_cache(f"{redis_url}?{parameter}")
    heard = heard_by(cache)
    await cache.start()
    await eventually(lambda: _ANY in heard)
    cache.put(_PROMPT)
    cache.announce(*_GREETING)
    await eventually(lambda: _GREETING in heard)
    assert _PROMPT == await eventually_got(cache, _PROMPT.hash)
    await asyncio.sleep(1.6)  # pings
    await cache.aclose()

    assert [_ANY, _GREETING] == heard


async def test_a_url_that_is_none_is_a_configuration_error() -> None:
    """Said without the URL, which may hold a password."""
    with pytest.raises(ConfigurationError, match=r"redis\.url") as caught:
        await redis_cache("http://user:CANARY@example.com").start()

    assert "CANARY" not in str(caught.value)


async def _said(channel: "redis.asyncio.client.PubSub") -> list[object]:
    """All messages until half a second of silence."""
    said: list[object] = []
    silent_since = time.monotonic()
    while time.monotonic() - silent_since < 0.5:
        message = await channel.get_message(ignore_subscribe_messages=True, timeout=0.1)
        if message is not None:
            said.append(json.loads(message["data"]))
            silent_since = time.monotonic()
    return said

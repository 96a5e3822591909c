"""Faults 74 to 77 at the shared prompt cache: Redis down, slow, refusing or emptied is a miss, and soon over."""

import asyncio
import contextlib
import hashlib
import json
import math
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import redis.asyncio

from adapters.cache.redis_cooldown_board import RedisCooldownBoard
from adapters.cache.redis_link import RedisLink
from adapters.cache.redis_prompt_cache import RedisPromptCache
from adapters.in_memory.clock import ManualClock
from adapters.system import SystemClock
from adapters.testing.prompt_cache_suite import compiled
from domain.ids import DEFAULT_TENANT
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiled_codec import SCHEMA, to_json
from domain.prompt.reference import PromptName
from domain.secret import Secret
from tests.support.prompt_caches import eventually_got, heard_by, redis_cache, replicas
from tests.support.proxies import SlowProxy
from tests.support.servers import RedisServer, free_port
from tests.support.waiting import HANGS_S, eventually

_PROMPT = compiled("Hello {{name}}.")
_GREETING = (DEFAULT_TENANT, PromptName("greeting"))
_ANY = (DEFAULT_TENANT, None)
_LIMIT_S = 0.05
_MANY = round(2 * HANGS_S / _LIMIT_S)
"""If each of them waited for a reply, they would take too long by far."""


def _key(content_hash: str = _PROMPT.hash) -> str:
    return f"lor3:{{prompt}}:compiled:{SCHEMA}:{content_hash}"


def _payload(prompt: CompiledPrompt) -> bytes:
    return json.dumps(to_json(prompt)).encode()


def _entry(payload: bytes, **header: object) -> bytes:
    whole = {"v": SCHEMA, "sha256": hashlib.sha256(payload).hexdigest()} | header
    return json.dumps(whole).encode() + b"\n" + payload


_PAYLOAD = _payload(_PROMPT)


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    """A Redis of the test's own, to be broken."""
    running = await asyncio.to_thread(RedisServer)
    try:
        yield running
    finally:
        await asyncio.to_thread(running.close)


async def _degrades(cache: RedisPromptCache) -> None:
    """Every get is a miss and ends; the rest returns at once, for it is no coroutine."""
    async with asyncio.timeout(HANGS_S):
        for _ in range(3):
            assert await cache.get(_PROMPT.hash) is None
        together = await asyncio.gather(*(cache.get(f"{number:064x}") for number in range(300)))
    assert [None] * 300 == together
    for number in range(1_000):
        cache.put(_PROMPT)
        cache.announce(DEFAULT_TENANT, PromptName(f"p{number}"))


async def _eventually_free(cache: RedisPromptCache) -> None:
    """Until the breaker is open: misses without waiting."""
    async with asyncio.timeout(HANGS_S):
        while not cache._reads.is_open:
            assert await cache.get(_PROMPT.hash) is None
        for _ in range(_MANY):
            assert await cache.get(_PROMPT.hash) is None


async def test_redis_down_is_a_miss(caplog: pytest.LogCaptureFixture) -> None:
    """Fault 74: start, use and stop without anybody listening; said once, and without the address."""
    port = free_port()
    cache = redis_cache(f"redis://:CANARY@127.0.0.1:{port}/0", timeout_s=_LIMIT_S)
    await asyncio.wait_for(cache.start(), HANGS_S)
    await _degrades(cache)
    await _eventually_free(cache)
    await asyncio.wait_for(cache.aclose(), HANGS_S)

    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([line for line in said if "; compiled prompts are not shared" in line]) == 1
    assert "CANARY" not in caplog.text
    assert str(port) not in caplog.text


@pytest.mark.parametrize(
    "reply",
    [b"", b"-LOADING loading\r\n", b"-READONLY no\r\n", b"-OOM\r\n", b"-BUSY script\r\n", b"-NOAUTH\r\n",
     b"-WRONGTYPE\r\n", b"-MOVED 1 127.0.0.1:1\r\n", b"$-1\r\n", b"*0\r\n", b"$99999999\r\nx", b":1\r\n", b"\x00junk"],
)  # fmt: skip
async def test_a_server_that_is_silent_or_talks_nonsense_is_a_miss(reply: bytes) -> None:
    """Faults 75 and 76: it accepts and never answers, or answers the same to anything."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(4096):
                if reply:
                    writer.write(reply)
        except ConnectionError:
            pass  # the cache hung up
        finally:
            writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        cache = redis_cache(f"redis://127.0.0.1:{port}/0", timeout_s=_LIMIT_S)
        await asyncio.wait_for(cache.start(), HANGS_S)
        await _degrades(cache)
        await asyncio.wait_for(cache.aclose(), HANGS_S)


@contextlib.contextmanager
def _black_hole() -> Iterator[str]:
    """The URL of an address that takes no connection and refuses none: its listen queue is full."""
    with socket.socket() as listener, contextlib.ExitStack() as clients:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


async def test_a_black_hole_is_a_miss() -> None:
    """Fault 75: connecting counts too."""
    with _black_hole() as url:
        cache = redis_cache(url, timeout_s=_LIMIT_S)
        await asyncio.wait_for(cache.start(), HANGS_S)
        await _degrades(cache)
        await _eventually_free(cache)
        await asyncio.wait_for(cache.aclose(), HANGS_S)


@pytest.mark.parametrize("delay_s", [0.2, 20.0, math.inf])
async def test_a_slow_redis_is_a_miss_until_it_is_quick_again(server: RedisServer, delay_s: float) -> None:
    """Fault 75, on connections that were good: infinity is a half-open one."""
    async with SlowProxy.to(server.port) as proxy:
        async with replicas(proxy.url, 1, timeout_s=_LIMIT_S) as (cache,):
            cache.put(_PROMPT)
            await eventually_got(cache, _PROMPT.hash)
            proxy.delay_s = delay_s
            await _degrades(cache)
            await _eventually_free(cache)
            proxy.delay_s = 0.0

            assert _PROMPT == await eventually_got(cache, _PROMPT.hash)
            assert proxy.connections < 100


async def test_the_loop_stays_free_while_redis_hangs(server: RedisServer) -> None:
    """Waiting for Redis is nobody's business but the cache's."""
    async with SlowProxy.to(server.port) as proxy:
        async with replicas(proxy.url, 1, timeout_s=_LIMIT_S) as (cache,):
            proxy.delay_s = math.inf
            async with asyncio.timeout(HANGS_S):
                asked = [asyncio.ensure_future(cache.get(f"{number:064x}")) for number in range(50)]
                for _ in range(50):
                    await asyncio.sleep(0.01)
                found = await asyncio.gather(*asked)

    assert [None] * 50 == found


async def test_a_redis_without_memory_still_tells_and_reads(server: RedisServer) -> None:
    """Fault 76, OOM: what is there is read, words pass, what is new is stored when there is room again."""
    other = compiled("Another, {{name}}.")
    async with (
        replicas(server.url, 2) as (one, two),
        redis.asyncio.Redis.from_url(server.url) as client,
    ):
        heard = heard_by(two)
        one.put(_PROMPT)
        await eventually_got(one, _PROMPT.hash)
        await client.config_set("maxmemory", "1")
        for number in range(8):
            one.put(compiled(f"Text {number} for {{{{name}}}}."))
        await asyncio.sleep(0.5)
        assert await two.get(other.hash) is None
        assert _PROMPT == await eventually_got(two, _PROMPT.hash)
        one.announce(*_GREETING)
        await eventually(lambda: _GREETING in heard)
        await client.config_set("maxmemory", "0")
        one.put(other)
        assert other == await eventually_got(two, other.hash)


async def test_a_read_only_replica_is_read(server: RedisServer) -> None:
    """Fault 76, READONLY: as it is during a failover."""
    other = compiled("Another, {{name}}.")
    async with replicas(server.url, 2) as (one, two), redis.asyncio.Redis.from_url(server.url) as client:
        one.put(_PROMPT)
        await eventually_got(one, _PROMPT.hash)
        await client.replicaof("127.0.0.1", str(free_port()))
        one.put(other)
        await asyncio.sleep(0.3)
        assert await two.get(other.hash) is None
        assert _PROMPT == await eventually_got(two, _PROMPT.hash)
        await client.replicaof("NO", "ONE")
        one.put(other)
        assert other == await eventually_got(two, other.hash)


async def test_a_redis_busy_with_a_script_is_a_miss(server: RedisServer) -> None:
    """Fault 76, BUSY: silent at first, then refusing."""
    async with replicas(server.url, 1, timeout_s=_LIMIT_S) as (cache,):
        cache.put(_PROMPT)
        await eventually_got(cache, _PROMPT.hash)
        async with redis.asyncio.Redis.from_url(server.url) as client, asyncio.TaskGroup() as group:
            await client.config_set("lua-time-limit", "100")
            script = group.create_task(_endless_script(server.url))
            await asyncio.sleep(0.02)
            await _degrades(cache)
            await asyncio.sleep(0.2)
            await _degrades(cache)
            await client.script_kill()
            await script

        assert _PROMPT == await eventually_got(cache, _PROMPT.hash)


async def _endless_script(url: str) -> None:
    async with redis.asyncio.Redis.from_url(url) as client:
        with contextlib.suppress(redis.ResponseError):  # that it was killed
            await client.eval("while true do end", 0)


async def _command(client: redis.asyncio.Redis, command: str) -> None:
    await client.execute_command(*command.split(" "))  # type: ignore[no-untyped-call]  # redis-py's gap


@pytest.mark.parametrize("command", ["FLUSHALL", "SCRIPT FLUSH", "CLIENT KILL TYPE normal"])
async def test_what_others_do_to_redis_is_made_up_for(redis_url: str, command: str) -> None:
    """Fault 76: emptied, or its connections cut, between two requests."""
    async with replicas(redis_url) as (one, two), redis.asyncio.Redis.from_url(redis_url) as client:
        one.put(_PROMPT)
        await eventually_got(two, _PROMPT.hash)
        with contextlib.suppress(redis.ConnectionError):  # its own may be among those cut
            await _command(client, command)
        for cache in (one, two):
            await asyncio.wait_for(cache.get(_PROMPT.hash), HANGS_S)
        one.put(_PROMPT)

        assert _PROMPT == await eventually_got(two, _PROMPT.hash)


async def test_a_lost_subscription_is_made_again_and_said(redis_url: str) -> None:
    """What was announced in between is unknown, so any prompt may have changed."""
    cache = redis_cache(redis_url)
    heard = heard_by(cache)
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await cache.start()
        await eventually(lambda: _ANY in heard)
        heard.clear()
        await _command(client, "CLIENT KILL TYPE pubsub")
        await eventually(lambda: _ANY in heard)
        await client.publish("lor3:{prompt}:changed", b'{"v": 1, "tenant": "default", "name": "greeting"}')
        await eventually(lambda: _GREETING in heard)
        await cache.aclose()


async def test_a_half_open_subscription_is_noticed(server: RedisServer) -> None:
    """A firewall forgot it: no word would ever come, and no error."""
    async with SlowProxy.to(server.port) as proxy:
        cache = redis_cache(proxy.url)
        heard = heard_by(cache)
        await cache.start()
        await eventually(lambda: _ANY in heard)
        heard.clear()
        proxy.delay_s = math.inf
        await asyncio.sleep(3.5)
        proxy.delay_s = 0.0
        await eventually(lambda: _ANY in heard)
        await cache.aclose()


async def test_a_quiet_subscription_is_left_alone(redis_url: str) -> None:
    """Silence alone is no fault."""
    cache = redis_cache(redis_url)
    heard = heard_by(cache)
    await cache.start()
    await eventually(lambda: _ANY in heard)
    await asyncio.sleep(4)
    await cache.aclose()

    assert [_ANY] == heard


async def test_sharing_resumes_after_redis_was_killed(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Entries, words and subscriptions, with nobody starting anything anew."""
    async with replicas(server.url, 2, timeout_s=_LIMIT_S) as (one, two):
        heard = heard_by(two)
        one.put(_PROMPT)
        await eventually_got(two, _PROMPT.hash)
        await asyncio.to_thread(server.kill)
        for cache in (one, two):
            await _degrades(cache)
            await _eventually_free(cache)
        await asyncio.to_thread(server.start)
        await eventually(lambda: _ANY in heard)
        one.put(_PROMPT)
        assert _PROMPT == await eventually_got(two, _PROMPT.hash)
        one.announce(*_GREETING)
        await eventually(lambda: _GREETING in heard)

    assert "Redis serves again; compiled prompts are shared" in caplog.text


async def test_what_was_made_while_redis_was_away_is_shared_afterwards(server: RedisServer) -> None:
    """A word is kept for some seconds, a compiled prompt as long as few wait."""
    async with replicas(server.url, 2, timeout_s=_LIMIT_S) as (one, two):
        heard = heard_by(two)
        await asyncio.to_thread(server.kill)
        one.put(_PROMPT)
        one.announce(*_GREETING)
        await asyncio.sleep(0.4)
        await asyncio.to_thread(server.start)
        await eventually(lambda: _GREETING in heard or _ANY in heard)
        assert _PROMPT == await eventually_got(two, _PROMPT.hash)


async def test_a_word_that_did_not_get_through_is_said_again(server: RedisServer) -> None:
    """Only the one who has it lost its connection, so that the others could not know."""
    async with SlowProxy.to(server.port) as proxy:
        async with replicas(proxy.url, 1, timeout_s=_LIMIT_S) as (one,), replicas(server.url, 1) as (two,):
            heard = heard_by(two)
            proxy.delay_s = math.inf
            one.announce(*_GREETING)
            await asyncio.sleep(0.1)
            proxy.delay_s = 0.0
            heard.clear()  # it may have been said, and only the answer been lost
            await eventually(lambda: _GREETING in heard)


async def test_a_word_that_is_too_old_is_not_said(server: RedisServer) -> None:
    """By then every replica has looked for itself."""
    clock = ManualClock()
    async with replicas(server.url, 1, timeout_s=_LIMIT_S) as (two,):
        heard = heard_by(two)
        link = RedisLink(url=Secret(server.url), clock=SystemClock(), timeout_s=_LIMIT_S)
        one = RedisPromptCache(link=link, clock=clock)
        one.announce(*_GREETING)
        clock.advance(11)
        one.announce(DEFAULT_TENANT, PromptName("fresh"))
        await one.start()
        await eventually(lambda: (DEFAULT_TENANT, PromptName("fresh")) in heard)
        await one.aclose()

    assert [(DEFAULT_TENANT, PromptName("fresh"))] == heard


async def test_cooldowns_and_prompts_share_one_connection(server: RedisServer) -> None:
    """In whatever order they start and end, and both survive an outage."""
    clock = SystemClock()
    link = RedisLink(url=Secret(server.url), clock=clock, timeout_s=_LIMIT_S)
    board = RedisCooldownBoard(link=link, clock=clock, interval_s=0.1)
    cache = RedisPromptCache(link=link, clock=clock)
    heard = heard_by(cache)
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await board.start()
        await cache.start()
        await eventually(lambda: _ANY in heard)
        cache.put(_PROMPT)
        await eventually_got(cache, _PROMPT.hash)
        listening = await client.client_list(_type="pubsub")
        assert len(listening) == 1
        assert len(await client.client_list()) <= 5  # reads, writes, cooldowns, the subscription, this test's
        await board.aclose()
        assert _PROMPT == await cache.get(_PROMPT.hash)
        await cache.aclose()
        await cache.start()
        assert _PROMPT == await eventually_got(cache, _PROMPT.hash)
        await cache.aclose()
        await eventually(lambda: link._client is None)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("lor3-")]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x80\x04garbage",
        b"\xff\xfe\x00",
        b"null",
        b"{}",
        b"[" * 100_000,
        _entry(b""),
        _entry(b"{}"),
        _entry(b"[1]"),
        _entry(b"[1" + b"0" * 10_000 + b"]"),
        _entry(b"\xff"),
        _entry(b"[" * 100_000),
        _entry(_PAYLOAD)[:-1],
        _entry(_PAYLOAD) + b" ",
        _entry(_PAYLOAD[:-5]),
        _entry(_PAYLOAD, v=0),
        _entry(_PAYLOAD, v=SCHEMA + 1),
        _entry(_PAYLOAD, sha256="0" * 64),
        _entry(_PAYLOAD, sha256=None),
        _entry(_payload(compiled("Another, {{name}}."))),
    ],
    ids=range(20),
)
async def test_garbage_is_a_miss_and_is_written_over(redis_url: str, value: bytes) -> None:
    """Fault 77: cut, changed, of another schema, or the entry of another prompt."""
    async with replicas(redis_url, 1) as (cache,), redis.asyncio.Redis.from_url(redis_url) as client:
        await client.set(_key(), value)

        assert await cache.get(_PROMPT.hash) is None
        cache.put(_PROMPT)
        assert _PROMPT == await eventually_got(cache, _PROMPT.hash)

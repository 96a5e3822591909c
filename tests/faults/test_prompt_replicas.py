"""Faults 74 to 77 as chats meet them: two replicas on one PostgreSQL and one Redis, which comes and goes."""

import asyncio
from collections.abc import AsyncIterator

import attrs
import pytest
import redis.asyncio

from application.use_cases.chat_command import SendChatCommand
from application.use_cases.label_prompt import LabelPromptCommand
from application.use_cases.version_prompt import VersionPromptCommand
from domain.message import Message
from domain.prompt.document import read_source
from domain.prompt.reference import PromptName
from domain.secret import Secret
from entrypoints.application import Application
from entrypoints.bootstrap import running
from entrypoints.settings import DatabaseSettings, PromptSettings, RedisSettings, Settings
from lor3.testing import ScriptedProvider, fake_settings
from tests.support.proxies import SlowProxy
from tests.support.servers import RedisServer
from tests.support.waiting import HANGS_S

AGENT = PromptName("agent")


@pytest.fixture
async def server() -> AsyncIterator[RedisServer]:
    """A Redis of the test's own, to be broken."""
    running_server = await asyncio.to_thread(RedisServer)
    try:
        yield running_server
    finally:
        await asyncio.to_thread(running_server.close)


def settings(postgres_url: str, redis_url: str) -> Settings:
    plain = fake_settings({"fake": ScriptedProvider()}, primary="fake:test")
    return attrs.evolve(
        plain,
        database=DatabaseSettings(url=Secret(postgres_url)),
        redis=RedisSettings(url=Secret(redis_url)),
        prompts=PromptSettings(directory=None),
    )


async def make(application: Application, text: str) -> None:
    await application.version_prompt.execute(
        VersionPromptCommand(name=AGENT, source=read_source({"template": text}), made_by="api")
    )


async def point(application: Application, version: int) -> None:
    await application.label_prompt.execute(
        LabelPromptCommand(name=AGENT, label="production", weights=((version, 1),))
    )


async def ask(application: Application) -> str | None:
    answer = await application.send_chat.execute(
        SendChatCommand(
            request_id=application.ids.new(), messages=(Message.of("user", "Hi"),), system_prompt="agent"
        )
    )
    return answer.prompt_version


async def until_seen(application: Application, version: str) -> None:
    """The replica's chats may go on with another version for a while; each of them is answered."""
    async with asyncio.timeout(HANGS_S):
        while await ask(application) != version:  # noqa: ASYNC110 - it is asked for
            await asyncio.sleep(0.01)


async def test_moved_label_reaches_the_other_replica(postgres_url: str, server: RedisServer) -> None:
    """By the message while Redis lives, by the short TTL once it is killed, by the message again after that."""
    given = settings(postgres_url, server.url)
    async with (
        running(given, chat_providers={"fake": ScriptedProvider()}) as one,
        running(given, chat_providers={"fake": ScriptedProvider()}) as two,
    ):
        await make(one, "First.")
        await make(one, "Second.")
        await point(one, 1)
        assert await ask(two) == "agent:v1"
        await point(one, 2)
        await until_seen(two, "agent:v2")

        await asyncio.to_thread(server.kill)
        await point(one, 1)
        await until_seen(two, "agent:v1")

        await asyncio.to_thread(server.start)
        await point(one, 2)
        await until_seen(two, "agent:v2")


async def test_compiled_prompt_is_shared_and_garbage_in_its_place_is_not_believed(
    postgres_url: str, server: RedisServer
) -> None:
    """Fault 77: a fresh replica compiles for itself, and puts right what it found."""
    given = settings(postgres_url, server.url)
    async with running(given, chat_providers={"fake": ScriptedProvider()}) as one:
        await make(one, "First.")
        assert await ask(one) == "agent:v1"
        async with redis.asyncio.Redis.from_url(server.url) as client:
            (key,) = await _eventual_keys(client)
            good = await client.get(key)
            for garbage in (b"", b"garbage", b'{"v": 0}', b"\x80\x04\x95", (good or b"")[:-5]):
                await client.set(key, garbage)
                async with running(given, chat_providers={"fake": ScriptedProvider()}) as fresh:
                    assert await ask(fresh) == "agent:v1"
                    async with asyncio.timeout(HANGS_S):
                        while await client.get(key) != good:  # noqa: ASYNC110 - it is in Redis
                            await asyncio.sleep(0.01)


async def test_slow_redis_holds_up_no_chat(postgres_url: str, server: RedisServer) -> None:
    """Fault 75: ten minutes an operation. Each first use of a version may wait 50 ms, and then nothing does."""
    async with SlowProxy.to(server.port) as slow:
        slow.delay_s = 600.0
        given = settings(postgres_url, slow.url)
        async with running(given, chat_providers={"fake": ScriptedProvider()}) as application:
            async with asyncio.timeout(HANGS_S):
                for number in range(1, 8):
                    await make(application, f"Text {number}.")
                    assert await ask(application) == f"agent:v{number}"


async def _eventual_keys(client: "redis.asyncio.Redis") -> list[bytes | str]:
    for _ in range(3_000):
        keys: list[bytes | str] = await client.keys("lor3:{prompt}:compiled:*")
        if keys:
            return keys
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was put into Redis")

"""What every prompt cache must do."""

import asyncio
import datetime
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from application.ports.prompt_cache import PromptCache
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt
from domain.prompt.content_hash import content_hash
from domain.prompt.reference import PromptName
from domain.prompt.source import PromptSource, Turn, Variable
from domain.prompt.version import PromptVersion

_SOON_S = 30.0
_ABSENT = "0" * 64


def compiled(text: str, *, name: str = "greeting", number: int = 1) -> CompiledPrompt:
    """A system prompt that may use the variable `name`."""
    source = PromptSource(
        turns=(Turn(role="system", template=text),), variables=(Variable(name="name", description="Whom."),)
    )
    version = PromptVersion(
        tenant=DEFAULT_TENANT,
        name=PromptName(name),
        number=number,
        hash=content_hash(source, ()),
        source=source,
        made_by="api",
        created_at=datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC),
    )
    return compile_prompt(version, {})


class PromptCacheSuite(ABC):
    """Subclass it, make the caches, and let pytest collect it."""

    @abstractmethod
    def replicas(self) -> tuple[PromptCache, PromptCache]:
        """Two that share with each other and with nobody else's test, not started."""

    @asynccontextmanager
    async def started(self) -> "AsyncIterator[tuple[PromptCache, PromptCache, list[_Word]]]":
        """Two that hear one another, and what the second hears."""
        one, two = self.replicas()
        heard = [_heard_by(cache) for cache in (one, two)]
        probe = (DEFAULT_TENANT, PromptName("probe"))
        async with AsyncExitStack() as stack:
            for cache in (one, two):
                await cache.start()
                stack.push_async_callback(cache.aclose)

            def connected() -> bool:
                one.announce(*probe)
                two.announce(*probe)
                return all(probe in words for words in heard)

            await _soon(connected)
            yield one, two, heard[1]

    async def test_an_unknown_hash_is_a_miss(self) -> None:
        """Nothing is there to begin with."""
        async with self.started() as (cache, _, _):
            assert await cache.get(_ABSENT) is None

    async def test_what_one_puts_the_other_gets(self) -> None:
        """Equal in all its parts, and just as able to render."""
        prompt = compiled("Hello {{name}}, “ü\n")
        async with self.started() as (one, two, _):
            one.put(prompt)
            got = await _got(two, prompt.hash)

        assert prompt == got
        assert prompt.render({"name": "Ada"}) == got.render({"name": "Ada"})

    async def test_prompts_do_not_mix(self) -> None:
        """Each hash has its own, whatever the order of asking."""
        prompts = [compiled(f"Text {number} for {{{{name}}}}") for number in range(40)]
        async with self.started() as (one, two, _):
            for prompt in prompts:
                one.put(prompt)
            for prompt in prompts:
                await _got(two, prompt.hash)
            together = await asyncio.gather(*(two.get(prompt.hash) for prompt in reversed(prompts)))

        assert list(reversed(prompts)) == together

    async def test_putting_again_changes_nothing(self) -> None:
        """The key is the content."""
        prompt = compiled("Twice, {{name}}")
        async with self.started() as (one, two, _):
            for _ in range(3):
                one.put(prompt)
                two.put(prompt)

            assert prompt == await _got(two, prompt.hash)

    async def test_a_word_reaches_the_other(self) -> None:
        """With tenant and name, and soon."""
        word = (Tenant("acme"), PromptName("support_agent"))
        async with self.started() as (one, _, heard):
            one.announce(*word)
            await _soon(lambda: word in heard)

    async def test_a_word_reaches_every_listener(self) -> None:
        """There may be several."""
        word = (Tenant("acme"), PromptName("support_agent"))
        one, two = self.replicas()
        heard = [_heard_by(two) for _ in range(3)]
        async with AsyncExitStack() as stack:
            for cache in (one, two):
                await cache.start()
                stack.push_async_callback(cache.aclose)

            def all_heard() -> bool:
                one.announce(*word)
                return all(word in words for words in heard)

            await _soon(all_heard)

    async def test_one_that_was_not_started_misses_and_stays_silent(self) -> None:
        """Nothing raises and nothing waits."""
        one, _ = self.replicas()
        one.listen(lambda tenant, name: None)
        one.announce(DEFAULT_TENANT, PromptName("greeting"))

        assert await one.get(_ABSENT) is None
        await one.aclose()

    async def test_one_that_was_closed_can_be_asked(self) -> None:
        """Requests may outlive it by a moment; closing again does nothing."""
        prompt = compiled("Late, {{name}}")
        one, two = self.replicas()
        await one.start()
        await two.start()
        await one.aclose()
        await one.aclose()
        one.put(prompt)
        one.announce(DEFAULT_TENANT, PromptName("greeting"))
        await one.get(prompt.hash)
        await two.aclose()

    async def test_what_was_said_last_is_said(self) -> None:
        """A command ends as soon as it changed a prompt."""
        prompt = compiled("Last, {{name}}")
        async with self.started() as (one, two, heard):
            one.put(prompt)
            one.announce(DEFAULT_TENANT, PromptName("last"))
            await one.aclose()
            await _soon(lambda: (DEFAULT_TENANT, PromptName("last")) in heard)

            assert prompt == await _got(two, prompt.hash)

    async def test_callers_that_give_up_disturb_nobody(self) -> None:
        """A client may disconnect at any moment."""
        prompt = compiled("Patience, {{name}}")
        async with self.started() as (one, two, _):
            one.put(prompt)
            await _got(two, prompt.hash)
            for _ in range(20):
                asked = [asyncio.create_task(two.get(prompt.hash)) for _ in range(3)]
                await asyncio.sleep(0)
                asked[0].cancel()
                answers = await asyncio.gather(*asked, return_exceptions=True)

                assert [prompt, prompt] == answers[1:]


_Word = tuple[Tenant, PromptName | None]


def _heard_by(cache: PromptCache) -> "list[_Word]":
    heard: list[_Word] = []
    cache.listen(lambda tenant, name: heard.append((tenant, name)))
    return heard


async def _soon(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SOON_S
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {_SOON_S} s"
        await asyncio.sleep(0.02)


async def _got(cache: PromptCache, content_hash: str) -> CompiledPrompt:
    deadline = time.monotonic() + _SOON_S
    while (prompt := await cache.get(content_hash)) is None:
        assert time.monotonic() < deadline, f"it is not there after {_SOON_S} s"
        await asyncio.sleep(0.01)
    return prompt

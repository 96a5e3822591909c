"""What replicas that share a Redis tell one another of the answers they make."""

import asyncio
from collections.abc import Callable
from typing import Final

import attrs

from adapters.cache.event_reader import EventReader
from adapters.cache.event_writer import EventWriter
from adapters.cache.followed_answer import FollowedAnswer
from adapters.cache.json_object import decoded_object
from adapters.cache.live_answer_keys import STOP_CHANNEL
from adapters.cache.redis_link import RedisLink, end_tasks
from application.ports.event_log import AnswerAddress, PortionSink
from domain.answer import ChatAdmitted
from domain.ids import MessageId, Tenant
from domain.live_answer import Ending, Portion

_USER: Final = "events"


@attrs.define(kw_only=True, eq=False)
class RedisEventLog:
    """A stream for each answer, with one entry for all that came between two round trips; see `live_answer_keys.py`.

    One task writes and one reads, for all answers at once. Nobody who makes an answer waits for either; whoever looks
    for one waits for Redis, ten times the limit of a reply at most. While Redis is away, what is said waits for it,
    within bounds of size and time; an answer that exceeds them is left to the store. What Redis loses is told again as
    far as it was kept. Operations are bounded in time, and after five failures in a row Redis is left alone for five
    seconds.
    """

    _link: RedisLink
    _writer: EventWriter = attrs.field(init=False)
    _reader: EventReader = attrs.field(init=False)
    _listeners: list[Callable[[AnswerAddress], None]] = attrs.field(factory=list, init=False)
    _tasks: tuple[asyncio.Task[None], ...] = attrs.field(default=(), init=False)
    _running: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._writer = EventWriter(link=self._link)
        self._reader = EventReader(link=self._link)

    @property
    def is_shared(self) -> bool:
        return True

    def begin(
        self, address: AnswerAddress, *, names: tuple[str, ...] = (), asked: ChatAdmitted | None = None
    ) -> None:
        if self._running:
            self._writer.begin(address, names, asked)

    def publish(self, address: AnswerAddress, portion: Portion) -> None:
        self._writer.publish(address, portion)

    def end(self, address: AnswerAddress, ending: Ending) -> None:
        self._writer.end(address, ending)

    async def find(self, address_of: Tenant, name: str) -> MessageId | None:
        return await self._reader.find(address_of, name) if self._running else None

    async def asked(self, address_of: Tenant, name: str) -> ChatAdmitted | None:
        return await self._reader.asked(address_of, name) if self._running else None

    async def follow(self, address: AnswerAddress, into: PortionSink) -> FollowedAnswer | None:
        return await self._reader.follow(address, into) if self._running else None

    async def ask_to_stop(self, address: AnswerAddress) -> None:
        """Said by and by, not at all if Redis is away for long; who loses its subscription does not hear it."""
        if self._running:
            self._writer.ask_to_stop(address)

    def on_stop(self, asked: Callable[[AnswerAddress], None]) -> None:
        self._listeners.append(asked)

    async def start(self) -> None:
        """
        Raises:
            ConfigurationError: the URL is not one.
        """
        if self._running:
            return
        self._link.join(_USER)
        self._running = True
        self._link.subscribe(STOP_CHANNEL, self._hear)
        self._tasks = (
            asyncio.create_task(self._writer.talk(), name="lor3-events-write"),
            asyncio.create_task(self._reader.read(), name="lor3-events-read"),
        )

    async def aclose(self) -> None:
        """Says what is pending, if Redis is quick; those who follow an answer of another process are cut off."""
        if not self._running:
            return
        self._running = False
        await end_tasks(self._tasks)
        self._tasks = ()
        self._reader.clear()
        try:
            async with asyncio.timeout(self._link.timeout_s * 8):
                await self._writer.flush()
        except TimeoutError:
            pass  # their leases end by themselves
        self._writer.clear()
        await self._link.leave(_USER)

    def _hear(self, data: object) -> None:
        word = decoded_object(data)
        tenant, message_id = word.get("tenant"), word.get("message_id")
        if word.get("v") != 1 or not isinstance(tenant, str) or not isinstance(message_id, str):
            return
        for asked in tuple(self._listeners):
            asked(AnswerAddress(Tenant(tenant), MessageId(message_id)))

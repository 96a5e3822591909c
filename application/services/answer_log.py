"""The events of one answer, in this process's memory, and those who read them, each at its own pace."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import attrs

from domain.answer import ChatDone, ChatEvent, Delta, ToolCalled, ToolCallGrew
from domain.ids import MessageId
from domain.live_answer import Ending, Portion, Position, after, rest_of

PIECE: Final = 16 * 1024
"""Characters that a reader is given at once: what waits for its connection is made of no more."""
EVENTS: Final = 512
"""Events that a reader is given at once: each costs some bytes of its own, however short its text."""
SMALL_EVENTS: Final = 32
SMALL: Final = 2048
"""Events and characters that a waiting reader may be handed on the spot."""
LAG: Final = 48 * 1024
"""Characters that a reader may be behind before the answer waits for it."""
STALL_S: Final = 5.0
"""How long the answer waits for a reader that takes nothing: others may be waiting for their turn in the thread."""
MANY: Final = 2048
"""Events that are kept one by one: of more, those texts that stand together are joined."""

_NONE: Final[Sequence[ChatEvent]] = ()

OnTheSpot: TypeAlias = Callable[[Portion], bool]
"""Takes a small portion at once, without waiting; False where that can't be, and nothing was done."""


@attrs.define(eq=False)
class AnswerLog:
    """Grows at its end; nothing in it changes but how its texts are cut. A sink for portions of another process's too."""

    begins: Position = 0
    """Of whoever has seen nothing of it."""
    ending: Ending | None = None
    """None while more may come."""
    is_replay: bool = False
    """Whether the answer was given before: a request came again with its Idempotency-Key."""
    message_id: MessageId | None = None
    """None where it is not known yet."""
    user: str | None = attrs.field(default=None, repr=False)
    """Whose it is; None where it is nobody's, not known yet, or made by another process."""
    on_unread: "Callable[[], None] | None" = None
    """Called when the last reader has left."""
    on_read: "Callable[[], None] | None" = None
    """Called when a reader comes where there was none."""
    size: int = attrs.field(default=0, init=False)
    """What it holds, in characters."""
    _events: list[ChatEvent] = attrs.field(factory=list, init=False, repr=False)
    _ends: Position = attrs.field(init=False)
    _readers: "list[AnswerReader]" = attrs.field(factory=list, init=False)
    _joined: int = attrs.field(default=0, init=False)
    """How many events are left of those that were joined last."""
    _moved: "asyncio.Future[None] | None" = attrs.field(default=None, init=False)
    """Of an answer that waits for its readers."""
    _is_released: bool = attrs.field(default=False, init=False)
    _over: "asyncio.Future[None] | None" = attrs.field(default=None, init=False)
    """Of those who wait for its end."""

    def __attrs_post_init__(self) -> None:
        self._ends = self.begins

    @property
    def ends(self) -> Position:
        return self._ends

    @property
    def readers(self) -> int:
        return len(self._readers)

    def add(self, events: Sequence[ChatEvent]) -> Portion:
        """Puts them at the end; returns them with where they begin."""
        portion = Portion(begins=self._ends, events=events)
        self.append(portion)
        return portion

    def append(self, portion: Portion) -> None:
        ends, before = self._ends, self.size
        for event in portion.events:
            if type(event) is Delta:
                ends += len(event.text)
                self.size += len(event.text)
            else:
                ends = after(ends, event)
                self.size += size_of(event)
        self._ends = ends
        self._events.extend(portion.events)
        if len(self._events) - self._joined > MANY:
            self._join()
        is_small = self.size - before <= SMALL and len(portion.events) <= SMALL_EVENTS
        for reader in self._readers:
            if is_small and reader._took(portion):  # noqa: SLF001 - a part of the log
                continue
            reader._wake()  # noqa: SLF001 - as above

    def end(self, ending: Ending) -> None:
        self.ending = ending
        self.release()
        if self._over is not None and not self._over.done():
            self._over.set_result(None)
        for reader in self._readers:
            reader._come_back(is_done=ending.error is None)  # noqa: SLF001 - as above
            reader._wake()  # noqa: SLF001 - as above

    def reader(self, seen: Position = 0) -> "AnswerReader":
        """One that gets what comes after `seen`. Close it."""
        reader = AnswerReader(self, seen=max(seen, self.begins))
        self._readers.append(reader)
        if len(self._readers) == 1 and self.on_read is not None:
            self.on_read()
        return reader

    @property
    def is_ahead(self) -> bool:
        """Whether every reader that is worth waiting for is far behind."""
        size, ahead = self.size, False
        for reader in self._readers:
            if not reader.is_slow:
                if size - reader.taken <= LAG:
                    return False
                ahead = True
        return ahead

    async def room(self) -> None:
        """Returns when a reader has caught up, or took nothing for `STALL_S`: then nobody waits for it again."""
        loop = asyncio.get_running_loop()
        while self.is_ahead and self.ending is None and not self._is_released:
            stalled = [each for each in self._readers if not each.is_slow]
            until = max(each.moved_at for each in stalled) + STALL_S
            if loop.time() >= until:
                for each in stalled:
                    each.is_slow = True
                return
            moved = self._moved = loop.create_future()
            await asyncio.wait([moved], timeout=until - loop.time())
            self._moved = None

    async def over(self, *, within_s: float) -> bool:
        """Waits for its end; False where that does not come in time."""
        if self.ending is None:
            if self._over is None:
                self._over = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._over], timeout=within_s)
        return self.ending is not None

    def release(self) -> None:
        """Nobody waits for readers any more."""
        self._is_released = True
        self._reader_moved()

    def _reader_moved(self) -> None:
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)

    def _left(self, reader: "AnswerReader") -> None:
        self._readers.remove(reader)
        self._reader_moved()
        if self._readers:
            return
        if self.ending is not None:
            self._join()
        if self.on_unread is not None:
            self.on_unread()

    def _join(self) -> None:
        """Positions count characters, so that readers find their place whatever the texts are cut into."""
        joined: list[ChatEvent] = []
        texts: list[str] = []
        for event in self._events:
            if type(event) is Delta:
                texts.append(event.text)
                continue
            if texts:
                joined.append(Delta("".join(texts)))
                texts.clear()
            joined.append(event)
        if texts:
            joined.append(Delta("".join(texts)))
        self._events = joined
        self._joined = len(joined)
        for reader in self._readers:
            reader._lost_place()  # noqa: SLF001 - as above


def size_of(event: ChatEvent) -> int:
    """About what it takes, in characters: whatever a model wrote counts."""
    match event:
        case Delta():
            return len(event.text)
        case ToolCallGrew():
            return 1 + len(event.arguments)
        case ToolCalled():
            return 1 + len(event.call.arguments)
        case ChatDone():
            output = event.answer.output
            return 1 + (len(output) if isinstance(output, str) else 0)
        case _:
            return 1


@attrs.define(eq=False)
class AnswerReader:
    """Takes what there is, and waits for more. Belongs to one task."""

    _log: AnswerLog
    position: Position = attrs.field(alias="seen")
    """What it has taken."""
    taken: int = attrs.field(default=0, init=False)
    """How much of the log's size lies behind it; less until one who comes later has caught up."""
    is_slow: bool = attrs.field(default=False, init=False)
    """Whether the answer waits for it no more."""
    moved_at: float = attrs.field(init=False)
    """The loop's time at which it took something last."""
    _index: int | None = attrs.field(default=None, init=False)
    """Of the event that comes next, if that begins where the reader stands; None where it has to be looked for."""
    _waiting: "asyncio.Future[None] | None" = attrs.field(default=None, init=False)
    _on_the_spot: OnTheSpot | None = attrs.field(default=None, init=False, repr=False)
    """While it waits."""
    _within_s: float = attrs.field(default=0.0, init=False)
    _until: float = attrs.field(default=0.0, init=False)
    """The loop's time at which the wait is over."""
    _timer: asyncio.TimerHandle | None = attrs.field(default=None, init=False)
    """Left running from one wait to the next: setting one for each would cost as much as the wait itself."""
    _rings_at: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.moved_at = asyncio.get_running_loop().time()
        if self.position == self._log.begins:
            self._index = 0

    @property
    def has_more(self) -> bool:
        return self.position < self._log._ends  # noqa: SLF001 - its log

    @property
    def ending(self) -> Ending | None:
        """Once all is taken; None while more may come."""
        return None if self.has_more else self._log.ending

    @property
    def log(self) -> AnswerLog:
        return self._log

    @property
    def is_replay(self) -> bool:
        return self._log.is_replay

    def take(self) -> Portion:
        """What is there, as far as `PIECE` goes; perhaps nothing."""
        log, begins = self._log, self.position
        events, ends = log._events, log._ends  # noqa: SLF001 - as above
        if begins >= ends:
            return Portion(begins=begins, events=_NONE)
        index = self._index
        if (
            index is not None and log.size - self.taken <= PIECE and len(events) - index <= EVENTS
        ):  # all of it
            self._index, self.position, self.taken = len(events), ends, log.size
            return Portion(begins=begins, events=events[index:])
        return self._some(events, begins)

    async def wait(self, *, within_s: float, on_the_spot: OnTheSpot | None = None) -> None:
        """Returns when there is more, at the end, or after `within_s`.

        Args:
            on_the_spot: is handed what comes meanwhile, in the task that makes the answer: waking this one for each
                word would cost as much as the word. Then the wait goes on.
        """
        if self.has_more or self._log.ending is not None:
            return
        loop = asyncio.get_running_loop()
        waiting = self._waiting = loop.create_future()
        self._within_s = within_s
        until = self._until = loop.time() + within_s
        if self._timer is None or until < self._rings_at:
            self._set_timer(loop)
        self._on_the_spot = on_the_spot
        try:
            await waiting
        finally:
            self._waiting = self._on_the_spot = None

    def moved(self) -> None:
        """What it took has gone on its way, or some of it."""
        self.moved_at = asyncio.get_running_loop().time()
        self._log._reader_moved()  # noqa: SLF001 - as above

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self in self._log._readers:  # noqa: SLF001 - as above
            self._log._left(self)  # noqa: SLF001 - as above

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = self._until
        self._timer = loop.call_at(self._until, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._until:
            self._set_timer(loop)
        else:
            self._wake()

    def _took(self, portion: Portion) -> bool:
        take = self._on_the_spot
        if take is None or self.position != portion.begins or self._waiting is None or self._waiting.done():
            return False
        if not take(portion):
            return False
        log = self._log
        self._index, self.position, self.taken = len(log._events), log._ends, log.size  # noqa: SLF001 - its log
        self._until = asyncio.get_running_loop().time() + self._within_s
        return True

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _come_back(self, *, is_done: bool) -> None:
        """Whoever claims to have seen more than there is gets the end all the same."""
        log = self._log
        if self.position > log._ends:  # noqa: SLF001 - its log
            last = 1 if is_done and log._events else 0  # noqa: SLF001 - as above
            self._index, self.position = None, max(log._ends - last, log.begins)  # noqa: SLF001 - as above

    def _lost_place(self) -> None:
        self._index = 0 if self.position == self._log.begins else None

    def _some(self, events: Sequence[ChatEvent], begins: Position) -> Portion:
        """A piece of what is there: whole events as far as they fit, and the beginning of one that does not."""
        index = self._index
        at = begins
        if index is None:
            index, at = 0, self._log.begins
            while (ends := after(at, events[index])) <= begins:
                index, at = index + 1, ends
        taken: list[ChatEvent] = []
        room = PIECE
        seen = begins
        while index < len(events) and room > 0 and len(taken) < EVENTS:
            event, ends = rest_of(events[index], at, seen), after(at, events[index])
            if type(event) is Delta and len(event.text) > room:
                event = Delta(event.text[:room])
                taken.append(event)
                self.taken += PIECE
                self._index, self.position = None, max(at, seen) + room
                return Portion(begins=begins, events=taken)
            if event is not None:
                taken.append(event)
                room -= size_of(event)
            index, at, seen = index + 1, ends, max(seen, ends)
        self._index, self.position = index, at
        self.taken = self._log.size if index == len(events) else self.taken + PIECE - room
        return Portion(begins=begins, events=taken)

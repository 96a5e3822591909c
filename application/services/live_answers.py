"""The streamed answers that this process is making, and those that it has just made."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Final, Protocol

import attrs

from application.ports.event_log import AnswerAddress, EventLog
from application.services.answer_log import AnswerLog
from application.services.arrivals import Arrivals
from application.services.request_scope import RequestScope, current, enter
from application.services.stop_signal import StopSignal
from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatAdmitted, ChatStarted, ChatSteps
from domain.clean_text import clean
from domain.errors import AnswerInterrupted, AnswerStopped, LorError, afresh
from domain.ids import MessageId, Tenant
from domain.live_answer import Ending, name_of_user

KEPT: Final = 256
"""Answers whose events are kept after their end, for readers who come back at once; later ones read the store."""
KEPT_CHARACTERS: Final = 2 * 1024 * 1024
"""Of all of them together."""
CUT_S: Final = 5.0
"""How long answers that are cut may take to store what there is."""

UNEXPECTED: Final = "an unexpected fault; it is in lor3's log under this request_id"


class Streaming(Protocol):
    """The use case that makes answers."""

    def stream(
        self, command: SendChatCommand, *, stop: StopSignal | None = None
    ) -> AsyncGenerator[ChatSteps, None]: ...


@attrs.define(kw_only=True, eq=False)
class LiveAnswer:
    """One that is being made, or was."""

    command: SendChatCommand = attrs.field(repr=False)
    names: tuple[str, ...] = attrs.field(repr=False)
    log: AnswerLog = attrs.field(factory=AnswerLog, init=False, repr=False)
    stop: StopSignal = attrs.field(factory=StopSignal, init=False)
    address: AnswerAddress | None = attrs.field(default=None, init=False)
    """None before its chat was admitted."""
    asked: ChatAdmitted | None = attrs.field(default=None, init=False, repr=False)
    """What it is made for; None as long as `address` is."""
    is_left: bool = attrs.field(default=False, init=False)
    """Whether its last reader left it before its end, and nobody has come back."""
    task: "asyncio.Task[None]" = attrs.field(init=False)

    @property
    def is_ended(self) -> bool:
        return self.log.ending is not None


@attrs.define(kw_only=True)
class LiveAnswers:
    """Owns the tasks that make streamed answers. An answer belongs to nobody's connection: who leaves, leaves a log
    behind that others read on from, and by default the answer is finished and stored.
    """

    _send_chat: Streaming
    _event_log: EventLog
    arrivals: Arrivals = attrs.field(factory=Arrivals, init=False)
    unread: int = attrs.field(default=0, init=False)
    """Those under way whose readers have left: they still count as load."""
    _live: dict[AnswerAddress, LiveAnswer] = attrs.field(factory=dict, init=False)
    _named: dict[tuple[Tenant, str], list[LiveAnswer]] = attrs.field(factory=dict, init=False)
    """The one that was admitted last, then those that wait, in their order."""
    _tasks: "set[asyncio.Task[None]]" = attrs.field(factory=set, init=False)
    _kept: "OrderedDict[AnswerAddress, AnswerLog]" = attrs.field(factory=OrderedDict, init=False)
    _kept_characters: int = attrs.field(default=0, init=False)
    _cut_by: LorError | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._event_log.on_stop(self._stop_asked)

    @property
    def is_idle(self) -> bool:
        return not self._tasks

    def use(self, send_chat: Streaming) -> None:
        """From now on answers are made by this one; those under way end with the one that began them."""
        self._send_chat = send_chat

    def under_way(self) -> "frozenset[asyncio.Task[None]]":
        """The tasks that make answers now."""
        return frozenset(self._tasks)

    def start(
        self,
        command: SendChatCommand,
        *,
        names: tuple[str, ...] = (),
        on_fault: Callable[[Exception], None] | None = None,
    ) -> LiveAnswer:
        """Begins to make the answer. Its log ends with an error where it fails.

        Args:
            names: by which it can be found while it is made; see `EventLog.begin`.
            on_fault: takes what is no LorError, once nobody else will look at it.
        """
        answer = LiveAnswer(command=command, names=names)
        answer.log.on_unread = partial(self._unread, answer)
        answer.log.on_read = partial(self._read_again, answer)
        for name in names:  # another one may be under way: only who is admitted takes its names
            self._named.setdefault((command.tenant, name), []).append(answer)
        answer.task = asyncio.get_running_loop().create_task(self._make(answer, on_fault))
        self._tasks.add(answer.task)
        answer.task.add_done_callback(partial(self._made, answer))
        return answer

    def find(self, tenant: Tenant, message_id: MessageId) -> AnswerLog | None:
        """Of an answer that this process makes or has just made."""
        address = AnswerAddress(tenant, message_id)
        live = self._live.get(address)
        return live.log if live is not None else self._kept.get(address)

    def named(self, tenant: Tenant, name: str) -> LiveAnswer | None:
        """The one that is being made under that name."""
        found = self._named.get((tenant, name))
        return None if found is None else found[0]

    def stop(self, answer: LiveAnswer) -> None:
        """Ends it, with what there is. Returns at once; its log ends when that is stored."""
        answer.log.release()
        answer.stop.set()
        if answer.address is None:
            answer.task.cancel()  # it waits for its turn

    def stop_address(self, address: AnswerAddress) -> LiveAnswer | None:
        """As `stop`; None where this process does not make it."""
        answer = self._live.get(address)
        if answer is not None:
            self.stop(answer)
        return answer

    def _unread(self, answer: LiveAnswer) -> None:
        """Its last reader has left, the one who asked for it or one who came later. Stops an answer that was to end
        with it: it ends as one that somebody stopped, for whoever comes back."""
        if answer.is_ended:
            return
        if not answer.is_left:
            answer.is_left = True
            self.unread += 1
        if answer.command.on_disconnect == "cancel":
            self.stop(answer)

    def _read_again(self, answer: LiveAnswer) -> None:
        """Somebody has come back: the load is that reader's request now."""
        if answer.is_left:
            answer.is_left = False
            self.unread -= 1

    async def drain(self, *, within_s: float, because: LorError | None = None) -> None:
        """Waits for all, then cuts the rest, which store what they have.

        Args:
            because: what their readers are told.
        """
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=within_s)
        self._cut_by = because
        for answer in self._live.values():
            answer.stop.cut_by = because
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CUT_S)

    async def _make(self, answer: LiveAnswer, on_fault: Callable[[Exception], None] | None) -> None:
        ending = Ending()
        scope = self._enter_scope(answer.command)
        try:
            await self._play(answer)
        except asyncio.CancelledError:
            ending = self._cut_off(answer)
            if not isinstance(ending.error, AnswerStopped):
                raise
        except LorError as error:
            ending = Ending(error=afresh(error))
        except Exception as error:  # handed to those who read: raised here nobody would see it
            ending = Ending(error=LorError(UNEXPECTED))
            if on_fault is not None:
                on_fault(error)
        finally:
            self._end(answer, ending)
            scope.ended = True

    @staticmethod
    def _enter_scope(command: SendChatCommand) -> RequestScope:
        """Of its own: the answer may outlive the request that began it, whose scope ends with it."""
        begun_in, caller = current(), command.caller
        scope = RequestScope(
            request_id=command.request_id,
            tenant=command.tenant,
            key_id=caller.key_id,
            traceparent=None if begun_in is None else begun_in.traceparent,
        )
        enter(scope)
        return scope

    def _made(self, answer: LiveAnswer, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not answer.is_ended:  # it was cancelled before its first step
            self._end(answer, self._cut_off(answer))

    def _cut_off(self, answer: LiveAnswer) -> Ending:
        if answer.stop.is_set and answer.address is None:
            return Ending(error=AnswerStopped("the answer was stopped before it began"))
        return Ending(
            error=self._cut_by or AnswerInterrupted("the answer was cut off; send the request again")
        )

    async def _play(self, answer: LiveAnswer) -> None:
        log, shared = answer.log, self._event_log.is_shared
        async with aclosing(self._send_chat.stream(answer.command, stop=answer.stop)) as steps:
            async for step in steps:
                if isinstance(step, ChatAdmitted):
                    self._admitted(answer, step)
                    continue
                if answer.address is None and step and isinstance(step[0], ChatStarted):
                    log.is_replay = step[0].is_replay
                    log.message_id = step[0].message_id
                portion = log.add(step)
                if shared and answer.address is not None:
                    self._event_log.publish(answer.address, portion)
                if log.is_ahead and not answer.stop.is_set:
                    await log.room()

    def _admitted(self, answer: LiveAnswer, step: ChatAdmitted) -> None:
        address = answer.address = AnswerAddress(answer.command.tenant, step.message_id)
        answer.log.message_id = step.message_id
        answer.log.user = step.user
        answer.asked = step
        self._live[address] = answer
        for name in answer.names:
            named = self._named[address.tenant, name]
            named.remove(answer)
            named.insert(0, answer)
        if self._event_log.is_shared:
            names = answer.names
            if step.user is not None:
                names = (*names, name_of_user(clean(step.user), step.message_id))
            self._event_log.begin(address, names=names, asked=step if answer.names else None)

    def _end(self, answer: LiveAnswer, ending: Ending) -> None:
        answer.log.end(ending)
        answer.log.on_unread = answer.log.on_read = None
        self.unread -= answer.is_left
        for name in answer.names:
            named = self._named[answer.command.tenant, name]
            named.remove(answer)
            if not named:
                del self._named[answer.command.tenant, name]
        address = answer.address
        if address is None:
            return
        del self._live[address]
        if self._event_log.is_shared:
            self._event_log.end(address, ending)
        self._keep(address, answer.log)

    def _keep(self, address: AnswerAddress, log: AnswerLog) -> None:
        self._kept[address] = log
        self._kept_characters += log.size
        while len(self._kept) > KEPT or self._kept_characters > KEPT_CHARACTERS:
            _, dropped = self._kept.popitem(last=False)
            self._kept_characters -= dropped.size

    def _stop_asked(self, address: AnswerAddress) -> None:
        self.stop_address(address)

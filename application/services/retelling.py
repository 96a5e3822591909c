"""Stored answers, told as the stream that they were."""

import asyncio
from collections.abc import Mapping
from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.absence import no_answer
from application.services.answer_log import AnswerLog, AnswerReader
from application.services.chat_events import told_again
from application.services.completion import SHORT_TEXT
from domain.answer import UNKNOWN_CONTEXT, ChatAnswer, ChatEvent, Reset
from domain.attempt import Attempt
from domain.chat import FinishReason
from domain.errors import AnswerInterrupted, AnswerStopped, ChatFailed, LorError
from domain.ids import MessageId, SessionId, Tenant
from domain.json_value import JSONValue
from domain.live_answer import RUN, Ending, Position, after
from domain.model import ModelRef
from domain.output.cut import as_cut
from domain.output.formatter import Formatter
from domain.routing.policy import VERDICTS
from domain.thread import StoredMessage
from domain.usage import NO_USAGE
from domain.values import frozen

_RETRYABLE: Final = frozenset(
    (
        *(verdict.code for verdict in VERDICTS.values() if verdict.retryable),
        *("deadline_exceeded", "storage_unavailable", "shutting_down"),
    )
)


@frozen(kw_only=True)
class StoredAnswer:
    """An answer with what its stream would tell of it."""

    message: StoredMessage
    attempts: tuple[Attempt, ...]
    """Every one, those that were passed over included; none of a copy."""
    session_id: SessionId
    wants_json: bool = False
    """Whether its format did."""

    @property
    def resets(self) -> int:
        """How often its stream began again, at most: every call that said something, but for the last, was void.

        So was the last, perhaps, where it said all that it had to say: it may have been no valid answer, and whoever was
        asked once more said nothing; or there was text around the JSON, which was taken away.
        """
        said = [each for each in self.attempts if each.purpose == "answer" and _has_said(each)]
        if not said:
            return 0
        is_kept = self.message.status == "complete" or self.message.message.parts or _calls(self)
        is_void = said[-1].outcome == "ok" and (self.wants_json or not is_kept)
        return len(said) - (not is_void)

    @property
    def error(self) -> LorError | None:
        """What ended it before its answer."""
        message = self.message
        if message.status == "interrupted":
            return AnswerInterrupted("the process that made the answer is gone; send the request again")
        if message.error_code is not None or message.status == "failed":
            code = message.error_code or "internal_error"
            words = (
                "the server that made the answer stopped; send the request again"
                if code == "shutting_down"
                else f"the answer failed in the making; GET /messages/{message.id} has its attempts"
            )
            return ChatFailed(code, words, retryable=code in _RETRYABLE)
        if message.model is None:
            return AnswerStopped("the answer was stopped before it began")
        return None

    @property
    def finish_reason(self) -> FinishReason:
        return self.message.finish_reason or ("stop" if self.message.status == "complete" else "stopped")


@attrs.define(kw_only=True)
class Retelling:
    """
    Raises (from each method):
        StorageUnavailable: the database is away.
    """

    _unit_of_work: UnitOfWorkFactory
    _formatters: Mapping[str, Formatter]

    async def find(self, tenant: Tenant, message_id: MessageId) -> StoredAnswer | None:
        """None where it is absent, deleted or another tenant's.

        Raises:
            NotFound: it is a turn that lor3 did not answer with.
        """
        async with self._unit_of_work(tenant) as work:
            message = await work.messages.get(message_id)
            if message is None:
                return None
            if not message.is_answer:
                raise no_answer(message_id)
            thread = await work.threads.get(message.thread_id)
            attempts = await work.messages.attempts(message_id)
        if thread is None:
            return None
        formatter = self._formatters.get(message.format or "raw")
        return StoredAnswer(
            message=message,
            attempts=attempts,
            session_id=thread.session_id,
            wants_json=formatter is not None and formatter.wants_json,
        )

    async def reader(self, stored: StoredAnswer, *, seen: Position) -> AnswerReader | None:
        """Of what comes after `seen`; None where nothing does.

        What was one text is continued inside it. Where the stream's positions are not known any more (it began again,
        or called tools, whose pieces are not stored), or do not reach as far, a reader who has seen some of it is told
        to begin again, in a run of its own, whose positions are known.
        """
        error = stored.error
        events: tuple[ChatEvent, ...] = ()
        model = stored.message.model
        if model is not None and (error is None or stored.message.message.parts or _calls(stored)):
            answer = await self._answer(stored, model)
            events = told_again(answer, stored.message.message.text)
            if error is not None:
                events = events[:-1]
        begins, events = _placed(stored, events, seen)
        log = AnswerLog(begins=begins, message_id=stored.message.id)
        if events:
            log.add(events)
        log.end(Ending(error=error))
        return _left(log, seen)

    async def rest(self, log: AnswerLog, stored: StoredAnswer, *, seen: Position) -> AnswerReader | None:
        """As `reader`, of an answer that has ended and whose own events are still there. Where `seen` lies beyond them
        it was told of a stored answer, by another process perhaps."""
        assert log.ending is not None  # noqa: S101 - else more may come
        if seen > log.ends + (log.ending.error is not None):
            return await self.reader(stored, seen=seen)
        return _left(log, seen)

    async def _answer(self, stored: StoredAnswer, model: ModelRef) -> ChatAnswer:
        message = stored.message
        sent = tuple([each for each in stored.attempts if each.was_sent])
        asked = {each.model for each in stored.attempts if each.purpose == "answer"}
        return ChatAnswer(
            message_id=message.id,
            thread_id=message.thread_id,
            session_id=stored.session_id,
            output=await self._output(stored),
            format=message.format or "raw",
            model=model,
            prompt_version=message.prompt_version,
            finish_reason=stored.finish_reason,
            tool_calls=message.message.tool_calls,
            usage=message.usage or NO_USAGE,
            cost_usd=message.cost_usd,
            attempts=sent,
            fallbacks=max(0, len(asked) - 1),
            context=UNKNOWN_CONTEXT,
            warnings=(),
            overhead_s=0.0,
        )

    async def _output(self, stored: StoredAnswer) -> JSONValue:
        """What the format makes of the text: that is not stored beside it."""
        text = stored.message.message.text
        formatter = self._formatters.get(stored.message.format or "raw")
        is_whole = stored.message.status == "complete" and stored.finish_reason != "content_filter"
        if formatter is None or not is_whole or _calls(stored):
            return text
        if formatter.is_instant or len(text) <= SHORT_TEXT:
            formatted = formatter.format(text, schema=None)
        else:
            formatted = await asyncio.to_thread(formatter.format, text, schema=None)
        if stored.finish_reason == "length" and stored.wants_json:
            formatted = as_cut(formatted, text)
        return text if formatted.problems or isinstance(formatted.output, str) else formatted.output


def _left(log: AnswerLog, seen: Position) -> AnswerReader | None:
    """A reader of an answer that has ended; None where `seen` is its end, that of its error included."""
    assert log.ending is not None  # noqa: S101 - else more may come
    if seen < log.ends or (seen == log.ends and log.ending.error is not None):
        return log.reader(seen)
    return None


def _placed(
    stored: StoredAnswer, events: tuple[ChatEvent, ...], seen: Position
) -> tuple[Position, tuple[ChatEvent, ...]]:
    """Where its events begin for one who has seen up to `seen`, and which they are for that one."""
    run, resets = seen // RUN, stored.resets
    # Runs beyond those of its stream were told from here before.
    if run > resets or (run == resets and not _calls(stored)):
        begins, rest = run * RUN, events[1:] if run else events
        ends = begins
        for event in rest:
            ends = after(ends, event)
        if seen <= ends + (stored.error is not None):
            return begins, rest
    if seen == 0:
        return ((resets + 1) * RUN - 1 if events else 0), events
    begins = max(seen, resets * RUN)
    model = stored.message.model or next((each.model for each in reversed(stored.attempts)), None)
    if model is None:  # nobody has said anything that could be void
        return (begins // RUN + 1) * RUN, events
    return begins, (Reset(reason="replayed", from_model=model, to_model=model), *events[1:])


def _has_said(attempt: Attempt) -> bool:
    """Every call that said something was charged, by estimate where the provider gave no numbers."""
    return attempt.outcome == "ok" or attempt.usage != NO_USAGE


def _calls(stored: StoredAnswer) -> bool:
    return bool(stored.message.message.tool_calls)

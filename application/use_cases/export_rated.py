"""Take rated answers out, each with the conversation that led to it."""

import datetime
from collections.abc import AsyncIterator
from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from domain.errors import Fault, InvalidRequest
from domain.feedback import Feedback, RatedMessage, Rating, score
from domain.ids import DEFAULT_TENANT, MessageId, Tenant
from domain.message import Message
from domain.model import ModelRef
from domain.prompt.reference import PromptReference
from domain.rated_conversation import conversation_of
from domain.thread import StoredMessage
from domain.values import frozen

_PAGE: Final = 100
_READ: Final = 120
"""Messages that are read of each thread: more than are shown, as some of them were made in place of others."""


@frozen(kw_only=True)
class ExportRatedCommand:
    """Which rated answers; all conditions hold together, and None is no condition."""

    tenant: Tenant = DEFAULT_TENANT
    at_least: Rating | None = None
    """By score: 4 includes thumbs up, and thumbs up is as much as 5."""
    at_most: Rating | None = None
    since: datetime.datetime | None = None
    """When the answer was made."""
    until: datetime.datetime | None = None
    """Exclusive."""
    prompt: PromptReference | None = None
    """A name means all of its versions; a label, those answers whose version was chosen by it."""
    model: ModelRef | None = None
    """The one that answered."""


@frozen(kw_only=True)
class RatedConversation:
    messages: tuple[Message, ...]
    """Oldest first; the last one is the answer."""
    answer: StoredMessage
    feedback: Feedback


@attrs.define(kw_only=True)
class ExportRated:
    """By the order in which the answers were made. No transaction is held between two of them."""

    _unit_of_work: UnitOfWorkFactory

    async def execute(self, command: ExportRatedCommand) -> AsyncIterator[RatedConversation]:
        """Whole answers only: one that failed, was cut or says nothing is no example of anything, whatever people
        thought of it. One of which the question is gone is left out too.

        Raises:
            InvalidRequest: the conditions exclude each other; before the first one.
            StorageUnavailable: the database is away, or goes away.
        """
        _check(command)
        after: MessageId | None = None
        while True:
            async with self._unit_of_work(command.tenant) as work:
                page = await work.feedback.rated(
                    after=after, since=command.since, until=command.until, limit=_PAGE
                )
            for rated in page:
                if not _is_rated_so(rated, command):
                    continue
                async with self._unit_of_work(command.tenant) as work:
                    found = await _conversation(work, rated, command)
                if found is not None:
                    yield found
            if len(page) < _PAGE:
                return
            after = page[-1].message_id


async def _conversation(
    work: UnitOfWork, rated: RatedMessage, command: ExportRatedCommand
) -> RatedConversation | None:
    answer = await work.messages.get(rated.message_id)
    if answer is None or answer.feedback is None or not _is_made_so(answer, command):
        return None  # deleted or taken back meanwhile, or not asked for
    if not answer.is_answer:
        return None  # rated before that was refused: no model wrote it
    if answer.status != "complete" or not (answer.message.text or answer.message.tool_calls):
        return None
    last = rated.position - 1
    if answer.parent is not None:
        asked = await work.messages.get(answer.parent)
        if asked is None or asked.position is None or asked.thread_id != answer.thread_id:
            return None
        last = asked.position
    newest_first = await work.messages.page(answer.thread_id, below=last + 1, limit=_READ, newest_first=True)
    messages = conversation_of(answer, newest_first[::-1], is_cut=len(newest_first) == _READ)
    if not messages:
        return None
    return RatedConversation(messages=messages, answer=answer, feedback=answer.feedback)


def _is_rated_so(rated: RatedMessage, command: ExportRatedCommand) -> bool:
    given = score(rated.feedback.rating)
    return (command.at_least is None or given >= score(command.at_least)) and (
        command.at_most is None or given <= score(command.at_most)
    )


def _is_made_so(answer: StoredMessage, command: ExportRatedCommand) -> bool:
    if command.model is not None and answer.model != command.model:
        return False
    prompt = command.prompt
    if prompt is None:
        return True
    version = answer.prompt_version or ""
    if prompt.version is not None:
        return version == str(prompt)
    if version.partition(":")[0] != prompt.name:
        return False
    return prompt.label is None or prompt.label == answer.prompt_label


def _check(command: ExportRatedCommand) -> None:
    faults: list[Fault] = []
    if (
        command.at_least is not None
        and command.at_most is not None
        and score(command.at_least) > score(command.at_most)
    ):
        faults.append(Fault(path="at_least", message="must not be more than `at_most`"))
    if command.since is not None and command.until is not None and command.since >= command.until:
        faults.append(Fault(path="from", message="must be earlier than `to`"))
    if faults:
        raise InvalidRequest.of(*faults)

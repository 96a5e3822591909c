"""Say what one thinks of an answer, or take it back."""

from collections.abc import Iterator

import attrs

from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_message
from application.services.thread_lookup import canonical_id
from domain.clean_text import clean_value
from domain.errors import Fault, InvalidRequest
from domain.feedback import MAX_COMMENT, MAX_TAG, MAX_TAGS, MAX_USER, RATINGS, Feedback, Rating
from domain.ids import DEFAULT_TENANT, MessageId, Tenant
from domain.thread import StoredMessage
from domain.values import frozen


@frozen(kw_only=True)
class RateMessageCommand:
    tenant: Tenant = DEFAULT_TENANT
    message_id: MessageId
    rating: Rating
    comment: str | None = None
    tags: tuple[str, ...] = ()
    user: str | None = None
    """The caller's opaque id of whoever rates."""


@attrs.define(kw_only=True)
class RateMessage:
    """An answer has one feedback: whoever rates last overwrites it, and the history keeps all."""

    _unit_of_work: UnitOfWorkFactory
    _clock: Clock

    async def execute(self, command: RateMessageCommand) -> Feedback:
        """The feedback as it stands then. The same word again changes nothing, not even its time.

        Raises:
            InvalidRequest: a value is beyond its limits, or the message is no answer (at `message_id`).
            NotFound: there is no such message.
        """
        faults = tuple(_faults(command))
        if faults:
            raise InvalidRequest.of(*faults)
        async with self._unit_of_work(command.tenant) as work:
            stored = await _answer(work, command.message_id)
            # What is stored is cleaned: compared as it came, the same word would look like another one.
            given = clean_value(
                Feedback(
                    rating=command.rating,
                    comment=command.comment or None,
                    tags=tuple(sorted(set(command.tags))),
                    user=command.user,
                    given_at=self._clock.now(),
                )
            )
            if stored.feedback is not None and stored.feedback.says_the_same(given):
                return stored.feedback
            await work.feedback.put(stored.id, given, at=given.given_at)
            await work.commit()
        return given

    async def take_back(self, tenant: Tenant, message_id: MessageId) -> bool:
        """False where there was nothing to take back.

        Raises:
            InvalidRequest: the message is no answer.
            NotFound: there is no such message.
        """
        async with self._unit_of_work(tenant) as work:
            stored = await _answer(work, message_id)
            if stored.feedback is None:
                return False
            await work.feedback.put(stored.id, None, at=self._clock.now())
            await work.commit()
        return True


async def _answer(work: UnitOfWork, message_id: MessageId) -> StoredMessage:
    known = canonical_id(message_id)
    stored = None if known is None else await work.feedback.lock(MessageId(known))
    if stored is None:
        raise no_message(message_id)
    role = stored.message.role
    if role != "assistant":
        raise InvalidRequest.of(
            Fault(
                path="message_id",
                message=f"is a message of role `{role}`; only answers, of role `assistant`, can be rated",
            )
        )
    if not stored.is_answer:
        raise InvalidRequest.of(
            Fault(
                path="message_id",
                message="is a turn that the caller gave in `messages`; only what a model answered can be rated",
            )
        )
    return stored


def _faults(command: RateMessageCommand) -> Iterator[Fault]:
    # `True == 1`, and `1.0 == 1`: the types tell them apart.
    if type(command.rating) not in (int, str) or command.rating not in RATINGS:
        yield Fault(path="rating", message="must be `thumbs_up`, `thumbs_down` or an integer from 1 to 5")
    for path, text, limit in (("comment", command.comment, MAX_COMMENT), ("user", command.user, MAX_USER)):
        if text is not None and len(text) > limit:
            yield Fault(path=path, message=f"must have at most {limit:,} characters; it has {len(text):,}")
    if len(command.tags) > MAX_TAGS:
        yield Fault(path="tags", message=f"must have at most {MAX_TAGS} items; it has {len(command.tags)}")
    for index, tag in enumerate(command.tags[:MAX_TAGS]):
        if not tag.strip():
            yield Fault(path=f"tags[{index}]", message="must not be empty")
        elif len(tag) > MAX_TAG:
            yield Fault(
                path=f"tags[{index}]",
                message=f"must have at most {MAX_TAG} characters; it has {len(tag):,}",
            )

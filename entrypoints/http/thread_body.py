"""The bodies and queries of the routes of sessions, threads and messages, and the commands they become."""

from typing import Final, Literal

from application.use_cases.change_thread import ChangeThreadCommand
from application.use_cases.fork_thread import ForkThreadCommand
from application.use_cases.open_session import OpenSessionCommand
from application.use_cases.open_thread import OpenThreadCommand
from application.use_cases.pin_message import PinMessageCommand
from application.use_cases.read_threads import DEFAULT_PAGE
from domain.access import ANYBODY, Caller
from domain.errors import InvalidRequest
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.json_value import JSONObject
from domain.thread import ThreadOrder
from domain.thread_words import MAX_TAG, MAX_TAGS, MAX_TITLE
from domain.values import frozen
from entrypoints.http.callers import user_of
from entrypoints.http.checks import Boolean, Choice, Faults, ListOf, Text, UUIDText, fault
from entrypoints.http.query import FlagText, IntegerText
from entrypoints.http.records import Record, given

MAX_PAGE: Final = 100
USER: Final = Text(max_length=256)
_TITLE: Final = Text(max_length=MAX_TITLE, blank=False)
_TAGS: Final = ListOf(item=Text(max_length=MAX_TAG, blank=False), max_items=MAX_TAGS)
_TAG: Final = Text(max_length=MAX_TAG, blank=False)
_TAG_DOC: Final = "Those with this tag alone, letter for letter."
_ORDER: Final = Choice(("created", "updated"))
_ORDER_DOC: Final = (
    "The newest first: by when they were opened, or by when they were last written to. Threads that are written to "
    "between two pages of `updated` move to the front, where these pages have been already."
)
_CURSOR: Final = Text(min_length=1, max_length=512)
_CURSOR_DOC: Final = "`next_cursor` of the page before, as it came; the first page without."
_LIMIT: Final = IntegerText(minimum=1, maximum=MAX_PAGE)
_LIMIT_DOC: Final = "Items on a page."
_TAGS_DOC: Final = "Words to find it by; kept in alphabetical order, each once."


@frozen(kw_only=True)
class SessionBody:
    """A session to be."""

    user: str | None = given(USER, "The caller's opaque id of its end user; empty is none.", example="u-4711")


@frozen(kw_only=True)
class ThreadBody:
    """A thread to be, still without a message."""

    session_id: str | None = given(UUIDText(), "The session it belongs to; a new one where it is left out.")
    user: str | None = given(
        USER, "The user of a new session. Beside `session_id` it has to be that session's.", example="u-4711"
    )
    title: str | None = given(_TITLE, "What people call it.", example="Travel plans")
    tags: tuple[str, ...] | None = given(_TAGS, _TAGS_DOC, example=["travel"])


@frozen(kw_only=True)
class ThreadPatchBody:
    """What is to change of a thread; what is left out stays."""

    title: str | None = given(
        _TITLE, "What people call it; null takes the title away.", example="Plans for spring"
    )
    tags: tuple[str, ...] | None = given(
        _TAGS, "In place of those it has; `[]` or null takes all of them away.", example=["travel", "spring"]
    )


@frozen(kw_only=True)
class ForkBody:
    """Where to fork a thread."""

    message_id: str = given(
        UUIDText(), "The last message of this thread that the new one has too.", required=True
    )
    title: str | None = given(_TITLE, "The new thread's title; the same where it is left out.")


@frozen(kw_only=True)
class MessagePatchBody:
    """What is to change of a message."""

    pinned: bool = given(
        Boolean(), "Whether the memory keeps its exchange whatever its age.", required=True, example=True
    )


@frozen(kw_only=True)
class SessionsQuery:
    """Which sessions, and which part of the list."""

    user: str | None = given(USER, "Those of this user alone.", example="u-4711")
    cursor: str | None = given(_CURSOR, _CURSOR_DOC)
    limit: int | None = given(_LIMIT, _LIMIT_DOC, default=DEFAULT_PAGE)


@frozen(kw_only=True)
class ThreadsQuery:
    """Which threads, and which part of the list."""

    session_id: str | None = given(UUIDText(), "Those of this session alone.")
    user: str | None = given(USER, "Those of this user's sessions alone.", example="u-4711")
    tag: str | None = given(_TAG, _TAG_DOC, example="travel")
    order: ThreadOrder | None = given(
        _ORDER, f"{_ORDER_DOC} It needs `session_id` or `user`.", default="created"
    )
    cursor: str | None = given(_CURSOR, f"{_CURSOR_DOC} It belongs to its `order`.")
    limit: int | None = given(_LIMIT, _LIMIT_DOC, default=DEFAULT_PAGE)


@frozen(kw_only=True)
class SessionThreadsQuery:
    """Which threads of a session, and which part of the list."""

    tag: str | None = given(_TAG, _TAG_DOC, example="travel")
    order: ThreadOrder | None = given(_ORDER, _ORDER_DOC, default="created")
    cursor: str | None = given(_CURSOR, f"{_CURSOR_DOC} It belongs to its `order`.")
    limit: int | None = given(_LIMIT, _LIMIT_DOC, default=DEFAULT_PAGE)


@frozen(kw_only=True)
class PageQuery:
    """Which part of a list."""

    cursor: str | None = given(_CURSOR, _CURSOR_DOC)
    limit: int | None = given(_LIMIT, _LIMIT_DOC, default=DEFAULT_PAGE)


@frozen(kw_only=True)
class MessagesQuery:
    """Which part of a thread, and which way round."""

    cursor: str | None = given(_CURSOR, f"{_CURSOR_DOC} It belongs to its `order`.")
    limit: int | None = given(_LIMIT, _LIMIT_DOC, default=DEFAULT_PAGE)
    order: Literal["asc", "desc"] | None = given(
        Choice(("asc", "desc")), "`asc`: the oldest first; `desc`: the newest first.", default="asc"
    )


@frozen(kw_only=True)
class DeleteQuery:
    """How to delete a thread."""

    purge: bool | None = given(
        FlagText(),
        "Removes it at once and for good, also one that was deleted before; else retention does, later.",
        default=False,
    )


@frozen(kw_only=True)
class ExportQuery:
    """How to write a thread."""

    format: Literal["json", "markdown"] | None = given(
        Choice(("json", "markdown")), "`json` for programs, `markdown` for people.", default="json"
    )


SESSION: Final = Record(SessionBody)
THREAD: Final = Record(ThreadBody)
THREAD_PATCH: Final = Record(ThreadPatchBody)
FORK: Final = Record(ForkBody)
MESSAGE_PATCH: Final = Record(MessagePatchBody)
SESSIONS: Final = Record(SessionsQuery)
THREADS: Final = Record(ThreadsQuery)
PAGE: Final = Record(PageQuery)
SESSION_THREADS: Final = Record(SessionThreadsQuery)
MESSAGES: Final = Record(MessagesQuery)
DELETE: Final = Record(DeleteQuery)
EXPORT: Final = Record(ExportQuery)


def read_session(value: JSONObject, faults: Faults, *, caller: Caller = ANYBODY) -> OpenSessionCommand:
    """The command in a decoded body.

    Raises:
        InvalidRequest: with every fault at once, those in `faults` included.
    """
    body = SESSION.read(value, "", faults)
    if body is None or faults:
        raise InvalidRequest.of(*faults)
    return OpenSessionCommand(tenant=caller.tenant, user=user_of(caller, body.user or None))


def read_thread(value: JSONObject, faults: Faults, *, caller: Caller = ANYBODY) -> OpenThreadCommand:
    """As `read_session`."""
    body = THREAD.read(value, "", faults)
    if body is None or faults:
        raise InvalidRequest.of(*faults)
    return OpenThreadCommand(
        tenant=caller.tenant,
        session_id=None if body.session_id is None else SessionId(body.session_id),
        user=user_of(caller, body.user or None),
        title=body.title,
        tags=body.tags or (),
    )


def read_change(
    value: JSONObject,
    *,
    thread_id: ThreadId,
    if_match: tuple[str, ...] | None,
    faults: Faults,
    tenant: Tenant = DEFAULT_TENANT,
) -> ChangeThreadCommand:
    """As `read_session`. Unlike elsewhere null is no field that is left out: it takes away (RFC 7396)."""
    body = THREAD_PATCH.read(value, "", faults)
    if not value:
        fault(faults, "", "says nothing to change; give `title`, `tags` or both")
    if body is None or faults:
        raise InvalidRequest.of(*faults)
    return ChangeThreadCommand(
        tenant=tenant,
        thread_id=thread_id,
        title=body.title,
        clear_title="title" in value and body.title is None,
        tags=(body.tags or ()) if "tags" in value else None,
        if_match=if_match,
    )


def read_fork(
    value: JSONObject, *, thread_id: ThreadId, faults: Faults, tenant: Tenant = DEFAULT_TENANT
) -> ForkThreadCommand:
    """As `read_session`."""
    body = FORK.read(value, "", faults)
    if body is None or faults:
        raise InvalidRequest.of(*faults)
    return ForkThreadCommand(
        tenant=tenant, thread_id=thread_id, message_id=MessageId(body.message_id), title=body.title
    )


def read_pin(
    value: JSONObject, *, message_id: MessageId, faults: Faults, tenant: Tenant = DEFAULT_TENANT
) -> PinMessageCommand:
    """As `read_session`."""
    body = MESSAGE_PATCH.read(value, "", faults)
    if body is None or faults:
        raise InvalidRequest.of(*faults)
    return PinMessageCommand(tenant=tenant, message_id=message_id, pinned=body.pinned)

"""Ids on the command line: whole ones, and of threads their beginnings."""

import uuid
from typing import TYPE_CHECKING, Final

from entrypoints.cli.options import tenant_from

if TYPE_CHECKING:
    from domain.ids import MessageId, SessionId, ThreadId
    from entrypoints.application import Application
    from entrypoints.reading import Reading

SHORTEST: Final = 8
"""Digits of a beginning. A UUIDv7 begins with its time: 8 digits tell minutes apart, 12 milliseconds."""
_DIGITS: Final = 32
_HEX: Final = frozenset("0123456789abcdef")


def message_id(text: str, *, path: str) -> "MessageId":
    """
    Raises:
        Misused: it is no UUID.
    """
    from domain.ids import MessageId

    return MessageId(
        _whole(
            text, path, "a message is named by its whole id, which `lor3 thread show THREAD_ID --json` has"
        )
    )


def session_id(text: str, *, path: str) -> "SessionId":
    """Raises as `message_id` does."""
    from domain.ids import SessionId

    return SessionId(
        _whole(text, path, "a session is named by its whole id, which `lor3 thread show THREAD_ID` shows")
    )


def is_thread_id(text: str) -> bool:
    """Whether it is a thread's id or may be the beginning of one."""
    digits = _digits(text)
    return SHORTEST <= len(digits) <= _DIGITS and _HEX.issuperset(digits)


def check_thread_id(text: str, *, path: str) -> str:
    """`text`, to be looked up by `existing_thread_id`; a wrong one is refused before anything else is done.

    Raises:
        Misused: it is neither a UUID nor the beginning of one.
    """
    if not is_thread_id(text):
        raise _invalid(
            path,
            text,
            f"give its id, such as 01890a5d-ac96-774b-bcce-b302099a8057, or {SHORTEST} characters or more of its "
            "beginning; `lor3 thread list` shows them",
        )
    return text


async def existing_thread_id(application: "Application | Reading", text: str, *, path: str) -> "ThreadId":
    """The whole id of the thread that `text` names; a whole one is not looked up.

    Raises:
        Misused: it is no id.
        InvalidRequest: several threads' ids begin like it.
        NotFound: none does.
    """
    from domain.errors import Fault, InvalidRequest, NotFound
    from domain.ids import ThreadId

    digits = _digits(check_thread_id(text, path=path))
    if len(digits) == _DIGITS:
        return ThreadId(str(uuid.UUID(digits)))
    last = str(uuid.UUID(digits.ljust(_DIGITS, "f")))
    beginning = last[: len(digits) + _dashes(len(digits))]
    # Ids are sorted: those that begin so are the newest ones before the last that can.
    page = await application.read_threads.threads(tenant_from(), before=ThreadId(last), limit=2)
    found = [thread.id for thread in page.items if thread.id.startswith(beginning)]
    if not found:
        raise NotFound(
            f"no thread's id begins with {beginning}; `lor3 thread list` shows the threads there are"
        )
    if len(found) > 1:
        raise InvalidRequest.of(
            Fault(
                path=path,
                message=f"the ids of several threads begin with {beginning}, {found[0]} and {found[1]} among them; "
                "give more of the one you mean",
            )
        )
    return found[0]


def _dashes(digits: int) -> int:
    """Of those that stand behind 8, 12, 16 and 20 digits of a UUID, how many come before so many digits end."""
    return sum(digits > place for place in (8, 12, 16, 20))


def _digits(text: str) -> str:
    return text.strip().lower().replace("-", "")


def _whole(text: str, path: str, remedy: str) -> str:
    digits = _digits(text)
    if len(digits) != _DIGITS or not _HEX.issuperset(digits):
        raise _invalid(path, text, remedy)
    return str(uuid.UUID(digits))


def _invalid(path: str, text: str, remedy: str) -> Exception:
    from domain.suggestion import shown
    from entrypoints.cli.misuse import misused

    return misused(path, f"`{shown(text)}` is no id; {remedy}")

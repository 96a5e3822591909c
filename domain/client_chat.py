"""A chat as a client names it, and the thread that holds it."""

import datetime
import re
from typing import Final

from domain.ids import Tenant, ThreadId
from domain.values import frozen

MAX_CHAT_ID: Final = 128
"""Characters."""
_THREAD_ID: Final = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@frozen(kw_only=True)
class ClientChat:
    """Binds an id that a client made up to the thread where its chat goes on."""

    id: str
    """1 to 128 characters of any kind; unique in its tenant."""
    tenant: Tenant
    thread_id: ThreadId
    """Another one after an earlier turn was asked anew: the chat goes on in a fork then."""
    created_at: datetime.datetime
    updated_at: datetime.datetime
    """When it was bound to this thread."""


def answer_name(chat_id: str) -> str:
    """The name by which the answer of a chat can be found while it is made. Of a thread's id it is one, in whatever case
    it is written, since the chats of that name are that thread's."""
    return f"chat:{chat_id.lower() if _THREAD_ID.fullmatch(chat_id) else chat_id}"

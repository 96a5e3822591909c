"""What is told of messages and threads that are not there: absent, deleted and another tenant's look the same."""

from domain.errors import NotFound
from domain.suggestion import shown


def no_message(message_id: str) -> NotFound:
    return NotFound(f"there is no message {shown(message_id)}; the messages of a thread name those there are")


def no_thread(thread_id: str) -> NotFound:
    return NotFound(f"there is no thread {shown(thread_id)}; the list of threads names those there are")

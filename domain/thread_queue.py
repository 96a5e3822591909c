"""Who may wait for a busy thread, and what the others are told."""

from typing import Literal

from domain.errors import ThreadBusy
from domain.values import frozen


@frozen(kw_only=True)
class ThreadQueuePolicy:
    """Bounds on the chats that wait for one thread. They count in each process by itself."""

    when_busy: Literal["queue", "reject"] = "queue"
    max_queued: int = 100
    max_wait_s: float = 60.0

    def refusal(self, waiting: int) -> ThreadBusy | None:
        """Why one more chat may not wait behind `waiting` others; None where it may."""
        if self.when_busy == "reject":
            return ThreadBusy(
                "another chat of this thread is being answered: send this one when that answer is there, "
                "or set `threads.when_busy` to `queue` to let chats wait for their turn"
            )
        if waiting >= self.max_queued:
            return ThreadBusy(
                f"another chat of this thread is being answered, and no more than {self.max_queued} may wait for "
                "their turn (`threads.max_queued`): send this one when some of them are answered"
            )
        return None

    def waited_too_long(self) -> ThreadBusy:
        return ThreadBusy(
            f"this chat waited {self.max_wait_s:g} s for those before it in the thread, as long as "
            "`threads.max_wait_s` allows: nothing of it was stored; send it again when they are answered"
        )

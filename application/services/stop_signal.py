"""A caller's wish that an answer ends here."""

import asyncio

import attrs

from domain.errors import LorError


class StoppedByCaller(Exception):
    """Raised in the chat's own task, where it waits for a provider."""


@attrs.define
class StopSignal:
    """Set from anywhere in the loop; the chat's task hears it between `arm` and `disarm`, at once where it waits.

    So it never meets the commit, and never somebody else's await at a `yield`.
    """

    is_set: bool = False
    cut_by: LorError | None = None
    """Why the server itself cut the chat, where it did; nobody wished for it then."""
    _task: "asyncio.Task[object] | None" = None
    """The one that waits, while it is armed."""
    _own: "asyncio.Task[object] | None" = None
    """The chat's, which is one and the same all along."""
    _cancelling: int = 0

    def set(self) -> None:
        if self.is_set:
            return
        self.is_set = True
        if self._task is not None:
            self._task.cancel()

    def arm(self) -> None:
        """From now on the current task may be interrupted.

        Raises:
            StoppedByCaller: it was asked for before.
        """
        if self.is_set:
            raise StoppedByCaller
        task = self._own = self._own or asyncio.current_task()
        self._task = task
        self._cancelling = 0 if task is None else task.cancelling()

    def disarm(self) -> None:
        self._task = None

    def took_place(self) -> bool:
        """Asked where a CancelledError was caught: True if it was this signal's alone.

        Then the cancellation has been taken back; otherwise somebody else wants the task to end, and it must go on.
        """
        task, self._task = self._task, None
        return self.is_set and task is not None and task.uncancel() <= self._cancelling

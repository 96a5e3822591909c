"""`python -m tests.torture.saboteur FAULT serve …`: lor3 with one fault built in, which the audit must find."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final

import attrs

from adapters.persistence import commit_queue
from domain.thread import ChatRecord

_later: Final[set[asyncio.Task[None]]] = set()


def _acknowledge_before_the_commit() -> None:
    """The answer goes out while it waits for a batch, a slow one."""
    commit = commit_queue.CommitQueue.commit

    async def early(self: commit_queue.CommitQueue, record: ChatRecord) -> None:
        async def later() -> None:
            try:
                await asyncio.sleep(0.3)
                await commit(self, record)
            except Exception:  # noqa: S110 - nobody waits for it: that is the fault
                pass

        task = asyncio.create_task(later())
        _later.add(task)
        task.add_done_callback(_later.discard)

    _set(commit_queue.CommitQueue, "commit", early)


def _forget_keys() -> None:
    """The answer is stored without the key that it was sent with."""
    commit = commit_queue.CommitQueue.commit

    async def without(self: commit_queue.CommitQueue, record: ChatRecord) -> None:
        await commit(self, attrs.evolve(record, completes=None))

    _set(commit_queue.CommitQueue, "commit", without)


def _set(owner: type, name: str, value: Callable[..., Any]) -> None:
    setattr(owner, name, value)


FAULTS: Final = {
    "acknowledge-before-the-commit": _acknowledge_before_the_commit,
    "forget-keys": _forget_keys,
}


if __name__ == "__main__":
    from entrypoints.cli.main import main

    FAULTS[sys.argv[1]]()
    sys.argv[1:] = sys.argv[2:]
    sys.exit(main())

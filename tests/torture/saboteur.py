"""`python -m tests.torture.saboteur FAULT,… serve …`: lor3 with faults built in, which the audit must find."""

import asyncio
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import attrs

from adapters.persistence import commit_queue
from domain.message import Message
from domain.thread import ChatRecord

_WINDOW_S: Final = 1.5
"""As long as a replica lives at most once its death is due, so that every kill finds something to lose."""
_later: Final[set[asyncio.Task[None]]] = set()


def _acknowledge_before_the_commit() -> None:
    """The answer goes out while it waits for a batch, a slow one."""
    commit = commit_queue.CommitQueue.commit

    async def early(self: commit_queue.CommitQueue, record: ChatRecord) -> None:
        async def later() -> None:
            try:
                await asyncio.sleep(_WINDOW_S)
                await commit(self, record)
            except Exception:  # noqa: S110 - nobody waits for it: that is the fault
                pass

        task = asyncio.create_task(later())
        _later.add(task)
        task.add_done_callback(_later.discard)

    _set(commit_queue.CommitQueue, "commit", early)


def _forget_keys() -> None:
    """The answer is stored without the key that it was sent with."""
    _change_records(lambda record: attrs.evolve(record, completes=None))


def _drop_attempts() -> None:
    """The answer is stored without the calls that it took."""
    _change_records(lambda record: attrs.evolve(record, attempts=()))


def _cut_turns() -> None:
    """Of what the user said the first word is stored."""

    def cut(record: ChatRecord) -> ChatRecord:
        return attrs.evolve(
            record,
            messages=tuple(
                attrs.evolve(each, message=Message.of("user", each.message.text.partition(" ")[0]))
                if each.message.role == "user"
                else each
                for each in record.messages
            ),
        )

    _change_records(cut)


def _give_partial_answers_away() -> None:
    """What was said before an answer broke off is stored, and nothing is charged for it."""

    def free(record: ChatRecord) -> ChatRecord:
        *turns, answer = record.messages
        if answer.status == "complete":
            return record
        return attrs.evolve(
            record,
            messages=(*turns, attrs.evolve(answer, cost_usd=Decimal(0))),
            attempts=tuple(attrs.evolve(each, cost_usd=Decimal(0)) for each in record.attempts),
        )

    _change_records(free)


def _change_records(change: Callable[[ChatRecord], ChatRecord]) -> None:
    commit = commit_queue.CommitQueue.commit

    async def changed(self: commit_queue.CommitQueue, record: ChatRecord) -> None:
        await commit(self, change(record))

    _set(commit_queue.CommitQueue, "commit", changed)


def _set(owner: type, name: str, value: Callable[..., Any]) -> None:
    setattr(owner, name, value)


FAULTS: Final = {
    "acknowledge-before-the-commit": _acknowledge_before_the_commit,
    "cut-turns": _cut_turns,
    "drop-attempts": _drop_attempts,
    "forget-keys": _forget_keys,
    "give-partial-answers-away": _give_partial_answers_away,
}


if __name__ == "__main__":
    from entrypoints.cli.main import main

    for name in sys.argv[1].split(","):
        FAULTS[name]()
    sys.argv[1:] = sys.argv[2:]
    sys.exit(main())

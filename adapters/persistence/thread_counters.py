"""Which positions the messages of a batch get in their threads."""

import datetime

import attrs

from domain.ids import Tenant, ThreadId
from domain.thread import ChatRecord, Thread

ThreadKey = tuple[Tenant, ThreadId]


@attrs.define
class Counter:
    """By how much a batch makes one thread grow."""

    thread: Thread
    """As the first record of the batch that belongs to it has it."""
    count: int = 0
    """Of its messages."""
    updated_at: datetime.datetime | None = None
    """When the last of them was made; None where there is none."""


@attrs.define
class ThreadCounters:
    """Counts the messages of a batch, thread by thread, in the order of its records."""

    made: dict[ThreadKey, Counter] = attrs.field(factory=dict)
    """Threads that the batch makes: their positions begin at 0."""
    grown: dict[ThreadKey, Counter] = attrs.field(factory=dict)
    """Threads that existed before: positions are counted from their `next_position`, which only the database knows."""

    def place(self, record: ChatRecord) -> tuple[int, bool]:
        """The position of the record's first message, and whether its thread existed before the batch."""
        thread, messages = record.thread, record.messages
        key = (thread.tenant, thread.id)
        # A thread may be continued in the very batch that makes it: then its positions are known here.
        counter = self.made.get(key)
        continues = False
        if counter is None:
            continues = not record.new_thread
            counters = self.grown if continues else self.made
            counter = counters.get(key)
            if counter is None:
                counter = counters[key] = Counter(thread)
        first = counter.count
        if messages:
            counter.count = first + len(messages)
            counter.updated_at = messages[-1].created_at
        return first, continues

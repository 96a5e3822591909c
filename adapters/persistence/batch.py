"""What one transaction of the commit queue writes."""

from collections.abc import Sequence

import attrs

from adapters.persistence.rows import Row, attempt_row, completion_row, message_row, session_row, thread_row
from adapters.persistence.thread_counters import Counter, ThreadCounters, ThreadKey
from adapters.persistence.usage_log import log_rows
from domain.thread import ChatRecord


@attrs.define(kw_only=True)
class Batch:
    """The rows of some records, as dicts.

    Messages of a thread that existed before carry `continues` and a position counted from the thread's
    `next_position`, which only the database knows; `growth` says by how much each such thread grows.
    """

    sessions: list[Row] = attrs.field(factory=list)
    threads: list[Row] = attrs.field(factory=list)
    messages: list[Row] = attrs.field(factory=list)
    attempts: list[Row] = attrs.field(factory=list)
    uses: list[Row] = attrs.field(factory=list)
    """What reports count of each record; they name only what they have (`usage_log.py`)."""
    growth: dict[ThreadKey, Counter] = attrs.field(factory=dict)
    completions: list[Row] = attrs.field(factory=list)
    """Of idempotency keys: each must find its claim, or nothing of the batch is stored."""

    spends: list[Row] = attrs.field(factory=list)
    """What its chats add to the counters of budgets, one by one."""

    @classmethod
    def of(cls, records: Sequence[ChatRecord]) -> "Batch":
        batch = cls()
        counters = ThreadCounters(grown=batch.growth)
        for record in records:
            first, continues = counters.place(record)
            batch.add(record, first=first, continues=continues)
        for counter in counters.made.values():
            batch.add_thread(counter)
        return batch

    def without(self, missing: frozenset[ThreadKey]) -> "Batch":
        """The batch as if the records of these threads had not been in it."""
        return Batch(
            sessions=self.sessions,
            threads=self.threads,
            messages=[row for row in self.messages if (row["tenant"], row["thread_id"]) not in missing],
            attempts=[row for row in self.attempts if (row["tenant"], row["thread_id"]) not in missing],
            uses=[row for row in self.uses if (row["tenant"], row["thread_id"]) not in missing],
            growth={key: row for key, row in self.growth.items() if key not in missing},
            completions=[row for row in self.completions if (row["tenant"], row["thread_id"]) not in missing],
            spends=[row for row in self.spends if (row["tenant"], row["thread_id"]) not in missing],
        )

    def add(self, record: ChatRecord, *, first: int, continues: bool) -> None:
        """All but its thread.

        Args:
            first: the position of its first message
            continues: whether its thread existed before the batch
        """
        thread = record.thread
        if record.new_session:
            self.sessions.append(session_row(record.session))
        for offset, message in enumerate(record.messages):
            row = message_row(message, position=first + offset)
            row["continues"] = continues
            self.messages.append(row)
        if record.messages:
            last = record.messages[-1]
            for number, attempt in enumerate(record.attempts):
                row = attempt_row(attempt, tenant=last.tenant, message_id=last.id, number=number)
                row["thread_id"] = thread.id
                row["continues"] = continues
                self.attempts.append(row)
        for spend in record.spends:
            self.spends.append(
                {
                    "tenant": thread.tenant,
                    "subject": spend.subject.kind,
                    "subject_id": spend.subject.id,
                    "period": spend.period,
                    "starts_at": spend.starts_at,
                    "spent_usd": spend.amount_usd,
                    "thread_id": thread.id,
                    "continues": continues,
                }
            )
        for row in log_rows(record):
            row["thread_id"] = thread.id
            row["continues"] = continues
            self.uses.append(row)
        completion = record.completes
        if completion is not None:
            row = completion_row(completion, thread)
            row["continues"] = continues
            self.completions.append(row)

    def add_thread(self, counter: Counter) -> None:
        """Which the batch makes."""
        row = thread_row(counter.thread, next_position=counter.count)
        if counter.updated_at is not None:
            row["updated_at"] = counter.updated_at
        self.threads.append(row)

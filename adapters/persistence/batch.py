"""What one transaction of the commit queue writes."""

from collections.abc import Sequence

import attrs

from adapters.persistence.rows import Row, attempt_row, message_row, session_row, thread_row
from adapters.persistence.usage_log import log_rows
from domain.answer_codec import encode_answer
from domain.ids import Tenant, ThreadId
from domain.thread import ChatRecord

ThreadKey = tuple[Tenant, ThreadId]


@attrs.define(kw_only=True)
class Batch:
    """The rows of some records.

    Messages of a thread that existed before carry `continues` and a position counted from the thread's
    `next_position`, which only the database knows; `growth` says by how much each such thread grows.
    """

    sessions: list[Row] = attrs.field(factory=list)
    threads: list[Row] = attrs.field(factory=list)
    messages: list[Row] = attrs.field(factory=list)
    attempts: list[Row] = attrs.field(factory=list)
    uses: list[Row] = attrs.field(factory=list)
    """What reports count of each record; they name only what they have (`usage_log.py`)."""
    growth: dict[ThreadKey, Row] = attrs.field(factory=dict)
    completions: list[Row] = attrs.field(factory=list)
    """Of idempotency keys: each must find its claim, or nothing of the batch is stored."""

    spends: list[Row] = attrs.field(factory=list)
    """What its chats add to the counters of budgets, one by one."""

    @classmethod
    def of(cls, records: Sequence[ChatRecord]) -> "Batch":
        batch = cls()
        new: dict[ThreadKey, Row] = {}
        for record in records:
            batch._add(record, new)
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

    def _add(self, record: ChatRecord, new: dict[ThreadKey, Row]) -> None:
        thread = record.thread
        key = (thread.tenant, thread.id)
        count = len(record.messages)
        if record.new_session:
            self.sessions.append(session_row(record.session))
        if record.new_thread and key not in new:
            new[key] = thread_row(thread, next_position=0)
            self.threads.append(new[key])
        # A thread may be continued in the very batch that makes it: then its positions are known here.
        counter = new.get(key)
        continues = counter is None
        if counter is None:
            counter = self.growth.get(key)
            if counter is None:
                counter = {"tenant": thread.tenant, "id": thread.id, "next_position": 0, "updated_at": None}
                self.growth[key] = counter
        first = counter["next_position"]
        counter["next_position"] = first + count
        for offset, message in enumerate(record.messages):
            row = message_row(message, position=first + offset)
            row["continues"] = continues
            self.messages.append(row)
        if record.messages:
            last = record.messages[-1]
            counter["updated_at"] = last.created_at
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
            self.completions.append(
                {
                    "tenant": thread.tenant,
                    "key": completion.claim.key,
                    "owner": completion.claim.owner,
                    "message_id": completion.answer.message_id,
                    "thread_id": thread.id,
                    "answer": encode_answer(completion.answer),
                    "continues": continues,
                }
            )

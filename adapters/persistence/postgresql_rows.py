"""The rows of usual chats as JSON text for PostgreSQL, written out by hand.

What `batch.py` makes as dicts, without the columns that are NULL. A dict for each of ten rows, and an encoder that
walks them, cost several times the CPU. Tests hold both to each other.
"""

import datetime

import attrs
import orjson

from adapters.persistence.thread_counters import Counter
from adapters.persistence.usage_log import is_usual
from domain.latency import bucket_of
from domain.message import Message, TextPart
from domain.thread import ChatRecord, StoredMessage
from domain.usage import Usage


@attrs.define
class UsualRows:
    """Rows of chats that are plain text, answered at the first try; each list is one of JSON objects.

    Their attempts and what they leave in the log are told by the rows of their answers.
    """

    sessions: list[str] = attrs.field(factory=list, init=False)
    threads: list[str] = attrs.field(factory=list, init=False)
    messages: list[str] = attrs.field(factory=list, init=False)
    spends: list[str] = attrs.field(factory=list, init=False)
    _times: dict[datetime.datetime, str] = attrs.field(factory=dict, init=False)

    def add(self, record: ChatRecord, *, first: int, continues: bool) -> bool:
        """False for a chat that is not usual: then nothing of it was added.

        Args:
            first: the position of its first message
            continues: whether its thread existed before the batch
        """
        if not is_usual(record) or record.completes is not None:
            return False
        *turns, answer = record.messages
        attempt, session = record.attempts[0], record.session
        model, usage, now = answer.model, answer.usage, answer.created_at
        tenant, thread_id = answer.tenant, answer.thread_id
        if model is None or usage is None or answer.latency_ms is None or answer.pinned or answer.metadata:
            return False
        if (
            # What was tried is told by the answer's own row (`usual_tries.py`).
            attempt.model != model
            or (attempt.usage is not usage and attempt.usage != usage)
            or (attempt.cost_usd is not answer.cost_usd and attempt.cost_usd != answer.cost_usd)
            or session.tenant != tenant
            or record.thread.tenant != tenant
            or record.thread.id != thread_id
            or (record.new_session and session.created_at is not now)
        ):
            return False
        contents: list[str] = []
        for stored in record.messages:
            content = _content(stored.message)
            if content is None:
                return False
            contents.append(content)
        for stored in turns:
            if not _is_plain(stored) or stored.created_at is not now or stored.thread_id != thread_id:
                return False
        words = (
            tenant, thread_id, session.id, answer.id, model.provider, model.model,
            session.user or "", answer.parent or "", answer.key_id or "", answer.format or "",
            answer.prompt_version or "", answer.prompt_label or "", answer.finish_reason or "",
            attempt.response_id or "",
            *[stored.id for stored in turns], *[stored.parent or "" for stored in turns],
            *[spend.subject.id for spend in record.spends],
        )  # fmt: skip
        if not _need_no_escape("".join(words)):
            return False

        at = self._time(now)
        of = f'"tenant":"{tenant}","created_at":{at}'
        if record.new_session:
            user = "" if session.user is None else f',"user":"{session.user}"'
            self.sessions.append(f'{{{of},"id":"{session.id}"{user}}}')
        of = f'{{{of},"thread_id":"{thread_id}","status":"complete","pinned":false,"id":"'
        end = ',"continues":true}' if continues else "}"
        position = first
        for stored, content in zip(turns, contents, strict=False):
            parent = "" if stored.parent is None else f',"parent":"{stored.parent}"'
            count = stored.message.token_count
            tokens = "" if count is None else f',"token_count":{count}'
            self.messages.append(
                f'{of}{stored.id}","role":"{stored.message.role}","position":{position},'
                f'"content":{content}{parent}{tokens}{end}'
            )
            position += 1
        told = f',"provider":"{model.provider}","model":"{model.model}"'
        if answer.prompt_version is not None:
            told += f',"prompt_version":"{answer.prompt_version}"'
        if answer.prompt_label is not None:
            told += f',"prompt_label":"{answer.prompt_label}"'
        if answer.key_id is not None:
            told += f',"key_id":"{answer.key_id}"'
        rest = end
        if answer.parent is not None:
            rest = f',"parent":"{answer.parent}"{rest}'
        if answer.format is not None:
            rest = f',"format":"{answer.format}"{rest}'
        if answer.finish_reason is not None:
            rest = f',"finish_reason":"{answer.finish_reason}"{rest}'
        if answer.message.token_count is not None:
            rest = f',"token_count":{answer.message.token_count}{rest}'
        cost_usd = answer.cost_usd
        money = "" if cost_usd is None else f'"{cost_usd!s}"'
        cost = "" if cost_usd is None else f',"cost_usd":{money}'
        if attempt.status is not None:
            rest = f',"tried_status":{attempt.status}{rest}'
        if attempt.response_id is not None:
            rest = f',"response_id":"{attempt.response_id}"{rest}'
        if session.user is not None:
            rest = f',"user":"{session.user}"{rest}'
        latency_ms, tried_ms = answer.latency_ms, attempt.latency_ms
        self.messages.append(
            f'{of}{answer.id}","role":"assistant","position":{position},"content":{contents[-1]}'
            f'{told}{_tokens(usage)}{cost},"latency_ms":{latency_ms},"latency_bucket":{bucket_of(latency_ms)},'
            f'"tried_at":{self._time(attempt.started_at)},"tried_ms":{tried_ms},"tried_bucket":{bucket_of(tried_ms)}{rest}'
        )

        end = f',"thread_id":"{thread_id}","continues":true}}' if continues else "}"
        for spend in record.spends:
            subject, usd = spend.subject, spend.amount_usd
            amount = money if usd is cost_usd else f'"{usd!s}"'
            self.spends.append(
                f'{{"tenant":"{tenant}","subject":"{subject.kind}","subject_id":"{subject.id}","period":'
                f'"{spend.period}","starts_at":{self._time(spend.starts_at)},"spent_usd":{amount}{end}'
            )
        return True

    def add_thread(self, counter: Counter) -> bool:
        """As `add`, for a thread that the batch makes."""
        thread = counter.thread
        if thread.title is not None or thread.tags or thread.forked_from is not None:
            return False
        if not _need_no_escape(f"{thread.tenant}{thread.id}{thread.session_id}"):
            return False
        created_at = self._time(thread.created_at)
        updated_at = counter.updated_at or thread.updated_at or thread.created_at
        self.threads.append(
            f'{{"tenant":"{thread.tenant}","id":"{thread.id}","session_id":"{thread.session_id}",'
            f'"next_position":{counter.count},"created_at":{created_at},'
            f'"updated_at":{created_at if updated_at is thread.created_at else self._time(updated_at)}}}'
        )
        return True

    def _time(self, moment: datetime.datetime) -> str:
        known = self._times.get(moment)
        if known is None:
            known = self._times[moment] = orjson.dumps(moment).decode()
        return known


def _need_no_escape(text: str) -> bool:
    """Whether it is the same in JSON: then so is each of the texts that it is made of."""
    return text.isascii() and len(orjson.dumps(text)) == len(text) + 2


def _is_plain(stored: StoredMessage) -> bool:
    """Whether a turn is what the caller said and nothing else."""
    return (
        stored.status == "complete"
        and stored.model is None
        and stored.usage is None
        and stored.feedback is None
        and stored.copied_from is None
        and stored.error_code is None
        and stored.format is None
        and stored.prompt_version is None
        and stored.prompt_label is None
        and stored.finish_reason is None
        and stored.cost_usd is None
        and stored.latency_ms is None
        and stored.key_id is None
        and not stored.pinned
        and not stored.metadata
    )


def _content(message: Message) -> str | None:
    """None for what is more than one text, or none that the database takes as it is."""
    parts = message.parts
    if len(parts) != 1 or message.tool_call_id is not None or message.tool_calls:
        return None
    (part,) = parts
    if not isinstance(part, TextPart) or "\0" in part.text:
        return None
    try:
        return f'{{"parts":[{{"type":"text","text":{orjson.dumps(part.text).decode()}}}]}}'
    except orjson.JSONEncodeError:
        return None  # a lone surrogate


def _tokens(usage: Usage) -> str:
    return (
        f',"input_tokens":{usage.input_tokens},"output_tokens":{usage.output_tokens},'
        f'"cached_input_tokens":{usage.cached_input_tokens},"cache_write_tokens":{usage.cache_write_tokens},'
        f'"reasoning_tokens":{usage.reasoning_tokens},'
        f'"usage_estimated":{"true" if usage.estimated else "false"}'
    )

"""The tables. `migrations/` makes them; a test holds both to each other.

Every key holds `tenant`, so that neither a query nor a foreign key can cross from one to another. It comes
after the id: an id tells rows apart sooner than a tenant that most rows share, and no index but the right one
fits a look-up. (With the tenant first, PostgreSQL checked foreign keys of a fresh database by walking all of a
tenant's messages, on a plan it then kept.)
"""

from typing import Any

import sqlalchemy as sa

from adapters.persistence.column_types import Identifier, JSONDocument, Money, PromptNameText, Timestamp

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _belongs_to(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column, "tenant"], [f"{table}.id", f"{table}.tenant"], ondelete="CASCADE")


def _partial_index(name: str, table: sa.Table, columns: tuple[str, ...], where: str) -> None:
    condition = sa.text(where)
    sa.Index(
        name, *(table.c[column] for column in columns), postgresql_where=condition, sqlite_where=condition
    )


SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("id", Identifier, nullable=False),
    sa.Column("user", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("id", "tenant"),
    # Lists are read newest first by id, which is by time.
    sa.Index(None, "tenant", "id"),
    sa.Index(None, "tenant", "user", "id"),
)

THREADS = sa.Table(
    "threads",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("id", Identifier, nullable=False),
    sa.Column("session_id", Identifier, nullable=False),
    sa.Column("title", sa.Text),
    sa.Column("tags", JSONDocument),
    sa.Column("forked_from", Identifier),
    sa.Column("next_position", sa.Integer, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp, nullable=False),
    sa.Column("deleted_at", Timestamp),
    sa.PrimaryKeyConstraint("id", "tenant"),
    _belongs_to("sessions", "session_id"),
    sa.Index(None, "session_id", "tenant", "id"),
    sa.Index(None, "tenant", "id"),
)
_partial_index("ix_threads_deleted_at", THREADS, ("deleted_at",), "deleted_at IS NOT NULL")

# The tags once more, a row each: an index on the list itself would not be used where row security binds, as
# PostgreSQL looks into JSON only after the policy. A chat gives its new thread none.
THREAD_TAGS = sa.Table(
    "thread_tags",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("thread_id", Identifier, nullable=False),
    sa.Column("tag", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("thread_id", "tenant", "tag"),
    _belongs_to("threads", "thread_id"),
    sa.Index(None, "tenant", "tag", "thread_id"),
)

# On PostgreSQL this table and `attempts` are divided into months by the message's id, which is a UUIDv7
# (partitions.py). So no key there is unique without it, and no foreign key leads here: a month goes as a whole.

MESSAGES = sa.Table(
    "messages",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("id", Identifier, nullable=False),
    sa.Column("thread_id", Identifier, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("content", JSONDocument, nullable=False),
    sa.Column("token_count", sa.BigInteger),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("error_code", sa.Text),
    sa.Column("parent", Identifier),
    sa.Column("pinned", sa.Boolean, nullable=False),
    sa.Column("copied_from", Identifier),
    sa.Column("format", sa.Text),
    sa.Column("provider", sa.Text),
    sa.Column("model", sa.Text),
    sa.Column("prompt_version", sa.Text),
    sa.Column("prompt_label", sa.Text),
    sa.Column("finish_reason", sa.Text),
    sa.Column("input_tokens", sa.BigInteger),
    sa.Column("output_tokens", sa.BigInteger),
    sa.Column("cached_input_tokens", sa.BigInteger),
    sa.Column("cache_write_tokens", sa.BigInteger),
    sa.Column("reasoning_tokens", sa.BigInteger),
    sa.Column("usage_estimated", sa.Boolean),
    sa.Column("cost_usd", Money),
    sa.Column("latency_ms", sa.BigInteger),
    sa.Column("metadata", JSONDocument),
    # `thumbs_up`, `thumbs_down`, `1` to `5`.
    sa.Column("rating", sa.Text),
    # The rest of the newest feedback: comment, tags, user, given_at.
    sa.Column("feedback", JSONDocument),
    sa.Column("created_at", Timestamp, nullable=False),
    # The account of the API key; no foreign key, as keys are few and messages many.
    sa.Column("key_id", Identifier),
    sa.PrimaryKeyConstraint("id", "tenant"),
    # Also the index that the tail of a thread is read from.
    sa.UniqueConstraint("thread_id", "tenant", "position").ddl_if(dialect="sqlite"),
    sa.Index(None, "thread_id", "tenant", "position").ddl_if(dialect="postgresql"),
    _belongs_to("threads", "thread_id"),
    # Which hour they are of: rows lie in the order of their time, so a few bytes for each megabyte tell.
    sa.Index(None, "created_at", postgresql_using="brin", postgresql_with={"autosummarize": "true"}).ddl_if(
        dialect="postgresql"
    ),
)
_partial_index("ix_messages_pinned", MESSAGES, ("thread_id", "tenant", "position"), "pinned")
_partial_index("ix_messages_rated", MESSAGES, ("thread_id", "tenant", "position"), "rating IS NOT NULL")
_partial_index("ix_messages_rated_tenant_id", MESSAGES, ("tenant", "id"), "rating IS NOT NULL")

ATTEMPTS = sa.Table(
    "attempts",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("message_id", Identifier, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("started_at", Timestamp, nullable=False),
    sa.Column("latency_ms", sa.BigInteger, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("cached_input_tokens", sa.BigInteger, nullable=False),
    sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
    sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
    sa.Column("usage_estimated", sa.Boolean, nullable=False),
    sa.Column("cost_usd", Money),
    sa.Column("response_id", sa.Text),
    # None is `answer`.
    sa.Column("purpose", sa.Text),
    sa.PrimaryKeyConstraint("message_id", "tenant", "number"),
    _belongs_to("messages", "message_id").ddl_if(dialect="sqlite"),
)

# Of prompts the tenant comes first: their names are read in order, and no other index begins with it.
PROMPTS = sa.Table(
    "prompts",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("name", PromptNameText, nullable=False),
    sa.Column("latest", sa.BigInteger, nullable=False),
    sa.Column("next_number", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("labels", JSONDocument, nullable=False),
    sa.Column("file", JSONDocument),
    sa.Column("assistant", JSONDocument),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("tenant", "name"),
)

PROMPT_VERSIONS = sa.Table(
    "prompt_versions",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("name", PromptNameText, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    # JSON as text: jsonb would lose the order of the variables, and with it what the hash was made of.
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("declares", sa.Boolean, nullable=False),
    sa.Column("pins", JSONDocument, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("author", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False),
    # When a chat first used it; then it can't be deleted any more.
    sa.Column("used_at", Timestamp),
    sa.PrimaryKeyConstraint("tenant", "name", "number"),
)

# The pins once more, the other way round: which versions include this one is asked by its key alone.
PROMPT_PINS = sa.Table(
    "prompt_pins",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("pinned_name", PromptNameText, nullable=False),
    sa.Column("pinned_number", sa.Integer, nullable=False),
    sa.Column("name", PromptNameText, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.PrimaryKeyConstraint("tenant", "pinned_name", "pinned_number", "name", "number"),
    sa.ForeignKeyConstraint(
        ["tenant", "name", "number"],
        ["prompt_versions.tenant", "prompt_versions.name", "prompt_versions.number"],
        ondelete="CASCADE",
    ),
    sa.Index(None, "name", "number", "tenant"),
)

PROMPT_LABEL_MOVES = sa.Table(
    "prompt_label_moves",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("name", PromptNameText, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    # 1, 2, 3 … of this label: two moves may bear the same time.
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("weights", JSONDocument, nullable=False),
    sa.Column("author", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("moved_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("tenant", "name", "label", "position"),
)

THREAD_SUMMARIES = sa.Table(
    "thread_summaries",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("thread_id", Identifier, nullable=False),
    # The position of the last message that it covers.
    sa.Column("up_to", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("token_count", sa.BigInteger),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("thread_id", "tenant"),
    _belongs_to("threads", "thread_id"),
)

# No foreign key leads to messages: a month of them must go in a moment. Who removes messages removes these too.
FEEDBACK_CHANGES = sa.Table(
    "feedback_changes",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("message_id", Identifier, nullable=False),
    # 1, 2, 3 … of this message.
    sa.Column("position", sa.BigInteger, nullable=False),
    # None where the feedback was taken back.
    sa.Column("rating", sa.Text),
    sa.Column("feedback", JSONDocument),
    sa.Column("at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("message_id", "tenant", "position"),
)

IDEMPOTENCY_KEYS = sa.Table(
    "idempotency_keys",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    # `in_flight`; `done`, with an answer; `interrupted`, where the owner went silent.
    sa.Column("state", sa.Text, nullable=False),
    # Which run holds the key, and until when it must have said that it still does.
    sa.Column("owner", Identifier, nullable=False),
    sa.Column("lease_until", Timestamp, nullable=False),
    # Of a completed one: where its answer is, and the answer as it is given again, as JSON in text.
    sa.Column("message_id", Identifier),
    sa.Column("thread_id", Identifier),
    sa.Column("answer", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("expires_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("key", "tenant"),
    sa.Index(None, "expires_at"),
    sa.Index(None, "thread_id", "tenant"),
)
_partial_index("ix_idempotency_keys_in_flight", IDEMPOTENCY_KEYS, ("tenant",), "state = 'in_flight'")

# The id is a client's own: any text.
CLIENT_CHATS = sa.Table(
    "client_chats",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("thread_id", Identifier, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("id", "tenant"),
    _belongs_to("threads", "thread_id"),
    sa.Index(None, "thread_id", "tenant"),
)

# Of all tenants' keys: only the hash tells whose one is, so it is found without a tenant.
API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("id", Identifier, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    # SHA-256 in hexadecimal digits.
    sa.Column("hash", sa.Text, nullable=False),
    # Ed25519, base64url.
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("scopes", JSONDocument, nullable=False),
    sa.Column("models", JSONDocument, nullable=False),
    sa.Column("limits", JSONDocument, nullable=False),
    sa.Column("budgets", JSONDocument, nullable=False),
    sa.Column("account", Identifier, nullable=False),
    sa.Column("replaces", Identifier),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("changed_at", Timestamp, nullable=False),
    sa.Column("expires_at", Timestamp),
    sa.Column("revoked_at", Timestamp),
    sa.PrimaryKeyConstraint("id", "tenant"),
    sa.UniqueConstraint("hash"),
    sa.Index(None, "changed_at"),
    sa.Index(None, "tenant", "name"),
)

ANOMALIES = sa.Table(
    "anomalies",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("id", Identifier, nullable=False),
    sa.Column("at", Timestamp, nullable=False),
    sa.Column("dimension", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("measure", sa.Text, nullable=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("usual", sa.Double, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    # The answer may be gone: no foreign key leads to messages.
    sa.Column("message_id", Identifier),
    sa.PrimaryKeyConstraint("id", "tenant"),
    sa.Index(None, "tenant", "at"),
)

# What budgets have spent, a row for each period of each subject.
BUDGET_COUNTERS = sa.Table(
    "budget_counters",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    # `key`, `tenant`, `user`, `thread`.
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    # `day`, `month`, `total`.
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("starts_at", Timestamp, nullable=False),
    sa.Column("spent_usd", Money, nullable=False),
    sa.PrimaryKeyConstraint("subject_id", "tenant", "subject", "period", "starts_at"),
    sa.Index(None, "starts_at"),
)

# What each process has reserved of a counter. Whoever writes one has locked the counter's row.
BUDGET_HOLDS = sa.Table(
    "budget_holds",
    METADATA,
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("starts_at", Timestamp, nullable=False),
    sa.Column("holder", Identifier, nullable=False),
    sa.Column("amount_usd", Money, nullable=False),
    sa.Column("lease_until", Timestamp, nullable=False),
    sa.PrimaryKeyConstraint("subject_id", "tenant", "subject", "period", "starts_at", "holder"),
    sa.Index(None, "lease_until"),
)

_USE_DIMENSIONS = (
    "provider", "model", "prompt_version", "prompt_label", "key_id", "user", "outcome", "purpose",
)  # fmt: skip
_USE_SUMS = (
    "requests", "errors", "failovers", "input_tokens", "output_tokens", "cached_input_tokens",
    "cache_write_tokens", "reasoning_tokens", "unpriced", "estimated", "latency_ms",
    "thumbs_up", "thumbs_down", "stars", "stars_total",
)  # fmt: skip


def _use(*, of: str, time: str) -> list[sa.Column[Any]]:
    """What was used, in a row: of what, then how much. Text that says nothing is empty, as keys hold no null."""
    return [
        sa.Column("tenant", sa.Text, nullable=False),
        # `answer`, `attempt`, `refusal`; `user` is answers once more, by nothing but the user.
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column(time, Timestamp, nullable=False),
        *[sa.Column(name, sa.Text, nullable=False) for name in _USE_DIMENSIONS],
        # Of `domain/latency.py`; -1 where there is none that counts.
        sa.Column("latency_bucket", sa.Integer, nullable=False),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in _USE_SUMS],
        sa.Column("latency_low_ms", sa.BigInteger, nullable=False),
        sa.Column("latency_high_ms", sa.BigInteger, nullable=False),
        sa.Column("cost_usd", Money, nullable=False),
        *([] if of == "log" else [sa.Column("last_at", Timestamp, nullable=False)]),
    ]


# What the last chats used, until it is added to the hours and the days. Nothing finds a row here, so nothing makes a
# transaction wait for another one's: it has no key.
USAGE_LOG = sa.Table("usage_log", METADATA, *_use(of="log", time="at"))

_USE_KEY = ("tenant", "kind", "start", *_USE_DIMENSIONS, "latency_bucket")
USAGE_HOURS = sa.Table(
    "usage_hours", METADATA, *_use(of="sums", time="start"), sa.PrimaryKeyConstraint(*_USE_KEY)
)
USAGE_DAYS = sa.Table(
    "usage_days", METADATA, *_use(of="sums", time="start"), sa.PrimaryKeyConstraint(*_USE_KEY)
)

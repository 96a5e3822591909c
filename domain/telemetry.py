"""What happened, as typed events. Sinks (metrics, logs) decide what to make of them."""

import datetime
from decimal import Decimal
from typing import TypeAlias

import attrs

from domain.model import ModelRef
from domain.usage import Usage
from domain.values import frozen


@frozen(kw_only=True)
class AttemptEnded:
    """One call to a provider, whatever came of it."""

    request_id: str
    model: ModelRef
    outcome: str
    duration_s: float
    status: int | None = None
    retry: bool = False
    """True where the same model had been called before for this request."""
    stream: bool = False
    """Whether the provider was asked for a stream."""
    first_chunk_s: float | None = None
    """From sending to the first content of a stream; None where none came."""
    response_id: str | None = None
    """The provider's."""
    finish_reason: str | None = None
    input_tokens: int | None = None
    """As the provider reported them; None where it did not."""
    output_tokens: int | None = None
    cached_input_tokens: int | None = None


@frozen(kw_only=True)
class FallbackTaken:
    request_id: str
    from_model: ModelRef
    to_model: ModelRef
    reason: str


@frozen(kw_only=True)
class ChatAnswered:
    """An answer is durable."""

    request_id: str
    tenant: str
    message_id: str
    thread_id: str
    model: ModelRef
    prompt_version: str | None
    usage: Usage
    cost_usd: Decimal | None
    duration_s: float
    overhead_s: float
    """Time not spent waiting for a provider."""
    attempts: int
    stream: bool
    key_id: str | None = None
    first_token_s: float | None = None
    """From the chat's arrival to the first content; None where it was not streamed."""


@frozen(kw_only=True)
class ChatSaid:
    """What was asked and answered. Only emitted where the operator has switched on that contents are told; whoever
    writes it anywhere redacts it first."""

    request_id: str
    tenant: str
    key_id: str | None
    message_id: str
    model: ModelRef
    prompt: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    """Role and text of each turn as it was sent, oldest first; images and the like are left out."""
    answer: str = attrs.field(repr=False)


@frozen(kw_only=True)
class ChatReplayed:
    """A stored answer was given again for its idempotency key: nothing was asked, and nothing charged."""

    request_id: str | None
    tenant: str
    message_id: str
    thread_id: str
    model: ModelRef
    """The model that had answered."""


@frozen(kw_only=True)
class ChatRefused:
    """A chat ended in an error."""

    request_id: str
    tenant: str
    code: str
    duration_s: float
    attempts: int
    key_id: str | None = None


@frozen(kw_only=True)
class ChatLost:
    """Providers were asked and nothing of it could be stored: what it cost is in no report."""

    request_id: str
    tenant: str
    thread_id: str
    code: str
    """Why: `storage_unavailable`, `not_found` (the thread was purged meanwhile), `idempotency_key_taken_over`."""
    usage: Usage
    cost_usd: Decimal | None
    """None where a price is unknown."""
    attempts: int


@frozen(kw_only=True)
class ChatCut:
    """A chat ended before its answer did: its caller left, or the server stops. What there was is stored."""

    request_id: str
    tenant: str
    message_id: str
    thread_id: str
    stored: str
    """The message's status: `incomplete` where something was said, else `cancelled`."""
    characters: int
    """Of what was said."""
    cost_usd: Decimal | None
    """None where it is unknown."""
    code: str | None = None
    """Why the server cut it, such as `shutting_down`; None where the caller left."""
    key_id: str | None = None


@frozen(kw_only=True)
class BreakerMoved:
    model: ModelRef
    state: str
    """`closed`, `open` or `half_open`."""


@frozen(kw_only=True)
class ModelMisconfigured:
    """An operator must act: the provider does not know the model, or refuses the key."""

    request_id: str
    model: ModelRef
    reason: str


@frozen(kw_only=True)
class PromptFilesRead:
    """The folder of prompts was imported; each number counts files."""

    made: int
    """New versions."""
    unchanged: int
    diverged: int
    broken: int


@frozen(kw_only=True)
class StorePruned:
    """What was old is gone."""

    partitions: int
    messages: int
    threads: int
    sessions: int
    keys: int


@frozen(kw_only=True)
class RequestServed:
    """An HTTP request ended."""

    request_id: str
    route: str
    """The route template, never the path."""
    method: str
    status: int
    duration_s: float


@frozen(kw_only=True)
class RequestsShed:
    """Requests of about a second were refused unread, since the process could not keep up."""

    route: str
    requests: int


@frozen(kw_only=True)
class KeyRefused:
    """A request without a credential that lets it in, or without the scope that its route asks for."""

    request_id: str
    route: str
    code: str
    """`unauthenticated` or `forbidden`."""
    tenant: str | None = None
    """None where nobody knows who it was."""
    key_id: str | None = None


@frozen(kw_only=True)
class RequestRefused:
    """A request was turned away before anybody looked at what it asks: the server was busy or stopping, or too many
    wrong keys had come from its address."""

    request_id: str
    route: str
    code: str
    """`overloaded`, `shutting_down` or `rate_limited`; the last not where `RateRefused` tells of it."""
    tenant: str | None = None
    """None where nobody knows who it was."""
    key_id: str | None = None


@frozen(kw_only=True)
class RateRefused:
    request_id: str
    tenant: str
    key_id: str | None
    subject: str
    """Whose limit it was: `key`, `user` or `address`."""
    limit: str
    """`requests`, `tokens` or `concurrency`."""
    retry_after_s: float


@frozen(kw_only=True)
class BudgetRefused:
    request_id: str
    tenant: str
    key_id: str | None
    subject: str
    """`key`, `tenant`, `user` or `thread`."""
    period: str
    limit_usd: Decimal
    spent_usd: Decimal


@frozen(kw_only=True)
class BudgetPassed:
    """A soft budget is used up: for the first time in its period, as far as this process knows."""

    tenant: str
    key_id: str | None
    subject: str
    period: str
    limit_usd: Decimal
    spent_usd: Decimal


@frozen(kw_only=True)
class AnomalySeen:
    """Tokens or cost of answers left what is usual for their model, prompt version or key."""

    tenant: str
    dimension: str
    """`model`, `prompt_version` or `key`."""
    name: str
    """Which model, version or key id."""
    measure: str
    """`tokens` or `cost_usd` of one answer; `tokens_per_minute` or `cost_usd_per_minute` of all of them."""
    value: float
    usual: float
    """The baseline's middle."""
    score: float
    """How many robust standard deviations it is away."""
    request_id: str | None = None
    message_id: str | None = None


@frozen(kw_only=True)
class PassRan:
    """One compiler pass has run for one candidate. Only emitted where a sink wants spans."""

    request_id: str
    name: str
    model: ModelRef
    started_s: float
    """The monotonic clock's."""
    duration_s: float


@frozen(kw_only=True)
class CommitEnded:
    """The answer's commit, as its chat waited for it. Only emitted where a sink wants spans."""

    request_id: str
    started_s: float
    """The monotonic clock's."""
    duration_s: float
    outcome: str
    """`ok` or an error's code."""


@frozen(kw_only=True)
class KeyMoved:
    """An API key was made or changed, or ends. Told by each process that lets callers in, once it has heard of it."""

    key_id: str
    name: str
    tenant: str
    change: str
    """`added`, `changed`, `revoked` or `removed`."""
    replaces: str | None = None
    """The id of the key that it was rotated from."""
    ends_at: datetime.datetime | None = None
    """From when on it lets nobody in."""


@frozen(kw_only=True)
class ServerStopping:
    """The signal to stop has come: new chats are refused."""

    under_way: int
    """Requests and answers that are still to end."""
    drain_s: float
    """How long they have."""


@frozen(kw_only=True)
class ServerStopped:
    """Nothing is under way any more, and all there was to store is stored."""


@frozen(kw_only=True)
class ConfigReloaded:
    """The configuration was read again while the server ran."""

    ok: bool
    """False: it is faulty, and the old one stays."""
    faults: int
    needs_restart: tuple[str, ...] = ()
    """Paths of what has changed and counts only from the next start on."""


Event: TypeAlias = (
    AttemptEnded
    | FallbackTaken
    | ChatAnswered
    | ChatSaid
    | ChatReplayed
    | ChatRefused
    | ChatLost
    | ChatCut
    | BreakerMoved
    | ModelMisconfigured
    | PromptFilesRead
    | StorePruned
    | RequestServed
    | RequestsShed
    | KeyRefused
    | RequestRefused
    | RateRefused
    | BudgetRefused
    | BudgetPassed
    | AnomalySeen
    | PassRan
    | CommitEnded
    | KeyMoved
    | ServerStopping
    | ServerStopped
    | ConfigReloaded
)

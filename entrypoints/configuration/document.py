"""A configuration file as it is written: the settings' names, types and ranges.

None stands for "not given"; the defaults are those of `entrypoints/settings.py` and the ports. The JSON
Schema for editors is made from these classes.
"""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

import attrs

from domain.json_value import JSONValue
from domain.model import Capability
from domain.values import frozen
from entrypoints.settings import ChatRight


@frozen(kw_only=True)
class Range:
    """The numbers that are allowed, both ends included unless `above` is set."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None


@frozen(kw_only=True)
class Length:
    """How many characters a text or items a list may have."""

    minimum: int = 0
    maximum: int


@frozen
class OneOrMore:
    """A tuple that is written as a list, or, where it has one item, as that item."""


@frozen(kw_only=True)
class Written:
    """A text in a form of its own; `must` is what its fault says of a value that is no text."""

    must: str


Seconds: TypeAlias = Annotated[float, Range(above=0, maximum=86_400)]
Count: TypeAlias = Annotated[int, Range(minimum=1)]
Name: TypeAlias = Annotated[str, Length(minimum=1, maximum=256)]
USD: TypeAlias = Annotated[Decimal, Range(minimum=0)]


def _field(doc: str, *, name: str | None = None) -> Any:
    """An optional setting with its description; `name` where Python keeps its own for itself."""
    return attrs.field(default=None, metadata={"doc": doc} if name is None else {"doc": doc, "name": name})


def written_name(field: "attrs.Attribute[Any]") -> str:
    """What a field is called in a file."""
    return str(field.metadata.get("name", field.name))


@frozen(kw_only=True)
class ProviderDocument:
    kind: Name | None = _field("Which provider this is; the entry's own name where it is left out.")
    api_key: Name | None = _field("The key, always by reference: ${NAME}.")
    base_url: Name | None = _field("Where its API is, up to and without /chat/completions or /v1/messages.")
    transport: Literal["direct", "sdk"] | None = _field("`direct`, or the vendor's own SDK.")
    connect_s: Seconds | None = _field("Limit for name resolution, TCP and TLS together.")
    first_token_s: Seconds | None = _field("Limit from sending to the first content.")
    idle_s: Seconds | None = _field("Limit between two reads of a stream.")
    content_idle_s: Seconds | None = _field(
        "Limit between two pieces of text of a stream that sends other things, such as pings."
    )
    total_s: Seconds | None = _field("Limit of one attempt.")
    options: Mapping[str, JSONValue] = attrs.field(factory=dict, metadata={"doc": "", "rest": True})
    """Every other key of the entry: the provider checks them."""


@frozen(kw_only=True)
class ModelDocument:
    context_window: Count | None = _field("Tokens of prompt and answer together.")
    max_output_tokens: Count | None = _field("Tokens of the longest answer.")
    capabilities: tuple[Capability, ...] | None = _field("What the model can do.")
    encoding: Name | None = _field("The tiktoken encoding to count with.")
    count_margin: Annotated[float, Range(minimum=0, maximum=1)] | None = _field(
        "A fraction to add to token counts where the tokenizer is not public."
    )
    token_limit_field: Literal["max_tokens", "max_completion_tokens"] | None = _field(
        "What the wire calls the answer's limit."
    )
    retired_on: datetime.date | None = _field("The day the model is switched off.")
    replaced_by: Name | None = _field("The `provider:model` to use instead.")


@frozen(kw_only=True)
class PriceDocument:
    from_: datetime.date | None = _field(
        "The first day (UTC) on which this price holds; without it, it has held ever since.", name="from"
    )
    input_per_mtok: USD | None = _field("USD for a million prompt tokens.")
    output_per_mtok: USD | None = _field("USD for a million answer tokens.")
    cached_input_per_mtok: USD | None = _field("USD for a million cached prompt tokens.")
    cache_write_per_mtok: USD | None = _field("USD for a million prompt tokens that a cache takes in.")
    cache_write_1h_per_mtok: USD | None = _field("USD for a million that a cache takes in for an hour.")
    image_input_per_mtok: USD | None = _field("USD for a million prompt tokens of images.")
    audio_input_per_mtok: USD | None = _field(
        "USD for a million prompt tokens of sound; without it, their cost is unknown."
    )
    audio_output_per_mtok: USD | None = _field(
        "USD for a million answer tokens of sound; without it, their cost is unknown."
    )


@frozen(kw_only=True)
class BreakerDocument:
    failures: Count | None = _field("Consecutive failures that open a breaker.")
    open_s: Seconds | None = _field("How long it stays open before one probe.")
    max_open_s: Seconds | None = _field("The longest it stays open; the wait doubles after a failed probe.")


@frozen(kw_only=True)
class RoutingDocument:
    max_attempts: Annotated[int, Range(minimum=1, maximum=20)] | None = _field(
        "Calls for one request, at most."
    )
    retries: Annotated[int, Range(minimum=0, maximum=10)] | None = _field(
        "On one model, before falling back."
    )
    deadline_s: Seconds | None = _field("For all attempts of one request together.")
    retry_base_s: Seconds | None = _field("The first retry waits up to this long.")
    retry_cap_s: Seconds | None = _field("The longest wait of our own before a retry.")
    max_retry_after_s: Seconds | None = _field(
        "The longest wait a provider can ask for where no other model is at hand."
    )
    max_wait_before_fallback_s: Seconds | None = _field(
        "The longest wait a provider can ask for while another model is at hand."
    )
    max_cooldown_s: Seconds | None = _field("The longest a rate-limited model is left alone.")
    quota_cooldown_s: Seconds | None = _field("How long a provider whose account is empty is left alone.")
    retry_ratio: Annotated[float, Range(minimum=0, maximum=1)] | None = _field(
        "Retries are at most this fraction of requests."
    )
    retry_reserve: Annotated[int, Range(minimum=0)] | None = _field(
        "Retries that are affordable at any time."
    )
    breaker: BreakerDocument | None = _field("When a failing model is left alone.")


@frozen(kw_only=True)
class ServerDocument:
    host: Name | None = _field("The address to listen on.")
    port: Annotated[int, Range(minimum=0, maximum=65_535)] | None = _field("The port; 0 takes a free one.")
    workers: Annotated[int, Range(minimum=1, maximum=256)] | None = _field("Processes that share the port.")
    max_body_bytes: Annotated[int, Range(minimum=1024, maximum=1 << 30)] | None = _field(
        "The largest request."
    )
    body_timeout_s: Seconds | None = _field("How long a request's body may take.")
    idle_timeout_s: Seconds | None = _field("How long an idle connection stays open.")
    drain_s: Annotated[float, Range(minimum=0, maximum=3600)] | None = _field(
        "How long running answers may take to end when the server stops."
    )
    max_in_flight: Count | None = _field("Requests at a time; more are refused with 503.")
    cors_origins: tuple[Name, ...] | None = _field(
        "Browser origins that may call, such as https://app.example.com."
    )
    trusted_proxies: tuple[Name, ...] | None = _field(
        "Networks of proxies whose X-Forwarded-For tells the client's address, such as 10.0.0.0/8."
    )


@frozen(kw_only=True)
class DatabaseDocument:
    url: Name | None = _field("sqlite:///path or postgresql://…; its password by reference: ${NAME}.")
    pool_size: Annotated[int, Range(minimum=1, maximum=1000)] | None = _field("Connections of one process.")
    statement_timeout_s: Seconds | None = _field("Limit of one statement.")
    acquire_timeout_s: Seconds | None = _field("Limit for waiting on a free connection.")
    auto_migrate: bool | None = _field(
        "Migrate PostgreSQL at start, however long it takes; the log warns where chats have to wait. SQLite always migrates itself."
    )


@frozen(kw_only=True)
class RedisDocument:
    url: Name | None = _field("redis://… or rediss://…; without it, each process caches for itself.")
    timeout_s: Seconds | None = _field("Limit of one operation.")


@frozen(kw_only=True)
class PromptDocument:
    directory: Annotated[str, Length(maximum=4096)] | None = _field(
        "The folder of prompt files, from the working directory; empty or null for none."
    )
    watch: bool | None = _field("Read the folder again when a file in it changes, as `lor3 serve --watch`.")


@frozen(kw_only=True)
class ThreadDocument:
    when_busy: Literal["queue", "reject"] | None = _field(
        "What a second chat of a thread gets while the first is being answered: `queue`, its turn; `reject`, a 409."
    )
    max_queued: Annotated[int, Range(minimum=0, maximum=10_000)] | None = _field(
        "Chats that may wait for one thread; further ones get a 409."
    )
    max_wait_s: Seconds | None = _field("How long one may wait before it gets a 409.")


@frozen(kw_only=True)
class RetentionDocument:
    messages_days: Annotated[int, Range(minimum=1, maximum=36_500)] | None = _field(
        "Messages older than this are removed, on PostgreSQL a month at a time; none are where it is left out."
    )
    deleted_threads_days: Annotated[int, Range(minimum=0, maximum=36_500)] | None = _field(
        "How long what a deleted thread holds is kept."
    )


@frozen(kw_only=True)
class AuthDocument:
    disabled: bool | None = _field(
        "Lets in whoever brings no API key, also beyond this machine; a key that is brought is checked."
    )
    failed_per_minute: Annotated[int, Range(minimum=1, maximum=100_000)] | None = _field(
        "Requests of one address without a valid key; further ones get a 429."
    )
    keys_may: tuple[ChatRight, ...] | None = _field(
        "What of the operator's a caller with a key may choose in a chat; all of it by default."
    )
    users_may: tuple[ChatRight, ...] | None = _field(
        "The same for the browser of a user, whose token is bound to it; nothing by default."
    )


LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


@frozen(kw_only=True)
class RateDocument:
    rpm: Annotated[int, Range(minimum=1, maximum=1_000_000)] | None = _field("Requests a minute.")
    tpm: Annotated[int, Range(minimum=1, maximum=1_000_000_000)] | None = _field(
        "Tokens a minute, of prompts and answers together."
    )
    concurrency: Annotated[int, Range(minimum=1, maximum=100_000)] | None = _field("Chats at a time.")


@frozen(kw_only=True)
class LimitsDocument:
    key: RateDocument | None = _field("Of each key, where it has no limit of its own.")
    user: RateDocument | None = _field("Of each end user that requests name.")
    address: RateDocument | None = _field("Of each client address; its `rpm` counts every request.")


BudgetText: TypeAlias = Annotated[
    Name,
    Written(must="must be US dollars in a period: write it as `50/day`, `200/month` or `500/total`"),
]
BudgetTexts: TypeAlias = Annotated[tuple[BudgetText, ...], OneOrMore(), Length(minimum=0, maximum=20)]


@frozen(kw_only=True)
class BudgetsDocument:
    tenant: BudgetTexts | None = _field(
        "Of each tenant, such as 200/month: USD in a day, a month or in total; `soft 100/month` warns and does not refuse."
    )
    tenants: Mapping[Name, BudgetTexts] | None = _field("Of single tenants, by name, in place of `tenant`.")
    user: BudgetTexts | None = _field("Of each end user that requests name.")
    thread: BudgetTexts | None = _field("Of each thread.")
    wait_s: Annotated[float, Range(minimum=0, maximum=60)] | None = _field(
        "How long a chat waits for money that is only reserved for others."
    )
    unpriced: Literal["refuse", "allow"] | None = _field(
        "What happens under a budget to models whose price nobody knows; `allow` leaves them uncounted."
    )


@frozen(kw_only=True)
class LogAreasDocument:
    http: LogLevel | None = _field("Requests, and what the HTTP server says.")
    chats: LogLevel | None = _field("Answers, refusals, replays.")
    providers: LogLevel | None = _field("Calls to providers, fallbacks, circuit breakers.")
    prompts: LogLevel | None = _field("Prompt files and versions.")
    storage: LogLevel | None = _field("The database: commits, migrations, pruning.")
    cache: LogLevel | None = _field("Redis.")
    limits: LogLevel | None = _field("Refusals by rate limits and budgets.")
    keys: LogLevel | None = _field("Requests without a key that lets them in.")
    anomalies: LogLevel | None = _field("Tokens or cost out of the usual.")
    server: LogLevel | None = _field("Everything else: start, stop, configuration.")


@frozen(kw_only=True)
class LogFileDocument:
    path: Annotated[str, Length(minimum=1, maximum=4096)] | None = _field(
        "The file, from the working directory; of several workers each has its own, such as `lor3.0.log`."
    )
    max_bytes: Annotated[int, Range(minimum=4096, maximum=1 << 40)] | None = _field(
        "It is set aside as `path.1` before it grows larger."
    )
    keep: Annotated[int, Range(minimum=0, maximum=1000)] | None = _field("How many are kept beside it.")


@frozen(kw_only=True)
class LogDocument:
    level: LogLevel | None = _field("The least that is logged.")
    format: Literal["auto", "json", "text"] | None = _field("`auto` is text on a terminal, JSON elsewhere.")
    to: Literal["stdout", "stderr", "none"] | None = _field(
        "Where `lor3 serve` logs. Other commands log to stderr, or nowhere where this says `none`."
    )
    file: LogFileDocument | None = _field("Files of `lor3 serve` that take turns, beside `to`; always JSON.")
    areas: LogAreasDocument | None = _field("Levels by area, where they differ from `level`.")
    content: bool | None = _field("Log prompts and answers too, redacted.")


@frozen(kw_only=True)
class OTLPDocument:
    endpoint: Name | None = _field(
        "A collector's URL for OTLP over HTTP, without /v1/traces: http://localhost:4318."
    )
    headers: Mapping[Name, Name] | None = _field(
        "Headers of each export, their values by reference: ${NAME}."
    )
    sample_ratio: Annotated[float, Range(minimum=0, maximum=1)] | None = _field(
        "The fraction of requests that are traced where their caller has not decided it."
    )
    timeout_s: Seconds | None = _field("Limit of one export.")
    content: bool | None = _field("Put prompts and answers into spans, redacted.")


@frozen(kw_only=True)
class TelemetryDocument:
    metrics_port: Annotated[int, Range(minimum=1, maximum=65_535)] | None = _field(
        "A port for /metrics alone, which the server's own port then answers with 404."
    )
    metrics_host: Name | None = _field("The address that port listens on.")
    otlp: OTLPDocument | None = _field(
        "Traces and metrics to an OpenTelemetry collector; needs `lor3[otel]`."
    )


@frozen(kw_only=True)
class Document:
    """The whole file."""

    primary: Name | None = _field("The model that answers: `provider:model` or an alias.")
    fallbacks: tuple[Name, ...] | None = _field("Models to try, in order, when the primary fails.")
    passes: tuple[Name, ...] | None = _field("The compiler passes, in the order they run.")
    format: Name | None = _field("raw, markdown or json, or another installed formatter.")
    max_tokens: Count | None = _field("Tokens of the longest answer.")
    temperature: Annotated[float, Range(minimum=0, maximum=2)] | None = _field("Sampling temperature.")
    top_p: Annotated[float, Range(above=0, maximum=1)] | None = _field("Nucleus sampling.")
    stop: Annotated[tuple[Name, ...], Length(maximum=16)] | None = _field("Texts that end an answer.")
    seed: int | None = _field("For answers as repeatable as the provider can make them.")
    context_depth: Annotated[int, Range(minimum=0, maximum=200)] | None = _field(
        "How many of a thread's last messages go into the prompt."
    )
    memory: Literal["window", "summary"] | None = _field(
        "`window`: the last messages of a thread; `summary`: those, and the older ones in a few sentences."
    )
    summary_model: Name | None = _field(
        "The model that summarises for `memory: summary`; the primary where it is left out."
    )
    system: Annotated[str, Length(maximum=262_144)] | None = _field("A fixed system text.")
    system_prompt: Name | None = _field(
        "The prompt that a chat gets where it names none: `name`, `name:v3` or `name@label`."
    )
    variables: Mapping[Name, object] | None = _field(
        "Variables of prompts, any JSON, for those that a chat leaves out; text from the environment stays text."
    )
    reroute_retired: bool | None = _field("Answer by a switched-off model's replacement.")
    aliases: Mapping[Name, Name] | None = _field("Names of your own for models.")
    models: Mapping[Name, ModelDocument] | None = _field("Models to add or correct, by `provider:model`.")
    prices: (
        Mapping[Name, Annotated[tuple[PriceDocument, ...], OneOrMore(), Length(minimum=1, maximum=100)]]
        | None
    ) = _field("Prices of your own, by `provider:model`; a list where they change on a day.")
    providers: Mapping[Name, ProviderDocument] | None = _field(
        "The providers, each under a name of your choice."
    )
    routing: RoutingDocument | None = _field("Retries, fallback and the circuit breaker.")
    server: ServerDocument | None = _field("The HTTP server.")
    database: DatabaseDocument | None = _field("Where answers are stored.")
    redis: RedisDocument | None = _field("What replicas share and may lose.")
    prompts: PromptDocument | None = _field("Prompts in files.")
    threads: ThreadDocument | None = _field("Chats that meet in one thread.")
    retention: RetentionDocument | None = _field("How long things are kept.")
    auth: AuthDocument | None = _field("Who may call.")
    limits: LimitsDocument | None = _field("How much may be asked for in a minute, and at a time.")
    budgets: BudgetsDocument | None = _field("How much money may be spent, beside what each key may.")
    log: LogDocument | None = _field("Logging.")
    telemetry: TelemetryDocument | None = _field("Metrics and traces.")

"""Every metric of lor3: its name, its help with the unit, and its labels.

Names are public: dashboards and alerts are built on them. Label values come from closed sets; a user, a thread, a
key or a path is never one.
"""

from typing import Final

from domain.values import frozen


@frozen
class Metric:
    name: str
    """Without the `_total` that a counter ends with."""
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram."""


_QUICK_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_SLOW_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)

HTTP_REQUESTS: Final = Metric(
    "lor3_http_requests", "HTTP requests answered.", ("route", "method", "status_class")
)
HTTP_DURATION: Final = Metric(
    "lor3_http_request_duration_seconds",
    "Time from a request's head to the end of its answer, in seconds.",
    ("route",),
    (0.005, *_SLOW_S),
)
CHATS_ANSWERED: Final = Metric("lor3_chats_answered", "Chats answered and stored.", ("model", "stream"))
REPLAYS: Final = Metric(
    "lor3_idempotent_replays", "Answers given again for an Idempotency-Key: nothing asked, nothing charged."
)
CHATS_REFUSED: Final = Metric("lor3_chats_refused", "Chats that ended in an error, by its code.", ("code",))
CHATS_LOST: Final = Metric(
    "lor3_chats_lost",
    "Chats that were paid for and not stored, by the code of what kept them out.",
    ("code",),
)
CHAT_DURATION: Final = Metric(
    "lor3_chat_duration_seconds",
    "Time from a chat's arrival to its stored answer, in seconds.",
    ("model",),
    _SLOW_S,
)
OVERHEAD: Final = Metric(
    "lor3_overhead_seconds", "Time of a chat not spent waiting for a provider, in seconds.", (), _QUICK_S
)
ATTEMPTS: Final = Metric(
    "lor3_attempts", "Calls to providers, by what came of them.", ("provider", "model", "outcome")
)
ATTEMPT_DURATION: Final = Metric(
    "lor3_attempt_duration_seconds",
    "Time of one call to a provider, in seconds.",
    ("provider", "model"),
    _SLOW_S,
)
RETRIES: Final = Metric(
    "lor3_retries", "Calls that repeated one to the same model for the same chat.", ("provider", "model")
)
FALLBACKS: Final = Metric("lor3_fallbacks", "Chats that moved on to another model.", ("from", "to", "reason"))
BREAKER_STATE: Final = Metric(
    "lor3_breaker_state", "Circuit breaker: 0 closed, 1 half open, 2 open.", ("provider", "model")
)
MISCONFIGURED: Final = Metric(
    "lor3_misconfigured",
    "Calls that failed because an operator must act: an unknown model, a refused key.",
    ("provider", "model"),
)
TOKENS: Final = Metric(
    "lor3_tokens",
    "Tokens of answered chats. input includes cached_input and cache_write; output includes reasoning.",
    ("model", "kind"),
)
COST: Final = Metric(
    "lor3_cost_usd", "Cost of answered chats, in US dollars; unknown prices are left out.", ("model",)
)
COST_UNKNOWN: Final = Metric("lor3_cost_unknown", "Answered chats whose price is unknown.", ("model",))
FIRST_TOKEN: Final = Metric(
    "lor3_time_to_first_token_seconds",
    "Time from a streamed chat's arrival to its first content, in seconds.",
    ("model",),
    (0.01, 0.025, 0.05, *_SLOW_S),
)
TOKEN_GAP: Final = Metric(
    "lor3_time_per_output_token_seconds",
    "Time of a streamed answer from its first content to its end, for each further token, in seconds.",
    ("model",),
    (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0),
)
IN_FLIGHT: Final = Metric(
    "lor3_http_requests_in_flight", "HTTP requests being answered, those of operations aside."
)
UNREAD_ANSWERS: Final = Metric(
    "lor3_answers_unread", "Streamed answers being finished though every reader has left."
)
QUEUE_DEPTH: Final = Metric("lor3_commit_queue_depth", "Answers that wait for their transaction to begin.")
BUDGET_LEFT: Final = Metric(
    "lor3_budget_least_left_ratio",
    "What is left of the hard budget that has least left of those in use here, as a share of its limit.",
)
PROMPT_READS: Final = Metric(
    "lor3_prompt_reads",
    "Reads of compiled prompts, by what had them: memory (this process), shared (Redis) or store (compiled anew).",
    ("layer",),
)
KEYS_REFUSED: Final = Metric(
    "lor3_auth_refusals", "Requests without a key that lets them in, by the error's code.", ("code",)
)
TURNED_AWAY: Final = Metric(
    "lor3_requests_turned_away",
    "Requests refused before anybody looked at them, by the error's code: overloaded, shutting_down, or rate_limited "
    "where too many wrong keys came from their address.",
    ("code",),
)
RATES_REFUSED: Final = Metric(
    "lor3_rate_limit_refusals",
    "Requests refused by a rate limit, by whose (key, user, address) and which (requests, tokens, concurrency).",
    ("subject", "limit"),
)
BUDGETS_REFUSED: Final = Metric(
    "lor3_budget_refusals",
    "Chats refused by a hard budget, by whose it is and its period.",
    ("subject", "period"),
)
BUDGETS_PASSED: Final = Metric(
    "lor3_budget_soft_passes",
    "Soft budgets that were used up, by whose it is and its period.",
    ("subject", "period"),
)
ANOMALIES: Final = Metric(
    "lor3_anomalies",
    "Tokens or cost that left the usual, by what was watched and measured.",
    ("dimension", "measure"),
)
ANOMALIES_UNWRITTEN: Final = Metric("lor3_anomalies_unwritten", "Anomalies that could not be stored.")
CONFIG_RELOADS: Final = Metric(
    "lor3_config_reloads", "Times the configuration was read again, by outcome (ok, faulty).", ("outcome",)
)
LOOP_LAG: Final = Metric(
    "lor3_event_loop_lag_seconds",
    "How much later than asked for the event loop woke up a timer, in seconds.",
    (),
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)
BUILD_INFO: Final = Metric("lor3_build_info", "Always 1; the versions that run.", ("version", "python"))
LOG_DROPPED: Final = Metric(
    "lor3_log_dropped", "Log lines that were dropped because their sink was blocked or full."
)

WATCHED: Final = {
    "in_flight": IN_FLIGHT,
    "unread_answers": UNREAD_ANSWERS,
    "commit_queue_depth": QUEUE_DEPTH,
    "budget_least_left": BUDGET_LEFT,
}
"""Gauges that are read where they live when somebody asks; absent where nobody offers them."""

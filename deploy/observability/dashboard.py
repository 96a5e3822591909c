"""Writes the Grafana dashboard: `python deploy/observability/dashboard.py > deploy/observability/grafana/lor3.json`.

The JSON is what is imported; this is where it is edited, because a panel is a line here and forty there. A test holds
both to each other, and every expression to a real Prometheus.
"""

import json
import sys
from typing import Any, Final, Literal, TypeAlias

Unit: TypeAlias = Literal["short", "reqps", "s", "percentunit", "currencyUSD", "bytes", "tps"]
"""Grafana's names; `tps` is shown as tokens a second."""
Kind: TypeAlias = Literal["timeseries", "stat"]

WIDTH: Final = 24
"""Columns of Grafana's grid."""
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_UNITS: Final = {"tps": "tokens/s"}
_RATE: Final = "$__rate_interval"
_FAILED: Final = 'outcome!="ok"'


def panel(
    title: str, *queries: tuple[str, str], unit: Unit = "short", kind: Kind = "timeseries", says: str = ""
) -> dict[str, Any]:
    """
    Args:
        queries: of each its PromQL and the legend.
        says: what the panel is for, shown behind its `i`.
    """
    return {"title": title, "kind": kind, "unit": unit, "says": says, "queries": queries}


def quantiles(metric: str, *, by: str = "") -> tuple[tuple[str, str], ...]:
    """The 50th, 95th and 99th percentile of a histogram."""
    grouping = f"sum by (le{', ' + by if by else ''})"
    legend = f" {{{{{by}}}}}" if by else ""
    return tuple(
        (
            f"histogram_quantile({quantile}, {grouping} (rate({metric}_bucket[{_RATE}])))",
            f"p{round(quantile * 100)}{legend}",
        )
        for quantile in (0.5, 0.95, 0.99)
    )


def rate(metric: str, by: str = "", where: str = "") -> str:
    selector = f"{metric}{{{where}}}" if where else metric
    return f"sum{f' by ({by})' if by else ''} (rate({selector}[{_RATE}]))"


REFUSED: Final = f"({rate('lor3_chats_refused_total')} or vector(0))"
"""A counter with labels is not there before it first counts."""

ROWS: Final = (
    (
        "At a glance",
        4,
        (
            panel("Chats a second", (rate("lor3_chats_answered_total"), ""), unit="reqps", kind="stat"),
            panel(
                "Chats that failed",
                (
                    f"{REFUSED} / ({REFUSED} + {rate('lor3_chats_answered_total')})",
                    "",
                ),
                unit="percentunit",
                kind="stat",
                says="Refused ones included: a used-up budget is one of them.",
            ),
            panel(
                "Cost, last 24 h",
                ("sum(increase(lor3_cost_usd_total[24h]))", ""),
                unit="currencyUSD",
                kind="stat",
            ),
            panel(
                "Paid and not stored, 24 h",
                ("sum(increase(lor3_chats_lost_total[24h])) or vector(0)", ""),
                kind="stat",
                says="Should be 0: each was paid for, and is in no report.",
            ),
        ),
    ),
    (
        "Chats",
        8,
        (
            panel(
                "Answered, by model",
                (rate("lor3_chats_answered_total", "model"), "{{model}}"),
                unit="reqps",
            ),
            panel(
                "Given again for an Idempotency-Key",
                (rate("lor3_idempotent_replays_total"), "replays"),
                unit="reqps",
                says="Clients that send again: nothing is asked or charged for it.",
            ),
            panel("Refused, by code", (rate("lor3_chats_refused_total", "code"), "{{code}}"), unit="reqps"),
            panel("Time to the stored answer", *quantiles("lor3_chat_duration_seconds"), unit="s"),
            panel(
                "Overhead",
                *quantiles("lor3_overhead_seconds"),
                unit="s",
                says="Time of a chat that was not spent waiting for a provider.",
            ),
        ),
    ),
    (
        "Streams",
        8,
        (
            panel(
                "Time to the first token",
                *quantiles("lor3_time_to_first_token_seconds"),
                unit="s",
                says="From a streamed chat's arrival: its turn, its prompt and the provider's thinking included.",
            ),
            panel(
                "Time for each further token",
                *quantiles("lor3_time_per_output_token_seconds"),
                unit="s",
                says="How fast answers are read along.",
            ),
            panel(
                "Answers that nobody reads any more",
                ("sum(lor3_answers_unread)", "unread"),
                says="Their readers have left; they are finished and stored all the same.",
            ),
        ),
    ),
    (
        "Callers: keys, limits, budgets",
        8,
        (
            panel(
                "Requests refused for their key",
                (rate("lor3_auth_refusals_total", "code"), "{{code}}"),
                unit="reqps",
            ),
            panel(
                "Requests over a rate limit",
                (rate("lor3_rate_limit_refusals_total", "subject, limit"), "{{subject}}: {{limit}}"),
                unit="reqps",
                says="By whose limit it was, and of what: requests, tokens, or chats at a time.",
            ),
            panel(
                "Requests turned away unread",
                (rate("lor3_requests_turned_away_total", "code"), "{{code}}"),
                unit="reqps",
                says="The server was busy or stopping, or too many wrong keys came from an address.",
            ),
            panel(
                "Chats over a hard budget",
                (rate("lor3_budget_refusals_total", "subject, period"), "{{subject}}, {{period}}"),
                unit="reqps",
            ),
            panel(
                "Soft budgets used up, last hour",
                (
                    "sum by (subject, period) (increase(lor3_budget_soft_passes_total[1h]))",
                    "{{subject}}, {{period}}",
                ),
                says="Chats go on: it is told once in a period.",
            ),
            panel(
                "Left of the hard budget that is nearest its end",
                ("min(lor3_budget_least_left_ratio)", "left"),
                unit="percentunit",
                says="`lor3 observe usage --group-by key` shows whose it is.",
            ),
        ),
    ),
    (
        "Money",
        8,
        (
            panel(
                "USD an hour, by model",
                ("sum by (model) (rate(lor3_cost_usd_total[1h])) * 3600", "{{model}}"),
                unit="currencyUSD",
            ),
            panel("Tokens, by kind", (rate("lor3_tokens_total", "kind"), "{{kind}}"), unit="tps"),
            panel(
                "Answers without a known price",
                ("sum by (model) (increase(lor3_cost_unknown_total[1h]))", "{{model}}"),
                says="They count as nothing in every sum: give them a price under `prices`.",
            ),
            panel(
                "Anomalies, last hour",
                (
                    "sum by (dimension, measure) (increase(lor3_anomalies_total[1h]))",
                    "{{dimension}}: {{measure}}",
                ),
                ("sum(increase(lor3_anomalies_unwritten_total[1h]))", "not stored"),
                says="Tokens or cost that left the usual: `lor3 observe errors` names which, and the answers.",
            ),
        ),
    ),
    (
        "Providers",
        8,
        (
            panel(
                "Attempts, by outcome",
                (rate("lor3_attempts_total", "provider, outcome"), "{{provider}} {{outcome}}"),
                unit="reqps",
            ),
            panel(
                "Attempts that failed",
                (
                    f"{rate('lor3_attempts_total', 'provider', _FAILED)} / "
                    f"{rate('lor3_attempts_total', 'provider')}",
                    "{{provider}}",
                ),
                unit="percentunit",
            ),
            panel(
                "Latency of an attempt",
                *quantiles("lor3_attempt_duration_seconds", by="provider"),
                unit="s",
            ),
            panel(
                "Fallbacks and retries",
                (rate("lor3_fallbacks_total", "from, to, reason"), "{{from}} → {{to}}: {{reason}}"),
                (rate("lor3_retries_total", "model"), "retry {{model}}"),
                unit="reqps",
            ),
            panel(
                "Breakers",
                ("max by (provider, model) (lor3_breaker_state)", "{{model}}"),
                says="0 closed, 1 half open, 2 open.",
            ),
        ),
    ),
    (
        "Server",
        8,
        (
            panel(
                "HTTP requests, by route and status",
                (rate("lor3_http_requests_total", "route, status_class"), "{{route}} {{status_class}}"),
                unit="reqps",
            ),
            panel(
                "HTTP requests, time",
                *quantiles("lor3_http_request_duration_seconds"),
                unit="s",
            ),
            panel(
                "Requests in flight",
                ("sum by (instance) (lor3_http_requests_in_flight)", "{{instance}}"),
            ),
            panel(
                "How late the event loop is",
                *quantiles("lor3_event_loop_lag_seconds"),
                unit="s",
                says="All that a worker does waits for so long: its core is full, or something holds it.",
            ),
            panel(
                "Answers that wait to be stored",
                ("max by (instance) (lor3_commit_queue_depth)", "{{instance}}"),
                says="At 10,000 chats are refused. Near 0 while the database is well.",
            ),
            panel(
                "Prompts, by what had them",
                (rate("lor3_prompt_reads_total", "layer"), "{{layer}}"),
                unit="reqps",
                says="`memory` costs nothing, `shared` a trip to Redis, `store` reads and compiles them anew.",
            ),
            panel(
                "Configuration read again, last hour",
                ("sum by (outcome) (increase(lor3_config_reloads_total[1h]))", "{{outcome}}"),
                says="A faulty one changes nothing: the log names its faults.",
            ),
            panel(
                "Versions that run",
                ("count by (version, python) (lor3_build_info)", "lor3 {{version}}, Python {{python}}"),
            ),
            panel(
                "Log lines dropped",
                ("sum(increase(lor3_log_dropped_total[5m]))", ""),
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """Grafana's model, of schema version 39 (Grafana 10.4 and later)."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, height, listed in ROWS:
        panels.append(
            {
                "type": "row",
                "title": title,
                "id": len(panels) + 1,
                "collapsed": False,
                "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1},
                "panels": [],
            }
        )
        top += 1
        in_a_line = 4 if height == 4 else 2 if len(listed) in (2, 4) else 3
        width = WIDTH // in_a_line
        for number, each in enumerate(listed):
            line, place = divmod(number, in_a_line)
            at = {"x": place * width, "y": top + line * height, "w": width, "h": height}
            panels.append(_drawn(each, len(panels) + 1, at))
        top += -(-len(listed) // in_a_line) * height
    return {
        "uid": "lor3",
        "title": "lor3",
        "tags": ["lor3", "llm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Prometheus",
                    "type": "datasource",
                    "query": "prometheus",
                    "current": {},
                }
            ]
        },
        "panels": panels,
    }


def _drawn(each: dict[str, Any], number: int, at: dict[str, int]) -> dict[str, Any]:
    unit = _UNITS.get(each["unit"], each["unit"])
    custom = (
        {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"} if each["kind"] == "timeseries" else {}
    )
    return {
        "id": number,
        "type": each["kind"],
        "title": each["title"],
        "description": each["says"],
        "datasource": _SOURCE,
        "gridPos": at,
        "fieldConfig": {
            "defaults": {"unit": unit, "min": 0, "custom": custom},
            "overrides": [],
        },
        "options": (
            {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
            if each["kind"] == "timeseries"
            else {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
        ),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend or "__auto",
                "range": True,
            }
            for index, (expression, legend) in enumerate(each["queries"])
        ],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n")

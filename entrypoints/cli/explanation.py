"""An explanation, for a person to read."""

import json
from collections.abc import Mapping

import click

from domain.explanation import Explanation, TokenView
from domain.json_value import JSONValue
from domain.passes.manager import TraceStep
from entrypoints.cli.output import print_table, printable
from entrypoints.rendering import money, request_json, to_json

_LONGEST_VALUE = 200


def print_explanation(explanation: Explanation) -> None:
    """Candidates, passes with what each changed, tokens, cost, and the exact request to the first candidate.

    Where none is left: why, and the request as it was understood.
    """
    _head("Candidates")
    print_table(
        ("model", "", "why"),
        [(each.model, "in" if each.included else "out", each.reason) for each in explanation.candidates],
    )
    for step in explanation.passes:
        _head(f"Pass {step.name}")
        _print_step(step)
    _print_numbers(explanation)
    wire = explanation.wire
    if wire is not None:
        _head("Request")
        click.echo(f"{wire.method} {printable(wire.url)}")
        _print_body(wire.body)
    else:
        _head("Request, before any pass: no model is left to send it to")
        _print_body(request_json(explanation.request))


def changes(step: TraceStep) -> list[tuple[str, str, str]]:
    """The fields that a pass changed: name, before and after, as short JSON."""
    before, after = request_json(step.before), request_json(step.after)
    return [
        (name, _short(before[name]), _short(after[name])) for name in before if before[name] != after[name]
    ]


def _print_step(step: TraceStep) -> None:
    for note in step.notes:
        click.echo(f"- {printable(note)}")
    changed = changes(step)
    if changed:
        print_table(("field", "before", "after"), changed)
    elif not step.notes:
        click.echo("- nothing to change")


def _print_numbers(explanation: Explanation) -> None:
    rows: list[tuple[str, object]] = [
        ("messages kept", explanation.kept_messages),
        ("messages dropped", explanation.dropped_messages),
    ]
    tokens, cost = explanation.tokens, explanation.cost
    prompt = explanation.prompt
    if prompt is not None:
        rows.append(("prompt version", prompt.ref))
        rows += [("fragment", ref) for ref in prompt.fragments]
    if tokens is not None:
        about = "about " if tokens.estimated else ""
        rows += [
            ("prompt tokens", f"{about}{tokens.prompt_tokens:,}"),
            ("answer tokens, at most", _longest_answer(tokens)),
            ("context window", _number(tokens.context_window)),
        ]
    if cost is not None:
        rows += [
            ("prompt cost", _dollars(money(cost.prompt_usd))),
            ("cost, at most", _dollars(money(cost.max_total_usd))),
        ]
    _head("Numbers")
    print_table(("what", "value"), rows)


def _print_body(body: Mapping[str, JSONValue]) -> None:
    click.echo(printable(json.dumps(json.loads(to_json(body)), indent=2, ensure_ascii=False)))


def _head(title: str) -> None:
    click.echo(click.style(f"\n{title}", bold=True))


def _short(value: JSONValue) -> str:
    text = to_json(value).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text):,} characters)"


def _longest_answer(tokens: TokenView) -> str:
    """The limit that is sent, or else the one that the model has."""
    if tokens.max_output_tokens is not None:
        return f"{tokens.max_output_tokens:,}"
    limit = tokens.model_max_output_tokens
    return "no limit is sent" + ("" if limit is None else f"; the model's own is {limit:,}")


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _dollars(amount: str | None) -> str:
    return "unknown" if amount is None else f"${amount}"

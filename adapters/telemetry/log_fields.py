"""What a line tells of an event."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, get_origin

import attrs

from adapters.telemetry.log_line import LongText
from application.services.request_scope import RequestScope
from domain.redaction import redact
from domain.telemetry import ChatSaid, Event
from domain.values import frozen

_WITHIN: Final = {"usage": ("input_tokens", "output_tokens", "estimated")}
"""Of a field that is a value itself, what of it is told."""


@frozen
class _Plan:
    """How events of one kind are read."""

    names: tuple[str, ...]
    read: Callable[[Any], tuple[Any, ...]]
    lists: tuple[str, ...]
    """Those whose values are tuples of words."""


_PLANS: Final[dict[type, _Plan]] = {}


def event_fields(event: Event, scope: RequestScope | None, head: dict[str, Any]) -> dict[str, Any]:
    """`head` with what the event holds, and what is known of the request it belongs to."""
    if isinstance(event, ChatSaid):
        return _said(event, head)
    kind = type(event)
    plan = _PLANS.get(kind)
    if plan is None:
        plan = _PLANS[kind] = _plan(kind)
    head.update(zip(plan.names, plan.read(event), strict=True))
    for name in plan.lists:
        head[name] = ", ".join(head[name]) or None
    if head.get("estimated") is False:
        del head["estimated"]
    return scoped(head, scope)


def scoped(fields: dict[str, Any], scope: RequestScope | None) -> dict[str, Any]:
    """`fields`, into which what is known of the request that they belong to is put."""
    if scope is None:
        return fields
    request_id = fields.get("request_id")
    if request_id is None:
        fields["request_id"] = scope.request_id
    elif request_id != scope.request_id:
        return fields
    if fields.get("tenant") is None:
        fields["tenant"] = scope.tenant
    if fields.get("key_id") is None:
        fields["key_id"] = scope.key_id
    return fields


def _plan(kind: type) -> _Plan:
    names: list[str] = []
    paths: list[str] = []
    lists: list[str] = []
    for field in attrs.fields(kind):
        within = _WITHIN.get(field.name)
        names += within or (field.name,)
        paths += [field.name] if within is None else [f"{field.name}.{name}" for name in within]
        if get_origin(field.type) is tuple:
            lists.append(field.name)
    read: Callable[[Any], tuple[Any, ...]]
    if len(paths) > 1:
        read = attrgetter(*paths)
    elif paths:
        only = attrgetter(paths[0])

        def read(event: Any) -> tuple[Any, ...]:
            return (only(event),)
    else:

        def read(event: Any) -> tuple[Any, ...]:
            return ()

    return _Plan(tuple(names), read, tuple(lists))


def _said(event: ChatSaid, head: dict[str, Any]) -> dict[str, Any]:
    turns = "\n\n".join(f"{role}: {redact(text)}" for role, text in event.prompt)
    return {
        **head,
        "request_id": event.request_id,
        "tenant": event.tenant,
        "key_id": event.key_id,
        "message_id": event.message_id,
        "model": event.model,
        "prompt": LongText(turns),
        "answer": LongText(redact(event.answer)),
    }

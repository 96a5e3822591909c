"""The clients find a key that somebody goes on holding after its request was refused for good."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.torture.drivers import Drivers
from tests.torture.ledger import Acknowledged, GivenUp, Ledger

_PATH = "/messages/m1/regenerate"
_WENT_ON = (409, {"code": "conflict"})
_HELD = (409, {"code": "idempotency_key_in_flight"})

Answers = Callable[[int], tuple[int, dict[str, Any]]]
"""To the how manieth send, from 1 on: a status and a body."""


@asynccontextmanager
async def drivers(answers: Answers, *, patience_s: float = 30.0) -> AsyncIterator[tuple[Drivers, list[str]]]:
    """Clients of a server that answers so, and the keys that it was sent."""
    keys: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        status, body = answers(len(keys))
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_post(_PATH, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield (
            Drivers(
                urls=[f"http://127.0.0.1:{runner.addresses[0][1]}"],
                random=random.Random(1),  # noqa: S311 - no secret is drawn
                ledger=Ledger(),
                requests=1,
                keyed=1.0,
                until=lambda: True,
                patience_s=patience_s,
            ),
            keys,
        )
    finally:
        await runner.cleanup()


def _given_up() -> GivenUp:
    return GivenUp(key="n1-remade", body={}, path=_PATH)


async def test_a_key_that_was_refused_for_good_is_sent_until_it_is_refused_again() -> None:
    """Its holder is gone, so that it is in flight up to the end of its lease: that is no fault."""
    async with drivers(lambda send: _HELD if send < 3 else _WENT_ON) as (clients, keys):
        clients.ledger.given_up.append(_given_up())
        await clients.replay_all()

    assert ["n1-remade"] * 3 == keys
    assert clients.ledger.violations == []


@pytest.mark.parametrize(
    ("answer", "patience_s", "violation"),
    [
        (_HELD, 0.3, "n1-remade: refused, and held by somebody 0.3 s later"),
        ((200, {"output": "Hi"}), 30.0, "n1-remade: refused for good, then answered: {'output': 'Hi'}"),
        (
            (422, {"code": "idempotency_key_reused"}),
            30.0,
            "n1-remade: told Refused(status=422, code='idempotency_key_reused', retry_after_s=None)",
        ),
    ],
)
async def test_whatever_else_such_a_key_comes_to_is_found(
    answer: tuple[int, dict[str, Any]], patience_s: float, violation: str
) -> None:
    """Its holder lives and never lets go, or it is answered after all, or it is told something else."""
    async with drivers(lambda _: answer, patience_s=patience_s) as (clients, _):
        clients.ledger.given_up.append(_given_up())
        await clients.replay_all()

    assert [violation] == clients.ledger.violations


async def test_a_client_that_is_refused_for_good_notes_its_key() -> None:
    """Only then: a key that is in flight is asked for again."""
    chat = Acknowledged(
        nonce="n1",
        key=None,
        body={},
        answer={"message_id": "m1", "thread_id": "t1"},
        first_sent_at=0.0,
        acknowledged_at=1.0,
    )
    async with drivers(lambda send: _HELD if send < 2 else _WENT_ON) as (clients, keys):
        async with aiohttp.ClientSession() as session:
            await clients._remake(session, chat)

    assert ["n1-remade"] * 2 == keys
    assert [("n1-remade", _PATH)] == [(each.key, each.path) for each in clients.ledger.given_up]
    assert clients.ledger.violations == []

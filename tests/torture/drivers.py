"""Clients that send chats, and keyed ones again until they are answered."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import aiohttp
import attrs

from tests.torture.client import REFUSED, Answered, Outcome, Refused, send
from tests.torture.ledger import Acknowledged, Answer, GivenUp, Ledger

_NEVER_S: Final = 180.0
"""A keyed request that is not answered by then never will be."""
_EXPECTED: Final = frozenset(
    {
        (409, "idempotency_key_in_flight"),
        (409, "idempotency_key_taken_over"),
        (409, "thread_busy"),
        (502, "upstream_error"),
        (503, "answer_interrupted"),  # to who followed an answer of the same key: its maker was killed
        (503, "overloaded"),
        (503, "shutting_down"),
        (503, "storage_unavailable"),
        (503, "upstream_overloaded"),
    }
)
"""What a server may say while others of its kind die, and its database with them."""
_WENT_ON: Final = (409, "conflict")
"""To regenerating: its thread went on meanwhile, so that the answer is not the last one any more."""
_REMADE: Final = 0.06
_FORKED: Final = 0.04


@attrs.define(kw_only=True)
class Drivers:
    """All clients. Their requests are drawn from `random`; what they are told goes into `ledger`."""

    urls: Sequence[str]
    """Of all replicas, the dead ones too: a client does not know."""
    random: random.Random
    ledger: Ledger
    requests: int
    keyed: float
    """The share of requests with an Idempotency-Key, 0 to 1."""
    until: Callable[[], bool]
    """Whether it may end once `requests` were made."""
    patience_s: float = _NEVER_S
    _made: int = 0
    _threads: list[tuple[str, str]] = attrs.field(factory=list)
    """With their sessions, as answers named them."""

    @property
    def made(self) -> int:
        return self._made

    async def run(self, clients: int) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=90)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            async with asyncio.TaskGroup() as group:
                for _ in range(clients):
                    group.create_task(self._client(session))

    async def replay_all(self) -> None:
        """Sends every key once more: those that were answered are answered again, the others are refused again.

        For the latter this may take the lease of a claim: where the database was away as the request was refused, its
        key could not be given back, and is taken over by who sends it next.
        """
        keyed = [each for each in (*self.ledger.acknowledged, *self.ledger.remade) if each.key]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session:
            waiting: Iterator[Acknowledged | GivenUp] = iter((*keyed, *self.ledger.given_up))

            async def client() -> None:
                for each in waiting:
                    if isinstance(each, GivenUp):
                        await self._refused_again(session, each)
                    else:
                        await self._again(session, each)

            async with asyncio.TaskGroup() as group:
                for _ in range(16):
                    group.create_task(client())

    async def _client(self, session: aiohttp.ClientSession) -> None:
        while self._made < self.requests or not self.until():
            self._made += 1
            await self._chat(session, f"n{self._made}")

    async def _chat(self, session: aiohttp.ClientSession, nonce: str) -> None:
        body = self._body(nonce)
        self.ledger.sent[nonce] = body["prompt"]
        if self.random.random() >= self.keyed:
            sent_at = time.monotonic()
            leave = self.random.randint(1, 4) if self.random.random() < 0.1 else None
            while (outcome := await self._send(session, body, key=None, leave_after=leave)) == REFUSED:  # noqa: ASYNC110 - another process has to come up
                await asyncio.sleep(0.05)
            if isinstance(outcome, Answered):
                await self._go_on(session, self._note(nonce, None, body, outcome.answer, sent_at))
            return
        key = f"key-of-{nonce}"
        sent_at = time.monotonic()
        if self.random.random() < 0.15:
            both = await asyncio.gather(*(self._until_answered(session, body, key) for _ in range(2)))
            if _lasting(both[0]) != _lasting(both[1]):
                self.ledger.violations.append(f"{key}: two answers to one key: {both}")
            answer = both[0]
        else:
            answer = await self._until_answered(session, body, key)
        if answer is None:
            return
        acknowledged = self._note(nonce, key, body, answer, sent_at)
        if self.random.random() < 0.2:
            await self._again(session, acknowledged)
        await self._go_on(session, acknowledged)

    async def _go_on(self, session: aiohttp.ClientSession, chat: Acknowledged) -> None:
        """Some answers are made again, and at some the thread is forked."""
        if self.random.random() < _REMADE:
            await self._remake(session, chat)
        if self.random.random() < _FORKED:
            await self._fork(session, chat)

    async def _remake(self, session: aiohttp.ClientSession, chat: Acknowledged) -> None:
        key = f"{chat.nonce}-remade"
        path = f"/messages/{chat.answer['message_id']}/regenerate"
        body: dict[str, Any] = {"stream": True} if self.random.random() < 0.3 else {}
        sent_at = time.monotonic()
        answer = await self._until_answered(session, body, key, path=path)
        if answer is None:
            return
        remade = Acknowledged(
            nonce=chat.nonce,
            key=key,
            body=body,
            answer=answer,
            first_sent_at=sent_at,
            acknowledged_at=time.monotonic(),
            path=path,
        )
        self.ledger.remade.append(remade)
        if answer["thread_id"] != chat.answer["thread_id"]:
            self.ledger.violations.append(f"{key}: made in another thread")

    async def _fork(self, session: aiohttp.ClientSession, chat: Acknowledged) -> None:
        thread, message = chat.answer["thread_id"], chat.answer["message_id"]
        outcome = await self._send(
            session, {"message_id": message}, key=None, path=f"/threads/{thread}/fork", what=chat.nonce
        )
        if isinstance(outcome, Answered):
            self.ledger.forks[outcome.answer["id"]] = message
            self._threads.append((outcome.answer["id"], outcome.answer["session_id"]))

    def _body(self, nonce: str) -> dict[str, Any]:
        prompt = f"{nonce} " + "why? " * self.random.randint(1, 40)
        body: dict[str, Any] = {"prompt": prompt, "context_depth": self.random.choice((0, 2, 6))}
        if self._threads and self.random.random() < 0.65:
            # A few threads take many chats at once; the others are met by chance.
            busy = self.random.random() < 0.3
            thread, _ = self.random.choice(self._threads[:3] if busy else self._threads[-300:])
            body["thread_id"] = thread
        elif self._threads and self.random.random() < 0.3:
            body["session_id"] = self.random.choice(self._threads)[1]
        if self.random.random() < 0.3:
            body["stream"] = True
        return body

    async def _until_answered(
        self, session: aiohttp.ClientSession, body: dict[str, Any], key: str, *, path: str = "/chat"
    ) -> Answer | None:
        """None where it will not be: the server's last word is noted where it is wrong."""
        give_up = time.monotonic() + self.patience_s
        while time.monotonic() < give_up:
            leave = 2 if self.random.random() < 0.05 else None
            outcome = await self._send(session, body, key=key, leave_after=leave, path=path, what=key)
            if isinstance(outcome, Answered):
                return outcome.answer
            if isinstance(outcome, Refused):
                told = outcome.status, outcome.code
                if told == _WENT_ON:
                    self.ledger.given_up.append(GivenUp(key=key, body=body, path=path))
                if told not in _EXPECTED:
                    return None  # noted already where it is a violation: it will not get better
                await asyncio.sleep(min(outcome.retry_after_s or 0.2, 1.0))
            else:
                await asyncio.sleep(0.05)
        self.ledger.violations.append(f"{key}: not answered within {self.patience_s:g} s")
        return None

    async def _again(self, session: aiohttp.ClientSession, before: Acknowledged) -> None:
        key = before.key
        assert key is not None
        give_up = time.monotonic() + self.patience_s
        while time.monotonic() < give_up:
            outcome = await self._send(session, before.body, key=key, path=before.path, what=key)
            if isinstance(outcome, Answered):
                self.ledger.replays += 1
                if _lasting(outcome.answer) != _lasting(before.answer):
                    self.ledger.violations.append(f"{key}: another answer than before: {outcome.answer}")
                if not outcome.replayed:
                    self.ledger.violations.append(f"{key}: answered anew, not again")
                return
            await asyncio.sleep(0.1)
        self.ledger.violations.append(f"{key}: not answered again within {self.patience_s:g} s")

    async def _refused_again(self, session: aiohttp.ClientSession, before: GivenUp) -> None:
        """Whoever held the key is gone or has let it go: nobody answers it, and its next sender gets it."""
        key = before.key
        give_up = time.monotonic() + self.patience_s
        while time.monotonic() < give_up:
            outcome = await self._send(session, before.body, key=key, path=before.path, what=key)
            if isinstance(outcome, Answered):
                self.ledger.violations.append(f"{key}: refused for good, then answered: {outcome.answer}")
                return
            if isinstance(outcome, Refused) and (outcome.status, outcome.code) not in _EXPECTED:
                return  # noted already where it is another refusal than before
            await asyncio.sleep(0.1)
        self.ledger.violations.append(f"{key}: refused, and held by somebody {self.patience_s:g} s later")

    async def _send(
        self,
        session: aiohttp.ClientSession,
        body: dict[str, Any],
        *,
        key: str | None,
        leave_after: int | None = None,
        path: str = "/chat",
        what: str = "",
    ) -> Outcome:
        outcome = await send(
            session, self.random.choice(self.urls), body, key=key, leave_after=leave_after, path=path
        )
        if outcome == REFUSED:
            return outcome
        self.ledger.sends += 1
        if isinstance(outcome, Answered):
            self.ledger.statuses["200"] += 1
        elif isinstance(outcome, Refused):
            self.ledger.statuses[f"{outcome.status} {outcome.code}"] += 1
            told = outcome.status, outcome.code
            if told not in _EXPECTED and not (told == _WENT_ON and path.endswith("/regenerate")):
                self.ledger.violations.append(f"{what or body['prompt'].split()[0]}: told {outcome}")
        else:
            self.ledger.statuses[outcome.kind] += 1
        return outcome

    def _note(
        self, nonce: str, key: str | None, body: dict[str, Any], answer: Answer, sent_at: float
    ) -> Acknowledged:
        acknowledged = Acknowledged(
            nonce=nonce,
            key=key,
            body=body,
            answer=answer,
            first_sent_at=sent_at,
            acknowledged_at=time.monotonic(),
        )
        self.ledger.acknowledged.append(acknowledged)
        thread = (answer["thread_id"], answer["session_id"])
        if "thread_id" not in body:
            self._threads.append(thread)
        elif body["thread_id"] != answer["thread_id"]:
            self.ledger.violations.append(f"{nonce}: answered in another thread")
        return acknowledged


def _lasting(answer: Answer | None) -> Answer | None:
    """All but the warnings: one may tell of what came after the answer was stored, and is no part of it."""
    return None if answer is None else {name: value for name, value in answer.items() if name != "warnings"}

"""Who a credential belongs to, and what becomes of those that belong to nobody."""

import asyncio
import datetime
import hmac
from collections.abc import AsyncIterator

import attrs
import pytest
from pytest_mock import MockerFixture

from adapters.in_memory.key_store import InMemoryKeyStore
from adapters.in_memory.shelves import Shelves
from adapters.system import SystemClock
from application.ports.key_store import KeyChanges
from application.services import key_watch
from application.services.failed_attempts import MOST_ADDRESSES, FailedAttempts
from application.services.key_ring import KeyRing
from application.services.key_watch import FRESH_S
from domain.access import ANYBODY, Caller
from domain.errors import RateLimited, StorageUnavailable, Unauthenticated
from domain.key_text import hash_of
from domain.telemetry import Event, KeyMoved
from tests.support.keys import SIGNER, CountingKeyStore, Ring, key_for, new_secret
from tests.support.waiting import HANGS_S


@pytest.fixture
async def ring() -> AsyncIterator[Ring]:
    made = Ring.made()
    yield made
    await made.ring.aclose()


def _is_of(caller: object, secret: str) -> bool:
    return isinstance(caller, Caller) and caller.key is not None and caller.key.hash == hash_of(secret)


async def test_without_keys_anybody_is_let_in(ring: Ring) -> None:
    """Also with a credential: clients of the OpenAI API can't do without one."""
    assert ANYBODY == await ring.asked(None)
    assert ring.ring.recall("Bearer not-needed") is ANYBODY
    assert ring.store.looks == 1


async def test_first_key_ever_closes_within_two_seconds_and_the_last_does_not_open(ring: Ring) -> None:
    """No restart for the one; revoking all keys leaves nobody in."""
    await ring.asked(None)
    secret = await ring.key()
    await ring.clock.advance(1.5)
    assert isinstance(await ring.asked(None), Unauthenticated)
    assert _is_of(await ring.asked(f"Bearer {secret}"), secret)
    (key,) = await ring.store.list()
    await ring.store.revoke([key.id])
    await ring.clock.advance(1.5)

    assert isinstance(await ring.asked(f"Bearer {secret}"), Unauthenticated)
    assert isinstance(await ring.asked(None), Unauthenticated)


async def test_first_key_ever_counts_at_once_for_who_brings_it(ring: Ring) -> None:
    """Its limits and scopes hold from the first request; one that nobody made is any text where there are no keys."""
    await ring.asked(None)
    assert ANYBODY == await ring.asked(f"Bearer {new_secret()}")
    secret = await ring.key()

    assert ring.ring.recall(f"Bearer {secret}") is None
    assert _is_of(await ring.asked(f"Bearer {secret}"), secret)


async def test_key_of_this_moment_works_at_once(ring: Ring) -> None:
    """An unknown key waits for one look, however many ask."""
    await ring.key("first")
    await ring.asked(None)
    secret = await ring.key("second")
    looks = ring.store.looks
    callers = await asyncio.gather(*(ring.asked(f"Bearer {secret}", address=str(n)) for n in range(20)))

    assert all(_is_of(caller, secret) for caller in callers)
    assert ring.store.looks <= looks + 2


async def test_key_ends_by_the_stores_clock(ring: Ring) -> None:
    """To the moment, and without a look: an expiry, and a revocation that was announced."""
    hour = datetime.timedelta(hours=1)
    ring.shelves.now = lambda: ring.clock.now() + hour  # a database that is an hour ahead of this machine
    ends = ring.clock.now() + hour + datetime.timedelta(seconds=3)
    expiring = await ring.key("expiring", expires_at=ends)
    rotated = await ring.key("rotated", revoked_at=ends)
    for secret in (expiring, rotated):
        assert _is_of(await ring.asked(f"Bearer {secret}"), secret)
    ring.shelves.available = False
    await ring.clock.advance(3)
    for secret in (expiring, rotated):
        assert ring.ring.recall(f"Bearer {secret}") is None
        assert isinstance(await ring.asked(f"Bearer {secret}"), Unauthenticated)


async def test_revoked_key_is_refused_within_five_seconds_whatever_the_store_does(ring: Ring) -> None:
    """Security 6: with the store away nobody knows what was revoked, so a key that was seen is told 503, never 401."""
    secret = await ring.key()
    assert _is_of(await ring.asked(f"Bearer {secret}"), secret)
    ring.shelves.available = False
    await ring.clock.advance(2)
    assert _is_of(ring.ring.recall(f"Bearer {secret}"), secret)
    await ring.clock.advance(FRESH_S)
    for authorization in (f"Bearer {secret}", f"Bearer {new_secret()}", None):
        assert isinstance(await ring.asked(authorization), StorageUnavailable)
    ring.shelves.available = True
    await ring.clock.advance(2)

    assert _is_of(ring.ring.recall(f"Bearer {secret}"), secret)


async def test_store_that_is_away_at_the_start_lets_nobody_in(ring: Ring) -> None:
    """Whether keys are needed is not known before the store was seen."""
    ring.shelves.available = False
    for authorization in (None, f"Bearer {new_secret()}"):
        assert isinstance(await ring.asked(authorization), StorageUnavailable)
    ring.shelves.available = True
    await ring.clock.advance(2)

    assert ANYBODY == await ring.asked(None)


async def test_store_that_is_back_lets_in_at_once_who_comes_after_a_look_at_it(ring: Ring) -> None:
    """A look that failed a moment ago refuses whoever comes, without another; readiness makes one before it says yes."""
    ring.shelves.available = False
    assert isinstance(await ring.asked(None), StorageUnavailable)
    failed = ring.store.looks
    catching_up = asyncio.ensure_future(ring.ring.catch_up())
    await ring.clock.advance(0.25)
    await catching_up
    assert failed + 1 == ring.store.looks  # and in vain, which is no error
    ring.shelves.available = True
    with pytest.raises(StorageUnavailable):
        await ring.ring.authenticate(None, address=None)
    catching_up = asyncio.ensure_future(ring.ring.catch_up())
    await ring.clock.advance(0.25)
    await catching_up

    assert ANYBODY == await ring.ring.authenticate(None, address=None)
    looks = ring.store.looks
    await ring.ring.catch_up()
    assert looks == ring.store.looks


async def test_flood_of_random_keys_costs_a_few_looks_and_no_memory(ring: Ring) -> None:
    """Security 24: 3,000 from as many addresses in three seconds."""
    secret = await ring.key()
    await ring.asked(f"Bearer {secret}")
    before = ring.store.looks
    for second in range(3):
        flood = [
            asyncio.ensure_future(
                ring.ring.authenticate(f"Bearer {new_secret()}", address=f"10.{second}.{n // 250}.{n % 250}")
            )
            for n in range(1000)
        ]
        await ring.clock.advance(1)
        assert _is_of(ring.ring.recall(f"Bearer {secret}"), secret)
        errors = await asyncio.gather(*flood, return_exceptions=True)
        assert all(isinstance(error, Unauthenticated) for error in errors)

    assert ring.store.looks - before <= 3 * 4 + 1
    assert len(ring.ring._known) == 1
    assert len(ring.ring._failed._forgiven_at_s) <= MOST_ADDRESSES


async def test_address_that_fails_too_often_is_told_to_wait(ring: Ring) -> None:
    """Valid keys get in from there all the same, and another address is another matter."""
    secret = await ring.key()
    await ring.asked(f"Bearer {secret}")
    for _ in range(60):
        assert isinstance(await ring.ring_error("Bearer nonsense"), Unauthenticated)
    looks = ring.store.looks
    for wrong in ("Bearer nonsense", None, f"Bearer {new_secret()}"):
        refused = await ring.ring_error(wrong)
        assert isinstance(refused, RateLimited)
        assert refused.retry_after_s is not None
        assert 0 < refused.retry_after_s <= 1
    assert ring.store.looks == looks
    assert _is_of(await ring.asked(f"Bearer {secret}"), secret)
    assert _is_of(await ring.ring.authenticate(f"bearer  {secret}", address="10.0.0.1"), secret)
    assert isinstance(await ring.asked("Bearer nonsense", address="10.0.0.2"), Unauthenticated)
    await ring.clock.advance(1)

    assert isinstance(await ring.ring_error("Bearer nonsense"), Unauthenticated)
    assert isinstance(await ring.ring_error("Bearer nonsense"), RateLimited)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic {secret}",
        "{secret}",
        "Bearer {secret} {secret}",
        "Bearer {secret}x",
        "Bearer {short}",
        "Bearer {hash}",
        "Bearer {secret}\0",
        "Bearer \udcff{secret}",
        "Bearer ключ",
        "Bearer eyJ.eyJ.x",
        "Bearer " + "x" * 8000,
        "Bearer {twin}",
    ],
)
async def test_every_failure_is_the_same(ring: Ring, wrong: str | None) -> None:
    """Security 5: missing, malformed, unknown, the stored hash (4), and a key that shares 20 characters (6)."""
    secret = await ring.key()
    assert _is_of(await ring.asked(f"Bearer {secret}"), secret)
    authorization = (
        None
        if wrong is None
        else wrong.format(
            secret=secret, short=secret[:-1], hash=hash_of(secret), twin=secret[:28] + new_secret()[28:]
        )
    )
    refused = await ring.asked(authorization)

    assert type(refused) is Unauthenticated
    assert refused.detail == Unauthenticated().detail


async def test_keys_that_begin_alike_are_told_apart(ring: Ring) -> None:
    """Security 6: the whole hash is what a caller is kept under."""
    secret = new_secret()
    twin = secret[:28] + new_secret()[28:]
    for name, each in (("one", secret), ("two", twin)):
        await ring.store.add(key_for(each, name))
    for each in (secret, twin, secret, twin):
        assert _is_of(await ring.asked(f"Bearer {each}"), each)


async def test_hashes_are_compared_in_constant_time(ring: Ring, mocker: MockerFixture) -> None:
    """Security 5: a hash that was found is compared as a whole."""
    secret = await ring.key()
    await ring.asked(f"Bearer {secret}")
    compare = mocker.spy(hmac, "compare_digest")
    ring.ring.recall(f"Bearer {secret}")

    compare.assert_called_once_with(hash_of(secret), hash_of(secret))


async def test_key_that_was_removed_by_hand_is_forgotten(ring: Ring) -> None:
    """Whoever deletes the row means it."""
    await ring.key("other")
    secret = await ring.key()
    assert _is_of(await ring.asked(f"Bearer {secret}"), secret)
    del ring.shelves.api_keys[next(key.id for key in await ring.store.list() if key.name == "web")]
    await ring.clock.advance(2)

    assert isinstance(await ring.asked(f"Bearer {secret}"), Unauthenticated)


async def test_changed_key_counts_as_it_is_now(ring: Ring) -> None:
    """A look replaces what was known of it."""
    secret = await ring.key()
    await ring.asked(f"Bearer {secret}")
    (key,) = ring.shelves.api_keys.values()
    ring.shelves.api_keys[key.id] = attrs.evolve(key, scopes=frozenset(("chat",)))
    await ring.clock.advance(1.5)
    caller = ring.ring.recall(f"Bearer {secret}")

    assert caller is not None
    assert caller.scopes == {"chat"}


async def test_nobody_is_let_in_where_keys_are_demanded() -> None:
    """Beyond this machine, without keys, and nothing written out."""
    ring = Ring.made(opens_without_keys=False)
    assert isinstance(await ring.asked(None), Unauthenticated)
    await ring.ring.aclose()


async def test_switched_off_authentication_still_checks_what_is_brought() -> None:
    """Without a credential nothing is even looked at."""
    ring = Ring.made(is_disabled=True)
    assert ring.ring.recall(None) is ANYBODY
    secret = await ring.key()
    assert _is_of(await ring.asked(f"Bearer {secret}"), secret)
    assert isinstance(await ring.asked(f"Bearer {new_secret()}"), Unauthenticated)
    assert ring.ring.recall(None) is ANYBODY
    ring.ring.use(is_disabled=False, opens_without_keys=True, failed_per_minute=1)
    assert isinstance(await ring.asked(None), Unauthenticated)
    await ring.ring.aclose()


async def test_fault_in_a_look_is_survived(ring: Ring, mocker: MockerFixture) -> None:
    """The watch goes on, and says no more than that the log knows."""
    secret = await ring.key()
    changes = mocker.patch.object(
        type(ring.store), "changes", side_effect=ValueError("a row that can't be read")
    )
    refused = await ring.asked(f"Bearer {secret}")
    assert isinstance(refused, StorageUnavailable)
    assert "row" not in refused.detail
    mocker.stop(changes)
    await ring.clock.advance(2)

    assert _is_of(await ring.asked(f"Bearer {secret}"), secret)


async def test_store_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes after one has waited in vain is told at once, until it is heard of again."""
    monkeypatch.setattr(key_watch, "PATIENCE_S", 0.3)
    answers = asyncio.Event()

    @attrs.define
    class Hanging(CountingKeyStore):
        async def changes(self, since: str | None) -> KeyChanges:
            await answers.wait()
            return await self.inner.changes(since)

    clock = SystemClock()
    shelves = Shelves(now=clock.now)
    store = Hanging(InMemoryKeyStore(shelves=shelves))
    ring = KeyRing(store=store, clock=clock, signer=SIGNER)
    first = asyncio.ensure_future(ring.authenticate(None, address=None))
    await asyncio.sleep(0.2)
    second = asyncio.ensure_future(ring.authenticate(None, address=None))
    refused = await asyncio.gather(first, second, return_exceptions=True)
    async with asyncio.timeout(HANGS_S):
        for _ in range(200):  # whose turns to wait would take a minute
            with pytest.raises(StorageUnavailable):
                await ring.authenticate(None, address=None)
    assert all(isinstance(each, StorageUnavailable) for each in refused)
    answers.set()
    await asyncio.sleep(0.05)

    assert ANYBODY == await ring.authenticate(None, address=None)
    await ring.aclose()


async def test_refusal_knows_whether_a_credential_was_sent(ring: Ring) -> None:
    """For `WWW-Authenticate`; what is wrong with it is not told."""
    await ring.key()
    errors = [await ring.asked(given) for given in (None, "Bearer nonsense", "Basic eDp5")]

    assert [False, True, True] == [error.was_sent for error in errors]


def test_addresses_of_one_ipv6_network_are_one() -> None:
    """A machine has 2^64 of them; an IPv4 one that is written as IPv6 stays itself."""
    failed = FailedAttempts(per_minute=1)
    failed.note("2001:db8::1", now_s=0.0)
    failed.note("::ffff:10.0.0.1", now_s=0.0)
    waits = [
        failed.wait_s(address, now_s=0.0)
        for address in ("2001:db8::ffff%eth0", "2001:db8:0:1::1", "10.0.0.1", "10.0.0.2", "no:address", None)
    ]

    assert waits == [60.0, 0.0, 60.0, 0.0, 0.0, 0.0]


class Heard:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def told(self) -> list[tuple[str, str]]:
        return [(each.change, each.name) for each in self.events if isinstance(each, KeyMoved)]


async def test_what_becomes_of_keys_is_told() -> None:
    """Made, rotated, revoked, in any order; not those that were there before, and never a hash."""
    heard = Heard()
    ring = Ring.made(telemetry=heard)
    await ring.key("old")
    await ring.asked(None)
    assert heard.events == []
    await ring.key("new")
    await ring.clock.advance(2)
    assert heard.told() == [("added", "new")]
    (old,) = [key for key in await ring.store.list() if key.name == "old"]
    await ring.store.revoke([old.id])
    await ring.clock.advance(2)
    assert heard.told() == [("added", "new"), ("revoked", "old")]
    await ring.store.replace(
        (await ring.store.list())[0].id,
        attrs.evolve(key_for(new_secret()), id="k3", name="new", replaces="k"),
        after_s=9.0,
    )
    await ring.clock.advance(2)
    assert sorted(heard.told()[2:]) == [("added", "new"), ("revoked", "new")]
    await ring.ring.aclose()

    moved = heard.events[1]
    assert isinstance(moved, KeyMoved)
    assert (moved.key_id, moved.tenant, moved.ends_at is None) == (old.id, old.tenant, False)
    assert old.hash not in repr(heard.events)


async def test_whether_keys_are_needed_shows(ring: Ring) -> None:
    """From the first one on, unless that is switched off."""
    await ring.asked(None)
    shown = [ring.ring.needs_keys]
    await ring.key()
    await ring.clock.advance(2)
    shown.append(ring.ring.needs_keys)
    ring.ring.use(is_disabled=True, opens_without_keys=True, failed_per_minute=60)
    shown.append(ring.ring.needs_keys)

    assert shown == [False, True, False]

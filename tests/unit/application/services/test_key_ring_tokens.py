"""Tokens that a key's owner has signed, as the key ring takes them."""

import base64
import datetime
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from application.services import key_ring
from application.use_cases.make_token import MakeToken, MakeTokenCommand
from domain.access import SCOPES, USER_SCOPES, Caller
from domain.browser_token import MOST_TTL_S, narrowed
from domain.errors import Forbidden, InvalidRequest, Unauthenticated
from domain.key_text import signing_seed
from domain.secret import Secret
from tests.support.keys import SIGNER, START, Ring, key_for, new_secret

_HEADER = {"alg": "EdDSA", "typ": "JWT"}


@pytest.fixture
async def ring() -> AsyncIterator[Ring]:
    made = Ring.made()
    yield made
    await made.ring.aclose()


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _token(secret: str, header: dict[str, Any], claims: dict[str, Any], *, seed: bytes | None = None) -> str:
    """As any JWT library writes it."""
    text = f"{_part({**_HEADER, **header})}.{_part(claims)}"
    signature = SIGNER.sign(signing_seed(secret) if seed is None else seed, text.encode())
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _claims(ring: Ring, **changes: Any) -> dict[str, Any]:
    now_s = ring.clock.now().timestamp()
    return {"iss": "lor3", "sub": "u1", "iat": now_s, "exp": now_s + 600, **changes}


async def _stored(ring: Ring, **changes: Any) -> tuple[str, str]:
    """A key, and its id."""
    secret = new_secret()
    key = key_for(secret, **changes)
    await ring.store.add(key)
    return secret, key.id


async def test_token_that_was_signed_elsewhere_lets_its_user_in(ring: Ring) -> None:
    """Without scopes it has a user's; the key's tenant and limits are its own."""
    secret, key_id = await _stored(ring)
    caller = await ring.asked(f"Bearer {_token(secret, {'kid': key_id}, _claims(ring))}")

    assert isinstance(caller, Caller)
    assert (caller.user, caller.scopes, caller.models, caller.key_id) == ("u1", USER_SCOPES, (), key_id)


async def test_token_says_no_more_than_its_key(ring: Ring) -> None:
    """What is asked beyond it is left out; what is neither's is nothing."""
    secret, key_id = await _stored(
        ring, scopes=frozenset(("chat", "usage")), models=("openai:*", "claude:opus")
    )
    asked = {"scp": ["chat", "usage", "threads", "tokens", "new"], "models": ["openai:gpt-5", "demo:demo"]}
    caller = await ring.asked(f"Bearer {_token(secret, {'kid': key_id}, _claims(ring, **asked))}")
    assert isinstance(caller, Caller)
    assert (set(caller.scopes), *caller.models) == ({"chat"}, "openai:gpt-5")
    foreign = _token(secret, {"kid": key_id}, _claims(ring, models=["demo:demo"]))

    assert isinstance(await ring.asked(f"Bearer {foreign}"), Unauthenticated)


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"alg": "none"}, {}),
        ({"alg": "HS256"}, {}),
        ({"alg": "eddsa"}, {}),
        ({"alg": None}, {}),
        ({"typ": "JWE"}, {}),
        ({"crit": ["b64"], "b64": False}, {}),
        ({"kid": None}, {}),
        ({"kid": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01"}, {}),
        ({}, {"iss": "other"}),
        ({}, {"iss": None}),
        ({}, {"sub": ""}),
        ({}, {"sub": None}),
        ({}, {"sub": "u" * 257}),
        ({}, {"sub": "u\n1"}),
        ({}, {"exp": None}),
        ({}, {"exp": "2099-01-01"}),
        ({}, {"exp": True}),
        ({}, {"exp": float("inf")}),
        ({}, {"exp": START.timestamp()}),
        ({}, {"exp": START.timestamp() - 1}),
        ({}, {"exp": START.timestamp() + MOST_TTL_S + 300}),
        ({}, {"iat": None}),
        ({}, {"iat": START.timestamp() + 120, "exp": START.timestamp() + 240}),
        ({}, {"nbf": START.timestamp() + 120}),
        ({}, {"scp": "chat"}),
        ({}, {"scp": [1]}),
        ({}, {"models": {"*": 1}}),
        ({}, {"models": ["m"] * 65}),
        ({}, {"models": ["m" * 257]}),
    ],
)
async def test_token_that_is_not_quite_right_lets_nobody_in(
    ring: Ring, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    """Though its owner signed it: the algorithm is fixed, its life is short, and every claim is of its type."""
    secret, key_id = await _stored(ring)
    await ring.asked(f"Bearer {secret}")
    token = _token(secret, {"kid": key_id, **header}, _claims(ring, **claims))

    assert type(await ring.asked(f"Bearer {token}")) is Unauthenticated


async def test_forged_and_bent_tokens_let_nobody_in(ring: Ring) -> None:
    """Signed by another key, not signed, another's claims, or written in another way."""
    secret, key_id = await _stored(ring)
    await ring.asked(f"Bearer {secret}")
    good = _token(secret, {"kid": key_id}, _claims(ring))
    head, claims, signature = good.split(".")
    forged = [
        _token(new_secret(), {"kid": key_id}, _claims(ring)),
        f"{head}.{claims}.",
        f"{head}.{claims}.{'A' * 86}",
        f"{head}.{_part(_claims(ring, sub='u2'))}.{signature}",
        f"{head}.{claims}.{signature}=",
        f"{head}.{claims}.{signature[:-1]}B",
        f"{head}.{claims}.{signature}.{signature}",
        f"{head}.{claims}",
        f"{_part([1])}.{claims}.{signature}",
        f"{head}.{'W1tb' * 1500}.{signature}",
        f"eyJ{'a' * 8100}.e.e",
    ]
    for number, each in enumerate(forged):
        assert type(await ring.asked(f"Bearer {each}", address=str(number))) is Unauthenticated
    assert isinstance(await ring.asked(f"Bearer {good}"), Caller)


@pytest.mark.parametrize("is_known", [True, False])
async def test_forged_token_waits_as_long_whether_its_key_exists_or_not(ring: Ring, is_known: bool) -> None:
    """Security 5: for one look; where a good one of a key of this moment gets in."""
    secret, key_id = await _stored(ring)
    await ring.asked(f"Bearer {secret}")
    checked = 0
    verify = SIGNER.verify

    class Counting:
        is_ready = True

        def verify(self, *given: Any) -> bool:
            nonlocal checked
            checked += 1
            return verify(*given)

    ring.ring._signer = Counting()  # type: ignore[assignment]  # nothing else is asked of it
    looks, began_s = ring.store.looks, ring.clock.monotonic()
    kid = key_id if is_known else "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01"
    forged = _token(new_secret(), {"kid": kid}, _claims(ring))
    refused = await ring.asked(f"Bearer {forged}")

    assert isinstance(refused, Unauthenticated)
    assert (1, 2) == (ring.store.looks - looks, checked)
    assert ring.clock.monotonic() - began_s == 0.25


async def test_token_of_a_key_of_this_moment_lets_its_user_in(ring: Ring) -> None:
    """After a look."""
    await ring.asked(f"Bearer {(await _stored(ring))[0]}")
    secret, key_id = await _stored(ring, name="new")

    assert isinstance(await ring.asked(f"Bearer {_token(secret, {'kid': key_id}, _claims(ring))}"), Caller)


async def test_token_ends_with_its_time_and_with_its_key(ring: Ring) -> None:
    """Also one that was found good before."""
    secret, key_id = await _stored(ring)
    brief = f"Bearer {_token(secret, {'kid': key_id}, _claims(ring, exp=ring.clock.now().timestamp() + 5))}"
    long = f"Bearer {_token(secret, {'kid': key_id}, _claims(ring))}"
    for each in (brief, long):
        assert isinstance(await ring.asked(each), Caller)
    await ring.clock.advance(5)
    assert isinstance(await ring.asked(brief), Unauthenticated)
    assert isinstance(ring.ring.recall(long), Caller)
    await ring.store.revoke([key_id])
    await ring.clock.advance(2)

    assert isinstance(await ring.asked(long), Unauthenticated)


async def test_tokens_that_are_kept_are_bounded(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first, and is checked anew when it comes again."""
    monkeypatch.setattr(key_ring, "MOST_TOKENS", 3)
    secret, key_id = await _stored(ring)
    tokens = [f"Bearer {_token(secret, {'kid': key_id}, _claims(ring, sub=f'u{n}'))}" for n in range(5)]
    for token in (*tokens, *tokens):
        assert isinstance(await ring.asked(token), Caller)

    assert len(ring.ring._tokens) == 3


async def test_signatures_are_checked_for_an_address_that_failed_but_not_without_end(ring: Ring) -> None:
    """Users behind one address get in while somebody there floods."""
    secret, key_id = await _stored(ring)
    await ring.asked(f"Bearer {secret}")
    for _ in range(60):
        await ring.ring_error("Bearer nonsense")
    good = _token(secret, {"kid": key_id}, _claims(ring))
    assert isinstance(await ring.ring_error(f"Bearer {good}"), Caller)
    forged = [_token(new_secret(), {"kid": key_id}, _claims(ring, sub=str(n))) for n in range(150)]
    verified = 0
    verify = SIGNER.verify

    class Counting:
        is_ready = True

        def verify(self, *given: Any) -> bool:
            nonlocal verified
            verified += 1
            return verify(*given)

    ring.ring._signer = Counting()  # type: ignore[assignment]  # nothing else is asked of it
    for each in forged:
        await ring.ring_error(f"Bearer {each}")

    assert verified <= key_ring.CHECKS_PER_S


def _maker(ring: Ring) -> MakeToken:
    return MakeToken(key_ring=ring.ring, signer=SIGNER)


def _command(caller: Caller, secret: str, **changes: Any) -> MakeTokenCommand:
    return MakeTokenCommand(
        **{
            "caller": caller,
            "credential": Secret(secret),
            "user": "u1",
            "ttl_s": 600,
            "scopes": frozenset(("chat",)),
            **changes,
        }
    )


async def test_token_that_was_made_here_lets_its_user_in(ring: Ring) -> None:
    """For as long as was asked; not beyond the key's own end."""
    ends = ring.clock.now() + datetime.timedelta(seconds=300)
    secret, _ = await _stored(ring, models=("openai:*",), expires_at=ends)
    caller = await ring.asked(f"Bearer {secret}")
    made = await _maker(ring).execute(_command(caller, secret, models=("openai:gpt-5",)))
    got = await ring.asked(f"Bearer {made.token.reveal()}")

    assert isinstance(got, Caller)
    assert (got.user, set(got.scopes), *got.models) == ("u1", {"chat"}, "openai:gpt-5")
    assert made.claims.expires_at_s == ends.timestamp()


async def test_what_a_key_may_not_give_is_refused(ring: Ring) -> None:
    """Scopes and models beyond it, values that can't be, and no key at all."""
    secret, _ = await _stored(ring, scopes=SCOPES - {"feedback"}, models=("openai:*",))
    caller = await ring.asked(f"Bearer {secret}")
    make = _maker(ring)
    beyond: tuple[dict[str, Any], ...] = ({"scopes": frozenset(("feedback",))}, {"models": ("demo:*",)})
    for changes in beyond:
        with pytest.raises(Forbidden):
            await make.execute(_command(caller, secret, **changes))
    impossible: tuple[dict[str, Any], ...] = (
        {"user": ""},
        {"user": "a\0"},
        {"ttl_s": 0},
        {"ttl_s": 3601},
        {"scopes": frozenset(("usage",))},
        {"scopes": frozenset()},
    )
    for changes in impossible:
        with pytest.raises(InvalidRequest):
            await make.execute(_command(caller, secret, **changes))
    for wrong in (_command(Caller(), secret), _command(caller, new_secret())):
        with pytest.raises(Unauthenticated):
            await make.execute(wrong)


@pytest.mark.parametrize(
    ("allowed", "asked", "both"),
    [
        ((), (), ()),
        ((), ("a",), ("a",)),
        (("a",), (), ("a",)),
        (("openai:*",), ("openai:gpt-5", "demo:demo"), ("openai:gpt-5",)),
        (("openai:gpt-5", "demo:demo"), ("openai:*",), ("openai:gpt-5",)),
        (("*",), ("claude:*",), ("claude:*",)),
        (("a*b",), ("a*",), ("a*b",)),
        (("a.c",), ("abc",), None),
        (("a",), ("b",), None),
        (("a*",), ("A1",), None),
    ],
)
def test_models_are_narrowed(
    allowed: tuple[str, ...], asked: tuple[str, ...], both: tuple[str, ...] | None
) -> None:
    """To patterns that are within both lists, of which an empty one allows all."""
    assert both == narrowed(allowed, asked)

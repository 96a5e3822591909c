"""Short-lived tokens for browsers: a compact JWS (RFC 7515) with the claims of a JWT (RFC 7519), signed with Ed25519.

Whoever holds an API key can make them, with `POST /tokens` or any JWT library: the private key is `signing_seed` of
the API key. A token says less than its key or as much, never more.
"""

import base64
import binascii
import datetime
import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from domain.access import SCOPES, USER_SCOPES, ApiKey, Caller, Scope
from domain.model_pattern import MOST_MODELS, MOST_NAME, matches, pieces_of
from domain.values import frozen

ISSUER: Final = "lor3"
ALGORITHM: Final = "EdDSA"
DEFAULT_TTL_S: Final = 600
MOST_TTL_S: Final = 3600
MOST_USER: Final = 256
"""Characters of a user's id."""
_SKEW_S: Final = 60.0
"""By how much the clock of whoever signed may be ahead of the database's."""
_MOST_CHARACTERS: Final = 8000
_PART: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@frozen(kw_only=True)
class TokenClaims:
    """What a token says."""

    user: str
    issued_at_s: float
    """Unix time, as `expires_at_s`."""
    expires_at_s: float
    scopes: frozenset[Scope] = USER_SCOPES
    models: tuple[str, ...] = ()
    """None allows what its key allows."""


@frozen(kw_only=True)
class SignedToken:
    """A token whose signature nobody has checked yet."""

    key_id: str
    claims: TokenClaims
    signed: bytes
    signature: bytes


def unsigned(key_id: str, claims: TokenClaims) -> str:
    """What is to be signed; `.` and the signature in base64url follow."""
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": key_id}
    payload: dict[str, object] = {
        "iss": ISSUER,
        "sub": claims.user,
        "iat": int(claims.issued_at_s),
        "exp": int(claims.expires_at_s),
        "scp": sorted(claims.scopes),
    }
    if claims.models:
        payload["models"] = list(claims.models)
    return f"{_encoded(_json(header))}.{_encoded(_json(payload))}"


def signed(unsigned_token: str, signature: bytes) -> str:
    return f"{unsigned_token}.{_encoded(signature)}"


def looks_like_token(credential: str) -> bool:
    """Whether reading it is worth the while."""
    return credential.startswith("eyJ") and credential.count(".") == 2


def read_token(text: str, *, now_s: float) -> SignedToken | None:
    """None for all that is no token, or none of now.

    The algorithm is never the token's choice: another one than ours, and an extension that must be understood
    (`crit`), make it none. RFC 8725, sections 3.1 and 3.2.
    """
    if len(text) > _MOST_CHARACTERS:
        return None
    parts = text.split(".")
    if len(parts) != 3:
        return None
    header, payload, signature = (_decoded(part) for part in parts)
    if header is None or payload is None or signature is None or len(signature) != 64:
        return None
    head, claims = _object(header), _object(payload)
    if head is None or claims is None:
        return None
    key_id = head.get("kid")
    if head.get("alg") != ALGORITHM or head.get("typ", "JWT") != "JWT" or "crit" in head:
        return None
    said = _claims_of(claims, now_s)
    if said is None or not isinstance(key_id, str):
        return None
    return SignedToken(
        key_id=key_id, claims=said, signed=f"{parts[0]}.{parts[1]}".encode(), signature=signature
    )


def caller_of(key: ApiKey, claims: TokenClaims) -> Caller | None:
    """The user, with what both the key and the token allow; None where that is no model at all."""
    models = narrowed(key.models, claims.models)
    if models is None:
        return None
    return Caller(
        tenant=key.tenant,
        key=key,
        scopes=key.scopes & claims.scopes & USER_SCOPES,
        user=claims.user,
        models=models,
    )


def narrowed(allowed: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...] | None:
    """The patterns that are within both lists, of which an empty one allows all; None where nothing is.

    By how they are written: an alias is within `*` and itself.
    """
    if not allowed or not asked:
        return asked or allowed
    of_allowed, of_asked = list(map(pieces_of, allowed)), list(map(pieces_of, asked))
    both = [name for name in asked if any(matches(other, name) for other in of_allowed)]
    both += [name for name in allowed if name not in both and any(matches(other, name) for other in of_asked)]
    return tuple(both) or None


def check_user(user: str) -> bool:
    return 0 < len(user) <= MOST_USER and user.isprintable()


def _claims_of(claims: Mapping[str, Any], now_s: float) -> TokenClaims | None:
    user: object = claims.get("sub")
    if claims.get("iss") != ISSUER or not (isinstance(user, str) and check_user(user)):
        return None
    issued_at_s: object = claims.get("iat")
    expires_at_s: object = claims.get("exp")
    not_before_s: object = claims.get("nbf", 0)
    if not (_is_time(issued_at_s) and _is_time(expires_at_s) and _is_time(not_before_s)):
        return None
    if max(issued_at_s, not_before_s) > now_s + _SKEW_S:
        return None
    if not now_s < expires_at_s <= issued_at_s + MOST_TTL_S:
        return None
    scopes, models = claims.get("scp", sorted(USER_SCOPES)), claims.get("models", [])
    if not (_are_texts(scopes) and _are_texts(models) and len(models) <= MOST_MODELS):
        return None
    if any(len(name) > MOST_NAME for name in models):
        return None
    return TokenClaims(
        user=user,
        issued_at_s=issued_at_s,
        expires_at_s=expires_at_s,
        scopes=SCOPES.intersection(scopes),
        models=tuple(models),
    )


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**40


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _object(text: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text.decode())
    except (ValueError, RecursionError):  # no JSON, no UTF-8, or deeper than anybody's claims
        return None
    return value if isinstance(value, dict) else None


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(part: str) -> bytes | None:
    """None where it is not written as base64url without padding, or not in the one way that there is."""
    if not _PART.fullmatch(part):
        return None
    try:
        value = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return None
    return value if _encoded(value) == part else None


def moment_of(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)

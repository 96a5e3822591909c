"""Making a short-lived token for a browser."""

import hmac

from application.ports.token_signer import TokenSigner
from application.services.key_ring import KeyRing
from domain.access import USER_SCOPES, Caller, Scope
from domain.browser_token import (
    MOST_TTL_S,
    TokenClaims,
    check_user,
    narrowed,
    signed,
    unsigned,
)
from domain.errors import Fault, Forbidden, InvalidRequest, Unauthenticated
from domain.key_text import hash_of, signing_seed
from domain.secret import Secret
from domain.values import frozen


@frozen(kw_only=True)
class MakeTokenCommand:
    caller: Caller
    credential: Secret
    """What the caller was known by: the key itself, which signs."""
    user: str
    ttl_s: int
    scopes: frozenset[Scope]
    models: tuple[str, ...] = ()


@frozen(kw_only=True)
class MadeToken:
    token: Secret
    claims: TokenClaims


@frozen(kw_only=True)
class MakeToken:
    """Signs with the key that the request came with, so the server keeps nothing that can sign."""

    _key_ring: KeyRing
    _signer: TokenSigner

    async def execute(self, command: MakeTokenCommand) -> MadeToken:
        """
        Raises:
            Unauthenticated: there is no key to sign with: none exist, or authentication is switched off.
            Forbidden: the key may not give what is asked for.
            InvalidRequest: a value can't be.
        """
        key, secret = command.caller.key, command.credential.reveal()
        if key is None or not hmac.compare_digest(key.hash, hash_of(secret)):
            raise Unauthenticated
        _check(command)
        lacking = command.scopes - key.scopes
        if lacking:
            raise Forbidden(
                f"this key lacks the scope `{min(lacking)}`, so its tokens can't have it: "
                "leave it out of `scopes`, or use a key that has it"
            )
        if narrowed(key.models, command.models) is None:
            raise Forbidden("this key may ask none of `models`, so its tokens can't either")
        issued_at_s = int(self._key_ring.now_s())
        ends = [issued_at_s + command.ttl_s]
        ends += [int(end.timestamp()) for end in (key.expires_at, key.revoked_at) if end is not None]
        claims = TokenClaims(
            user=command.user,
            issued_at_s=issued_at_s,
            expires_at_s=min(ends),
            scopes=command.scopes,
            models=command.models,
        )
        text = unsigned(key.id, claims)
        await self._key_ring.prepare_signer()
        signature = self._signer.sign(signing_seed(secret), text.encode())
        return MadeToken(token=Secret(signed(text, signature)), claims=claims)


def _check(command: MakeTokenCommand) -> None:
    faults = []
    if not check_user(command.user):
        faults.append(Fault(path="user", message="must be 1 to 256 printable characters"))
    if not 1 <= command.ttl_s <= MOST_TTL_S:
        faults.append(Fault(path="ttl_s", message=f"must be from 1 to {MOST_TTL_S}"))
    if not command.scopes or command.scopes - USER_SCOPES:
        allowed = ", ".join(sorted(USER_SCOPES))
        faults.append(Fault(path="scopes", message=f"must be some of those a user can have: {allowed}"))
    if faults:
        raise InvalidRequest.of(*faults)

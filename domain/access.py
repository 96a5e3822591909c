"""Who calls, and what they may do."""

import datetime
from typing import Final, Literal, TypeAlias, get_args

import attrs

from domain.ids import DEFAULT_TENANT, Tenant
from domain.limits.budget import Budget
from domain.limits.rate import NO_LIMITS, RateLimits
from domain.values import frozen

Scope: TypeAlias = Literal["chat", "threads", "feedback", "usage", "prompts", "tokens"]
"""What a route's policy asks for. `tokens`: whoever may make short-lived tokens for browsers."""
SCOPES: Final[frozenset[Scope]] = frozenset(get_args(Scope))
USER_SCOPES: Final[frozenset[Scope]] = frozenset(("chat", "threads", "feedback"))
"""All that a caller who is bound to a user can have: the rest shows or changes what is others'."""


@frozen(kw_only=True)
class ApiKey:
    """A long-lived key, without the secret: nobody has that but its owner."""

    id: str
    """A UUIDv7."""
    tenant: Tenant
    name: str
    hash: str = attrs.field(repr=False)
    """SHA-256 of the whole key, in hexadecimal digits: a key is 256 random bits, so nothing slower is needed."""
    public_key: str = attrs.field(default="", repr=False)
    """Ed25519, base64url without padding: checks the tokens that the key's owner has signed."""
    hint: str = ""
    """How the key begins and ends, to tell one from another."""
    scopes: frozenset[Scope] = SCOPES
    models: tuple[str, ...] = ()
    """Models that may be asked: `provider:model`, an alias, or a pattern with `*`; none allows all."""
    limits: RateLimits = NO_LIMITS
    budgets: tuple[Budget, ...] = ()
    created_at: datetime.datetime
    expires_at: datetime.datetime | None = None
    revoked_at: datetime.datetime | None = None
    """In the future while a key that was rotated still overlaps with the new one."""
    replaces: str | None = None
    """The id of the key that it was rotated from. Both count as one for limits and budgets: see `account`."""
    account: str = ""
    """Whose limits, budgets and usage it shares: the id of the first key of its rotations; its own where empty."""

    @property
    def account_id(self) -> str:
        return self.account or self.id


@frozen(kw_only=True)
class Caller:
    """Who sent a request."""

    tenant: Tenant = DEFAULT_TENANT
    key: ApiKey | None = None
    """None where no key is needed: there are none, or authentication is switched off; and for the CLI."""
    scopes: frozenset[Scope] = SCOPES
    user: str | None = None
    """Set: the caller is this end user's browser, and sees and does nothing but what is theirs."""
    models: tuple[str, ...] = ()
    """As of a key; none allows all."""

    @property
    def key_id(self) -> str | None:
        """What usage is written down under."""
        return None if self.key is None else self.key.account_id


ANYBODY: Final = Caller()

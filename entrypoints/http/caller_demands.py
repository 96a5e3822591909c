"""What callers' chats are counted under, worked out once for each of them."""

from typing import Final, TypeAlias

import attrs

from domain.access import Caller
from domain.ids import Tenant
from domain.limits.rate import RateDemand, RateDemands, RateLimits
from entrypoints.settings import LimitSettings

_MOST_KNOWN: Final = 4_096
"""Callers whose demands are kept at a time; about 1 KB each."""

_Who: TypeAlias = tuple[str | None, Tenant, str | None, str | None]
"""A key's account, the tenant, the user and the address; None of the last two where they have no limits."""


@attrs.define(eq=False)
class CallerDemands:
    """Keeps what was worked out, with the limits that it came from: others are counted from the next chat on."""

    _known: dict[_Who, tuple[RateLimits | None, LimitSettings, RateDemands]] = attrs.field(
        factory=dict, init=False
    )

    def of(self, caller: Caller, user: str | None, address: str | None, limits: LimitSettings) -> RateDemands:
        """Of the caller's key, its user and its address, as far as each has limits.

        Args:
            address: None where addresses have no limits.
        """
        key = caller.key
        of_key = account = None
        if key is not None:
            of_key, account = key.limits, key.account_id
        if user is not None and limits.user.is_empty:
            user = None
        who = (account, caller.tenant, user, address)
        known = self._known.get(who)
        if known is not None and known[0] is of_key and known[1] is limits:
            return known[2]
        demands: list[RateDemand] = []
        if key is not None and not (limits_of_key := key_limits(caller, limits)).is_empty:
            demands.append(RateDemand(kind="key", id=key.account_id, limits=limits_of_key))
        if user is not None:
            demands.append(RateDemand(kind="user", id=f"{caller.tenant}/{user}", limits=limits.user))
        if address is not None:
            demands.append(RateDemand(kind="address", id=address, limits=limits.address))
        made = RateDemands(demands)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[who] = (of_key, limits, made)
        return made


def key_limits(caller: Caller, limits: LimitSettings) -> RateLimits:
    """Of the caller's key: its own, and those of the configuration where it has none."""
    return limits.key if caller.key is None else caller.key.limits.or_else(limits.key)

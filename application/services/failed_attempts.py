"""How often somebody may fail to say who they are."""

import ipaddress
from typing import Final

import attrs

MOST_ADDRESSES: Final = 4096
"""Kept at a time, about 0.5 MB; beyond it the one that failed longest ago is forgotten."""


@attrs.define(kw_only=True)
class FailedAttempts:
    """A limit for each address: `per_minute` at once, then one more every `60 / per_minute` seconds.

    As in GCRA, one number is all that is kept of an address: when its failures will have been forgiven.
    """

    _per_minute: int
    _forgiven_at_s: dict[str, float] = attrs.field(factory=dict, init=False)
    """Those that failed last are last."""

    def wait_s(self, address: str | None, *, now_s: float) -> float:
        """How long it has to wait before it may fail again; 0 where it may now."""
        forgiven_at_s = self._forgiven_at_s.get(_subject(address))
        if forgiven_at_s is None:
            return 0.0
        allowed_s = 60.0 - 60.0 / self._per_minute  # before one more would be one too many
        return max(0.0, forgiven_at_s - now_s - allowed_s)

    def note(self, address: str | None, *, now_s: float) -> None:
        """It has failed."""
        subject = _subject(address)
        forgiven_at_s = max(self._forgiven_at_s.pop(subject, now_s), now_s) + 60.0 / self._per_minute
        # Those that were under way together may be more than are allowed: nobody waits the longer for that.
        forgiven_at_s = min(forgiven_at_s, now_s + 60.0)
        if len(self._forgiven_at_s) >= MOST_ADDRESSES:
            del self._forgiven_at_s[next(iter(self._forgiven_at_s))]
        self._forgiven_at_s[subject] = forgiven_at_s


def _subject(address: str | None) -> str:
    """Of IPv6 the network, as one machine has as many addresses there as it likes."""
    if address is None or ":" not in address:
        return address or ""
    try:
        whole = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if whole.ipv4_mapped is not None:
        return str(whole.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(whole) >> 64 << 64, 64)))

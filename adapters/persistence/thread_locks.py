"""What a unit of work may write to."""

import attrs

from domain.ids import Tenant


@attrs.define
class ThreadLocks:
    """Which threads this unit of work has locked or added."""

    _held: set[str] = attrs.field(factory=set, init=False)

    def note(self, thread_id: str) -> None:
        self._held.add(thread_id)

    def demand(self, thread_id: str) -> None:
        """
        Raises:
            RuntimeError: it is not, so that writing to it would race.
        """
        if thread_id.lower() not in self._held:
            raise RuntimeError(f"thread `{thread_id}` is written without a lock: await `lock` or `add` first")

    def forget(self) -> None:
        """They end with the transaction."""
        self._held.clear()


def demand_tenant(tenant: Tenant, *, of: Tenant) -> None:
    """
    Raises:
        ValueError: a row of one tenant in a unit of work of another.
    """
    if tenant != of:
        raise ValueError(f"a row of tenant `{tenant}` in a unit of work of another tenant")

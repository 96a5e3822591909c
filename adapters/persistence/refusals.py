"""Requests that were turned away, written to the log of what was used."""

from collections.abc import Sequence

from adapters.persistence.scope import Scope
from adapters.persistence.tables import USAGE_LOG
from adapters.persistence.usage_log import NOTHING
from domain.clean_text import clean
from domain.refusal import RefusalCount
from domain.values import frozen


@frozen
class Refusals:
    _scope: Scope

    async def add(self, refusals: Sequence[RefusalCount]) -> None:
        if refusals:
            await self._scope.add(
                USAGE_LOG,
                [
                    clean(
                        {
                            **NOTHING,
                            "kind": "refusal",
                            "at": each.last_at,
                            "outcome": each.code,
                            "key_id": each.key_id or "",
                            "requests": each.count,
                            "errors": each.count,
                        }
                    )
                    for each in refusals
                ],
            )

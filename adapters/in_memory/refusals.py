"""Requests that were turned away, in this process."""

import itertools
from collections.abc import Sequence
from typing import Final

from adapters.in_memory.tenant_view import TenantView
from domain.refusal import RefusalCount
from domain.values import frozen

_NUMBERS: Final = itertools.count()


@frozen
class InMemoryRefusals:
    _view: TenantView

    async def add(self, refusals: Sequence[RefusalCount]) -> None:
        self._view.shelves.demand()
        for each in refusals:
            self._view.refusals.put(next(_NUMBERS), each)

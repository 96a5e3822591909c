"""What `lor3 key` is given: the store of keys, and the use cases that make them."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from domain.values import frozen
from entrypoints.bootstrap import open_signer, open_store

if TYPE_CHECKING:
    from application.ports.budget_ledger import BudgetLedger
    from application.ports.id_generator import IdGenerator
    from application.ports.key_store import KeyStore
    from application.ports.token_signer import TokenSigner
    from application.use_cases.create_key import CreateKey
    from application.use_cases.read_key_budgets import ReadKeyBudgets
    from application.use_cases.rotate_key import RotateKey
    from entrypoints.settings import Settings


@frozen(kw_only=True)
class KeyAdministration:
    keys: "KeyStore"
    settings: "Settings"
    _ids: "IdGenerator"
    _signer: "TokenSigner"
    _budgets: "BudgetLedger"

    @property
    def create_key(self) -> "CreateKey":
        from application.use_cases.create_key import CreateKey

        return CreateKey(keys=self.keys, ids=self._ids, signer=self._signer, random_bytes=secrets.token_bytes)

    @property
    def read_key_budgets(self) -> "ReadKeyBudgets":
        from application.use_cases.read_key_budgets import ReadKeyBudgets

        return ReadKeyBudgets(rules=self.settings.budgets, ledger=self._budgets)

    @property
    def rotate_key(self) -> "RotateKey":
        from application.use_cases.rotate_key import RotateKey

        return RotateKey(keys=self.keys, ids=self._ids, signer=self._signer, random_bytes=secrets.token_bytes)


@asynccontextmanager
async def administering_keys(settings: "Settings", *, creating: bool) -> "AsyncIterator[KeyAdministration]":
    """The database alone: no provider, no prompt, no cache.

    Args:
        creating: whether a file of SQLite is made where there is none.

    Raises:
        ConfigurationError: the store refuses its settings.
        StorageUnavailable: there is a file, and it can't be read.
    """
    signer, ids = open_signer()
    store = open_store(settings)
    try:
        is_file = settings.database.url.reveal().startswith("sqlite")
        if creating or not is_file or (await store.schema()).current is not None:
            await store.start()
        yield KeyAdministration(
            keys=store.keys, settings=settings, budgets=store.budgets, ids=ids, signer=signer
        )
    finally:
        await store.aclose()

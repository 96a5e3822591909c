"""Making an API key."""

import datetime
from collections.abc import Callable

from application.ports.id_generator import IdGenerator
from application.ports.key_store import KeyStore
from application.ports.token_signer import TokenSigner
from application.services.key_making import CreatedKey, KeyMaking
from domain.access import SCOPES, ApiKey, Scope
from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT, Tenant
from domain.key_text import check_names
from domain.limits.budget import Budget
from domain.limits.rate import NO_LIMITS, RateLimits
from domain.model_pattern import MOST_MODELS, MOST_NAME
from domain.values import frozen


@frozen(kw_only=True)
class CreateKeyCommand:
    name: str
    tenant: Tenant = DEFAULT_TENANT
    scopes: frozenset[Scope] = SCOPES
    models: tuple[str, ...] = ()
    limits: RateLimits = NO_LIMITS
    budgets: tuple[Budget, ...] = ()
    lifetime_s: float | None = None


@frozen(kw_only=True)
class CreateKey:
    """Keeps a new key's hash, and gives the key itself to the caller alone."""

    _keys: KeyStore
    _ids: IdGenerator
    _signer: TokenSigner
    _random_bytes: Callable[[int], bytes]
    """As many as asked for, which nobody can guess."""

    async def execute(self, command: CreateKeyCommand) -> CreatedKey:
        """
        Raises:
            InvalidRequest: what it is called, or what it may do, can't be.
            Conflict: the tenant has a key of that name.
            StorageUnavailable: it could not be kept, so there is no such key.
        """
        faults = [*check_names(name=command.name, tenant=command.tenant)]
        if not command.scopes:
            faults.append(Fault(path="scopes", message="a key without any opens nothing: give at least one"))
        if len(command.models) > MOST_MODELS or any(len(name) > MOST_NAME for name in command.models):
            most = f"must be at most {MOST_MODELS} names or patterns of at most {MOST_NAME} characters"
            faults.append(Fault(path="models", message=most))
        slots = [(budget.period, budget.soft) for budget in command.budgets]
        if len(set(slots)) < len(slots):
            faults.append(Fault(path="budget", message="there can be one budget of a kind for each period"))
        if faults:
            raise InvalidRequest.of(*faults)
        created_at = await self._keys.now()
        lifetime_s = command.lifetime_s
        expires_at = None if lifetime_s is None else created_at + datetime.timedelta(seconds=lifetime_s)
        making = KeyMaking(ids=self._ids, signer=self._signer, random_bytes=self._random_bytes)
        created = making.complete(
            lambda key_id, secret: ApiKey(
                id=key_id,
                tenant=command.tenant,
                name=command.name,
                hash=secret.hash,
                public_key=secret.public_key,
                hint=secret.hint,
                scopes=command.scopes,
                models=command.models,
                limits=command.limits,
                budgets=command.budgets,
                created_at=created_at,
                expires_at=expires_at,
                account=key_id,
            )
        )
        await self._keys.add(created.key)
        return created

"""Callers without keys: who a request comes from is what its bearer token says."""

import attrs

from application.services.key_ring import KeyRing
from domain.access import Caller
from domain.errors import Unauthenticated
from entrypoints.application import Application
from entrypoints.settings import ChatRight


class CallersByName:
    """In place of a KeyRing: `Bearer ada` is the caller of that name, and no credential is `anybody`."""

    def __init__(self, anybody: Caller | None = None, **named: Caller) -> None:
        self._anybody = anybody
        self._named = named

    @property
    def needs_keys(self) -> bool:
        return self._anybody is None

    def recall(self, authorization: str | None) -> Caller | None:
        if authorization is None:
            return self._anybody
        scheme, _, name = authorization.partition(" ")
        return self._named.get(name) if scheme == "Bearer" else None

    async def authenticate(self, authorization: str | None, *, address: str | None) -> Caller:
        raise Unauthenticated

    def instead(self, application: Application) -> Application:
        """The application with these in place of its keys."""
        ring: KeyRing = self  # type: ignore[assignment]  # as much of one as the boundary asks
        return attrs.evolve(application, key_ring=ring)


def with_users_may(application: Application, *rights: ChatRight) -> Application:
    """The application as if `auth.users_may` said so."""
    settings = application.settings
    auth = attrs.evolve(settings.auth, users_may=rights)
    return attrs.evolve(application, settings=attrs.evolve(settings, auth=auth))

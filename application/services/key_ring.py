"""Tells who a credential belongs to."""

import asyncio
import hmac
import math
import re
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.key_store import KeyChanges, KeyStore
from application.ports.telemetry import Telemetry
from application.ports.token_signer import TokenSigner
from application.services.failed_attempts import FailedAttempts
from application.services.key_watch import KeyWatch
from domain.access import ANYBODY, ApiKey, Caller
from domain.browser_token import SignedToken, caller_of, looks_like_token, read_token
from domain.errors import RateLimited, StorageUnavailable, Unauthenticated
from domain.key_text import hash_of, is_key
from domain.telemetry import KeyMoved

MOST_TOKENS: Final = 8192
"""Tokens that are known to be good, at a time; about 1 KB each."""
MOST_WAITING: Final = 64
"""Credentials that may wait for a look at a time; the others are refused as unknown, which they are."""
CHECKS_PER_S: Final = 100
"""Signatures that are checked for addresses that have failed too often: 2 % of a core."""
_NOBODYS: Final = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
"""A public key (RFC 8037, appendix A) that signatures are checked with where there is no other, to no effect."""
_BEARER: Final = re.compile(r"bearer +([!-~]+) *", re.ASCII | re.IGNORECASE)


@attrs.define(eq=False)
class _Known:
    """Whose credential it is, and until when."""

    hash: str
    caller: Caller
    ends_at_s: float
    """By the store's clock, in Unix time."""


@attrs.define(kw_only=True)
class KeyRing:
    """Every key that lets somebody in, in memory: a request costs no query.

    What is known counts for a few seconds (`key_watch.FRESH_S`) after the store was last seen. From then on keys
    can't be told from revoked ones, so nobody is let in by one, and told `StorageUnavailable` instead.
    """

    _store: KeyStore
    _clock: Clock
    _signer: TokenSigner
    is_disabled: bool = False
    """Who brings no credential is let in. One that is brought is checked all the same."""
    opens_without_keys: bool = True
    """Whether anybody is let in as long as there has never been a key; not where others than this machine can call."""
    failed_per_minute: int = 60
    _telemetry: Telemetry | None = None
    """Told of each key that is made, changed or ends, but for those that were there at the first look."""
    _known: dict[str, _Known] = attrs.field(factory=dict, init=False)
    """Keys, by the SHA-256 of the whole of them; over ones too, so that they need not be looked for."""
    _tokens: dict[str, _Known] = attrs.field(factory=dict, init=False)
    """The same for tokens, oldest first."""
    _keys: dict[str, ApiKey] = attrs.field(factory=dict, init=False)
    """By id."""
    _is_open: bool = attrs.field(default=False, init=False)
    """It is known that there has never been a key, and that this is enough."""
    _any_exist: bool = attrs.field(default=False, init=False)
    _was_seen: bool = attrs.field(default=False, init=False)
    """Whether a look has ever succeeded."""
    _waiting: int = attrs.field(default=0, init=False)
    _checks: float = attrs.field(default=CHECKS_PER_S, init=False)
    _checked_at_s: float = attrs.field(default=0.0, init=False)
    _watch: KeyWatch = attrs.field(init=False)
    _failed: FailedAttempts = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._watch = KeyWatch(store=self._store, clock=self._clock, apply=self._apply)
        self._failed = FailedAttempts(per_minute=self.failed_per_minute)

    def use(self, *, is_disabled: bool, opens_without_keys: bool, failed_per_minute: int) -> None:
        """From now on goes by these."""
        self.is_disabled, self.opens_without_keys = is_disabled, opens_without_keys
        if failed_per_minute != self.failed_per_minute:
            self.failed_per_minute = failed_per_minute
            self._failed = FailedAttempts(per_minute=failed_per_minute)
        self._is_open = opens_without_keys and self._was_seen and not self._any_exist

    @property
    def needs_keys(self) -> bool:
        """Whether who brings no credential is refused."""
        return not (self._is_open or self.is_disabled)

    @property
    def was_read(self) -> bool:
        """Whether the keys could ever be read."""
        return self._was_seen

    def now_s(self) -> float:
        """The store's clock, in Unix time."""
        return self._watch.now_s()

    def recall(self, authorization: str | None) -> Caller | None:
        """The caller, where that is known at once; None where `authenticate` has to be asked.

        Args:
            authorization: the header as it came.
        """
        if self._is_open and not _brings_key(authorization):
            return ANYBODY
        if authorization is None and self.is_disabled:
            return ANYBODY
        if authorization is None or authorization[:7] != "Bearer " or not self._watch.is_fresh():
            return None
        return self._recall(hash_of(authorization[7:]))

    async def authenticate(self, authorization: str | None, *, address: str | None) -> Caller:
        """
        Raises:
            Unauthenticated: whatever is wrong with the credential.
            RateLimited: too many wrong ones came from the address.
            StorageUnavailable: the keys can't be read.
        """
        self._watch.begin()
        await self._watch.refresh()
        if self._is_open and _brings_key(authorization):
            await self._look()  # the first key may have been made a moment ago, and is to count at once
        if self._is_open or (authorization is None and self.is_disabled):
            return ANYBODY
        wait_s = self._failed.wait_s(address, now_s=self._clock.monotonic())
        match = None if authorization is None else _BEARER.fullmatch(authorization)
        caller = None if match is None else await self._caller(match[1], is_limited=wait_s > 0)
        if caller is not None:
            return caller
        if wait_s > 0:
            raise RateLimited(
                "too many requests from this address came without a valid key; send one, or try again later",
                retry_after_s=wait_s,
            )
        self._failed.note(address, now_s=self._clock.monotonic())
        raise Unauthenticated(was_sent=authorization is not None)

    async def start(self) -> None:
        """Reads the keys, and goes on reading what changes. That they can't be read is no error here."""
        self._watch.begin()
        try:
            await self._watch.refresh()
        except StorageUnavailable:
            pass  # the watch goes on, and requests are told

    async def catch_up(self) -> None:
        """Looks once more where the last look failed: a request that comes right behind that one is refused without
        another. That the keys can't be read is no error here.
        """
        if self._watch.has_failed:
            try:
                await self._watch.look()
            except StorageUnavailable:
                pass  # as at the start

    async def aclose(self) -> None:
        """Stops reading."""
        await self._watch.aclose()

    async def _caller(self, credential: str, *, is_limited: bool) -> Caller | None:
        digest = hash_of(credential)
        found = self._recall(digest)
        if found is not None or digest in self._known:
            return found
        if is_key(credential):
            if is_limited or not await self._look():
                return None
            return self._recall(digest)
        if looks_like_token(credential) and self._may_check(is_limited=is_limited):
            return await self._token_caller(credential, digest, is_limited=is_limited)
        return None

    def _recall(self, digest: str) -> Caller | None:
        found = self._known.get(digest) or self._tokens.get(digest)
        if found is None or not hmac.compare_digest(found.hash, digest):
            return None
        return found.caller if self._watch.now_s() < found.ends_at_s else None

    async def _look(self) -> bool:
        """Whether there was one since: of a flood of unknown keys most are not worth the wait."""
        if self._waiting >= MOST_WAITING:
            return False
        self._waiting += 1
        try:
            await self._watch.look()
        finally:
            self._waiting -= 1
        return True

    def _may_check(self, *, is_limited: bool) -> bool:
        if not is_limited:
            return True
        now_s = self._clock.monotonic()
        self._checks = min(CHECKS_PER_S, self._checks + (now_s - self._checked_at_s) * CHECKS_PER_S)
        self._checked_at_s = now_s
        if self._checks < 1:
            return False
        self._checks -= 1
        return True

    async def _token_caller(self, text: str, digest: str, *, is_limited: bool) -> Caller | None:
        """A token that is good at once, or else once there was a look: its key may be of this moment.

        One with a wrong signature waits as well, and what it is checked with when its key is unknown takes as long: how
        long a refusal takes says nothing of which ids of keys there are.
        """
        token = read_token(text, now_s=self._watch.now_s())
        if token is None:
            return None
        await self.prepare_signer()
        caller = self._checked(token, digest)
        if caller is None and not is_limited and await self._look():
            caller = self._checked(token, digest)
        return caller

    def _checked(self, token: SignedToken, digest: str) -> Caller | None:
        key = self._keys.get(token.key_id)
        public_key = _NOBODYS if key is None or not key.public_key else key.public_key
        is_signed = self._signer.verify(public_key, token.signature, token.signed)
        if key is None or public_key is _NOBODYS or not is_signed or self._watch.now_s() >= _end_of(key):
            return None
        caller = caller_of(key, token.claims)
        if caller is None:
            return None
        if len(self._tokens) >= MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        ends_at_s = min(token.claims.expires_at_s, _end_of(key))
        self._tokens[digest] = _Known(digest, caller, ends_at_s)
        return caller if self._watch.now_s() < ends_at_s else None

    async def prepare_signer(self) -> None:
        """In a thread: what is loaded for the first token must not hold up the others' requests."""
        if not self._signer.is_ready:
            await asyncio.to_thread(self._signer.prepare)

    def _apply(self, changes: KeyChanges) -> None:
        """Takes in what a look found."""
        is_news = self._was_seen
        self._was_seen, self._any_exist = True, self._any_exist or changes.any_exist
        self._is_open = self.opens_without_keys and not self._any_exist
        changed = [key for key in changes.keys if self._keys.get(key.id) != key]
        gone: set[str] = set()
        if changes.is_whole:
            gone = self._keys.keys() - {key.id for key in changes.keys}
        if not (changed or gone):
            return
        self._tokens.clear()  # each says less than its key, or as much: of what it said
        for key_id in gone:
            lost = self._keys.pop(key_id)
            del self._known[lost.hash]
            if self._watch.now_s() < _end_of(lost):  # the others were over long ago
                self._tell(lost, "removed")
        for key in changed:
            former = self._keys.get(key.id)
            if former is not None:
                self._known.pop(former.hash, None)
            self._keys[key.id] = key
            caller = Caller(tenant=key.tenant, key=key, scopes=key.scopes, models=key.models)
            self._known[key.hash] = _Known(key.hash, caller, _end_of(key))
            if is_news:
                self._tell(key, _change(former, key))

    def _tell(self, key: ApiKey, change: str) -> None:
        if self._telemetry is None:
            return
        ends = [moment for moment in (key.expires_at, key.revoked_at) if moment is not None]
        self._telemetry.emit(
            KeyMoved(
                key_id=key.id,
                name=key.name,
                tenant=key.tenant,
                change=change,
                replaces=key.replaces,
                ends_at=min(ends, default=None),
            )
        )


def _change(former: ApiKey | None, key: ApiKey) -> str:
    if key.revoked_at is not None and (former is None or former.revoked_at != key.revoked_at):
        return "revoked"
    return "added" if former is None else "changed"


def _end_of(key: ApiKey) -> float:
    """Unix time; infinite where nobody has said."""
    ends = [moment.timestamp() for moment in (key.expires_at, key.revoked_at) if moment is not None]
    return min(ends, default=math.inf)


def _brings_key(authorization: str | None) -> bool:
    return authorization is not None and authorization[:7] == "Bearer " and is_key(authorization[7:])
